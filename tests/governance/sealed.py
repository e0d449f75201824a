"""What tests of seals ask of a board: what the next start finds, what a stranger finds, and the rows of seals."""

from typing import Any

from sqlalchemy import text

from tests.support.board import Board, edit
from tocsin.db import UnitOfWork
from tocsin.governance.service import reading, startup
from tocsin.governance.service.chain import open_chain
from tocsin.ledger import service as ledger
from tocsin.members.service import ROW, Difference
from tocsin_schemas.docket import Fault, Seal, check
from tocsin_schemas.policy import DAY

NEWEST = "SELECT log_seq FROM board_seal WHERE case_id = :case AND spelled IS NOT NULL"


def audit(board: Board) -> list[Difference]:
    """As the next start, in another process, that has seen nothing yet."""
    hub = board.hub
    return startup.audit(open_chain(hub.members, hub.settings), hub.ledger)


def look(board: Board) -> list[Difference]:
    """The same; nothing is put right."""
    hub = board.hub
    return startup.audit(open_chain(hub.members, hub.settings), hub.ledger, repair=False)


def lost(*entries: int) -> list[Difference]:
    """How entries are named that nothing opens."""
    return [Difference("board_seal", str(seq), ROW) for seq in entries]


def ask(board: Board, question: str, **values: object) -> list[Any]:
    with board.hub.database.snapshot() as uow:
        return list(uow.conn.execute(text(question), values))


def newest(board: Board, case: str) -> int:
    """The log entry of a case's newest seal."""
    ((seq,),) = ask(board, NEWEST, case=case)
    return int(seq)


def seal_row(board: Board, seq: int) -> dict[str, Any]:
    with board.hub.database.snapshot() as uow:
        query = text("SELECT * FROM board_seal WHERE log_seq = :seq")
        return dict(uow.conn.execute(query, {"seq": seq}).mappings().one())


def restore(board: Board, row: dict[str, Any]) -> None:
    """Write a seal as it was once."""
    edit(
        board.hub,
        "INSERT INTO board_seal (log_seq, kind, case_id, live, replaces, state, nonce, salt, spelled)"
        " VALUES (:log_seq, :kind, :case_id, :live, :replaces, :state, :nonce, :salt, :spelled)",
        **row,
    )


def state_of(board: Board, motion: str) -> str:
    ((state,),) = ask(board, "SELECT state FROM motion WHERE id = :id", id=motion)
    return str(state)


def listed(board: Board) -> list[Seal]:
    """The public list, as of now."""
    board.chain.listed = None
    raw = reading.docket(board.chain, board.hub.database)
    return [Seal.model_validate_json(line) for line in raw.splitlines()]


def faults(board: Board) -> list[Fault]:
    """What anybody finds who holds the list against the log."""
    with board.hub.database.snapshot() as uow:
        entries = dict(ledger.of_the_docket(uow))
    return check(listed(board), entries)


def codes(board: Board) -> list[tuple[int, str]]:
    """The same: entry and code."""
    return [(fault.log_seq, fault.code) for fault in faults(board)]


def insert_motion(uow: UnitOfWork) -> str:
    """As a version of this hub wrote one that knew no seals."""
    motion = "mo_" + "e" * 32
    uow.conn.execute(
        text(
            "INSERT INTO motion (id, type, subject, params, threshold, proposer, state, until, proposed_at)"
            " VALUES (:id, 'community.open', 'older', :params, 'two_thirds_eligible', 's1', 'proposed', :until, :now)"
        ),
        {"id": motion, "params": b"{}", "until": uow.now + DAY, "now": uow.now},
    )
    return motion
