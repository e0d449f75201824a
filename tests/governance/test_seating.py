"""Handles of the board: nobody but the operator opens a link for one, whether somebody has an account by it or not."""

import json

import pytest

from tests.accounts.asking import SESSIONS, assert_refused_page, refuses
from tests.support.board import Board, found
from tests.support.clock import MovableClock
from tests.support.console import Console, Visitor
from tests.support.hub import Hub, in_process
from tests.support.officers import officer, panel, seats
from tests.support.pages import Reader
from tocsin.config import Settings
from tocsin.governance.service import founding, motions
from tocsin_schemas.jwk import SigningKey

PIXEL = "https://pixel.example"
HERE = "/console/organisation/people"


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    """A board of nine with a panel: every second seat votes with a key kept offline and has no account."""
    shared = found(module_hub, [*seats(9), *panel()])
    shared.member("pixel")
    shared.member("seat-s3", owner=shared.officers["s3"].seat.control_group)
    shared.activate("pixel", "seat-s3")
    return shared


@pytest.fixture(scope="module")
def administrator(board: Board) -> Visitor:
    return Console(board.hub).person("adele", ["org_admin"], PIXEL)


def refused(hub: Hub, visitor: Visitor, handle: str) -> None:
    """No account is made, and no link opened."""
    with refuses(hub, SESSIONS):
        assert_refused_page(visitor.post(HERE, handle=handle, role="org_analyst"), "forbidden-person")


def test_a_member_invites_nobody_who_holds_a_seat(board: Board, administrator: Visitor) -> None:
    for seat in ("s7", "s2", "p1"):
        refused(board.hub, administrator, f"handle-{seat}")
    made = administrator.post(HERE, handle="handle-x", role="org_analyst")
    assert "The link for handle-x" in Reader(made.text).text


def test_nor_whose_organisation_may_not_vote(board: Board, administrator: Visitor) -> None:
    board.suspend_in_emergency("seat-s3")
    refused(board.hub, administrator, "handle-s3")


def test_nor_who_is_to_sit_there(board: Board, administrator: Visitor) -> None:
    roster = board.state.roster.model_dump(mode="json", exclude_none=True)
    key = officer("s9", "independent").seat.model_dump(mode="json", exclude_none=True)["credentials"]
    roster["seats"][-1] |= {"handle": "coming", "credentials": key}
    # A new roster names the owner that a seat's organisation was admitted with.
    (third,) = [seat for seat in roster["seats"] if seat["seat"] == "s3"]
    third["control_group"] = board.state.members[third["issuer"]].control_group
    motion = board.propose("roster.set", "roster", {"roster": {**roster, "version": 2}})
    refused(board.hub, administrator, "coming")
    motions.withdraw(board.chamber, board.seated("s1"), motion)
    made = administrator.post(HERE, handle="coming", role="org_analyst")
    assert "The link for coming" in Reader(made.text).text


def test_nor_who_is_named_while_the_board_is_founded(settings: Settings, clock: MovableClock) -> None:
    named = [
        {
            **seat.seat.model_dump(mode="json", exclude_none=True, exclude={"credentials"}),
            "key": SigningKey.generate().public.jwk(),
        }
        for seat in seats(3)
    ]
    raw = json.dumps({"seats": [{**named[0], "handle": "ada"}, *named[1:]]}).encode()
    with in_process(settings.model_copy(update={"sandbox": False}), clock) as hub:
        console = Console(hub)
        adele = console.person("adele", ["org_admin"], PIXEL)
        assert founding.begin(hub.app.state.board, hub.database, console.accounts, raw) == []
        refused(hub, adele, "ada")
