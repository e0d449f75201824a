"""Verify what a hub's feed delivers: nothing is believed because the hub says so.

A page is verified by these steps; docs/signal-lifecycle.md uses the same numbers. The log entries it is held against
have been verified already (`tocsin_client.log`). A record that fails a step becomes a `Failure` with its code and
sequence number, and is never handed on as verified.

 1. Every line is a record of one of the three shapes.                                     `record-malformed`
 2. Sequence numbers increase strictly from the cursor.                                    `seq-not-increasing`
 3. Nothing is left out: each log entry of this community that the page covers is on it.   `record-missing`
 4. The record's log entry is canonical.                                                   `entry-malformed`
 5. The entry names this community and the record's `recorded_at`.      `community-mismatch` `recorded-at-mismatch`
 6. The entry's commitment opens with `r` to the signed bytes.                             `commitment-mismatch`
 7. The signature is the author's (`envelope.verify`), or the hub's on its own events.     codes of the envelope
 8. The key had not been revoked when the hub recorded the signal.                         `key-revoked`
 9. The signal is addressed to this community.                                             `audience-mismatch`
10. The entry's kind is the signed one, or a report counted as a sighting.                 `kind-mismatch`
11. It expires, and not later than its author said.                                        `expiry-mismatch`
12. What the hub's daily event says has expired is what expired here.                      `expired-unlike`

`read_page` reads the numbers (2), `check_part` does 1 and 3-11 in a worker process, `MirrorStore.apply` the last.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, NamedTuple, cast

from pydantic import ValidationError

from tocsin_client.statements import StatementRow
from tocsin_client.trust import Trust
from tocsin_schemas import envelope, ledger, signals
from tocsin_schemas.feed import Gone, Live, Record, parse_record
from tocsin_schemas.hub_events import HubClaims, Release, verify_hub_event
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Report
from tocsin_schemas.vocabulary import HUB_KINDS, EntryKind

CHUNK: Final = 500
"""Records that are verified at a time."""
SPAN: Final = 8_192
"""Log entries that are verified at a time: most of them may be of other communities."""
_TIME: Final = rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"
_LIVE: Final = re.compile(
    rb'\{"seq":(0|[1-9][0-9]{0,17}),"recorded_at":"' + _TIME + rb'","expires_at":"' + _TIME
    + rb'","r":"([0-9a-f]{64})","jws":"([A-Za-z0-9_.-]*)"\}'
)  # fmt: skip
_SEQ: Final = re.compile(rb'\{"seq":(0|[1-9][0-9]{0,17})[,}]')


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


class FeedPage(NamedTuple):
    """An answer of the feed: its lines, and the last log index that it says they cover; None where it names none."""

    lines: list[bytes]
    covered: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Lines with their sequence numbers, what was refused already, and the last log index that the page covers."""

    lines: list[tuple[int, bytes]]
    failures: list[Failure]
    end: int


class Part(NamedTuple):
    """What is verified at a time: the log entries behind `after` up to `end`, and the records among them.

    `failures` were found before; `closing` says that the page ends here.
    """

    after: int
    end: int
    lines: list[tuple[int, bytes]]
    entries: list[bytes]
    failures: list[Failure]
    closing: bool


def read_page(answer: FeedPage, after: int, last: int) -> Page:
    """Step 2: the numbers of the lines behind the cursor `after`, up to the log's `last` entry.

    What lies beyond `last` is left for a later checkpoint. An answer without lines says that nothing is there.
    """
    lines: list[tuple[int, bytes]] = []
    failures: list[Failure] = []
    covered = after if answer.covered is None else answer.covered
    latest = after
    for line in answer.lines:
        seq = _seq(line)
        if seq is None:
            failures.append(_malformed(None))
            continue
        # 2. Strictly increasing.
        if seq <= latest:
            failures.append(Failure(seq, "seq-not-increasing", "seq", "not above the record before it"))
            continue
        if seq > last:
            covered = last
            break
        latest = seq
        lines.append((seq, line))
    if not answer.lines and covered <= after:
        covered = last
    return Page(lines, failures, min(max(latest, covered), last))


def _seq(line: bytes) -> int | None:
    """The sequence number a line carries, without reading all of it where it comes first."""
    if (match := _SEQ.match(line)) is not None:
        return int(match[1])
    try:
        found = json.loads(line)
    except ValueError:
        return None
    seq = found.get("seq") if isinstance(found, dict) else None
    return seq if isinstance(seq, int) and not isinstance(seq, bool) and seq >= 0 else None


def released(event: HubEvent) -> list[int]:
    """The records that a verified `release` of the hub names."""
    said = HubClaims.model_validate(signals.load_object(envelope.payload_of(event.jws), "payload")).event
    return said.seqs if isinstance(said, Release) else []


def _malformed(seq: int | None) -> Failure:
    return Failure(seq, "record-malformed", "", "not a signal, a tombstone or a withheld record")


def parts(page: Page, after: int, entries: Iterable[bytes]) -> Iterator[Part]:
    """Cut a page into parts; `entries` are the log's from the one behind `after` on. There is always one part."""
    log, failures, at = iter(entries), page.failures, 0
    while True:
        lines: list[tuple[int, bytes]] = []
        end = min(after + SPAN, page.end)
        while at < len(page.lines) and page.lines[at][0] <= end:
            if len(lines) == CHUNK:
                end = lines[-1][0]
                break
            lines.append(page.lines[at])
            at += 1
        closing = end >= page.end
        yield Part(after, end, lines, list(islice(log, max(0, end - after))), failures, closing)
        if closing:
            return
        after, failures = end, []


def check_part(work: tuple[Trust, Part]) -> list[Outcome]:
    """Steps 1 and 3-11 for a part: a job for a worker process. Outcomes in the log's order, former failures first."""
    trust, part = work
    found: list[Pair | Outcome] = [*part.failures]
    lines = dict(part.lines)
    for seq, raw in enumerate(part.entries, part.after + 1):
        line = lines.get(seq)
        if line is None:
            # 3. Nothing left out.
            found += _left_out(seq, raw, trust.community)
            continue
        # 1. One of the three shapes.
        try:
            record = _record(line)
        except ValidationError:
            found.append(_malformed(seq))
            continue
        found.append(Pair(record, raw) if record.seq == seq else _malformed(seq))
    return _check(found, trust)


def _left_out(seq: int, raw: bytes, community: str) -> list[Failure]:
    try:
        entry = ledger.Entry.decode(raw)
    except Refused as refused:
        return [Failure(seq, "entry-malformed", refused.field, refused.reason)]
    if entry.community != community:
        return []
    return [Failure(seq, "record-missing", "", "the log has this entry and the feed leaves it out")]


def _record(line: bytes) -> Signed | Absent:
    """Read a line. One in the spelling that hubs write, which is nearly every line, needs no parser."""
    if (match := _LIVE.fullmatch(line)) is not None:
        seq, recorded_at, expires_at, nonce, jws = match.groups()
        return Signed(int(seq), recorded_at.decode(), expires_at.decode(), nonce.decode(), jws.decode())
    return _plain(parse_record(line))


def _plain(record: Record) -> Signed | Absent:
    if isinstance(record, Live):
        return Signed(record.seq, record.recorded_at, record.expires_at, record.r, record.jws)
    if isinstance(record, Gone):
        return Absent(record.seq, "gone", record.gone)
    return Absent(record.seq, "withheld", record.withheld)


def check_all(work: tuple[Trust, Sequence[Pair]]) -> list[Outcome]:
    """Steps 4-11 for records that are stored already: a job for a worker process."""
    trust, found = work
    return _check(found, trust)


def _check(found: Sequence[Pair | Outcome], trust: Trust) -> list[Outcome]:
    """Steps 4-11 for the pairs among `found`: every signature before any claims (`envelope.read` says why)."""
    opened = [_open(item, trust) if isinstance(item, Pair) else item for item in found]
    return [_read(item, trust) if isinstance(item, _Opened) else item for item in opened]


class _Opened(NamedTuple):
    """A member's record whose commitment and signature hold; its claims are unread."""

    record: Signed
    entry: ledger.Entry
    nonce: bytes
    token: envelope.Opened


def _open(item: Pair, trust: Trust) -> Outcome | _Opened:
    """Steps 4-7, as far as the signature goes."""
    record = item.record
    try:
        # 4. A canonical entry.
        entry = _entry(item.entry)
        # 5. Of this community, recorded when the record says.
        if entry.community != trust.community:
            raise Refused("community-mismatch", "entry.community", "the entry belongs to another community")
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
            return _event(record.seq, entry, nonce, jws, trust)
        return _Opened(record, entry, nonce, envelope.open_token(jws, trust.members))
    except Refused as refused:
        return Failure(record.seq, refused.code, refused.field, refused.reason)


def _event(seq: int, entry: ledger.Entry, nonce: bytes, jws: bytes, trust: Trust) -> HubEvent:
    claims = verify_hub_event(jws, trust.hub_keys).claims
    if claims.aud != trust.audience:
        raise Refused("audience-mismatch", "aud", "the hub addressed another community")
    if claims.kind != entry.kind:
        raise Refused("kind-mismatch", "entry.kind", "the entry calls the event something else")
    return HubEvent(seq, cast("EntryKind", entry.kind), entry.recorded_at, entry.commitment, nonce, jws)


def _read(opened: _Opened, trust: Trust) -> Outcome:
    """The rest of step 7, and steps 8-11."""
    try:
        return _signal(opened, trust)
    except Refused as refused:
        return Failure(opened.record.seq, refused.code, refused.field, refused.reason)


def _signal(opened: _Opened, trust: Trust) -> Verified:
    record, entry, nonce, token = opened
    verified = envelope.read(token)
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
        jws=verified.token,
    )
    return Verified(statement, signal.indicators)


def _entry(raw: bytes) -> ledger.Entry:
    try:
        return ledger.Entry.decode(raw)
    except Refused as refused:
        raise Refused("entry-malformed", refused.field, refused.reason) from None


def _instant(text: str) -> int:
    """RFC 3339 to Unix seconds."""
    try:
        return ledger.instant(text)
    except ValueError:
        raise Refused("claim-invalid", "recorded_at", "not a point in time") from None
