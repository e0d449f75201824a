"""The desk: everything that is known about one batch, loaded with a handful of queries, and what was decided so far.

A batch is decided line by line, and each line must see what the lines before it did. So the desk holds the knowledge in
memory, adds to it with every admission, and writes everything at once at the end.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.signals import rules
from tocsin.signals.rules import Admit, Known, Prior, Target
from tocsin.signals.service.context import Context
from tocsin.signals.store import admission as store
from tocsin.signals.store.tables import ALIASES_PER_STATEMENT
from tocsin_schemas import ledger as log
from tocsin_schemas import signals
from tocsin_schemas.envelope import VerifiedSignal, payload_of
from tocsin_schemas.fold import Statement
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Report
from tocsin_schemas.vocabulary import Status


class Receipt(NamedTuple):
    """What the author gets: the entry's place and bytes, and what it commits the hub to."""

    seq: int
    entry: bytes
    recorded_at: int
    expires_at: int
    status: Status
    digest: bytes
    jws_digest: bytes


class _Fact(NamedTuple):
    """A live statement about an indicator: as the fold needs it, and where it stands."""

    statement: Statement
    seq: int
    author_id: int
    toe: int


@dataclass(slots=True)
class _Pending:
    """An admitted statement, not yet written."""

    verified: VerifiedSignal
    decision: Admit
    community_id: int
    slug: str
    nonce: bytes
    indicator_ids: list[int]
    gone: bool = False


_NOTHING: Final[list[_Fact]] = []


class Desk:
    """Decides about the signals of one author's batch inside one transaction or snapshot."""

    def __init__(
        self, uow: UnitOfWork, context: Context, author_id: int, batch: Sequence[VerifiedSignal], first: int
    ) -> None:
        self._uow = uow
        self._context = context
        self._orgs = context.members.orgs(uow)
        self._author = self._orgs[author_id]
        self._keys = context.members.author_keys(uow, author_id)
        self._communities = context.members.communities(uow)
        self._grants = context.members.grants(uow, author_id)
        self._first = first
        self._pending: list[_Pending] = []
        self._retracted: list[int] = []
        self._entries: list[log.Entry] = []
        self._events: list[outbox.Happening] = []
        self._new_indicators: list[tuple[int, int, str, bytes]] = []
        self._load(batch)

    def decide(self, verified: VerifiedSignal) -> rules.Decision:
        """The decision about one signal, given everything before it."""
        if self._keys[verified.key.public.kid].revoked_at is not None:
            return Refused("key-revoked", "header.kid", "this key is revoked by now")
        known = self._known(verified)
        return rules.admit(verified.signal, verified.digest, self._context.policy, known, self._uow.now)

    def take(self, verified: VerifiedSignal, decision: Admit) -> int:
        """Take an admitted signal in; its log index."""
        signal = verified.signal
        seq = self._first + len(self._pending)
        slug = self._context.slug_of(signal.aud)
        community_id = self._communities[slug].id
        ids = self._indicators(signal.indicators, community_id, seq)
        pending = _Pending(verified, decision, community_id, slug, log.new_nonce(), ids)
        self._note_transition(ids, decision, community_id, seq)
        self._pending.append(pending)
        self._priors[signal.jti] = Prior(seq, verified.digest, gone=False)
        if signal.target is not None:
            self._retract(signal.target, community_id)
            return seq
        basis = signal.event.basis if isinstance(signal.event, Report) else None
        statement = Statement(
            verified.digest,
            decision.kind,
            signal.iss,
            self._author.group,
            signal.iat,
            decision.expires_at,
            basis,
            decision.quarantine is None,
        )
        fact = _Fact(statement, seq, self._author.id, signal.toe)
        for indicator_id in ids:
            self._facts.setdefault(indicator_id, []).append(fact)
        if isinstance(signal.event, Report):
            self._evidence[seq] = frozenset(signal.event.evidence or ())
        self._by_digest[verified.digest] = store.Live(verified.digest, seq, community_id, decision.expires_at)
        self._indicators_of[seq] = ids
        return seq

    def flush(self) -> None:
        """Write everything taken in: statements, indicators, log entries and outbox rows."""
        uow, author_id = self._uow, self._author.id
        statements: list[tuple[object, ...]] = []
        entries: list[log.Entry] = []
        observations: list[tuple[int, int]] = []
        runs: dict[int, list[int]] = {}
        for seq, pending in enumerate(self._pending, self._first):
            verified, decision = pending.verified, pending.decision
            signal = verified.signal
            live = not pending.gone
            basis = signal.event.basis if isinstance(signal.event, Report) else None
            statements.append(
                (
                    seq, pending.community_id, author_id, decision.kind, signal.jti, verified.digest,
                    verified.token if live else None, pending.nonce if live else None, basis,
                    signal.iat, signal.toe, uow.now, decision.expires_at, decision.status, decision.quarantine,
                    None if live else "retracted", None if live else uow.now,
                )
            )  # fmt: skip
            commitment = log.commit(pending.nonce, verified.token)
            entries.append(log.Entry(pending.slug, decision.kind, uow.now, commitment))
            if live:
                observations.extend((indicator_id, seq) for indicator_id in pending.indicator_ids)
            runs.setdefault(pending.community_id, []).append(seq)
        used = {indicator_id for indicator_id, _ in observations}
        ledger.append(uow, self._first, entries)
        store.record(uow, statements, [row for row in self._new_indicators if row[0] in used], observations)
        store.forget(uow, self._retracted, "retracted", uow.now)
        recorded: list[outbox.Happening] = [
            ("signal.recorded", community, seqs[0], seqs[-1]) for community, seqs in runs.items()
        ]
        outbox.publish(uow, recorded + self._events)
        self._entries = entries

    def receipts(self, seqs: Sequence[int]) -> dict[int, Receipt]:
        """The receipts of statements that this desk took in and flushed, or that were recorded before."""
        uow = self._uow
        old = {found.seq: found for found in self._recorded.values()}
        entries = ledger.entries_at(uow, [seq for seq in seqs if seq in old])
        given = {
            seq: _receipt(
                seq, entry, old[seq].expires_at, old[seq].status, old[seq].digest, old[seq].jws or b""
            )
            for seq, entry in entries.items()
        }
        for seq, (entry, pending) in enumerate(zip(self._entries, self._pending, strict=True), self._first):
            decision, verified = pending.decision, pending.verified
            given[seq] = _receipt(
                seq, entry, decision.expires_at, decision.status, verified.digest, verified.token
            )
        return given

    @property
    def recorded_before(self) -> frozenset[int]:
        """The log indexes of this author's statements that stood before this batch."""
        return frozenset(found.seq for found in self._recorded.values())

    def status_of(self, seq: int) -> Status:
        """The status that the receipt of a statement, taken in or recorded before, names."""
        if seq >= self._first:
            return self._pending[seq - self._first].decision.status
        return next(found.status for found in self._recorded.values() if found.seq == seq)

    def _load(self, batch: Sequence[VerifiedSignal]) -> None:
        uow, author_id, now = self._uow, self._author.id, self._uow.now
        self._recorded = store.by_jti(uow, author_id, {v.signal.jti for v in batch})
        self._priors = {jti: Prior(r.seq, r.digest, r.gone is not None) for jti, r in self._recorded.items()}
        targets = {v.signal.target for v in batch if v.signal.target is not None}
        self._by_digest = store.by_digest(uow, author_id, targets, now)
        self._indicators_of = store.indicators_of(uow, [live.seq for live in self._by_digest.values()])
        wanted: dict[tuple[int, str], set[bytes]] = defaultdict(set)
        for verified in batch:
            community = self._communities.get(self._context.slug_of(verified.signal.aud))
            if community is not None:
                for indicator in verified.signal.indicators:
                    wanted[community.id, indicator.type].add(indicator.value)
        self._ids = {
            (community_id, Indicator(kind, value)): indicator_id
            for (community_id, kind), values in wanted.items()
            for value, indicator_id in store.indicator_ids(uow, community_id, kind, values).items()
        }
        known_ids = set(self._ids.values()).union(*self._indicators_of.values())
        self._facts: dict[int, list[_Fact]] = {}
        own: list[int] = []
        for row in store.about(uow, known_ids, now):
            org = self._orgs[row.author_id]
            counts = row.quarantine is None and org.state == "active"
            statement = Statement(
                row.digest, row.kind, org.issuer, org.group, row.iat, row.expires_at, row.basis, counts
            )
            self._facts.setdefault(row.indicator_id, []).append(
                _Fact(statement, row.seq, row.author_id, row.toe)
            )
            if row.author_id == author_id:
                own.append(row.seq)
        self._evidence = self._evidence_of(own)
        brands = [org.id for org in self._orgs.values() if org.group == self._author.group]
        self._delivered = {
            community_id: store.delivered_up_to(uow, brands, community_id)
            for community_id in {community_id for community_id, _ in self._ids}
        }
        self._viewed = store.viewed_up_to(uow, brands, known_ids)

    def _evidence_of(self, seqs: Sequence[int]) -> dict[int, frozenset[str]]:
        """The evidence digests of those of the author's statements that it sent as reports."""
        found: dict[int, frozenset[str]] = {}
        for seq, token in store.tokens(self._uow, seqs).items():
            event = signals.parse(payload_of(token)).event
            if isinstance(event, Report):
                found[seq] = frozenset(event.evidence or ())
        return found

    def _known(self, verified: VerifiedSignal) -> Known:
        signal = verified.signal
        prior = self._priors.get(signal.jti)
        community = self._communities.get(self._context.slug_of(signal.aud))
        if prior is not None or community is None:
            return Known(self._author.group, None, prior)
        may_write = self._grants.get(community.id, (False, False))[0]
        target = None
        if signal.target is not None:
            live = self._by_digest.get(signal.target)
            if live is not None and live.community_id == community.id:
                target = Target(live.digest, live.expires_at)
            ids = self._indicators_of.get(live.seq, []) if live is not None else []
        else:
            ids = [self._ids.get((community.id, item), -1) for item in signal.indicators]
        facts = {fact.seq: fact for item in ids for fact in self._facts.get(item, _NOTHING)}
        if not facts:
            return Known(self._author.group, may_write, target=target)
        own = [fact for fact in facts.values() if fact.seq in self._evidence]
        return Known(
            self._author.group,
            may_write,
            statements=tuple(fact.statement for fact in facts.values()),
            delivered=any(self._was_delivered(item, community.id) for item in ids),
            own_evidence=frozenset().union(*(self._evidence[fact.seq] for fact in own)),
            own_toe=max((fact.toe for fact in own), default=None),
            target=target,
        )

    def _was_delivered(self, indicator_id: int, community_id: int) -> bool:
        """Whether the hub had shown another control group's statement about an indicator to the author's."""
        shown = max(self._delivered.get(community_id, -1), self._viewed.get(indicator_id, 0) - 1)
        return any(
            fact.seq <= shown and fact.statement.group != self._author.group and fact.statement.counts
            for fact in self._facts.get(indicator_id, _NOTHING)
        )

    def _indicators(self, found: Sequence[Indicator], community_id: int, seq: int) -> list[int]:
        """The ids of a statement's indicators; new ones are numbered after the statement."""
        ids = []
        for place, indicator in enumerate(found):
            key = (community_id, indicator)
            if key not in self._ids:
                self._ids[key] = seq * ALIASES_PER_STATEMENT + place
                self._new_indicators.append((self._ids[key], community_id, indicator.type, indicator.value))
            ids.append(self._ids[key])
        return ids

    def _note_transition(self, ids: Sequence[int], decision: Admit, community_id: int, seq: int) -> None:
        before = [fact.statement for item in ids for fact in self._facts.get(item, _NOTHING)]
        if before:
            was = rules.standing(before, self._uow.now, self._context.policy).status
            event = rules.transition(was, decision.status)
            if event is not None:
                self._events.append((event, community_id, seq, seq))

    def _retract(self, digest: bytes, community_id: int) -> None:
        """Take a statement of this author out, whether it was written before or waits in this batch."""
        seq = self._by_digest.pop(digest).seq
        for indicator_id in self._indicators_of.pop(seq, []):
            self._facts[indicator_id] = [f for f in self._facts.get(indicator_id, _NOTHING) if f.seq != seq]
        self._evidence.pop(seq, None)
        self._events.append(("signal.retracted", community_id, seq, seq))
        if seq < self._first:
            self._retracted.append(seq)
            jti = next((j for j, r in self._recorded.items() if r.seq == seq), None)
        else:
            pending = self._pending[seq - self._first]
            pending.gone = True
            jti = pending.verified.signal.jti
        if jti is not None:
            self._priors[jti] = Prior(seq, digest, gone=True)


def _receipt(
    seq: int, entry: log.Entry, expires_at: int, status: Status, digest: bytes, token: bytes
) -> Receipt:
    jws_digest = hashlib.sha256(token).digest()
    return Receipt(seq, entry.encode(), entry.recorded_at, expires_at, status, digest, jws_digest)
