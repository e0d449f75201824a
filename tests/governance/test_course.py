"""The course of a motion when the world moves on beside it: it lapses, and no other waits for it."""

import json
from contextlib import suppress

import pytest
from sqlalchemy import text

from tests.support.board import VETTERS, Board, form, found, rewrite
from tests.support.hub import Hub
from tests.support.officers import panel, seats
from tests.support.state import contents
from tocsin.governance.rules.vetting import ITEMS
from tocsin.governance.service import applications, motions, vetting
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    return found(module_hub, [*seats(9), *panel()])


def admission(board: Board, name: str) -> tuple[str, str, str]:
    """An applicant that has been vetted, and is moved: its application, its secret, the motion."""
    applied = applications.apply(
        board.chamber, form(board.hub, name, SigningKey.generate(), communities={}), submit=True
    )
    board.vet(applied.id)
    return (
        applied.id,
        applied.secret,
        motions.propose_admission(board.chamber, board.seated("s1"), applied.id),
    )


def shown(board: Board, motion: str) -> str:
    return str(motions.motion(board.chamber, motion).state)


def test_an_applicant_that_withdraws_holds_nobody_up(board: Board) -> None:
    application, secret, motion = admission(board, "fickle")
    other = board.propose("community.open", "unrelated")
    applications.withdraw(board.chamber, application, secret)
    before = contents(board.hub.database)
    with pytest.raises(Refused) as caught:
        board.endorse(motion, "s2")
    assert (caught.value.code, caught.value.field) == ("conflict", "application")
    assert contents(board.hub.database) == before
    # Who declares a conflict is heard all the same, and opens no discussion by it.
    motions.declare(board.chamber, board.seated("s3"), motion, conflict=True)
    assert shown(board, motion) == "proposed"
    board.endorse(other)
    board.discuss(other)
    assert shown(board, other) == "ballot"
    # The same organisation applies again, and the motion that is about nothing any more is no obstacle.
    _, _, again = admission(board, "fickle")
    assert (shown(board, motion), shown(board, again)) == ("lapsed", "proposed")
    with pytest.raises(Refused, match="is before the board"):
        admission(board, "fickle")


def test_an_applicant_that_is_asked_again_comes_back(board: Board) -> None:
    application, secret, motion = admission(board, "asked")
    vetting.request_info(board.chamber, application, VETTERS[0], ["ownership"])
    with pytest.raises(Refused, match="asked again"):
        board.endorse(motion, "s2")
    applications.answer(board.chamber, application, secret, {"ownership": ["e" * 64]})
    vetting.check(board.chamber, application, VETTERS[0], ITEMS[0], "fail", "e" * 64)
    with pytest.raises(Refused) as caught:
        board.endorse(motion, "s2")
    assert caught.value.code == "vetting-incomplete"
    # Both look again at what was asked again, or failed; of the rest their findings stand.
    for item in ITEMS:
        for checker in VETTERS:
            with suppress(Refused):
                vetting.check(board.chamber, application, checker, item, "pass", "e" * 64)
    # Its report is another one than the motion names: it is moved again.
    with pytest.raises(Refused, match="move it again"):
        board.endorse(motion, "s2")
    motions.withdraw(board.chamber, board.seated("s1"), motion)
    again = motions.propose_admission(board.chamber, board.seated("s1"), application)
    board.endorse(again)
    assert (shown(board, again), board.discuss(again).state) == ("discussion", "ballot")


def test_an_application_that_lapses_takes_its_motion_with_it(board: Board) -> None:
    application, _, motion = admission(board, "slow")
    board.endorse(motion)
    rewrite(board.chamber, "UPDATE application SET state = 'lapsed' WHERE id = :id", id=application)
    other = board.propose("community.open", "patient")
    board.endorse(other)
    board.clock.advance(7 * DAY)
    assert (shown(board, motion), shown(board, other)) == ("lapsed", "ballot")


def test_a_record_stands_whatever_became_of_its_application(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    application, _, motion = admission(board, "astray")
    board.endorse(motion)
    board.discuss(motion)
    rewrite(board.chamber, "UPDATE application SET state = 'draft' WHERE id = :id", id=application)
    for seat in ("s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"):
        board.vote(motion, seat)
    assert shown(board, motion) == "closed"
    assert "https://astray.example" in board.state.members
    assert f"application {application} does not follow its record" in caplog.text


PEER = "https://peer.example"
JUNK = {
    "type": "member.expel",
    "subject": "nonsense",
    "params": b"{",
    "threshold": "panel",
    "proposer": "s99",
    "complainant": "nonsense",
}


@pytest.mark.parametrize("state", ["proposed", "discussion", "ballot"])
@pytest.mark.parametrize("column", JUNK)
def test_no_edited_motion_holds_the_others_up(board: Board, column: str, state: str) -> None:
    slug = f"{column}-{state}"
    bad = board.propose("peering.set", PEER, {"terms": "5e" * 32})
    good = board.propose("community.open", slug)
    if state != "proposed":
        board.endorse(bad)
    if state == "ballot":
        board.discuss(bad)
    rewrite(
        board.chamber, f"UPDATE motion SET {column} = :junk WHERE id = :motion", junk=JUNK[column], motion=bad
    )
    unmoved(board, bad, good)


@pytest.mark.parametrize(
    "changed", [{"prev": "0" * 64}, {"roster_version": 9}, {"seq": 1}, {"threshold": "duty"}]
)
def test_no_edited_decision_holds_the_others_up(board: Board, changed: dict[str, object]) -> None:
    bad = board.propose("peering.set", PEER, {"terms": "5e" * 32})
    board.endorse(bad)
    decision = board.discuss(bad).decision
    good = board.propose("community.open", f"beside-{next(iter(changed)).replace('_', '-')}")
    assert decision is not None
    raw = json.dumps({**decision, **changed}, sort_keys=True, separators=(",", ":")).encode()
    rewrite(board.chamber, "UPDATE motion SET decision = :raw WHERE id = :motion", raw=raw, motion=bad)
    unmoved(board, bad, good)


def unmoved(board: Board, bad: str, good: str) -> None:
    """The docket is shown, the other motion goes its way, and the edited one is over when its time is."""
    board.endorse(good)
    assert good in {line.id for line in motions.docket(board.chamber)}
    board.clock.advance(7 * DAY)
    assert shown(board, good) == "ballot"
    board.hub.run_job("governance.tick")
    board.clock.advance(90 * DAY)
    motions.advance(board.chamber)
    with board.hub.database.engine.connect() as conn:
        query = text("SELECT state FROM motion WHERE id = :motion")
        assert conn.execute(query, {"motion": bad}).scalar_one() in {"lapsed", "closed"}
