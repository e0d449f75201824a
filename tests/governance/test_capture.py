"""What few people could do to a board, and cannot: by emergencies, by absences, by leaving; and what few can still do.

Each on a hub, through the proceedings; the rules themselves are in tests/schemas/test_chain_absences.py.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from tests.support.board import Board, form, governed
from tests.support.clock import MovableClock
from tests.support.officers import Officer, officer, panel, roster, seats
from tocsin.config import Settings
from tocsin.governance.rules import ballots as box
from tocsin.governance.rules import sponsors
from tocsin.governance.service import applications, ballots, course, emergency, member_acts, motions
from tocsin.governance.store.motions import Motion
from tocsin_schemas.governance import Act, sign_act
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.proposals import read_params
from tocsin_schemas.roster import canonical
from tocsin_schemas.tally import RuleName

HOUR = 3600
PIXEL = "https://pixel.example"
World = Callable[[Sequence[Officer]], AbstractContextManager[Board]]


@pytest.fixture
def world(settings: Settings, clock: MovableClock) -> World:
    @contextmanager
    def opened(officers: Sequence[Officer]) -> Iterator[Board]:
        with governed(settings, clock, officers) as board:
            yield board

    return opened


def join(board: Board, *names: str) -> list[str]:
    """The organisations of these seats are members; nobody who votes on it minds."""
    issuers = []
    for name in names:
        seat = board.officers[name].seat
        assert seat.issuer is not None
        assert seat.control_group is not None
        group, key = seat.control_group, SigningKey.generate()
        able = sponsors.chosen(
            board.state, [member.issuer for member in board.state.may_sponsor(group)], group
        )
        said = {
            "member_class": "platform",
            "control_group": group,
            "sponsors": list(able),
            "vetting": "d" * 64,
            "keys": [key.public.kid],
            "communities": [],
        }
        board.enact("member.admit", seat.issuer, said)
        act(
            board,
            seat.issuer,
            key,
            "prove-key",
            not_before=board.clock.now,
            not_after=board.clock.now + 365 * DAY,
        )
        issuers.append(seat.issuer)
    return issuers


def act(board: Board, issuer: str, key: SigningKey, what: str, **said: int) -> None:
    common = {"iss": issuer, "aud": board.hub.issuer, "iat": board.clock.now, "jti": secrets.token_hex(16)}
    made = sign_act(Act.model_validate({**common, "act": what, **said}), key)
    member_acts.act(board.chamber, made, key.public.jwk() if what == "prove-key" else None)


def alarm(board: Board, issuer: str, *duty: str) -> str:
    motion = emergency.begin(board.chamber, board.seated(duty[0]), issuer)
    for seat in duty:
        board.vote(motion, seat)
    return str(board.state.members[issuer].state)


def new_roster(board: Board, officers: Sequence[Officer], by: str) -> str:
    said = roster(officers, version=board.state.roster.version + 1, origin=board.hub.issuer)
    params = {"roster": said.model_dump(mode="json", exclude_none=True)}
    return motions.propose(board.chamber, board.seated(by), "roster.set", "roster", params)


def test_two_duty_officers_and_a_third_do_not_take_a_board_of_nine(world: World) -> None:
    duty = [
        replace(held, seat=held.seat.model_copy(update={"duty": held.seat.seat in {"s7", "s8", "s9"}}))
        for held in seats(9)
    ]
    others = ("s1", "s2", "s3", "s4", "s5")
    with world([*duty, *panel()]) as board:
        issuers = join(board, *others)
        board.clock.advance(40 * DAY)
        friends = [board.officers[name] for name in ("s6", "s7", "s8", "s9", "p1", "p2", "p3")]
        motion = new_roster(board, friends, "s6")
        board.endorse(motion, "s7", "s8")
        ends = motions.motion(board.chamber, motion).discussion_ends
        assert ends is not None
        board.clock.now = ends - 60
        assert {alarm(board, issuer, "s7", "s8") for issuer in issuers} == {"emergency_suspended"}
        board.clock.now = ends
        opened = motions.motion(board.chamber, motion)
        assert (opened.state, opened.meter.eligible, opened.recusals) == ("ballot", 9, ())
        with pytest.raises(Refused) as caught:
            board.propose("community.open", "by-s1")
        assert caught.value.code == "role-missing"
        for name in ("s6", "s7", "s8"):
            board.vote(motion, name)
        board.clock.advance(72 * HOUR)
        board.hub.run_job("governance.tick")
        # Restored, they vote as ever, and are not suspended again by the same two.
        with pytest.raises(Refused) as caught:
            emergency.begin(board.chamber, board.seated("s7"), issuers[0])
        assert (caught.value.code, caught.value.field) == ("transition-forbidden", "issuer")
        for name in others:
            board.vote(motion, name, "no")
        assert (board.close(motion).result, board.state.roster.version) == ("fails", 1)


def test_a_second_absence_voids_no_ballot(world: World) -> None:
    with world([*seats(9), *panel()]) as board:
        (issuer,) = join(board, "s2")
        assert alarm(board, issuer, "s9", "s5") == "emergency_suspended"
        motion = board.propose("community.open", "kept")
        board.endorse(motion, "s3", "s4")
        board.clock.advance(72 * HOUR)
        board.hub.run_job("governance.tick")
        board.discuss(motion)
        for name in ("s1", "s3", "s4", "s5", "s6"):
            board.vote(motion, name)
        assert board.close(motion).state == "closed"
        board.clock.advance(28 * DAY)
        other = board.propose("community.open", "again")
        board.endorse(other, "s3", "s4")
        assert alarm(board, issuer, "s9", "s5") == "emergency_suspended"
        assert board.discuss(other).state == "ballot"
        board.hub.run_job("governance.tick")
        assert alarm_refused(board, issuer)
        for name in ("s1", "s2", "s3", "s4", "s5", "s6"):
            view = board.vote(other, name)
        assert (view.meter.eligible, board.close(other).result) == (9, "passes")


def alarm_refused(board: Board, issuer: str) -> bool:
    with pytest.raises(Refused):
        emergency.begin(board.chamber, board.seated("s9"), issuer)
    return True


def test_the_panel_of_a_board_of_three_has_its_time(world: World) -> None:
    """Only two are left to vote on the third's organisation: the panel's ballot opens at once, for nearly 72 hours."""
    with world([*seats(3), *panel()]) as board:
        issuer = board.officers["s2"].seat.issuer
        assert issuer is not None
        key = SigningKey.generate()
        said = {
            "member_class": "platform",
            "control_group": board.officers["s2"].seat.control_group,
            "sponsors": [],
            "vetting": "d" * 64,
            "keys": [key.public.kid],
            "communities": [],
        }
        admitted_by_the_panel(board, issuer, said)
        act(
            board, issuer, key, "prove-key", not_before=board.clock.now, not_after=board.clock.now + 365 * DAY
        )
        begun = board.clock.now
        assert alarm(board, issuer, "s1", "s3") == "emergency_suspended"
        first, second = (line for line in motions.docket(board.chamber) if line.type == "member.suspend")
        running, over = (first, second) if first.state == "ballot" else (second, first)
        assert (over.state, over.result) == ("closed", "panel")
        view = motions.motion(board.chamber, running.id)
        assert (view.threshold, view.closes_at) == ("panel", begun + 72 * HOUR - 900)
        for name in ("p1", "p2", "p3", "s3"):
            board.vote(running.id, name)
        assert board.state.members[issuer].state == "suspended"
        # A new holder for the seat of who has left: the panel stands in for the two that are left.
        fresh = officer("s2", "vendor", duty=True)
        held = fresh.seat.model_copy(update={"handle": "newcomer", "issuer": "https://new.example"})
        new = replace(fresh, seat=held.model_copy(update={"control_group": "cg_" + "q" * 16}))
        kept = [board.officers[name] for name in ("s1", "s3", "p1", "p2", "p3")]
        motion = new_roster(board, [*kept, new], "s1")
        board.endorse(motion, "s3")
        board.clock.advance(7 * DAY)
        closed = motions.motion(board.chamber, motion)
        assert (closed.state, closed.result) == ("closed", "panel")
        (turn,) = [
            line
            for line in motions.docket(board.chamber)
            if line.type == "roster.set" and line.state == "ballot"
        ]
        for name in ("p1", "p2", "p3", "s1"):
            board.vote(turn.id, name)
        board.officers["s2"] = new
        paper = ballots.ballot_paper(board.chamber, None, turn.id, "yes")
        ballots.cast(board.chamber, turn.id, new.ballot(paper))
        assert board.vote(turn.id, "s3").result == "passes"
        assert board.state.roster.version == 2


def admitted_by_the_panel(board: Board, issuer: str, said: Mapping[str, object]) -> None:
    """An admission that two of three may not decide, straight onto the chain."""
    thresholds: tuple[RuleName, ...] = ("admit", "panel")
    for threshold in thresholds:
        params = canonical(read_params("member.admit", said))
        row = Motion("", "member.admit", issuer, params, threshold, None, None, None, "ballot", 0, 0)
        with board.hub.database.transaction() as uow:
            state = board.chain.lock(uow)
            decision = course.frame(uow, state, row, uow.now)
            voters = ("p1", "p2", "p3", "s3") if threshold == "panel" else ()
            votes = [board.officers[name].sign(decision, "yes", decision.issued_at) for name in voters]
            board.chain.append(uow, box.body(state, decision, votes, box.tallied(state, decision, votes)[0]))
    assert board.state.members[issuer].state == "approved_pending_keys"


def test_nobody_withdraws_out_of_an_expulsion(world: World) -> None:
    with world([*seats(9), *panel()]) as board:
        board.member("pixel", communities={})
        board.member("kiosk", communities={})
        board.activate("pixel", "kiosk")
        board.suspend_in_emergency("pixel")
        (line,) = [line for line in motions.docket(board.chamber) if line.type == "member.suspend"]
        shorter = board.state.policy.model_copy(update={"version": 2, "emergency": 2 * HOUR})
        board.enact("policy.set", "policy", {"policy": shorter.model_dump(mode="json")})
        # The emergency keeps the 72 hours it began with, and so does the ballot on it.
        board.clock.advance(3 * HOUR)
        for name in [name for name in board.officers if name.startswith("s")]:
            board.vote(line.id, name)
        assert board.state.members[PIXEL].state == "suspended"
        motion = board.propose("member.expel", PIXEL)
        board.endorse(motion)
        board.discuss(motion)
        for name in ("s1", "s2", "s3", "s4", "s5", "s6"):
            board.vote(motion, name)
        member_acts.act(board.chamber, board.signed_act("pixel", board.parties["pixel"].key, "withdraw"))
        assert board.close(motion).state == "lapsed"
        wanted = form(board.hub, "pixel", SigningKey.generate(), communities={})
        with pytest.raises(Refused, match="too early"):
            applications.apply(board.chamber, wanted, submit=True)
