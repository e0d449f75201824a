"""Making tokens of what waits, at the moment they are sent.

Everything is asked again then: whether the member may still be told, whether the statement still stands and may be
shown to it. What is shown is remembered as given to the member, in the same transaction. Names and counts of authors
are not told; a signal itself, which names its author, is carried only to members of a class that may read signals. A
member that may read nothing any more is told of what it was given before, and no more of it than that it changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.members.service import Org
from tocsin.signals.service import giving
from tocsin.signals.service.giving import Given
from tocsin.streams.rules.events import BOARD_WORDS, STREAM_WORDS, Token, compose, reaches, statement_subject
from tocsin.streams.service.context import Transmitter
from tocsin.streams.service.managing import STATE
from tocsin.streams.store.streams import Stream
from tocsin.streams.store.waiting import Waiting
from tocsin_schemas import envelope, signals
from tocsin_schemas.membership import SCOPES_OF

TYP: Final = envelope.TYP


class Unsigned(NamedTuple):
    """The payload of a token, and the stream whose key signs it."""

    stream: Stream
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the tokens of one transaction are made from."""

    transmitter: Transmitter
    uow: UnitOfWork
    orgs: Mapping[int, Org]
    sights: dict[int, giving.Sight]
    grants: dict[int, dict[int, tuple[bool, bool]]]
    slugs: Mapping[int, str]
    given: Mapping[int, Given]


def render(
    transmitter: Transmitter, uow: UnitOfWork, tokens: Sequence[tuple[Stream, Waiting]]
) -> list[Unsigned | None]:
    """The payload of each token, in order; None where there is nothing to tell any more. What is told is marked."""
    members = transmitter.context.members
    seqs = {token.seq for _, token in tokens if token.seq is not None and token.community_id is not None}
    scene = _Scene(
        transmitter,
        uow,
        members.orgs(uow) if tokens else {},
        {},
        {},
        {community.id: slug for slug, community in members.communities(uow).items()} if seqs else {},
        giving.at(uow, seqs),
    )
    shown: list[tuple[int, int]] = []
    found = [_one(scene, stream, token, shown) for stream, token in tokens]
    giving.mark(uow, shown)
    return found


def sign(transmitter: Transmitter, unsigned: Unsigned) -> bytes:
    """The token, signed as its stream wants it."""
    return envelope.sign(unsigned.payload, transmitter.signers[unsigned.stream.alg], TYP)


def _one(scene: _Scene, stream: Stream, token: Waiting, shown: list[tuple[int, int]]) -> Unsigned | None:
    org = scene.orgs[stream.organisation_id]
    if token.word in STREAM_WORDS:
        subject: str | None = stream.public_id
        said = _about_stream(scene, stream, token)
    elif not reaches(token.word, org.state):
        return None
    elif token.word in BOARD_WORDS:
        subject, said = _kept(token), {"seq": token.seq, "state": token.standing}
    elif token.community_id is None or not _may_be_told(scene, org, token, token.community_id):
        return None
    elif token.word in ("account-enabled", "signal.expired"):
        subject, said = _kept(token), {"community": scene.slugs[token.community_id], "seq": token.seq}
    else:
        subject, said = _about_statement(scene, org, token)
        if subject is not None and token.indicator_id is not None and giving.may_read(org):
            shown.append((org.id, token.indicator_id))
    if subject is None:
        return None
    claims = Token(org.issuer, token.created_at, token.jti, subject, token.word, token.txn, token.caused_at)
    return Unsigned(stream, compose(scene.transmitter.issuer, claims, said))


def _about_stream(scene: _Scene, stream: Stream, token: Waiting) -> dict[str, Any]:
    sealed = token.state
    state = None if sealed is None else scene.transmitter.seal.open(STATE, stream.public_id, sealed)
    return {"state": state, "status": token.status, "reason": token.reason}


def _about_statement(scene: _Scene, org: Org, token: Waiting) -> tuple[str | None, dict[str, Any]]:
    given = scene.given.get(token.seq or 0)
    if given is None or _sight(scene, org).hides(given.row) is not None:
        return None, {}
    row = given.row
    payload = envelope.payload_of(row.jws or b"")
    signal = signals.parse(payload)
    said: dict[str, Any] = {"community": scene.slugs[given.community_id], "seq": row.seq}
    if token.word == "signal.retracted":
        subject = None if signal.target is None else statement_subject(signal.target)
    else:
        subject = next((str(one) for number, one in given.indicators if number == token.indicator_id), None)
        if giving.may_read(org):
            said |= {"statement": sha256(payload).hexdigest(), "expires_at": row.expires_at}
    if token.standing is not None:
        said |= {"status": token.standing, "policy": token.policy}
        return subject, said
    if signal.report is not None:
        said["labels"] = list(signal.report.labels)
        if token.word == "account-disabled" and signal.report.account is not None:
            account = signal.report.account
            said |= {"conduct": account.conduct, "relevance": account.relevance, "action": account.action}
    said["kind"] = row.kind
    if "signals:read" in SCOPES_OF[org.member_class] and giving.may_read(org):
        said["jws"] = (row.jws or b"").decode()
    return subject, said


def _may_be_told(scene: _Scene, org: Org, token: Waiting, community_id: int) -> bool:
    """Whether a member reads in a community now; or, where it reads nothing any more, was given what is corrected."""
    if not _reads(scene, org, community_id):
        return False
    if giving.may_read(org):
        return True
    uow, orgs = scene.uow, scene.orgs
    if token.word == "indicator.disputed" and token.indicator_id is not None:
        return bool(giving.indicators_given(uow, orgs, [org.id], community_id, [token.indicator_id]))
    return token.target_seq is not None and bool(
        giving.given_before(uow, orgs, [org.id], community_id, [token.target_seq])
    )


def _kept(token: Waiting) -> str | None:
    return None if token.subject is None else token.subject.decode()


def _reads(scene: _Scene, org: Org, community_id: int) -> bool:
    """Whether a member may read in a community now."""
    if org.id not in scene.grants:
        scene.grants[org.id] = scene.transmitter.context.members.grants(scene.uow, org.id)
    return scene.grants[org.id].get(community_id, (False, False))[1]


def _sight(scene: _Scene, org: Org) -> giving.Sight:
    if org.id not in scene.sights:
        scene.sights[org.id] = giving.sight(scene.orgs, org.id)
    return scene.sights[org.id]
