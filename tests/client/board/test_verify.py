"""What a stranger can see of a board's decisions: that they verify, and of each tampering which record it hit."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.board.simulated import SimulatedBoard, lines
from tests.support.clock import MovableClock
from tocsin_client.board.verify import BoardUnverified, Replay, look, verify_board
from tocsin_client.log import Log
from tocsin_schemas.decisions import Plain, ballot_challenge, decision_digest
from tocsin_schemas.governance import PublishedRecord, Record, record_bytes, record_digest
from tocsin_schemas.roster import canonical


def replay(log: Log, board: SimulatedBoard, genesis: bytes | None = None) -> Replay:
    _, files, logged = look(log, board)
    return verify_board(files, logged, genesis)


def codes(found: Replay) -> list[tuple[int | None, str]]:
    return [(misfit.record, misfit.code) for misfit in found.misfits]


def changed(item: PublishedRecord, change: Callable[[dict[str, Any]], None]) -> PublishedRecord:
    """The record with something else in it, as whoever edits a file writes it."""
    said = json.loads(canonical(item))
    change(said["record"])
    return PublishedRecord.model_validate_json(json.dumps(said))


def test_what_an_honest_board_publishes_verifies(log: Log, board: SimulatedBoard) -> None:
    found = replay(log, board)
    assert found.misfits == []
    assert [told.record.seq for told in found.told] == [0, 1, 2, 3, 4, 5]
    assert found.told[0].says.startswith("The board was founded with 3 seats")
    assert "hotlines" in found.told[3].says
    assert "failed: 1 yes, 2 no" in found.told[4].says
    assert found.state is not None
    assert sorted(found.state.communities) == ["archive", "child-safety", "hotlines"]
    assert replay(log, board, found.state.genesis).misfits == []


def test_a_record_edited_in_the_file_is_named(log: Log, board: SimulatedBoard) -> None:
    def edit(record: dict[str, Any]) -> None:
        record["body"]["decision"]["subject"] = "another"

    board.files["records"] = lines(
        [*board.published[:3], changed(board.published[3], edit), *board.published[4:]]
    )
    found = replay(log, board)
    assert codes(found) == [(3, "commitment-mismatch"), (4, "record-prev-mismatch")]
    assert len(found.told) == 3


def test_a_ballot_altered_in_the_file_is_named(log: Log, board: SimulatedBoard) -> None:
    def edit(record: dict[str, Any]) -> None:
        record["body"]["ballots"][1]["choice"] = "yes"

    board.files["records"] = lines(
        [*board.published[:4], changed(board.published[4], edit), *board.published[5:]]
    )
    assert codes(replay(log, board)) == [(4, "commitment-mismatch"), (5, "record-prev-mismatch")]


def test_a_result_changed_in_the_last_record_is_named(log: Log, board: SimulatedBoard) -> None:
    def edit(record: dict[str, Any]) -> None:
        record["body"]["result"] = "fails"

    board.files["records"] = lines([*board.published[:5], changed(board.published[5], edit)])
    assert codes(replay(log, board)) == [(5, "commitment-mismatch")]


def test_a_record_dropped_is_named(log: Log, board: SimulatedBoard) -> None:
    board.files["records"] = lines([*board.published[:3], *board.published[4:]])
    found = replay(log, board)
    assert codes(found) == [(4, "record-out-of-order"), (None, "record-missing")]
    assert f"entry {board.published[3].log_seq} of the log" in found.misfits[1].reason


def test_the_last_record_dropped_is_named(log: Log, board: SimulatedBoard) -> None:
    board.files["records"] = lines(board.published[:-1])
    found = replay(log, board)
    assert codes(found) == [(None, "record-missing")]
    assert f"entry {board.published[-1].log_seq} of the log" in found.misfits[0].reason


def test_records_in_another_order_are_named(log: Log, board: SimulatedBoard) -> None:
    first, second = board.published[3:5]
    board.files["records"] = lines([*board.published[:3], second, first, *board.published[5:]])
    found = replay(log, board)
    assert {code for _, code in codes(found)} == {"record-out-of-order"}
    assert found.misfits[0].record == 3
    assert len(found.told) == 3


def test_another_opening_number_is_named(log: Log, board: SimulatedBoard) -> None:
    other = board.published[2].model_copy(update={"r": "00" * 32})
    board.files["records"] = lines([*board.published[:2], other, *board.published[3:]])
    assert codes(replay(log, board)) == [(2, "commitment-mismatch")]


def test_another_entry_of_the_log_is_named(log: Log, board: SimulatedBoard) -> None:
    other = board.published[2].model_copy(update={"log_seq": board.published[2].log_seq + 5})
    board.files["records"] = lines([*board.published[:2], other, *board.published[3:]])
    assert codes(replay(log, board)) == [(2, "record-unlogged"), (None, "record-missing")]


def test_a_record_that_was_never_logged_is_named(log: Log, board: SimulatedBoard) -> None:
    kept = list(board.tlog.leaves)
    board.decide("community.open", "secret", Plain())
    board.tlog.leaves[:] = kept
    assert codes(replay(log, board)) == [(6, "record-unlogged")]


def test_another_genesis_is_named(board: SimulatedBoard, log: Log, clock: MovableClock) -> None:
    believed = record_digest(board.published[0].record)
    other = SimulatedBoard(clock)
    board.files["records"] = lines([other.published[0], *board.published[1:]])
    found = replay(log, board, believed)
    assert codes(found)[:2] == [(0, "genesis-mismatch"), (0, "entry-mismatch")]
    assert found.told == []


def test_a_whole_other_board_is_not_the_one_believed(board: SimulatedBoard, log: Log) -> None:
    """The hub founds a second board with seats of its own, and logs all of it properly."""
    found = replay(log, board, bytes(32))
    assert codes(found) == [(0, "genesis-mismatch")]
    assert found.told == []


@pytest.mark.parametrize("line", [b"{}", b"[1]", b'{"log_seq":1,"r":"00","record":{}}', b"\xff"])
def test_a_line_that_is_no_record_is_named(log: Log, board: SimulatedBoard, line: bytes) -> None:
    text = (board.files["records"] or b"").splitlines()
    board.files["records"] = b"\n".join([*text[:2], line, *text[3:]])
    assert (2, "record-malformed") in codes(replay(log, board))


def test_no_record_at_all_is_a_finding(log: Log, board: SimulatedBoard) -> None:
    board.files["records"] = b""
    found = replay(log, board)
    assert {code for _, code in codes(found)} == {"record-missing"}
    assert len(found.misfits) == 7


def test_another_roster_in_its_file_is_named(log: Log, board: SimulatedBoard) -> None:
    said = json.loads(board.files["roster"] or b"")
    said["seats"][1]["handle"] = "mallory"
    board.files["roster"] = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    assert codes(replay(log, board)) == [(None, "roster-mismatch")]


def test_another_genesis_in_its_file_is_named(log: Log, board: SimulatedBoard) -> None:
    board.files["genesis"] = record_bytes(board.published[1].record)
    assert codes(replay(log, board)) == [(None, "genesis-mismatch")]


# A hub that lies with its own log: everything is logged as published, and still not what seats signed.


def lie(board: SimulatedBoard, change: Callable[[dict[str, Any]], None]) -> None:
    """The hub records a decision that it has changed after the vote."""
    body = board.voted(board.decision("community.open", "lair", Plain()))
    said = json.loads(canonical(body))
    change(said)
    board.log(type(body).model_validate_json(json.dumps(said)), right=False)


def _subject(body: dict[str, Any]) -> None:
    body["decision"]["subject"] = "another"


def _choice(body: dict[str, Any]) -> None:
    body["ballots"][0]["choice"] = "no"


def _offline_choice(body: dict[str, Any]) -> None:
    body["ballots"][1]["choice"] = "no"


def _result(body: dict[str, Any]) -> None:
    body["result"] = "fails"


def _twice(body: dict[str, Any]) -> None:
    body["ballots"].append(body["ballots"][0])


def _dropped(body: dict[str, Any]) -> None:
    del body["ballots"][2]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_subject, "decision-altered"),
        (_choice, "ballot-invalid"),
        (_offline_choice, "ballot-invalid"),
        (_result, "result-mismatch"),
        (_twice, "ballot-duplicate"),
        (_dropped, "ballot-open"),
    ],
)
def test_what_no_seat_signed_is_named_although_it_was_logged(
    log: Log, board: SimulatedBoard, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    lie(board, change)
    found = replay(log, board)
    assert codes(found) == [(6, code)]
    assert len(found.told) == 6


def test_a_passkey_that_did_not_verify_its_user_gives_no_vote(log: Log, board: SimulatedBoard) -> None:
    body = board.voted(board.decision("community.open", "lair", Plain()))
    passkey = board.chairs[0].passkey
    assert passkey is not None
    challenge = ballot_challenge(decision_digest(body.decision), "yes")
    said = json.loads(canonical(body))
    said["ballots"][0]["assertion"] = passkey.get(challenge, "hub.example", "https://hub.example", flags=1)
    board.log(type(body).model_validate_json(json.dumps(said)), right=False)
    assert codes(replay(log, board)) == [(6, "ballot-unverified-user")]


def test_a_decision_in_the_drawer_of_another_chain_is_named(
    log: Log, board: SimulatedBoard, clock: MovableClock
) -> None:
    other = SimulatedBoard(clock)
    other.chairs[:] = board.chairs
    body = other.voted(other.decision("community.open", "lair", Plain()))
    board.log(body, right=False)
    assert [code for _, code in codes(replay(log, board))] == ["decision-repeated"]


# Reading while the hub records.


def test_what_is_recorded_while_one_reads_is_waited_for(log: Log, board: SimulatedBoard) -> None:
    """The checkpoint lags behind the files at first."""
    board.tlog.shown = board.tlog.size - 1
    told: list[Record] = []

    def catch_up(_seconds: float) -> None:
        board.tlog.shown = None

    log._pause = catch_up
    found = replay(log, board)
    told += [item.record for item in found.told]
    assert found.misfits == []
    assert len(told) == 6


def test_files_older_than_the_log_are_read_again(log: Log, board: SimulatedBoard) -> None:
    class Lagging:
        name = "a cache"
        reads = 0

        def read(self, path: str) -> bytes | None:
            self.reads += 1
            if self.reads <= 4:
                return {**board.files, "records": lines(board.published[:-1])}[path]
            return board.files[path]

    _, files, entries = look(log, Lagging())
    assert verify_board(files, entries, None).misfits == []


def test_the_error_names_the_first_thing_and_how_many_there_are(log: Log, board: SimulatedBoard) -> None:
    board.files["records"] = lines([*board.published[:3], *board.published[4:]])
    error = BoardUnverified(replay(log, board))
    assert error.code == "record-out-of-order"
    assert str(error).startswith("record 4: record-out-of-order: ")
    assert str(error).endswith(", and 1 more")
