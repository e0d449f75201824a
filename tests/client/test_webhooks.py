"""A receiver takes what its hub has signed, once, and knows what it has missed."""

import json
import logging
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.client.posting import (
    CHALLENGE,
    NOW,
    OTHER,
    SIGNER,
    WHPK,
    WHSEC,
    body,
    challenge,
    event,
    request,
    told,
)
from tests.support.clock import MovableClock
from tocsin_client.config import NotReady
from tocsin_client.webhook_journal import BUSY_SECONDS, KEEP_SECONDS, Gap, Journal, Told
from tocsin_client.webhooks import HANDLED, HANDLED_BEFORE, MAX_BODY_BYTES, Event, Receiver, verify
from tocsin_schemas.notifications import EventNotification
from tocsin_schemas.problems import Refused
from tocsin_schemas.webhooks import SEED_PREFIX

SUBJECT = "community:child-safety"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOW)


@pytest.fixture(params=["memory", "file"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with Journal(tmp_path / "journal.sqlite3" if request.param == "file" else None) as journal:
        yield journal


@pytest.fixture
def receiver(journal: Journal, clock: MovableClock) -> Receiver:
    return Receiver(WHSEC, WHPK, journal=journal, clock=clock)


def refused(receiver: Receiver, headers: dict[str, str], content: bytes) -> tuple[str, str]:
    with pytest.raises(Refused) as found:
        receiver.receive(headers, content)
    return found.value.code, found.value.field


class TestVerify:
    @pytest.mark.parametrize("keys", [[WHSEC], [WHPK], [WHSEC, WHPK]])
    def test_an_event_that_the_hub_signed_is_given(self, keys: list[str], clock: MovableClock) -> None:
        found = verify(*event("msg_7", 3), *keys, clock=clock)
        content = body(data=told(3))
        assert found == Event("msg_7", NOW, "signal.recorded", "2026-11-22T00:00:00Z", told(3), content)
        assert found.told == Told(SUBJECT, 3, 30)

    def test_an_event_is_read_as_what_the_wire_knows(self, clock: MovableClock) -> None:
        found = verify(*request(content=body(data=told(3) | {"count": 2})), WHSEC, clock=clock).notification()
        assert isinstance(found, EventNotification)
        assert (found.type, found.data.seq, found.data.count) == ("signal.recorded", 3, 2)
        newer = verify(*request(content=body("tower.lit", {})), WHSEC, clock=clock)
        with pytest.raises(Refused) as refused:
            newer.notification()
        assert refused.value.code == "request-invalid"

    def test_what_is_said_does_not_show_in_logs(self, clock: MovableClock) -> None:
        assert SUBJECT not in repr(verify(*event("msg_7", 3), WHSEC, clock=clock))

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            ({}, None),
            ({"subject": "board", "seq": True}, None),
            ({"subject": "board", "seq": 0}, None),
            ({"subject": "board", "seq": 2**53}, None),
            ({"subject": 1, "seq": 1}, None),
            ({"subject": "board", "seq": 1, "cursor": "x"}, Told("board", 1, None)),
        ],
    )
    def test_an_event_without_a_place_has_none(
        self, data: dict[str, Any], expected: Told | None, clock: MovableClock
    ) -> None:
        assert verify(*request(content=body(data=data)), WHSEC, clock=clock).told == expected

    @pytest.mark.parametrize(
        ("content", "field"),
        [
            (b"", "body"),
            (b"\xff", "body"),
            (b"[" * 60_000, "body"),
            (b"[]", "body"),
            (b'{"type":"a","timestamp":"x","data":[]}', "body"),
            (b'{"type":"a","data":{}}', "body"),
            (b'{"type":"a b","timestamp":"x","data":{}}', "type"),
            (b'{"type":"a\\n","timestamp":"x","data":{}}', "type"),
            (b'{"timestamp":"x","data":{}}', "type"),
        ],
    )
    def test_a_body_that_is_no_event_is_refused(
        self, content: bytes, field: str, clock: MovableClock
    ) -> None:
        with pytest.raises(Refused) as found:
            verify(*request(content=content), WHSEC, clock=clock)
        assert (found.value.code, found.value.field) == ("webhook-malformed", field)

    @pytest.mark.parametrize("keys", [[], ["whsec_short"], [f"{SEED_PREFIX}AAAA"], ["whpk_AAAA"]])
    def test_keys_are_looked_at_first(self, keys: list[str], clock: MovableClock) -> None:
        with pytest.raises(Refused) as found:
            verify(*event("msg_7", 3), *keys, clock=clock)
        assert found.value.code == "webhook-key-malformed"
        with pytest.raises(Refused):
            Receiver(*keys)

    def test_the_system_has_a_clock(self) -> None:
        with pytest.raises(Refused) as found:
            verify(*event("msg_7", 3), WHSEC)
        assert found.value.code == "webhook-stale"


class TestReceiver:
    def test_tampered_stale_and_foreign_requests_are_refused_and_leave_nothing(
        self, receiver: Receiver, clock: MovableClock
    ) -> None:
        headers, content = event("msg_1", 1)
        invalid = ("webhook-signature-invalid", "webhook-signature")
        assert refused(receiver, headers, content.replace(b"1", b"2")) == invalid
        assert refused(receiver, headers | {"webhook-id": "msg_2"}, content) == invalid
        assert refused(receiver, headers | {"webhook-timestamp": str(NOW + 1)}, content) == invalid
        assert refused(receiver, *request(signer=OTHER)) == invalid
        clock.advance(301)
        assert refused(receiver, headers, content) == ("webhook-stale", "webhook-timestamp")
        assert refused(receiver, *request(content=b"x" * (MAX_BODY_BYTES + 1))) == (
            "payload-too-large",
            "body",
        )
        clock.advance(-301)
        assert receiver.journal.gaps() == []
        assert receiver.receive(headers, content).id == "msg_1"

    def test_a_request_that_is_sent_again_is_refused(self, receiver: Receiver, clock: MovableClock) -> None:
        with receiver.handling(receiver.receive(*event("msg_1", 1))):
            assert refused(receiver, *event("msg_1", 1)) == ("webhook-busy", "webhook-id")
        assert refused(receiver, *event("msg_1", 1)) == ("webhook-replayed", "webhook-id")
        later = clock.advance(86_400)
        assert refused(receiver, *event("msg_1", 1, at=later)) == ("webhook-replayed", "webhook-id")

    def test_what_failed_is_given_again(self, receiver: Receiver) -> None:
        with pytest.raises(LookupError), receiver.handling(receiver.receive(*event("msg_1", 1))):
            raise LookupError
        with receiver.handling(receiver.receive(*event("msg_1", 1))):
            pass
        assert refused(receiver, *event("msg_1", 1))[0] == "webhook-replayed"

    def test_what_nobody_finished_is_given_again(self, receiver: Receiver, clock: MovableClock) -> None:
        receiver.receive(*event("msg_1", 1))
        at = clock.advance(BUSY_SECONDS - 1)
        assert refused(receiver, *event("msg_1", 1, at=at))[0] == "webhook-busy"
        at = clock.advance(1)
        assert receiver.receive(*event("msg_1", 1, at=at)).id == "msg_1"

    def test_every_request_has_its_answer(self, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
        handled: list[Event] = []
        assert receiver.respond(*event("msg_1", 1), handled.append) == HANDLED
        assert receiver.respond(*event("msg_1", 1), handled.append) == HANDLED_BEFORE
        answer = receiver.respond(*challenge(), handled.append)
        assert (answer.status, json.loads(answer.body)) == (200, {"challenge": CHALLENGE})
        assert answer.media_type == "application/json"
        with caplog.at_level(logging.WARNING):
            bad = receiver.respond(*request(signer=OTHER), handled.append)
        assert (bad.status, bad.media_type) == (401, "application/problem+json")
        assert json.loads(bad.body)["code"] == "webhook-signature-invalid"
        assert "webhook-signature-invalid" in caplog.text
        assert "msg_1" not in caplog.text
        assert [found.id for found in handled] == ["msg_1"]

    def test_an_event_of_a_type_not_known_here_is_handed_on(self, receiver: Receiver) -> None:
        handled: list[Event] = []
        receiver.respond(*request(content=body("tower.lit", {"height": 7})), handled.append)
        assert [(found.type, found.data, found.gap) for found in handled] == [
            ("tower.lit", {"height": 7}, None)
        ]

    def test_a_message_is_handled_by_one_thread(self, receiver: Receiver) -> None:
        handled: list[Event] = []
        start = threading.Barrier(8)

        def post() -> None:
            start.wait()
            receiver.respond(*event("msg_1", 1), handled.append)

        threads = [threading.Thread(target=post) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(handled) == 1


class TestGaps:
    def play(self, receiver: Receiver, *seqs: int, subject: str = SUBJECT) -> list[Gap | None]:
        found: list[Gap | None] = []
        for seq in seqs:
            made = event(f"msg_{subject}_{seq}".replace(".", ""), seq, subject=subject)
            receiver.respond(*made, lambda given: found.append(given.gap))
        return found

    def test_without_a_hole_there_is_none(self, receiver: Receiver) -> None:
        assert self.play(receiver, 1, 2, 3) == [None, None, None]
        assert receiver.journal.gaps() == []

    def test_a_hole_is_named_and_where_to_pull(self, receiver: Receiver) -> None:
        assert self.play(receiver, 1, 2, 5) == [None, None, Gap(SUBJECT, 3, 4, 20)]
        assert receiver.journal.gaps() == [Gap(SUBJECT, 3, 4, 20)]

    def test_whoever_has_seen_nothing_has_missed_what_came_before(self, receiver: Receiver) -> None:
        assert self.play(receiver, 4) == [Gap(SUBJECT, 1, 3, None)]

    def test_what_comes_late_closes_the_hole(self, receiver: Receiver) -> None:
        assert self.play(receiver, 1, 6, 4) == [None, Gap(SUBJECT, 2, 5, 10), None]
        assert receiver.journal.gaps() == [Gap(SUBJECT, 2, 3, 10), Gap(SUBJECT, 5, 5, 40)]
        self.play(receiver, 2, 3)
        assert receiver.journal.gaps() == [Gap(SUBJECT, 5, 5, 40)]
        self.play(receiver, 5, 7)
        assert receiver.journal.gaps() == []

    def test_what_was_pulled_is_no_gap(self, receiver: Receiver) -> None:
        self.play(receiver, 1, 4, 6)
        first, second = receiver.journal.gaps()
        receiver.journal.filled(first)
        assert receiver.journal.gaps() == [second]
        self.play(receiver, 2)
        assert receiver.journal.gaps() == [second]

    def test_subjects_count_for_themselves(self, receiver: Receiver) -> None:
        assert self.play(receiver, 1, subject="board") == [None]
        assert self.play(receiver, 2, subject="endpoint:ep_1") == [Gap("endpoint:ep_1", 1, 1, None)]
        assert self.play(receiver, 2, subject="board") == [None]

    def test_what_failed_is_missing(self, receiver: Receiver) -> None:
        with pytest.raises(LookupError), receiver.handling(receiver.receive(*event("msg_1", 1))):
            raise LookupError
        assert self.play(receiver, 2) == [Gap(SUBJECT, 1, 1, None)]


class TestJournal:
    def test_a_file_remembers(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "journal.sqlite3"
        with Journal(path) as journal:
            journal.begin("msg_1", NOW)
            journal.handled("msg_1", Told("board", 3, None))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with Journal(path) as journal, Journal(path) as other:
            assert journal.begin("msg_1", NOW) == "handled"
            assert other.begin("msg_2", NOW) == "new"
            assert journal.begin("msg_2", NOW) == "busy"
            assert journal.gaps() == other.gaps() == [Gap("board", 1, 2, None)]

    def test_memory_is_bounded_by_age_and_number(self) -> None:
        with Journal(keep_messages=3) as journal:
            for number in range(5):
                journal.begin(f"msg_{number}", NOW)
                journal.handled(f"msg_{number}", None)
            assert [journal.begin(f"msg_{number}", NOW) for number in (4, 3, 2, 1)] == [
                "handled", "handled", "handled", "new",
            ]  # fmt: skip
            journal.begin("msg_later", NOW + KEEP_SECONDS + 1)
            assert journal.begin("msg_4", NOW + KEEP_SECONDS + 1) == "new"

    def test_a_file_that_is_none_is_left_alone(self, tmp_path: Path) -> None:
        foreign = tmp_path / "foreign"
        foreign.write_text("not a database, but long enough to be taken for one by a careless reader" * 20)
        before = foreign.read_bytes()
        with pytest.raises(NotReady, match="cannot be read"):
            Journal(foreign)
        assert foreign.read_bytes() == before
        newer = tmp_path / "newer"
        with sqlite3.connect(newer) as conn:
            conn.execute("PRAGMA user_version = 99")
        conn.close()
        with pytest.raises(NotReady, match="another version"):
            Journal(newer)

    def test_a_failure_while_writing_leaves_nothing(self) -> None:
        with Journal() as journal:
            journal.begin("msg_1", NOW)
            with pytest.raises(OverflowError):
                journal.handled("msg_1", Told("board", 2**70, None))
            assert journal.begin("msg_1", NOW) == "busy"
            assert journal.gaps() == []


def test_the_sender_of_these_tests_signs_with_both_kinds() -> None:
    assert [part[:3] for part in SIGNER.sign("m", NOW, b"").split(" ")] == ["v1,", "v1a"]
