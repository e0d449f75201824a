"""The desk: everything that is known about one batch, loaded with a handful of queries, and what was decided so far.

A batch is decided line by line, and each line must see what the lines before it did. So the desk holds the knowledge in
memory, adds to it with every admission, and writes everything at once at the end.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.members.service import Community
from tocsin.outbox import Happening
from tocsin.signals import rules
from tocsin.signals.rules import Admit, EventType, Known, Prior, Target
from tocsin.signals.service.context import Context
from tocsin.signals.service.sight import FREE, Sight, folded, reads_freely, withheld
from tocsin.signals.service.telling import RULES, Tally, labels_of, tell
from tocsin.signals.store import admission as store
from tocsin.signals.store.admission import About
from tocsin.signals.store.tables import ALIASES_PER_STATEMENT
from tocsin_schemas import ledger as log
from tocsin_schemas import signals
from tocsin_schemas.envelope import VerifiedSignal, payload_of
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.membership import statement_counts
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import Status


class Sealed(NamedTuple):
    """A verified signal with the nonce and the commitment that its log entry will carry."""

    verified: VerifiedSignal
    nonce: bytes
    commitment: bytes


class Recorded(NamedTuple):
    """A statement in the log: what its receipt is made of."""

    seq: int
    entry: log.Entry
    expires_at: int
    status: Status
    digest: bytes
    token: bytes


class _Taken(NamedTuple):
    """An admitted signal, not yet written."""

    sealed: Sealed
    decision: Admit
    community: Community
    indicator_ids: Sequence[int]
    free: bool | None = None


class _Moved(NamedTuple):
    """The statement at `seq` took an indicator to another status; `reports` are those about it, its own included."""

    event: EventType
    community_id: int
    seq: int
    decision: Admit
    reports: Sequence[int]
    free: bool


_NOTHING: Final[list[About]] = []


class Desk:
    """Decides about the signals of one author's batch inside one transaction or snapshot.

    `first` is the size of the log: the place of the first statement taken in. `counts` says whether, in its state, what
    the author says does.
    """

    def __init__(
        self, uow: UnitOfWork, context: Context, author_id: int, batch: Iterable[Sealed], first: int
    ) -> None:
        self._uow = uow
        self._policy = context.policy(uow)
        self._orgs = context.members.orgs(uow)
        self._author = author = self._orgs[author_id]
        self._everybody = Sight(withheld(self._orgs.values()))
        self.counts = statement_counts(author.state, author.state_since, uow.now, author.activated)
        self._keys = context.members.author_keys(uow, author_id)
        self._communities = {
            context.members.audience(slug): community
            for slug, community in context.members.communities(uow).items()
        }
        self._grants = context.members.grants(uow, author_id)
        self._first = first
        self._taken: list[_Taken] = []
        self._gone: set[int] = set()
        self._moved: list[_Moved] = []
        self._withdrawn: list[tuple[store.Live, int]] = []
        self._new_indicators: list[tuple[int, int, str, bytes]] = []
        self._load([item.verified for item in batch])

    def decide(self, verified: VerifiedSignal) -> rules.Decision:
        """The decision about one signal, given everything before it."""
        if self._keys[verified.key.public.kid].revoked_at is not None:
            return Refused("key-revoked", "header.kid", "this key is revoked by now")
        return rules.admit(
            verified.signal, verified.digest, self._policy, self._known(verified), self._uow.now
        )

    def take(self, sealed: Sealed, decision: Admit) -> int:
        """Take an admitted signal in; its log index."""
        verified = sealed.verified
        signal = verified.signal
        seq = self._first + len(self._taken)
        community = self._communities[signal.aud]
        self._priors[signal.jti] = Prior(seq, verified.digest, gone=False)
        self._jtis[seq] = signal.jti
        if signal.target is not None:
            self._taken.append(_Taken(sealed, decision, community, ()))
            self._retract(signal.target, seq)
            return seq
        report = signal.report
        about = [self._indicator_id(item, community.id, seq, at) for at, item in enumerate(signal.indicators)]
        free = self._freely_known(about) if report is None else report.tlp in FREE
        self._note_transition(about, decision, community.id, seq, free=free)
        self._taken.append(_Taken(sealed, decision, community, about, free))
        for indicator_id in about:
            fact = About(
                indicator_id, seq, verified.digest, decision.kind, self._author.id, signal.iat, signal.toe,
                self._uow.now, decision.expires_at, None if report is None else report.basis,
                decision.quarantine, free, None,
            )  # fmt: skip
            self._facts.setdefault(indicator_id, []).append(fact)
        if report is not None:
            self._evidence[seq] = report.evidence or ()
        live = store.Live(verified.digest, seq, community.id, decision.expires_at)
        self._by_digest[verified.digest] = live
        self._about[seq] = about
        return seq

    def flush(self) -> None:
        """Write everything taken in: statements, indicators, log entries and outbox rows."""
        uow, author_id, now = self._uow, self._author.id, self._uow.now
        statements: list[tuple[object, ...]] = []
        entries: list[log.Entry] = []
        observations: list[tuple[int, bool, int]] = []
        recorded: dict[int, Tally] = {}
        for seq, ((verified, nonce, commitment), decision, community, about, free) in enumerate(
            self._taken, self._first
        ):
            signal = verified.signal
            gone = seq in self._gone
            basis = None if signal.report is None else signal.report.basis
            statements.append(
                (
                    seq, community.id, author_id, decision.kind, signal.jti, verified.digest,
                    None if gone else verified.token, None if gone else nonce, basis, signal.iat, signal.toe,
                    now, decision.expires_at, decision.status, decision.quarantine, free,
                    "retracted" if gone else None, now if gone else None,
                )
            )  # fmt: skip
            entries.append(log.Entry(community.slug, decision.kind, now, commitment))
            if not gone:
                decides = decision.kind in store.DECIDING
                observations += [(indicator_id, decides, seq) for indicator_id in about]
            retraction = decision.kind == "retraction"
            recorded.setdefault(community.id, Tally(seq)).add(
                seq,
                shown=retraction or (not gone and self.counts and decision.quarantine is None),
                free=retraction or bool(free),
                labels=() if signal.report is None else signal.report.labels,
                standing=(decision.status, decision.expires_at),
            )
        kept = {indicator_id for indicator_id, _, _ in observations}
        ledger.append(uow, self._first, entries)
        store.record(uow, statements, [row for row in self._new_indicators if row[0] in kept], observations)
        told = [tally.happening("signal.recorded", place) for place, tally in recorded.items()]
        told += [*self._transitions(), *self._retractions()]
        store.forget(uow, [seq for seq in self._gone if seq < self._first], "retracted", now)
        outbox.publish(uow, told)

    def recorded(self, seqs: Iterable[int]) -> dict[int, Recorded]:
        """The statements at these places that this author recorded: by this desk, or before it."""
        before = [seq for seq in seqs if seq in self._old]
        found: dict[int, Recorded] = {}
        for seq, entry in ledger.entries_at(self._uow, before).items() if before else ():
            old = self._old[seq]
            found[seq] = Recorded(seq, entry, old.expires_at, old.status, old.digest, old.jws or b"")
        for seq, (sealed, decision, community, _, _) in enumerate(self._taken, self._first):
            entry = log.Entry(community.slug, decision.kind, self._uow.now, sealed.commitment)
            token, digest = sealed.verified.token, sealed.verified.digest
            found[seq] = Recorded(seq, entry, decision.expires_at, decision.status, digest, token)
        return found

    def status_of(self, seq: int) -> Status:
        """The status that the receipt of a statement, taken in or recorded before, names."""
        if seq >= self._first:
            return self._taken[seq - self._first].decision.status
        return self._old[seq].status

    def _load(self, batch: Sequence[VerifiedSignal]) -> None:
        """Everything the batch touches, in a number of queries that does not grow with it."""
        uow, author_id, now = self._uow, self._author.id, self._uow.now
        recorded = store.by_jti(uow, author_id, [item.signal.jti for item in batch])
        self._old = {old.seq: old for old in recorded}
        self._jtis = {old.seq: old.jti for old in recorded}
        self._priors = {old.jti: Prior(old.seq, old.digest, old.gone is not None) for old in recorded}
        targets = [item.signal.target for item in batch if item.signal.target is not None]
        self._by_digest = store.by_digest(uow, author_id, targets, now)
        self._about = store.indicators_of(uow, [live.seq for live in self._by_digest.values()])
        wanted: dict[tuple[int, str], set[bytes]] = defaultdict(set)
        for item in batch:
            community = self._communities.get(item.signal.aud)
            if community is not None:
                for indicator in item.signal.indicators:
                    wanted[community.id, indicator.type].add(indicator.value)
        self._ids = {
            (community_id, Indicator(kind, value)): indicator_id
            for (community_id, kind), values in wanted.items()
            for value, indicator_id in store.indicator_ids(uow, community_id, kind, values).items()
        }
        known_ids = set(self._ids.values()).union(*self._about.values())
        self._facts: dict[int, list[About]] = {}
        for fact in store.about(uow, known_ids, now):
            self._facts.setdefault(fact.indicator_id, []).append(fact)
        own = {fact.seq for facts in self._facts.values() for fact in facts if fact.author_id == author_id}
        self._evidence = self._evidence_of(own)
        brands = [org.id for org in self._orgs.values() if org.group == self._author.group]
        self._delivered = {
            community_id: store.delivered_up_to(uow, brands, community_id)
            for community_id in {community_id for community_id, _ in self._ids}
        }
        self._viewed = store.viewed_up_to(uow, brands, known_ids)

    def _evidence_of(self, seqs: Iterable[int]) -> dict[int, Sequence[str]]:
        """The evidence digests of those of the author's statements that it sent as reports."""
        found: dict[int, Sequence[str]] = {}
        for seq, token in store.tokens(self._uow, list(seqs)).items():
            report = signals.parse(payload_of(token)).report
            if report is not None:
                found[seq] = report.evidence or ()
        return found

    def _known(self, verified: VerifiedSignal) -> Known:
        signal = verified.signal
        prior = self._priors.get(signal.jti)
        community = self._communities.get(signal.aud)
        granted = (False, False) if community is None else self._grants.get(community.id, (False, False))
        if prior is not None or community is None or not any(granted):
            return Known(self._author.group, None, prior, counts=self.counts)
        may_write = granted[0]
        target, about = None, []
        if signal.target is None:
            about = [self._ids.get((community.id, item), -1) for item in signal.indicators]
        elif (live := self._by_digest.get(signal.target)) is not None and live.community_id == community.id:
            target, about = Target(live.digest, live.expires_at), self._about.get(live.seq, [])
        facts = {fact.seq: fact for item in about for fact in self._facts.get(item, _NOTHING)}
        if not facts:
            return Known(self._author.group, may_write, target=target, counts=self.counts)
        own = [fact for fact in facts.values() if fact.seq in self._evidence]
        return Known(
            self._author.group,
            may_write,
            statements=tuple(folded(fact, self._orgs[fact.author_id]) for fact in facts.values()),
            delivered=any(self._was_delivered(item, community.id) for item in about),
            own_evidence=frozenset(digest for fact in own for digest in self._evidence[fact.seq]),
            own_toe=max((fact.toe for fact in own), default=None),
            target=target,
            counts=self.counts,
        )

    def _freely_known(self, about: Sequence[int]) -> bool:
        """Whether what names these indicators, and says no TLP of its own, may travel freely: as reports of all do."""
        return all(
            any(
                fact.kind == "report" and fact.quarantine is None and fact.free
                for fact in self._facts.get(item, _NOTHING)
            )
            for item in about
        )

    def _was_delivered(self, indicator_id: int, community_id: int) -> bool:
        """Whether the hub had shown another control group's statement about an indicator to the author's."""
        shown = max(self._delivered.get(community_id, -1), self._viewed.get(indicator_id, 0) - 1)
        freely = reads_freely(self._author)
        return any(
            fact.seq <= shown
            and fact.quarantine is None
            and (fact.free or not freely)
            and self._orgs[fact.author_id].group != self._author.group
            for fact in self._facts.get(indicator_id, _NOTHING)
        )

    def _indicator_id(self, indicator: Indicator, community_id: int, seq: int, place: int) -> int:
        """The id of an indicator; a new one is numbered after the statement that brings it."""
        found = self._ids.setdefault((community_id, indicator), seq * ALIASES_PER_STATEMENT + place)
        if found == seq * ALIASES_PER_STATEMENT + place:
            self._new_indicators.append((found, community_id, indicator.type, indicator.value))
        return found

    def _note_transition(
        self, about: Sequence[int], decision: Admit, community_id: int, seq: int, *, free: bool
    ) -> None:
        facts = [fact for item in about for fact in self._facts.get(item, _NOTHING)]
        if facts:
            before = [folded(fact, self._orgs[fact.author_id]) for fact in facts]
            was = rules.standing(before, self._uow.now, self._policy).status
            event = rules.transition(was, decision.status)
            if event is not None:
                # What is withheld from everybody is not told by its labels either.
                reports = [
                    fact
                    for fact in facts
                    if fact.kind == "report"
                    and fact.quarantine is None
                    and self._everybody.hides(fact) is None
                ]
                freely = free and all(fact.free for fact in facts)
                seqs = [*(fact.seq for fact in reports), seq]
                self._moved.append(_Moved(event, community_id, seq, decision, seqs, freely))

    def _transitions(self) -> Iterator[Happening]:
        """What to tell of indicators that moved: with the labels of what is said about them."""
        before = {seq for moved in self._moved for seq in moved.reports if seq < self._first}
        labels = {seq: labels_of(token) for seq, token in store.tokens(self._uow, before).items()}
        for moved in self._moved:
            carried = frozenset[str]().union(*(self._labels(seq, labels) for seq in moved.reports))
            yield Happening(
                moved.event,
                moved.community_id,
                moved.seq,
                moved.seq,
                1,
                int(moved.free),
                carried,
                carried if moved.free else frozenset(),
                status=moved.decision.status,
                rule=RULES[moved.decision.status],
                policy=self._policy.version,
                expires_at=moved.decision.expires_at,
            )

    def _retractions(self) -> Iterator[Happening]:
        """What to tell of what was withdrawn; nothing of it is erased yet."""
        before = [live.seq for live, _ in self._withdrawn if live.seq < self._first]
        rows = {row.seq: row for row in store.telling(self._uow, before)}
        for live, at in self._withdrawn:
            tally = Tally(live.seq)
            # What is recorded and withdrawn in one transaction was shown to nobody.
            if live.seq in rows:
                tell(tally, rows[live.seq], self._orgs)
            yield tally.happening("signal.retracted", live.community_id, at)

    def _labels(self, seq: int, before: Mapping[int, frozenset[str]]) -> frozenset[str]:
        if seq < self._first:
            return before.get(seq, frozenset())
        report = self._taken[seq - self._first].sealed.verified.signal.report
        return frozenset() if report is None else frozenset(report.labels)

    def _retract(self, digest: bytes, at: int) -> None:
        """Take a statement of this author out, whether it was written before or waits in this batch.

        `at` is the place of its retraction.
        """
        live = self._by_digest.pop(digest)
        seq = live.seq
        for indicator_id in self._about.pop(seq, []):
            self._facts[indicator_id] = [f for f in self._facts.get(indicator_id, _NOTHING) if f.seq != seq]
        self._evidence.pop(seq, None)
        self._gone.add(seq)
        self._withdrawn.append((live, at))
        if seq in self._jtis:
            self._priors[self._jtis[seq]] = Prior(seq, digest, gone=True)
