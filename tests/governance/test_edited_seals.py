"""Whoever has the database's password and not the hub's files: what is done to seals is named, and gains nothing."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.governance.sealed import (
    ask,
    audit,
    codes,
    faults,
    insert_motion,
    listed,
    look,
    lost,
    newest,
    restore,
    seal_row,
    state_of,
)
from tests.support.board import Board, edit, governed
from tests.support.clock import MovableClock
from tests.support.officers import panel, seats
from tocsin.config import Settings
from tocsin.errors import Refused
from tocsin.governance.service import applications, motions, startup
from tocsin.members.service import ROW, Difference
from tocsin_schemas.jwk import SigningKey

TIED = "https://tied.example"


@pytest.fixture
def board(settings: Settings, clock: MovableClock) -> Iterator[Board]:
    with governed(settings, clock, [*seats(5), *panel()]) as made:
        yield made


def spoilt(board: Board, motion: str, *entries: int) -> None:
    """The entries of its history are named for ever, the motion is over, and nothing of what was made of it counts."""
    assert state_of(board, motion) == "lapsed"
    assert audit(board) == lost(*entries) == look(board)
    assert codes(board) == [(seq, "case-missing") for seq in entries]
    again = newest(board, motion)
    assert again > entries[-1]
    assert seal_row(board, again)["replaces"] is None
    with pytest.raises(Refused) as caught:
        motions.endorse(board.chamber, board.seated("s4"), motion)
    assert caught.value.code == "conflict"
    # Others go on.
    other = board.propose("community.open", "beside")
    assert board.carry(other).result == "passes"
    assert audit(board) == lost(*entries)


@pytest.mark.parametrize(
    ("column", "named", "rows"),
    [
        ("nonce", "state", "edited"),
        ("state", "state", "left"),
        ("replaces", "state", "edited"),
        ("salt", "spelled", "edited"),
        ("spelled", "spelled", "left"),
        ("spelled", "spelled", "edited"),
    ],
)
def test_a_seal_that_was_edited(board: Board, column: str, named: str, rows: str) -> None:
    motion = board.propose("community.open", "edited")
    first = newest(board, motion)
    board.endorse(motion, "s2")
    seq = newest(board, motion)
    value: object = 0 if column == "replaces" else bytes(32)
    if column == "spelled":
        value = bytes(seal_row(board, seq)["spelled"]).replace(b'"s2"', b'"s4"')
    edit(board.hub, f"UPDATE board_seal SET {column} = :value WHERE log_seq = :seq", value=value, seq=seq)
    if rows == "edited":
        edit(board.hub, "UPDATE motion_endorsement SET seat = 's4' WHERE motion_id = :id", id=motion)
    board.hub.publish()
    assert Difference("board_seal", str(seq), named) in look(board)
    # Whoever comes first finds it, and the motion is over: nobody can tell what was sealed.
    with pytest.raises(Refused) as caught:
        motions.endorse(board.chamber, board.seated("s3"), motion)
    assert caught.value.code == "conflict"
    spoilt(board, motion, first, seq)


@pytest.mark.parametrize("rows", ["left", "edited", "deleted"])
def test_a_seal_that_was_deleted(board: Board, rows: str) -> None:
    motion = board.propose("community.open", "deleted")
    seq = newest(board, motion)
    board.hub.publish()
    edit(board.hub, "DELETE FROM board_seal WHERE log_seq = :seq", seq=seq)
    if rows == "deleted":
        edit(board.hub, "DELETE FROM motion WHERE id = :id", id=motion)
        assert audit(board) == lost(seq) == audit(board)
        assert codes(board) == [(seq, "case-missing")]
        return
    if rows == "edited":
        edit(board.hub, "UPDATE motion SET subject = 'smuggled' WHERE id = :id", id=motion)
    assert audit(board) == [*lost(seq), Difference("motion", motion, ROW)]
    spoilt(board, motion, seq)


def test_an_application_without_its_seal_lapses_and_ties_are_gone(board: Board) -> None:
    application = board.apply("vox", SigningKey.generate(), communities={})
    motions.declare_tie(board.chamber, board.seated("s1"), TIED, None)
    edit(board.hub, "DELETE FROM board_seal WHERE case_id = :id", id=application)
    edit(board.hub, "DELETE FROM board_seal WHERE kind = 'ties'")
    assert {item.table for item in audit(board)} == {"board_seal", "application", "seat_tie"}
    assert applications.status(board.chamber, application).state == "lapsed"
    assert motions.ties(board.chamber, board.seated("s1")) == []
    assert {item.table for item in audit(board)} == {"board_seal"}
    motions.declare_tie(board.chamber, board.seated("s1"), TIED, None)
    assert len(motions.ties(board.chamber, board.seated("s1"))) == 1


def taken_back(board: Board, slug: str) -> tuple[str, list[int]]:
    """A vote is taken back by who kept the seal of before; the motion, and the entries of its seals."""
    motion = board.propose("community.open", slug)
    seqs = [newest(board, motion)]
    for act in (
        lambda: board.endorse(motion, "s2"),
        lambda: board.endorse(motion, "s3"),
        lambda: board.discuss(motion),
        lambda: board.vote(motion, "s2", "yes"),
    ):
        act()
        seqs.append(newest(board, motion))
    older = seal_row(board, seqs[-1])
    board.vote(motion, "s1", "no")
    seqs.append(newest(board, motion))
    board.hub.publish()
    # As it does every minute, this process looks.
    assert startup.audit(board.chain, board.hub.ledger) == []
    edit(board.hub, "DELETE FROM motion_ballot WHERE seat = 's1'")
    edit(board.hub, "DELETE FROM motion_declaration WHERE seat = 's1'")
    edit(board.hub, "DELETE FROM board_seal WHERE log_seq = :seq", seq=seqs[-1])
    edit(board.hub, "DELETE FROM board_seal WHERE log_seq = :seq", seq=older["log_seq"])
    restore(board, older)
    return motion, seqs


def test_an_older_state_with_its_older_seal(board: Board) -> None:
    """Who has not seen the later one cannot tell what it was of: no case from before it goes on, since it may be that.

    One that has ended stays as it is, and one that is sealed later is none of them.
    """
    other = board.propose("community.open", "sealed-before")
    over = board.propose("community.open", "over-before")
    motions.withdraw(board.chamber, board.seated("s1"), over)
    application = board.apply("vox", SigningKey.generate(), communities={})
    motions.declare_tie(board.chamber, board.seated("s1"), TIED, None)
    motion, seqs = taken_back(board, "replayed")
    assert set(audit(board)) == {
        *lost(seqs[-1]),
        Difference("motion", motion, ROW),
        Difference("motion", other, ROW),
        Difference("application", application, ROW),
        Difference("seat_tie", "handle-s1", ROW),
    }
    later = board.propose("community.open", "sealed-later")
    assert audit(board) == lost(seqs[-1])
    ends = [state_of(board, name) for name in (motion, other, over, later)]
    assert ends == ["lapsed", "lapsed", "withdrawn", "proposed"]
    assert applications.status(board.chamber, application).state == "lapsed"
    assert motions.ties(board.chamber, board.seated("s1")) == []
    # Their histories go on: nothing is left over but the entry that nothing opens.
    assert codes(board) == [(seqs[-1], "case-missing")]


@pytest.mark.parametrize("first", ["audit", "act"])
def test_an_older_state_does_not_come_back_while_the_hub_runs(board: Board, first: str) -> None:
    other = board.propose("community.open", "beside-it")
    motion, seqs = taken_back(board, "rolled-back")
    if first == "act":
        with pytest.raises(Refused) as caught:
            board.vote(motion, "s3", "yes")
        assert caught.value.code == "ballot-late"
    else:
        found = startup.audit(board.chain, board.hub.ledger)
        assert Difference("motion", motion, ROW) in found
    spoilt(board, motion, *seqs)
    # Nor does the next start, which has seen nothing, take the other for what was put back.
    assert state_of(board, other) == "proposed"
    board.endorse(other)
    assert state_of(board, other) == "discussion"


def test_a_seal_that_comes_back_beside_a_newer_one(board: Board) -> None:
    motion = board.propose("community.open", "returned")
    older = seal_row(board, newest(board, motion))
    edit(board.hub, "DELETE FROM board_seal WHERE log_seq = :seq", seq=older["log_seq"])
    audit(board)
    restore(board, older)
    assert audit(board) == lost(older["log_seq"]) == audit(board)
    assert state_of(board, motion) == "lapsed"


def test_the_mark_of_the_newest_moved_to_an_older_one(board: Board) -> None:
    motion = board.propose("community.open", "moved-mark")
    older = seal_row(board, newest(board, motion))
    board.endorse(motion, "s2")
    later = newest(board, motion)
    edit(board.hub, "DELETE FROM motion_endorsement")
    edit(
        board.hub,
        "UPDATE board_seal SET salt = NULL, spelled = NULL, live = false WHERE log_seq = :seq",
        seq=later,
    )
    edit(
        board.hub,
        "UPDATE board_seal SET salt = :salt, spelled = :spelled, live = true WHERE log_seq = :log_seq",
        **{name: older[name] for name in ("salt", "spelled", "log_seq")},
    )
    assert codes(board) == [(later, "case-altered")]
    assert set(audit(board)) == {
        Difference("board_seal", str(older["log_seq"]), "spelled"),
        Difference("board_seal", str(later), "spelled"),
        Difference("motion", motion, ROW),
    }
    spoilt(board, motion, older["log_seq"], later)


def test_seals_of_two_cases_swapped(board: Board) -> None:
    one, two = (board.propose("community.open", slug) for slug in ("this", "that"))
    first, second = newest(board, one), newest(board, two)
    edit(board.hub, "UPDATE board_seal SET case_id = :id WHERE log_seq = :seq", id=two, seq=first)
    edit(board.hub, "UPDATE board_seal SET case_id = :id WHERE log_seq = :seq", id=one, seq=second)
    assert {fault.code for fault in faults(board)} == {"case-altered"}
    # Who acts finds them as they were.
    assert board.carry(one).result == "passes"
    edit(board.hub, "UPDATE board_seal SET kind = 'ties' WHERE log_seq = :seq", seq=second)
    assert audit(board) == [Difference("board_seal", str(second), "case_id")]
    assert board.carry(two).result == "passes"
    assert (audit(board), faults(board)) == ([], [])


def test_the_rows_of_two_seals_swapped(board: Board) -> None:
    one, two = (board.propose("community.open", slug) for slug in ("these", "those"))
    first, second = seal_row(board, newest(board, one)), seal_row(board, newest(board, two))
    for seq, row in ((first["log_seq"], second), (second["log_seq"], first)):
        edit(
            board.hub,
            "UPDATE board_seal SET salt = :salt, spelled = :spelled WHERE log_seq = :seq",
            salt=row["salt"], spelled=row["spelled"], seq=seq,
        )  # fmt: skip
    assert {(item.table, item.column) for item in audit(board)} == {
        ("board_seal", "spelled"),
        ("motion", ROW),
    }
    assert (state_of(board, one), state_of(board, two)) == ("lapsed", "lapsed")


@pytest.mark.parametrize("where", ["an entry of something else", "beyond the log"])
def test_a_seal_that_was_made_up(board: Board, where: str) -> None:
    """It says that it replaces a seal, so that this one would be looked at no more."""
    motion = board.propose("community.open", "made-up")
    tip = seal_row(board, newest(board, motion))
    seq = 0 if where == "an entry of something else" else 10_000
    restore(board, {**tip, "log_seq": seq, "replaces": tip["log_seq"], "salt": None, "spelled": None})
    edit(board.hub, "UPDATE motion SET subject = 'smuggled' WHERE id = :id", id=motion)
    assert set(codes(board)) == {(tip["log_seq"], "case-altered"), (seq, "seal-unlogged")}
    assert motions.motion(board.chamber, motion).subject == "smuggled", "who only looks sees the row"
    motions.declare(board.chamber, board.seated("s2"), motion, conflict=False)
    assert motions.motion(board.chamber, motion).subject == "made-up"
    assert ask(board, "SELECT * FROM board_seal WHERE log_seq = :seq", seq=seq) == []
    assert (audit(board), faults(board)) == ([], [])


def test_a_case_that_was_made_up(board: Board) -> None:
    board.propose("community.open", "real")
    with board.hub.database.transaction() as uow:
        motion = insert_motion(uow)
    with pytest.raises(Refused) as caught:
        motions.endorse(board.chamber, board.seated("s2"), motion)
    assert caught.value.code == "not-found"
    assert audit(board) == []


@pytest.mark.parametrize("entries", ["left", "deleted", "renamed"])
def test_all_seals_deleted_is_no_first_start(board: Board, entries: str) -> None:
    motion = board.propose("community.open", "wiped")
    board.endorse(motion, "s2")
    board.hub.publish()
    seqs = [str(seal.log_seq) for seal in listed(board)]
    with board.hub.database.engine.begin() as conn:
        conn.execute(text("DELETE FROM board_seal"))
        if entries == "deleted":
            conn.execute(text("DELETE FROM entry WHERE community = 'docket'"))
        if entries == "renamed":
            conn.execute(text("UPDATE entry SET community = 'board' WHERE community = 'docket'"))
    found = audit(board)
    assert {item.key for item in found if item.table == "board_seal"} == set(seqs)
    assert Difference("motion", motion, ROW) in found
    assert state_of(board, motion) == "lapsed"
    assert audit(board) == [Difference("board_seal", seq, ROW) for seq in seqs]
    check = ask(board, "SELECT count(*) FROM entry WHERE community = 'docket'")
    assert check == [(len(seqs) + 1,)], "and they are in the log, with the one of the new history"


def test_an_entry_that_was_edited_is_taken_from_the_published_log(board: Board) -> None:
    motion = board.propose("community.open", "proven")
    board.hub.publish()
    seq = newest(board, motion)
    edit(board.hub, "UPDATE entry SET commitment = :zeros WHERE seq = :seq", zeros=bytes(32), seq=seq)
    # Who acts has it put back before anything is made of it.
    motions.declare(board.chamber, board.seated("s2"), motion, conflict=False)
    assert (audit(board), faults(board), state_of(board, motion)) == ([], [], "proposed")
    edit(board.hub, "DELETE FROM entry WHERE seq = :seq", seq=seq)
    assert audit(board) == [Difference("entry", str(seq), ROW)]
    assert audit(board) == []


def test_an_entry_and_its_seal_are_remembered_by_who_has_seen_them(board: Board) -> None:
    board.propose("community.open", "kept")
    motion = board.propose("community.open", "gone")
    board.hub.publish()
    assert startup.audit(board.chain, board.hub.ledger) == []
    seq = newest(board, motion)
    for table, column in (("board_seal", "log_seq"), ("entry", "seq")):
        edit(board.hub, f"DELETE FROM {table} WHERE {column} = :seq", seq=seq)
    edit(board.hub, "DELETE FROM motion WHERE id = :id", id=motion)
    assert startup.audit(board.chain, board.hub.ledger) == [
        Difference("entry", str(seq), ROW),
        Difference("board_seal", str(seq), ROW),
    ]
