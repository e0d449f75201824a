"""A duty officer with a key kept offline: what begins an emergency, and what else such a seat signs over HTTP."""

import secrets
from typing import Any

import httpx2
import pytest

from tests.support.board import Board, found
from tests.support.hub import Hub
from tests.support.officers import panel, seats
from tests.support.state import contents
from tocsin.governance.service import motions
from tocsin_schemas import envelope
from tocsin_schemas.decisions import sign_ballot
from tocsin_schemas.policy import Policy
from tocsin_schemas.signals import dump_object

PIXEL = "https://pixel.example"
ACTS = "/v1/board/acts"
JWT = {"Content-Type": "application/jwt"}


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    """Five seats, of which s1, s3 and s5 have offline keys and duty, a panel, and two members."""
    shared = found(module_hub, [*seats(), *panel()])
    shared.member("pixel")
    shared.member("kiosk")
    return shared


def post(board: Board, path: str, token: str | bytes) -> httpx2.Response:
    return board.hub.http.post(path, content=token, headers=JWT)


def act(board: Board, by: str, what: str, /, **said: Any) -> bytes:
    key = board.officers[by].key
    assert key is not None
    claims = {"seat": by, "aud": board.hub.issuer, "iat": board.clock.now, "act": what}
    return envelope.sign(
        dump_object({"jti": secrets.token_hex(16), **claims, **said}), key, "tocsin-seat-act+jwt"
    )


def refused(board: Board, token: str | bytes, code: str, path: str = ACTS) -> None:
    """The token is refused with `code`; of what there is, only the act may be used up."""
    before = contents(board.hub.database)
    answer = post(board, path, token)
    assert answer.json()["code"] == code, answer.text
    after = contents(board.hub.database)
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"seat_act", "board_seal", "entry", "ledger_head"}, changed


def sign(board: Board, seat: str, motion: str) -> httpx2.Response:
    path = f"/v1/board/motions/{motion}"
    paper = board.hub.http.get(f"{path}/paper", params={"choice": "yes"}).json()
    key = board.officers[seat].key
    assert key is not None
    ballot = sign_ballot(bytes.fromhex(paper["digest"]), "yes", seat, key, 0)
    return post(board, f"{path}/ballots", ballot.jws or "")


def test_two_duty_officers_suspend_a_member_by_signing(board: Board) -> None:
    refused(board, act(board, "s1", "begin-emergency"), "claim-invalid")
    refused(board, act(board, "s1", "begin-emergency", subject=PIXEL, motion="mo_1"), "claim-invalid")
    refused(board, act(board, "s1", "begin-emergency", subject="https://nobody.example"), "subject-unknown")
    refused(board, act(board, "s1", "begin-emergency", subject="Pixel"), "claim-invalid")
    first = act(board, "s1", "begin-emergency", subject=PIXEL)
    begun = post(board, ACTS, first)
    assert begun.status_code == 200, begun.text
    motion = begun.json()["id"]
    assert (begun.json()["type"], begun.json()["state"]) == ("member.emergency_suspend", "ballot")
    refused(board, first, "jti-reused")
    # Nothing is stopped by beginning, and the second officer finds the same paper.
    assert board.state.members[PIXEL].state == "provisional"
    assert post(board, ACTS, act(board, "s3", "begin-emergency", subject=PIXEL)).json()["id"] == motion
    assert sign(board, "s1", motion).json()["count"]["cast"] == 1
    assert board.state.members[PIXEL].state == "provisional"
    done = sign(board, "s3", motion)
    assert done.json()["result"] == "passes", done.text
    assert board.state.members[PIXEL].state == "emergency_suspended"
    # Once no ballot has confirmed it, it cannot be repeated.
    board.clock.advance(Policy().emergency)
    board.hub.run_job("governance.tick")
    # By now the acts of s1 and s3 are forgotten, and each of them acts again.
    assert post(board, ACTS, act(board, "s5", "declare", motion=motion, conflict=False)).status_code == 409
    refused(board, act(board, "s1", "begin-emergency", subject=PIXEL), "transition-forbidden")
    assert board.state.members[PIXEL].state == "provisional"
    refused(board, act(board, "s5", "begin-emergency", subject=PIXEL), "transition-forbidden")


def test_who_is_not_on_duty_begins_no_emergency(module_hub: Hub, board: Board) -> None:
    refused(board, act(board, "p1", "begin-emergency", subject="https://kiosk.example"), "role-missing")
    assert board.state.members["https://kiosk.example"].state == "provisional"


def test_a_seat_remarks_and_withdraws_by_signing(board: Board) -> None:
    said = {"type": "community.open", "subject": "withdrawn", "params": {}}
    made = post(board, ACTS, act(board, "s1", "propose", **said))
    assert made.status_code == 200, made.text
    motion = made.json()["id"]
    remark = {"motion": motion, "stance": "concern", "topic": "evidence"}
    assert post(board, ACTS, act(board, "s3", "remark", **remark)).status_code == 200
    assert post(board, ACTS, act(board, "p1", "remark", **remark, document="a" * 64)).status_code == 200
    seen = motions.motion(board.chamber, motion, board.seated("s1")).remarks
    assert [(one.seat, one.stance, one.topic, one.document) for one in seen] == [
        ("s3", "concern", "evidence", None),
        ("p1", "concern", "evidence", "a" * 64),
    ]
    for wrong in ({"stance": "shrug"}, {"topic": "weather"}, {"document": "a letter"}, {"conflict": True}):
        refused(board, act(board, "s3", "remark", **{**remark, **wrong}), "claim-invalid")
    refused(board, act(board, "s3", "remark", motion=motion, stance="concern"), "claim-invalid")
    refused(board, act(board, "s3", "withdraw", motion=motion), "role-missing")
    refused(board, act(board, "s1", "withdraw", motion=motion, document="a" * 64), "claim-invalid")
    assert post(board, ACTS, act(board, "s1", "withdraw", motion=motion)).json()["state"] == "withdrawn"
    refused(board, act(board, "s1", "withdraw", motion=motion), "conflict")
