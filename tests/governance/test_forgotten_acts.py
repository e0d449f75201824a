"""Signed acts of seats are forgotten when they are too old to be done again, and the seats go on acting."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.governance.sealed import ask, audit, faults
from tests.support.board import Board, edit, governed
from tests.support.clock import MovableClock
from tests.support.invariants import unchanged
from tests.support.officers import panel, seats
from tocsin.config import Settings
from tocsin.errors import Refused
from tocsin.governance.rules.tokens import ACT_PAST
from tocsin.governance.service import seat_acts
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.store.desk_tables import seat_act
from tocsin_client.board.seat_acts import SEAT_ACT_TYP
from tocsin_schemas import envelope
from tocsin_schemas.signals import dump_object


@pytest.fixture
def board(settings: Settings, clock: MovableClock) -> Iterator[Board]:
    with governed(settings, clock, [*seats(5), *panel()]) as made:
        yield made


def act(board: Board, seat: str, **said: Any) -> str:
    """What a seat signs with its offline key; the motion's id."""
    key = board.officers[seat].key
    assert key is not None
    claims = {"seat": seat, "aud": board.hub.issuer, "iat": board.clock(), "jti": secrets.token_hex(16)}
    return seat_acts.perform(board.chamber, envelope.sign(dump_object(claims | said), key, SEAT_ACT_TYP)).id


def motion_of(board: Board, seat: str, subject: str) -> str:
    return act(board, seat, act="propose", type="community.open", subject=subject, params={})


def test_an_hour_between_two_acts_is_nothing(board: Board) -> None:
    with_keys = [name for name in ("s1", "s2", "s3", "s4", "s5") if board.officers[name].key is not None]
    first, second, third = with_keys[:3]
    opened = motion_of(board, first, "slow-one")
    for seat in (second, third):
        board.clock.advance(3600)
        act(board, seat, act="endorse", motion=opened)
    board.clock.advance(3600)
    # Each has acted before, and longer ago than any act is good for.
    for seat in (first, second, third):
        motion_of(board, seat, f"slow-by-{seat}")
        board.clock.advance(ACT_PAST + 1)
    assert {row.seat for row in ask(board, "SELECT seat FROM seat_act")} == {first, second, third}
    assert len(ask(board, "SELECT seat FROM seat_act")) == 3, "what is too old is forgotten"
    assert (audit(board), faults(board)) == ([], [])


def test_a_seat_whose_acts_were_all_forgotten_goes_on(board: Board) -> None:
    motion = motion_of(board, "s1", "emptied")
    with proceedings(board.chamber) as uow:
        uow.conn.execute(seat_act.delete())
    assert (audit(board), faults(board)) == ([], [])
    motion_of(board, "s1", "after-it")
    act(board, "s3", act="endorse", motion=motion)
    assert (audit(board), faults(board)) == ([], [])


def test_what_another_hand_did_to_an_emptied_case_is_put_right(board: Board) -> None:
    motion_of(board, "s1", "emptied")
    with proceedings(board.chamber) as uow:
        uow.conn.execute(seat_act.delete())
    edit(board.hub, "INSERT INTO seat_act VALUES ('s1', :jti, 9)", jti=bytes(16))
    motion_of(board, "s1", "after-it")
    assert len(ask(board, "SELECT seat FROM seat_act")) == 1, "the row that nobody sealed is gone"
    assert (audit(board), faults(board)) == ([], [])
    # A seal that was edited while its case had no rows opens nothing, and nobody goes on from it.
    with proceedings(board.chamber) as uow:
        uow.conn.execute(seat_act.delete())
    edit(
        board.hub,
        "UPDATE board_seal SET salt = :salt WHERE kind = 'acts' AND spelled IS NOT NULL",
        salt=bytes(32),
    )
    with unchanged(board.hub.database), pytest.raises(Refused, match="another hand"):
        motion_of(board, "s1", "forged")
