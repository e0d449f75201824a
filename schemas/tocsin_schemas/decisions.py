"""What a board decides and how it votes: decisions, their digests, ballot papers.

**A vote is a signature, not a row** (trust.md §2). A decision is frozen when its ballot opens; whoever votes signs the
digest of (decision, choice): with a passkey, whose challenge is that digest (`Assertion`), or with an Ed25519 key kept
offline (a JWS of type `tocsin-ballot+jwt`). Changing one byte of the decision makes every vote on it worthless.

Who is recused for a reason that the chain cannot compute (a complaint, a tie, one's own word) is part of the decision:
fewer eligible seats lower the bar, so those who vote must have signed the list. What comes up later lowers nothing: the
seat just does not vote.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field, model_validator

from tocsin_schemas import envelope
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import (
    ControlGroup,
    Credential,
    CredentialId,
    Kid,
    Roster,
    SeatName,
    Version,
    canonical,
)
from tocsin_schemas.signals import (
    ISSUER_PATTERN,
    LATEST,
    Closed,
    Digest,
    Instant,
    Issuer,
    dump_object,
    load_object,
)
from tocsin_schemas.tally import RuleName
from tocsin_schemas.vocabulary import (
    SCOPE_WORDS,
    Choice,
    DecisionType,
    MemberClass,
    RecusalReason,
    SourceRestriction,
)

DECISION_CONTEXT: Final = b"tocsin/board-decision/v1\n"
BALLOT_CONTEXT: Final = b"tocsin/board-ballot/v1\n"
BALLOT_TYP: Final = "tocsin-ballot+jwt"
MAX_BALLOTS: Final = 200

COMMUNITY_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
SUBJECT_PATTERN: Final = rf"({ISSUER_PATTERN})|({COMMUNITY_PATTERN})|^decision:[1-9][0-9]{{0,8}}$"
Community = Annotated[str, Field(pattern=COMMUNITY_PATTERN)]
DecisionSeq = Annotated[int, Field(ge=1, lt=10**9)]
RecordSeq = Annotated[int, Field(ge=0, lt=10**9)]
Subject = Annotated[str, Field(max_length=300, pattern=SUBJECT_PATTERN)]
Base64Url = Annotated[str, Field(max_length=4096, pattern=r"^[A-Za-z0-9_-]+$")]
CompactJws = Annotated[
    str,
    Field(max_length=envelope.MAX_TOKEN_BYTES, pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"),
]


class Grant(Closed):
    """What a member may do in a community."""

    community: Community
    read: bool
    write: bool


class Admit(Closed):
    """Admit the subject, once it has proved that it holds each key named by its thumbprint.

    `sponsors`: two members unrelated to the subject and to each other, or none while the hub is being founded;
    `vetting`: SHA-256 of the vetting report.
    """

    member_class: MemberClass
    control_group: ControlGroup
    sponsors: Annotated[list[Issuer], Field(max_length=2)]
    vetting: Digest
    keys: Annotated[list[Kid], Field(min_length=1, max_length=8)]
    communities: Annotated[list[Grant], Field(max_length=64)]


class Suspend(Closed):
    """Suspend the subject until `until`, 180 days at most.

    `noticed_at`: when the subject was told of the complaint, five working days before; left out for a member that is
    suspended in an emergency.
    """

    until: Instant
    noticed_at: Instant | None = None


class Sanction(Closed):
    """Restrict the subject until the board reinstates it; `noticed_at` as for `Suspend`."""

    noticed_at: Instant


class RevokeKey(Closed):
    """Revoke one key of the subject."""

    kid: Kid


class EnrolKeys(Closed):
    """Let the subject prove keys that it cannot sign for with one it has: it lost them all."""

    keys: Annotated[list[Kid], Field(min_length=1, max_length=8)]


class SetPolicy(Closed):
    """The policy in force from now on; its version is one above the last."""

    policy: Policy


class SetRoster(Closed):
    """The roster in force from now on; its version is one above the last."""

    roster: Roster


class Peer(Closed):
    """Peer with the hub that is the subject, on the terms of this digest."""

    terms: Digest


class Appeal(Closed):
    """The appeal against decision `of`, filed at `filed_at`, within 30 days of it."""

    of: DecisionSeq
    filed_at: Instant


class Agreement(Closed):
    """An agreement with the owner of a licensed list, by the digest of its terms."""

    list: SourceRestriction
    terms: Digest


class Plain(Closed):
    """The type and the subject say it all."""


Params = (
    Admit
    | Suspend
    | Sanction
    | RevokeKey
    | EnrolKeys
    | Grant
    | SetPolicy
    | SetRoster
    | Peer
    | Appeal
    | Agreement
    | Plain
)
PARAMS: Final[dict[DecisionType, type[Params]]] = {
    "member.admit": Admit,
    "member.object": Plain,
    "member.activate": Plain,
    "member.extend": Plain,
    "member.refuse": Plain,
    "member.emergency_suspend": Plain,
    "member.suspend": Suspend,
    "member.sanction": Sanction,
    "member.reinstate": Plain,
    "member.expel": Plain,
    "key.enrol": EnrolKeys,
    "key.revoke": RevokeKey,
    "community.open": Plain,
    "community.grant": Grant,
    "policy.set": SetPolicy,
    "roster.set": SetRoster,
    "peering.set": Peer,
    "appeal.uphold": Appeal,
    "appeal.dismiss": Appeal,
    "agreement.record": Agreement,
}
"""What each kind of decision says beside its subject."""

_WORDS: Final[Mapping[DecisionType, str]] = {
    "community.open": "COMMUNITY",
    "policy.set": "policy",
    "roster.set": "roster",
    "agreement.record": "agreement",
    "appeal.uphold": "decision:NUMBER",
    "appeal.dismiss": "decision:NUMBER",
}
SUBJECTS: Final[Mapping[DecisionType, str]] = {kind: _WORDS.get(kind, "ISSUER") for kind in PARAMS}
"""Whom or what each kind of decision is about: a new community, a decision, a word that is fixed, or the issuer of a
member, an applicant or a peer."""
_ISSUER: Final = re.compile(ISSUER_PATTERN)
_COMMUNITY: Final = re.compile(COMMUNITY_PATTERN)
_NUMBER: Final = re.compile(r"decision:[1-9][0-9]{0,8}")


def fits_subject(kind: DecisionType, subject: str) -> bool:
    """Whether a decision of that kind can be about `subject`."""
    match SUBJECTS[kind]:
        case "ISSUER":
            return _ISSUER.fullmatch(subject) is not None
        case "COMMUNITY":
            return _COMMUNITY.fullmatch(subject) is not None and subject not in SCOPE_WORDS
        case "decision:NUMBER":
            return _NUMBER.fullmatch(subject) is not None
    return subject == SUBJECTS[kind]


class Recusal(Closed):
    """A seat without a vote, and why."""

    seat: SeatName
    reason: RecusalReason


class Decision(Closed):
    """What a ballot is about, frozen when it opens.

    `seq` is the decision's number; `prev` the digest of the newest record when it opened; `threshold` the rule of
    `tocsin_schemas.tally` by which it is counted; votes are taken from `issued_at` until before `expires_at`.
    """

    type: DecisionType
    seq: DecisionSeq
    prev: Digest
    roster_version: Version
    threshold: RuleName
    subject: Subject
    params: Params
    recused: Annotated[list[Recusal], Field(default_factory=list, max_length=200)]
    issued_at: Instant
    expires_at: Instant

    @model_validator(mode="after")
    def _fits(self) -> "Decision":
        if type(self.params) is not PARAMS[self.type]:
            raise ValueError("params of another kind of decision")
        of = f"decision:{self.params.of}" if isinstance(self.params, Appeal) else self.subject
        if self.subject != of or not fits_subject(self.type, self.subject):
            raise ValueError("a subject of another kind of decision")
        return self


class Assertion(Closed):
    """A WebAuthn assertion (Web Authentication Level 3, §5.2.2), each part in base64url."""

    client_data: Base64Url
    authenticator_data: Base64Url
    signature: Base64Url


class Ballot(Closed):
    """One seat's vote. `credential` is the id of the key that signed: by an assertion, or by a compact JWS."""

    seat: SeatName
    choice: Choice
    credential: CredentialId
    cast_at: Instant
    assertion: Assertion | None = None
    jws: CompactJws | None = None

    @model_validator(mode="after")
    def _signed_once(self) -> "Ballot":
        if (self.assertion is None) == (self.jws is None):
            raise ValueError("one of assertion and jws")
        return self


class Vote(Closed):
    """The payload of an offline ballot: the decision's digest, the choice, the seat."""

    digest: Digest
    choice: Choice
    seat: SeatName


def decision_digest(decision: Decision) -> bytes:
    """What identifies a decision: 32 bytes."""
    return hashlib.sha256(DECISION_CONTEXT + canonical(decision)).digest()


def ballot_challenge(digest: bytes, choice: Choice) -> bytes:
    """The WebAuthn challenge of a vote on the decision with that digest: 32 bytes."""
    return hashlib.sha256(BALLOT_CONTEXT + digest + b"\n" + choice.encode()).digest()


def sign_ballot(digest: bytes, choice: Choice, seat: str, key: SigningKey, cast_at: int) -> Ballot:
    """A vote with an Ed25519 key kept offline."""
    payload = dump_object({"digest": digest.hex(), "choice": choice, "seat": seat})
    jws = envelope.sign(payload, key, BALLOT_TYP).decode()
    return Ballot(seat=seat, choice=choice, credential=key.public.kid, cast_at=cast_at, jws=jws)


def open_vote(jws: str, credential: Credential) -> Vote:
    """Read the offline ballot that `credential` signed.

    Raises:
        Refused: `ballot-invalid` when it is none.
    """
    key = credential.public()
    try:
        opened = envelope.open_token(jws.encode(), {key.kid: AuthorKey(key, "", 0, LATEST)}, BALLOT_TYP)
        return Vote.model_validate(load_object(opened.payload, "payload"))
    except (Refused, ValueError):
        raise Refused("ballot-invalid", "ballot.jws", "not a ballot signed with that key") from None
