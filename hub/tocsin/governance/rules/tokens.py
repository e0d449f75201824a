"""Acts that a member or a seat signs with one of its keys, other than signals, records and ballots: which are good."""

from collections.abc import Mapping, Set
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import DecisionSeq
from tocsin_schemas.envelope import AuthorKey, kid_of, open_token
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Hub, Seat, SeatName
from tocsin_schemas.signals import LATEST, Closed, Digest, Instant, Issuer, Jti, load_object
from tocsin_schemas.vocabulary import DecisionType, RemarkStance, RemarkTopic

SPONSORSHIP_TYP: Final = "tocsin-sponsorship+jwt"
APPEAL_TYP: Final = "tocsin-appeal+jwt"
SEAT_ACT_TYP: Final = "tocsin-seat-act+jwt"
ACT_PAST: Final = 300
ACT_FUTURE: Final = 60


class MemberWord(Closed):
    """What a member says for an applicant (`application`), or against a decision (`of`)."""

    iss: Issuer
    aud: Hub
    iat: Instant
    jti: Jti
    application: Annotated[str, Field(pattern=r"^ap_[0-9a-f]{32}$")] | None = None
    of: DecisionSeq | None = None


def open_member_word(state: BoardState, token: bytes, typ: str, hub: str, now: int) -> MemberWord:
    """Open what a member signed: a compact JWS of type `typ` over {iss, aud, iat, jti} and one thing more.

    Raises:
        Refused: as `envelope.open_token`; `key-not-yet-valid`, `key-expired` or `key-revoked`; `claim-invalid` when it
            says more or less; `issuer-mismatch`, `audience-unknown`, `iat-future` or `iat-too-old`.
    """
    # 1. Form and type; the key it names.
    kid = kid_of(token, typ)
    owner, held = next(
        ((issuer, member.keys[kid]) for issuer, member in state.members.items() if kid in member.keys),
        (None, None),
    )
    if owner is None or held is None:
        raise Refused("key-unknown", "header.kid", "not a key of a member")
    # 2. The key is in force.
    if held.revoked_at is not None and now >= held.revoked_at:
        raise Refused("key-revoked", "header.kid", "the key was revoked")
    if now < held.not_before:
        raise Refused("key-not-yet-valid", "header.kid", "the key is not in force yet")
    if now >= held.not_after:
        raise Refused("key-expired", "header.kid", "the key has expired")
    # 3. Signature; only then what it says: closed, who, for whom, when.
    said = load_object(open_token(token, {kid: held.author(owner)}, typ).payload, "payload")
    try:
        word = MemberWord.model_validate(said)
    except ValidationError:
        raise Refused("claim-invalid", "payload", "not what a member says here") from None
    if said.keys() != {"iss", "aud", "iat", "jti", _SAYS[typ]}:
        raise Refused("claim-invalid", "payload", f"iss, aud, iat, jti and {_SAYS[typ]}, and nothing else")
    if word.iss != owner:
        raise Refused("issuer-mismatch", "iss", "the key belongs to another issuer")
    _check_frame(word.aud, word.iat, hub, now)
    return word


class SeatAct(Closed):
    """What a seat does beside voting, signed with a key that the roster names for it.

    `propose`: a motion of `type` about `subject` with `params`. `propose-admission`: to admit the applicant of
    `application`. `endorse`: the motion. `declare`: whether the seat has a conflict of interest in it. `remark`: a
    `stance` and a `topic` in its discussion, and the SHA-256 of a `document` if there is one. `withdraw`: the seat's
    own motion. `begin-emergency`: put the emergency suspension of the member `subject` before the duty officers.
    """

    seat: SeatName
    aud: Hub
    iat: Instant
    jti: Jti
    act: Literal[
        "propose", "propose-admission", "endorse", "declare", "remark", "withdraw", "begin-emergency"
    ]
    type: DecisionType | None = None
    subject: Annotated[str, Field(max_length=300)] | None = None
    params: dict[str, Any] | None = None
    application: Annotated[str, Field(max_length=35)] | None = None
    motion: Annotated[str, Field(max_length=35)] | None = None
    conflict: bool | None = None
    stance: RemarkStance | None = None
    topic: RemarkTopic | None = None
    document: Digest | None = None


def open_seat_act(state: BoardState, token: bytes, hub: str, now: int) -> tuple[Seat, SeatAct]:
    """Open an act of a seat: a compact JWS of type `tocsin-seat-act+jwt` by an offline key of the roster.

    Raises:
        Refused: as `envelope.open_token`; `claim-invalid` for an act that says more or less than such an act;
            `issuer-mismatch` for another seat's key; `audience-unknown`, `iat-future` or `iat-too-old`.
    """
    # 1. Form and type; the key it names, and whose it is.
    kid = kid_of(token, SEAT_ACT_TYP)
    seat, held = next(
        (
            (seat, credential)
            for seat in (*state.roster.seats, *state.roster.panel)
            for credential in seat.credentials
            if (credential.kind, credential.id) == ("ed25519", kid)
        ),
        (None, None),
    )
    if seat is None or held is None:
        raise Refused("key-unknown", "header.kid", "not an offline key of a seat")
    # 2. Signature; only then the act: whose, for whom, when, and closed.
    key = AuthorKey(held.public(), hub, 0, LATEST)
    said = load_object(open_token(token, {kid: key}, SEAT_ACT_TYP).payload, "payload")
    try:
        act = SeatAct.model_validate(said)
    except ValidationError:
        raise Refused("claim-invalid", "act", "not an act of a seat") from None
    if said.keys() - _MAY_SAY.get(act.act, set()) != {"seat", "aud", "iat", "jti", "act", *_SAID[act.act]}:
        raise Refused("claim-invalid", "act", "each act has members of its own, all of them, and no others")
    if act.seat != seat.seat:
        raise Refused("issuer-mismatch", "seat", "the key belongs to another seat")
    _check_frame(act.aud, act.iat, hub, now)
    return seat, act


def _check_frame(aud: str, issued: int, hub: str, now: int) -> None:
    if aud != hub:
        raise Refused("audience-unknown", "aud", "must be the issuer of this hub")
    if issued > now + ACT_FUTURE:
        raise Refused("iat-future", "iat", f"more than {ACT_FUTURE} s ahead of the hub's clock")
    if issued < now - ACT_PAST:
        raise Refused("iat-too-old", "iat", f"more than {ACT_PAST} s old")


_SAYS: Final[Mapping[str, str]] = {SPONSORSHIP_TYP: "application", APPEAL_TYP: "of"}
_SAID: Final[Mapping[str, tuple[str, ...]]] = {
    "propose": ("type", "subject", "params"),
    "propose-admission": ("application",),
    "endorse": ("motion",),
    "declare": ("motion", "conflict"),
    "remark": ("motion", "stance", "topic"),
    "withdraw": ("motion",),
    "begin-emergency": ("subject",),
}
_MAY_SAY: Final[Mapping[str, Set[str]]] = {"remark": {"document"}}
