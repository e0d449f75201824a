"""The console of a seat whose key is kept offline: one reads there, and is told by which command to act."""

import pytest

from tests.accounts.asking import assert_refused_page, refuses
from tests.governance.pages.sitting import ASKED, forms
from tests.support.board import Board, found
from tests.support.console import Console
from tests.support.hub import Hub
from tests.support.officers import seats


@pytest.fixture
def board(module_hub: Hub) -> Board:
    """Five seats, of which s1, s3 and s5 have keys kept offline."""
    return found(module_hub, seats())


def test_pages_name_the_command_for_a_seat_with_an_offline_key(board: Board) -> None:
    """s1 has duty, and an Ed25519 key in the roster; the passkey they make at the console is in none."""
    board.member("pixel")
    visitor = Console(board.hub).visitor()
    console = Console(board.hub)
    assert visitor.enrol(console.accounts.invite("handle-s1")).status_code == 303
    home = visitor.read("/console").text
    assert "the roster names another key for your seat" in home
    motion = board.propose("community.open", "key-seats")
    board.endorse(motion, "s2", "s3")
    other = board.propose("community.open", "other-seats")
    board.discuss(motion)
    assert visitor.sign_in().status_code == 303
    path = f"/console/motions/{motion}"
    assert (
        f"tocsin board vote {motion} yes --key seat.jwk --hub {board.hub.issuer}" in visitor.read(path).text
    )
    assert "sign in with a passkey" not in visitor.read(path).text
    assert f"{path}/ballots" not in forms(visitor.read(path))
    third = Console(board.hub).visitor()
    assert third.enrol(console.accounts.invite("handle-s3")).status_code == 303
    assert (
        f"tocsin board declare {other} --no-conflict --key seat.jwk --hub"
        in third.read(f"/console/motions/{other}").text
    )
    shown = visitor.read("/console/emergency?member=https://pixel.example")
    assert "tocsin board emergency https://pixel.example --key seat.jwk --hub" in shown.text
    assert "/console/emergency" not in forms(shown)
    with refuses(board.hub, ASKED):
        answer = visitor.post("/console/emergency", member="https://pixel.example")
        assert_refused_page(answer, "passkey-unseated")
