import json
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from tests.client.simulator import DAY, Simulator, report, sha256
from tests.support.clock import MovableClock
from tocsin_client.feed import (
    Absent,
    Failure,
    FeedPage,
    HubEvent,
    Outcome,
    Verified,
    _record,
    check_part,
    parts,
    read_page,
)
from tocsin_schemas import envelope
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import Entry, rfc3339


def verify(simulator: Simulator, after: int = -1, lines: list[bytes] | None = None) -> list[Outcome]:
    asked = simulator.page("", after if after >= 0 else None, 1000)
    page = read_page(asked if lines is None else FeedPage(lines, None), after, simulator.log.size - 1)
    trust = simulator.trust()
    return [
        outcome
        for part in parts(page, after, simulator.log.leaves[after + 1 :])
        for outcome in check_part((trust, part))
    ]


def codes(
    simulator: Simulator, after: int = -1, lines: list[bytes] | None = None
) -> list[tuple[int | None, str]]:
    return [(item.seq, item.code) for item in verify(simulator, after, lines) if isinstance(item, Failure)]


def test_a_sound_feed_verifies(simulator: Simulator, clock: MovableClock) -> None:
    simulator.elsewhere(2)
    seq, digest = simulator.report("pixel", "a", "b")
    simulator.report("forum", "a", days=5)
    retraction, _ = simulator.retract("pixel", digest)
    event = simulator.expiry(1, 2)
    simulator.elsewhere()
    simulator.report("model", "gone")
    simulator.replace(7, gone="erased")
    simulator.report("model", "held")
    simulator.replace(8, withheld="quarantine")
    found = verify(simulator)
    assert [(item.seq, type(item)) for item in found] == [
        (2, Verified), (3, Verified), (4, Verified), (5, HubEvent), (7, Absent), (8, Absent)
    ]  # fmt: skip
    first = found[0]
    assert isinstance(first, Verified)
    said = first.statement
    assert (said.seq, said.id, said.author, said.kind) == (seq, digest, "https://pixel.example", "report")
    assert (said.iat, said.recorded_at, said.expires_at) == (clock(), clock(), clock() + 30 * DAY)
    assert (said.basis, said.target, first.indicators) == (
        "human_confirmed",
        None,
        (sha256("a"), sha256("b")),
    )
    assert isinstance(found[2], Verified)
    assert (found[2].seq, found[2].statement.target, found[2].indicators) == (retraction, digest, ())
    assert (found[3].seq, found[4]) == (event, Absent(7, "gone", "erased"))


def test_a_report_may_be_counted_as_a_sighting(simulator: Simulator, clock: MovableClock) -> None:
    simulator.publish("pixel", report(clock() + DAY), [sha256("a")], kind="sighting")
    (found,) = verify(simulator)
    assert isinstance(found, Verified)
    assert (found.statement.kind, found.statement.basis) == ("sighting", "human_confirmed")


Lie = Callable[[Simulator], object]


def resign(simulator: Simulator, key: SigningKey | None = None, **claims: object) -> None:
    """Replace record 0 by one with other claims, properly logged."""
    member = simulator.members["pixel"]
    payload = json.loads(envelope.payload_of(json.loads(simulator.lines[0] or b"")["jws"].encode()))
    token = envelope.sign(json.dumps({**payload, **claims}).encode(), key or member.key)
    simulator.log.leaves.clear()
    simulator.lines.clear()
    simulator.enter(token, "report", simulator.clock() + DAY)


def flip_signature(simulator: Simulator) -> None:
    record = json.loads(simulator.lines[0] or b"")
    head, payload, signature = record["jws"].split(".")
    raw = bytearray(envelope.decode(signature.encode(), ""))
    raw[5] ^= 1
    simulator.log.leaves.clear()
    simulator.lines.clear()
    simulator.enter(
        f"{head}.{payload}.{envelope.encode(bytes(raw)).decode()}".encode(), "report", simulator.clock() + DAY
    )


LIES: dict[str, tuple[Lie, str]] = {
    "another author's bytes": (
        lambda s: s.amend(0, jws=json.loads(s.lines[1] or b"")["jws"]),
        "commitment-mismatch",
    ),
    "bytes that are no ASCII": (lambda s: s.amend(0, jws="\u00e9"), "commitment-mismatch"),
    "another nonce": (lambda s: s.amend(0, r="0" * 64), "commitment-mismatch"),
    "another commitment": (lambda s: s.relog(0, commitment=bytes(32)), "commitment-mismatch"),
    "another time on the feed": (
        lambda s: s.amend(0, recorded_at=rfc3339(s.clock() + 1)),
        "recorded-at-mismatch",
    ),
    "another time in the log": (lambda s: s.relog(0, recorded_at=s.clock() - 1), "recorded-at-mismatch"),
    "a time that is none": (lambda s: s.amend(0, recorded_at="2026-13-01T00:00:00Z"), "claim-invalid"),
    "another community in the log": (lambda s: s.relog(0, community="ncii"), "community-mismatch"),
    "another kind in the log": (lambda s: s.relog(0, kind="dispute"), "kind-mismatch"),
    "an entry that is none": (lambda s: s.log.leaves.__setitem__(0, b"{}"), "entry-malformed"),
    "a longer life than the author's": (
        lambda s: s.amend(0, expires_at=rfc3339(s.clock() + 31 * DAY)),
        "expiry-mismatch",
    ),
    "no end": (lambda s: s.amend(0, expires_at=None), "expiry-mismatch"),
    "a signature that does not fit": (flip_signature, "signature-invalid"),
    "an unknown key": (lambda s: resign(s, SigningKey.generate()), "key-unknown"),
    "an issuer that is not the key's": (lambda s: resign(s, iss="https://forum.example"), "issuer-mismatch"),
    "another audience": (
        lambda s: resign(s, aud="https://hub.example/communities/ncii"),
        "audience-mismatch",
    ),
    "claims that do not fit": (lambda s: resign(s, note="free text"), "claim-unknown"),
    "a member's signal as the hub's event": (lambda s: s.relog(0, kind="expiry"), "key-unknown"),
    "a key not yet in force": (
        lambda s: setattr(s.members["pixel"], "not_before", s.clock() + 1),
        "key-not-yet-valid",
    ),
    "a key no more in force": (lambda s: setattr(s.members["pixel"], "not_after", s.clock()), "key-expired"),
    "a revoked key": (lambda s: setattr(s.members["pixel"], "revoked_at", s.clock() - 1), "key-revoked"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found_by_its_step_and_spoils_only_its_record(simulator: Simulator, lie: str) -> None:
    tell, code = LIES[lie]
    simulator.report("pixel", "a")
    if not lie.startswith(("an unknown", "an issuer", "another audience", "claims", "a signature")):
        simulator.report("forum", "b")
    tell(simulator)
    assert codes(simulator) == [(0, code)]
    sound = [item.seq for item in verify(simulator) if isinstance(item, Verified)]
    assert sound == list(range(1, len(simulator.lines)))


def test_a_signal_of_the_second_of_the_revocation_was_admitted_before_it(
    simulator: Simulator, clock: MovableClock
) -> None:
    simulator.members["pixel"].revoked_at = clock()
    simulator.report("pixel", "a")
    simulator.publish("pixel", report(clock() + DAY), [sha256("b")], iat=clock() + 60)
    assert codes(simulator) == []
    clock.advance(1)
    simulator.report("pixel", "c")
    assert codes(simulator) == [(2, "key-revoked")]


class TestHubEvents:
    def test_by_another_key(self, simulator: Simulator) -> None:
        simulator.expiry(1, key=SigningKey.generate())
        assert codes(simulator) == [(0, "key-unknown")]

    def test_by_a_member(self, simulator: Simulator) -> None:
        simulator.expiry(1, key=simulator.members["pixel"].key)
        assert codes(simulator) == [(0, "key-unknown")]

    def test_to_another_community(self, simulator: Simulator) -> None:
        simulator.expiry(1, audience="https://hub.example/communities/ncii")
        assert codes(simulator) == [(0, "audience-mismatch")]

    def test_as_another_event(self, simulator: Simulator) -> None:
        simulator.expiry(1)
        simulator.relog(0, kind="snapshot")
        assert codes(simulator) == [(0, "kind-mismatch")]

    def test_as_a_members_signal(self, simulator: Simulator) -> None:
        simulator.expiry(1)
        simulator.relog(0, kind="report")
        assert codes(simulator) == [(0, "key-unknown")]


class TestCompleteness:
    def test_a_record_that_is_left_out_is_missed(self, simulator: Simulator) -> None:
        for text in "abc":
            simulator.report("pixel", text)
        simulator.lines[1] = None
        assert codes(simulator) == [(1, "record-missing")]

    def test_entries_of_other_communities_are_not(self, simulator: Simulator) -> None:
        simulator.elsewhere(300)
        simulator.report("pixel", "a")
        assert codes(simulator) == []

    def test_an_entry_that_cannot_be_read_hides_nothing(self, simulator: Simulator) -> None:
        simulator.elsewhere(3)
        simulator.report("pixel", "a")
        simulator.log.leaves[1] = b'{"community":"?"}'
        assert codes(simulator) == [(1, "entry-malformed")]

    def test_a_page_is_checked_from_the_cursor_on(self, simulator: Simulator) -> None:
        for text in "abcd":
            simulator.report("pixel", text)
        simulator.lines[0] = simulator.lines[2] = None
        assert codes(simulator, after=1) == [(2, "record-missing")]


class TestShapes:
    @pytest.mark.parametrize(
        "bad",
        [b"{", b"[]", b"\xff", b'{"seq":-1,"gone":"erased"}', b'{"seq":true,"gone":"erased"}', b'{"seq":01}'],
    )
    def test_a_line_without_a_number_is_malformed_and_missed(self, simulator: Simulator, bad: bytes) -> None:
        for text in "abc":
            simulator.report("pixel", text)
        simulator.lines[1] = bad
        assert codes(simulator) == [(None, "record-malformed"), (1, "record-missing")]

    @pytest.mark.parametrize(
        "bad",
        [
            b'{"seq":1}',
            b'{"seq":1,"gone":"lost"}',
            b'{"gone":"lost", "seq": 1}',
            b'{"seq":1,"seq":0,"gone":"erased"}',
        ],
    )
    def test_a_line_with_a_number_is_malformed_in_its_place(self, simulator: Simulator, bad: bytes) -> None:
        for text in "abc":
            simulator.report("pixel", text)
        simulator.lines[1] = bad
        assert codes(simulator) == [(1, "record-malformed")]

    def test_numbers_that_do_not_rise(self, simulator: Simulator) -> None:
        for text in "abc":
            simulator.report("pixel", text)
        a, b, c = simulator.page("", None, 9).lines
        assert codes(simulator, lines=[a, c, b]) == [(1, "seq-not-increasing"), (1, "record-missing")]
        assert codes(simulator, lines=[a, a, b, c]) == [(0, "seq-not-increasing")]
        assert codes(simulator, after=1, lines=[b, c]) == [(1, "seq-not-increasing")]

    def test_a_tombstone_needs_an_entry_of_the_community(self, simulator: Simulator) -> None:
        simulator.elsewhere()
        simulator.replace(0, gone="expired")
        assert codes(simulator) == [(0, "community-mismatch")]

    def test_the_end_of_a_page_without_a_number_is_the_cursor(self) -> None:
        assert read_page(FeedPage([b"{"], None), 7, 20).end == 7
        assert read_page(FeedPage([b'{"seq":3,"gone":"erased"}'], None), 7, 20).end == 7


def test_lines_as_hubs_write_them_are_read_as_any_other(simulator: Simulator) -> None:
    simulator.report("pixel", "a")
    simulator.expiry(5)
    for line in simulator.lines:
        assert line is not None
        fields = json.loads(line)
        tight = json.dumps(fields, separators=(",", ":")).encode()
        turned = json.dumps(dict(reversed(fields.items()))).encode()
        assert _record(tight) == _record(line) == _record(turned)
        for name, bad in (("r", "A" * 64), ("recorded_at", "now"), ("seq", -1), ("jws", None)):
            with pytest.raises(ValidationError):
                _record(json.dumps({**fields, name: bad}, separators=(",", ":")).encode())


class TestCoverage:
    """How far a page speaks for the log."""

    def test_to_its_last_record_or_as_far_as_the_hub_says(self) -> None:
        line = b'{"seq":9,"gone":"erased"}'
        assert read_page(FeedPage([line], None), 7, 20).end == 9
        assert read_page(FeedPage([line], 8), 7, 20).end == 9
        assert read_page(FeedPage([line], 12), 7, 20).end == 12
        assert read_page(FeedPage([], 12), 7, 20).end == 12

    def test_a_page_without_lines_says_that_there_is_nothing_more(self) -> None:
        assert read_page(FeedPage([], None), 7, 20).end == 20
        assert read_page(FeedPage([], 7), 7, 20).end == 20

    def test_what_the_checkpoint_does_not_cover_waits(self, simulator: Simulator) -> None:
        for text in "abc":
            simulator.report("pixel", text)
        simulator.log.shown = 2
        assert [item.seq for item in verify(simulator)] == [0, 1]
        page = read_page(simulator.page("", None, 9), -1, 1)
        assert (page.end, len(page.lines)) == (1, 2)
        assert read_page(FeedPage([], 400), 7, 20).end == 20

    def test_a_hub_that_says_it_covers_more_than_it_gives_is_found_out(self, simulator: Simulator) -> None:
        for text in "abc":
            simulator.report("pixel", text)
        (first, *_) = simulator.page("", None, 9).lines
        outcomes = [
            outcome
            for part in parts(read_page(FeedPage([first], 2), -1, 2), -1, simulator.log.leaves)
            for outcome in check_part((simulator.trust(), part))
        ]
        assert [item.code for item in outcomes if isinstance(item, Failure)] == ["record-missing"] * 2

    def test_parts_of_any_size_are_the_same_page(
        self, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(30):
            simulator.report("pixel", f"{number}")
            simulator.elsewhere(number % 4)
        simulator.lines[0] = b"{"
        whole = verify(simulator)
        for chunk, span in ((1, 8192), (7, 5), (30, 1), (3, 1000)):
            monkeypatch.setattr("tocsin_client.feed.CHUNK", chunk)
            monkeypatch.setattr("tocsin_client.feed.SPAN", span)
            page = read_page(simulator.page("", None, 99), -1, simulator.log.size - 1)
            found = list(parts(page, -1, simulator.log.leaves))
            assert [part.closing for part in found] == [False] * (len(found) - 1) + [True]
            assert [part.after for part in found] == [-1, *(part.end for part in found[:-1])]
            assert all(len(part.lines) <= chunk and part.end - part.after <= span for part in found)
            assert [item for part in found for item in check_part((simulator.trust(), part))] == whole


def test_a_failure_says_where_and_why(simulator: Simulator) -> None:
    assert str(Failure(3, "key-unknown", "kid", "not a key")) == "record 3: key-unknown: not a key"
    assert str(Failure(None, "x", "", "y")) == "a line without a sequence number: x: y"


def test_entries_decode_as_the_log_writes_them(simulator: Simulator) -> None:
    simulator.report("pixel", "a")
    assert Entry.decode(simulator.log.leaves[0]).encode() == simulator.log.leaves[0]
