"""Each step of the proceedings is sealed, and whoever edits the rows in the database gains nothing."""

import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.governance.sealed import ask, audit, faults, insert_motion, listed, look, newest, state_of
from tests.support.board import Board, edit, form, governed
from tests.support.clock import MovableClock
from tests.support.hub import in_process
from tests.support.invariants import check_hub, dump, unchanged
from tests.support.officers import panel, seats
from tocsin.config import Settings
from tocsin.errors import Refused
from tocsin.governance.service import appeals, applications, motions
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.store import cases, seals
from tocsin.governance.store.cases import Case
from tocsin.ledger import service as ledger
from tocsin.members.service import Difference
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

TIED = "https://tied.example"


@pytest.fixture
def board(settings: Settings, clock: MovableClock) -> Iterator[Board]:
    with governed(settings, clock, [*seats(5), *panel()]) as made:
        yield made


def test_each_step_is_an_entry(board: Board) -> None:
    motion = board.propose("community.open", "stepped")
    motions.remark(board.chamber, board.seated("s4"), motion, "support", "scope")
    first, second = listed(board)
    assert (first.replaces, second.replaces) == (None, first.log_seq)
    with board.hub.database.snapshot() as uow:
        assert [seq for seq, _ in ledger.of_the_docket(uow)] == [first.log_seq, second.log_seq]
    assert faults(board) == []
    # What was said before is kept nowhere: a seal that was replaced has its digest alone.
    assert ask(board, "SELECT log_seq, salt, spelled FROM board_seal WHERE spelled IS NULL") == [
        (first.log_seq, None, None)
    ]
    assert board.carry(motion).result == "passes"
    assert faults(board) == [] == audit(board)
    board.hub.publish()
    check_hub(board.hub.database, board.hub.settings)


def test_what_is_refused_seals_nothing(board: Board) -> None:
    motion = board.propose("community.open", "refused")
    with unchanged(board.hub.database), pytest.raises(Refused, match="others than the proposer"):
        motions.endorse(board.chamber, board.seated("s1"), motion)
    with unchanged(board.hub.database):
        motions.rehearse(board.chamber, board.seated("s1"), "community.open", "rehearsed", {})
    with unchanged(board.hub.database), proceedings(board.chamber):
        pass  # who does nothing says nothing


@pytest.mark.parametrize("sandbox", [True, False])
def test_without_a_board_nothing_is_sealed(settings: Settings, clock: MovableClock, *, sandbox: bool) -> None:
    with in_process(settings.model_copy(update={"sandbox": sandbox}), clock) as hub:
        with proceedings(hub.app.state.chamber) as uow:
            insert_motion(uow)
        with hub.database.snapshot() as uow:
            assert (uow.conn.execute(text("SELECT * FROM board_seal")).all(), ledger.size(uow)) == ([], 0)


def test_what_there_was_before_seals_is_sealed_as_it_stands(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    with board.hub.database.transaction() as uow:
        motion = insert_motion(uow)
    board.hub.publish()
    assert look(board) == []
    assert ask(board, "SELECT * FROM board_seal") == []
    with caplog.at_level(logging.WARNING):
        assert audit(board) == []
    (said,) = caplog.records
    assert (said.getMessage(), vars(said)["cases"]) == ("the proceedings are sealed for the first time", 1)
    assert [seal.replaces for seal in listed(board)] == [None]
    assert (audit(board), state_of(board, motion)) == ([], "proposed")
    # From then on it is one like any other.
    motions.declare(board.chamber, board.seated("s2"), motion, conflict=True)
    assert (audit(board), faults(board)) == ([], [])


def test_who_acts_before_the_first_audit_finds_it_sealed(board: Board) -> None:
    with board.hub.database.transaction() as uow:
        motion = insert_motion(uow)
    motions.declare(board.chamber, board.seated("s2"), motion, conflict=True)
    assert [seal.replaces is None for seal in listed(board)] == [True, False]
    check_hub(board.hub.database)


def test_an_endorser_by_hand_opens_no_discussion(board: Board) -> None:
    motion = board.propose("community.open", "pushed")
    board.endorse(motion, "s2")
    edit(board.hub, "INSERT INTO motion_endorsement VALUES (:id, 's3', 5)", id=motion)
    motions.declare(board.chamber, board.seated("s4"), motion, conflict=False)
    view = motions.motion(board.chamber, motion)
    assert (view.state, view.endorsers) == ("proposed", ("s2",))


def test_a_discussion_that_was_cut_short_goes_on(board: Board) -> None:
    motion = board.propose("community.open", "hurried")
    board.endorse(motion)
    edit(board.hub, "UPDATE motion SET until = :now WHERE id = :id", now=board.clock(), id=motion)
    assert motions.motion(board.chamber, motion).state == "discussion"
    assert board.discuss(motion).state == "ballot"


@pytest.mark.parametrize("recusal", ["declared", "tie"])
def test_a_recusal_that_was_removed_stays(board: Board, recusal: str) -> None:
    board.member("tied")
    board.activate("tied")
    if recusal == "tie":
        motions.declare_tie(board.chamber, board.seated("s5"), TIED, None)
    window = {"until": board.clock() + 30 * DAY, "noticed_at": board.clock() - 10 * DAY}
    motion = board.propose("member.suspend", TIED, window)
    if recusal == "declared":
        motions.declare(board.chamber, board.seated("s5"), motion, conflict=True)
    board.endorse(motion, "s2", "s3")
    table = {"declared": "motion_declaration", "tie": "seat_tie"}[recusal]
    edit(board.hub, f"DELETE FROM {table}")
    decision = board.discuss(motion).decision
    assert decision is not None
    assert decision["recused"] == [{"seat": "s5", "reason": recusal}]


def test_a_motion_that_was_closed_by_hand_is_open(board: Board) -> None:
    motion = board.propose("community.open", "shut")
    edit(board.hub, "UPDATE motion SET state = 'withdrawn', closed_at = 1 WHERE id = :id", id=motion)
    assert motions.motion(board.chamber, motion).state == "withdrawn", "who only looks sees the row"
    board.endorse(motion, "s2", "s3")
    board.discuss(motion)
    for seat in ("s1", "s2", "s3", "s4"):
        board.vote(motion, seat)
    assert board.close(motion).result == "passes"


def test_a_closed_motion_is_not_opened_by_hand(board: Board) -> None:
    motion = board.propose("community.open", "over")
    motions.withdraw(board.chamber, board.seated("s1"), motion)
    edit(board.hub, "UPDATE motion SET state = 'proposed', closed_at = NULL WHERE id = :id", id=motion)
    with pytest.raises(Refused, match="ended"):
        motions.endorse(board.chamber, board.seated("s2"), motion)
    assert state_of(board, motion) == "withdrawn"


def test_what_has_ended_is_not_read_again(board: Board) -> None:
    """However much has ended, an act costs the same."""
    over, still = (board.propose("community.open", slug) for slug in ("ended", "going"))
    motions.withdraw(board.chamber, board.seated("s1"), over)
    board.clock.advance(1)
    with proceedings(board.chamber) as uow:
        found = {*cases.of_the_board(uow, [])}, {sealed.case for sealed in seals.live(uow)}
    assert found == ({Case("motion", still)}, {Case("motion", still)})


def test_neither_row_nor_seal_says_that_it_is_open(board: Board) -> None:
    """The mark by which open cases are found is no proof: the audit asks the rows that were sealed."""
    motion = board.propose("community.open", "hidden")
    seq = newest(board, motion)
    edit(board.hub, "UPDATE motion SET state = 'lapsed', closed_at = 1 WHERE id = :id", id=motion)
    edit(board.hub, "UPDATE board_seal SET live = false WHERE log_seq = :seq", seq=seq)
    assert set(audit(board)) == {
        Difference("motion", motion, "state"),
        Difference("motion", motion, "closed_at"),
        Difference("board_seal", str(seq), "live"),
    }
    assert audit(board) == []
    assert board.carry(motion).result == "passes"


def test_an_application_and_its_motion_come_back_together(board: Board) -> None:
    application = board.apply("vox", SigningKey.generate(), communities={})
    board.vet(application)
    board.sponsor(application)
    motion = motions.propose_admission(board.chamber, board.seated("s1"), application)
    board.endorse(motion)
    with board.hub.database.engine.begin() as conn:
        for table in ("endorsement", "remark", "declaration", "ballot"):
            conn.execute(text(f"DELETE FROM motion_{table}"))
        conn.execute(text("DELETE FROM motion"))
        for table in ("answer", "key", "community", "asked"):
            conn.execute(text(f"DELETE FROM application_{table}"))
        for table in ("sponsorship", "vetting_check", "application"):
            conn.execute(text(f"DELETE FROM {table}"))
    before = {case for case, *_ in ask(board, "SELECT case_id FROM board_seal WHERE spelled IS NOT NULL")}
    assert {application, motion} <= before
    motions.declare(board.chamber, board.seated("s4"), motion, conflict=False)
    assert board.discuss(motion).state == "ballot"
    assert applications.status(board.chamber, application).state == "ballot"
    assert audit(board) == []
    check_hub(board.hub.database)


def test_numbers_of_decisions_that_were_swapped(board: Board) -> None:
    """Each is there once, in the database as well: neither is in the way of the other when they are put back."""
    opened = []
    for slug in ("first", "second"):
        motion = board.propose("community.open", slug)
        board.endorse(motion)
        opened.append(motion)
    board.clock.advance(7 * DAY)
    motions.advance(board.chamber)
    rows = ask(board, "SELECT id, decision_seq FROM motion WHERE decision_seq IS NOT NULL ORDER BY id")
    (one, first), (two, second) = rows
    for motion, number in ((one, -1), (two, first), (one, second)):
        edit(board.hub, "UPDATE motion SET decision_seq = :n WHERE id = :id", n=number, id=motion)
    assert set(audit(board)) == {Difference("motion", each, "decision_seq") for each in (one, two)}
    assert ask(board, "SELECT id, decision_seq FROM motion ORDER BY id") == rows


def test_a_remark_that_was_moved_to_another_motion(board: Board) -> None:
    one, two = (board.propose("community.open", slug) for slug in ("said-here", "not-here"))
    motions.remark(board.chamber, board.seated("s4"), one, "support", "scope")
    before = dump(board.hub.database)
    edit(board.hub, "UPDATE motion_remark SET motion_id = :id", id=two)
    found = audit(board)
    assert [item.table for item in found] == ["motion_remark"] * 2
    assert dump(board.hub.database)["motion_remark"] == before["motion_remark"]


def test_what_led_to_a_decision_that_is_appealed_is_held_too(board: Board) -> None:
    applied = applications.apply(
        board.chamber, form(board.hub, "vox", SigningKey.generate(), communities={}), submit=True
    )
    board.vet(applied.id)
    board.sponsor(applied.id)
    motion = motions.propose_admission(board.chamber, board.seated("s1"), applied.id)
    rejected = board.carry(motion, dict.fromkeys(("s1", "s2", "s3", "s4", "s5"), "no"))
    assert rejected.result == "fails"
    appeal = appeals.appeal_rejection(board.chamber, applied.id, applied.secret)
    edit(
        board.hub,
        "UPDATE application SET control_group_id = :group WHERE id = :id",
        group="cg_" + "a" * 16,
        id=applied.id,
    )
    with proceedings(board.chamber):
        group = ask(board, "SELECT control_group_id FROM application WHERE id = :id", id=applied.id)
    assert group != [("cg_" + "a" * 16,)]
    closed = board.carry(appeal)
    assert closed.result == "passes"
    assert applications.status(board.chamber, applied.id).state == "discussion"
    assert (audit(board), faults(board)) == ([], [])


def test_a_hub_that_only_reads_names_it(board: Board) -> None:
    motion = board.propose("community.open", "read-only")
    edit(board.hub, "UPDATE motion SET until = 5 WHERE id = :id", id=motion)
    with unchanged(board.hub.database):
        assert look(board) == [Difference("motion", motion, "until")]
