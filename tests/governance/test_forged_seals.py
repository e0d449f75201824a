"""Somebody with the database's password, who also knows how cases are sealed: without the log's key, no seal is."""

import pytest
from sqlalchemy import text

from tests.support.board import Board, found
from tests.support.hub import Hub
from tests.support.officers import seats
from tocsin.governance.service import motions, sealing, startup
from tocsin.governance.service.sealing import SEAL
from tocsin.governance.store import cases, seals
from tocsin.governance.store.cases import Case
from tocsin.ledger.service.nonces import nonce_key
from tocsin.members.service import Difference
from tocsin_schemas import docket
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    return found(module_hub, seats())


def audit(board: Board) -> set[Difference]:
    return set(startup.audit(board.chain, board.hub.app.state.ledger))


def feign(board: Board, motion: str, secret: bytes, *, keeping: bool = False) -> int:
    """Add an endorser, and a seal with its entry that fit, made with that secret; the leaf index of the entry.

    With `keeping` the seal before stays as it was, though it is replaced.
    """
    case = Case("motion", motion)
    with board.hub.database.transaction() as uow:
        (before,) = seals.newest(uow, [case])
        added = "INSERT INTO motion_endorsement (motion_id, seat, endorsed_at) VALUES (:motion, 's5', 1)"
        uow.conn.execute(text(added), {"motion": motion})
        rows = cases.rows_of(case, cases.of_kind(uow, "motion", [motion])[case])
        sealing.seal_anew(uow, {case: rows}, {case: before}, secret)
        if keeping:
            kept = {"salt": before.salt, "spelled": before.spelled, "seq": before.log_seq}
            put = "UPDATE board_seal SET salt = :salt, spelled = :spelled WHERE log_seq = :seq"
            uow.conn.execute(text(put), kept)
        last = seals.last(uow)
    assert last is not None
    return last


def misfits(board: Board) -> list[docket.Fault]:
    """What a stranger finds."""
    with board.hub.database.snapshot() as uow:
        now = sealing.docket(uow)
    return docket.check(sealing.public(now), now.entries)


def proposed(board: Board, slug: str) -> str:
    motion = board.propose("community.open", slug)
    board.endorse(motion, "s2")
    return motion


def test_a_seal_made_with_the_hubs_own_secret_stands(board: Board) -> None:
    """So the others are not refused for another reason."""
    motion = proposed(board, "genuine")
    feign(board, motion, board.chamber.log.nonce_key)
    assert audit(board) == set()
    assert motions.motion(board.chamber, motion).endorsers == ("s5", "s2")


@pytest.mark.parametrize("published", [False, True])
def test_a_seal_made_with_another_secret_is_named_and_the_motion_ends(
    board: Board, *, published: bool
) -> None:
    motion = proposed(board, f"feigned-{published}".lower())
    place = feign(board, motion, nonce_key(SigningKey.generate()))
    if published:
        board.hub.publish()
    # The rows of the seal before are gone: nobody can tell what was true.
    assert Difference(SEAL, str(place), "state") in audit(board)
    assert motions.motion(board.chamber, motion).state == "lapsed"
    assert (place, "case-missing") in {(fault.log_seq, fault.code) for fault in misfits(board)}


def test_where_the_seal_before_has_its_rows_they_come_back(board: Board) -> None:
    motion = proposed(board, "kept")
    place = feign(board, motion, bytes(32), keeping=True)
    assert audit(board) >= {
        Difference(SEAL, str(place), "state"),
        Difference("motion_endorsement", f"{motion} s5", "row"),
    }
    assert motions.motion(board.chamber, motion).endorsers == ("s2",)
    assert (place, "case-missing") in {(fault.log_seq, fault.code) for fault in misfits(board)}


def test_nobody_acts_on_it_before_that(board: Board) -> None:
    motion = proposed(board, "hasty")
    feign(board, motion, bytes(32))
    with pytest.raises(Refused) as caught:
        board.endorse(motion, "s3")
    assert caught.value.code == "conflict"
    assert motions.motion(board.chamber, motion).state == "lapsed"
