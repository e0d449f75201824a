"""Verify what a hub's feed delivers: nothing is believed because the hub says so.

A page is verified by these steps; docs/signal-lifecycle.md uses the same numbers. A record that fails one becomes a
`Failure` with its code and sequence number, and is never handed on as verified.

 1. Every line is a record of one of the three shapes.                                     `record-malformed`
 2. Sequence numbers increase strictly from the cursor.                                    `seq-not-increasing`
 3. Nothing is left out: each log entry of this community up to the last is on the page.   `record-missing`
 4. The record's log entry is canonical.                                                   `entry-malformed`
 5. The entry names this community and the record's `recorded_at`.      `community-mismatch` `recorded-at-mismatch`
 6. The entry's commitment opens with `r` to the signed bytes.                             `commitment-mismatch`
 7. The signature is the author's (`envelope.verify`), or the hub's on its own events.     codes of the envelope
 8. The key had not been revoked when the hub recorded the signal.                         `key-revoked`
 9. The signal is addressed to this community.                                             `audience-mismatch`
10. The entry's kind is the signed one, or a report counted as a sighting.                 `kind-mismatch`
11. It expires, and not later than its author said.                                        `expiry-mismatch`

Steps 1 and 2 are `read_page`, 3 is `pair`, the others `check`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Self, cast, get_args

from pydantic import ValidationError

from tocsin_client.statements import StatementRow
from tocsin_schemas import envelope, ledger
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.feed import Directory, Gone, Live, MemberKey, Record, parse_record
from tocsin_schemas.hub_events import verify_hub_event
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Report
from tocsin_schemas.vocabulary import EntryKind, HubKind

HUB_KINDS: Final[frozenset[str]] = frozenset(get_args(HubKind))


class Verified(NamedTuple):
    """A member's signal that passed every step."""

    statement: StatementRow
    indicators: tuple[Indicator, ...]

    @property
    def seq(self) -> int:
        """Its number in the log."""
        return self.statement.seq


@dataclass(frozen=True, slots=True)
class HubEvent:
    """An event that the hub signed itself."""

    seq: int
    kind: EntryKind
    recorded_at: int
    commitment: bytes
    r: bytes
    jws: bytes


@dataclass(frozen=True, slots=True)
class Absent:
    """A tombstone, or an open statement that something is withheld."""

    seq: int
    state: Literal["gone", "withheld"]
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that does not verify: which (`seq`, where known), the code of the step, and why; never a value."""

    seq: int | None
    code: str
    field: str
    reason: str

    def __str__(self) -> str:
        where = "a line without a sequence number" if self.seq is None else f"record {self.seq}"
        return f"{where}: {self.code}: {self.reason}"


Outcome = Verified | HubEvent | Absent | Failure


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a follower of one community believes: the keys of its directory (kid to key).

    `revoked` holds the instants of revocation apart, because step 8 compares them with the hub's time of recording too.
    """

    community: str
    audience: str
    hub: str
    members: Mapping[str, AuthorKey]
    hub_keys: Mapping[str, AuthorKey]
    revoked: Mapping[str, int]

    @classmethod
    def of(cls, directory: Directory) -> Self:
        """The keys of a directory.

        Raises:
            Refused: when a key in it is none.
        """
        members = [(key, member.issuer) for member in directory.members for key in member.keys]
        owned = [(_key(key, issuer), key.revoked_at) for key, issuer in members]
        hubs = [_key(key, directory.hub) for key in directory.hub_keys]
        return cls(
            community=directory.community,
            audience=directory.audience,
            hub=directory.hub,
            members={key.public.kid: key for key, _ in owned},
            hub_keys={key.public.kid: key for key in hubs},
            revoked={key.public.kid: _instant(at) for key, at in owned if at is not None},
        )


def _key(key: MemberKey, issuer: str) -> AuthorKey:
    return AuthorKey(key.public(), issuer, _instant(key.not_before), _instant(key.not_after))


class Signed(NamedTuple):
    """A record with signed bytes, as the feed spells it (`tocsin_schemas.feed.Live`)."""

    seq: int
    recorded_at: str
    expires_at: str | None
    r: str
    jws: str


class Pair(NamedTuple):
    """A record and the bytes of its log entry; made of plain parts, since many of them go to worker processes."""

    record: Signed | Absent
    entry: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """The records of a page by sequence number, the lines that are none, and the highest number (the cursor behind)."""

    records: Mapping[int, Signed | Absent]
    failures: tuple[Failure, ...]
    last: int


def read_page(lines: Iterable[bytes], after: int) -> Page:
    """Steps 1 and 2: read a page's lines behind the cursor `after`."""
    records: dict[int, Signed | Absent] = {}
    failures: list[Failure] = []
    latest = after
    for line in lines:
        # 1. One of the three shapes.
        try:
            record = parse_record(line)
        except ValidationError:
            failures.append(
                Failure(None, "record-malformed", "", "not a signal, a tombstone or a withheld record")
            )
            continue
        # 2. Strictly increasing.
        if record.seq <= latest:
            failures.append(
                Failure(record.seq, "seq-not-increasing", "seq", "not above the record before it")
            )
            continue
        latest = record.seq
        records[record.seq] = _plain(record)
    return Page(records, tuple(failures), latest)


def _plain(record: Record) -> Signed | Absent:
    if isinstance(record, Live):
        return Signed(record.seq, record.recorded_at, record.expires_at, record.r, record.jws)
    if isinstance(record, Gone):
        return Absent(record.seq, "gone", record.gone)
    return Absent(record.seq, "withheld", record.withheld)


def pair(page: Page, entries: Iterable[tuple[int, bytes]], community: str) -> Iterator[Pair | Failure]:
    """Step 3: match a page's records with the log's entries, from the one behind the cursor to `page.last`."""
    for seq, raw in entries:
        if (found := page.records.get(seq)) is not None:
            yield Pair(found, raw)
            continue
        # 3. Nothing left out.
        try:
            entry = ledger.Entry.decode(raw)
        except Refused as refused:
            yield Failure(seq, "entry-malformed", refused.field, refused.reason)
            continue
        if entry.community == community:
            yield Failure(seq, "record-missing", "", "the log has this entry and the feed leaves it out")


def check_all(work: tuple[Trust, Sequence[Pair | Failure]]) -> list[Outcome]:
    """Steps 4-11 for a part of a page: a job for a worker process."""
    trust, found = work
    return [item if isinstance(item, Failure) else check(item, trust) for item in found]


def check(item: Pair, trust: Trust) -> Outcome:
    """Steps 4-11 for one record."""
    seq = item.record.seq
    try:
        # 4. A canonical entry.
        entry = _entry(item.entry)
        # 5. Of this community, recorded when the record says.
        if entry.community != trust.community:
            raise Refused("community-mismatch", "entry.community", "the entry belongs to another community")
        record = item.record
        if isinstance(record, Absent):
            return record
        if _instant(record.recorded_at) != entry.recorded_at:
            raise Refused("recorded-at-mismatch", "recorded_at", "the entry names another time")
        # 6. The commitment opens to the signed bytes.
        nonce, jws = bytes.fromhex(record.r), record.jws.encode("ascii", "replace")
        if not ledger.opens(entry.commitment, nonce, jws):
            raise Refused("commitment-mismatch", "r", "the entry commits to other bytes")
        # 7. Signed.
        if entry.kind in HUB_KINDS:
            # The hub's one event is an expiry, so its kind needs no comparing.
            if verify_hub_event(jws, trust.hub_keys).claims.aud != trust.audience:
                raise Refused("audience-mismatch", "aud", "the hub addressed another community")
            return HubEvent(
                seq, cast("EntryKind", entry.kind), entry.recorded_at, entry.commitment, nonce, jws
            )
        return _signal(record, entry, nonce, jws, trust)
    except Refused as refused:
        return Failure(seq, refused.code, refused.field, refused.reason)


def _signal(record: Signed, entry: ledger.Entry, nonce: bytes, jws: bytes, trust: Trust) -> Verified:
    verified = envelope.verify(jws, trust.members)
    signal = verified.signal
    # 8. Not revoked. The hub's clock counts whole seconds and lets a signal be issued a little ahead of it, so a signal
    # recorded in the very second of the revocation was admitted before it.
    revoked_at = trust.revoked.get(verified.key.public.kid)
    if revoked_at is not None and min(signal.iat, entry.recorded_at) > revoked_at:
        raise Refused("key-revoked", "iat", "after the key was revoked")
    # 9. For this community.
    if signal.aud != trust.audience:
        raise Refused("audience-mismatch", "aud", "the author addressed another community")
    # 10. The kind its author signed.
    if entry.kind != signal.kind and (signal.kind, entry.kind) != ("report", "sighting"):
        raise Refused("kind-mismatch", "entry.kind", "the entry calls the signal something else")
    # 11. It ends, and not after the author's own limit.
    if record.expires_at is None:
        raise Refused("expiry-mismatch", "expires_at", "a member's signal always expires")
    expires_at = _instant(record.expires_at)
    event = signal.event
    if isinstance(event, Report) and expires_at > event.valid_until:
        raise Refused("expiry-mismatch", "expires_at", "later than the author's valid_until")
    statement = StatementRow(
        seq=record.seq,
        kind=cast("EntryKind", entry.kind),
        author=signal.iss,
        id=verified.digest,
        iat=signal.iat,
        recorded_at=entry.recorded_at,
        expires_at=expires_at,
        basis=event.basis if isinstance(event, Report) else None,
        target=signal.target,
        commitment=entry.commitment,
        r=nonce,
        jws=jws,
    )
    return Verified(statement, signal.indicators)


def _entry(raw: bytes) -> ledger.Entry:
    try:
        return ledger.Entry.decode(raw)
    except Refused as refused:
        raise Refused("entry-malformed", refused.field, refused.reason) from None


@lru_cache(maxsize=4096)
def _instant(text: str) -> int:
    """RFC 3339 to Unix seconds. Cached: the records of one batch carry the same times."""
    try:
        return ledger.instant(text)
    except ValueError:
        raise Refused("claim-invalid", "recorded_at", "not a point in time") from None
