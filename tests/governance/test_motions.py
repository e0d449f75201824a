"""Motions: who may do what and when, who is recused and why, and what each outcome brings about by itself."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.board import Board, found
from tests.support.hub import Hub
from tests.support.officers import panel, seats
from tests.support.state import contents
from tocsin.governance.rules.people import Caller, Seated
from tocsin.governance.service import appeals, ballots, emergency, motions
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

PIXEL = "https://pixel.example"
KIOSK = "https://kiosk.example"
BOOTH = "https://booth.example"
TIED = "https://tied.example"


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    """Nine seats and a panel of three; pixel and kiosk are active."""
    shared = found(module_hub, [*seats(9), *panel()])
    for name in ("pixel", "kiosk"):
        shared.member(name)
    shared.activate("pixel", "kiosk")
    return shared


def refuses(board: Board, code: str, act: Callable[..., Any], *said: Any, **named: Any) -> Refused:
    """The act is refused with `code`, and everything is as it was."""
    motions.advance(board.chamber)
    before = contents(board.hub.database)
    with pytest.raises(Refused) as refused:
        act(*said, **named)
    assert refused.value.code == code
    assert contents(board.hub.database) == before
    return refused.value


def standing(board: Board, issuer: str = PIXEL) -> str:
    return str(board.state.members[issuer].state)


def test_a_motion_needs_two_endorsers_beside_its_proposer(board: Board) -> None:
    chamber, endorse = board.chamber, motions.endorse
    made = board.propose("community.open", "endorsed")
    shown = motions.motion(chamber, made, board.seated("s2"))
    assert (shown.state, shown.text) == ("proposed", "Open the community endorsed.")
    assert shown.may == {"declare", "endorse", "remark"}
    assert motions.motion(chamber, made, board.seated("s1")).may == {"declare", "remark", "withdraw"}
    refuses(board, "conflict", endorse, chamber, board.seated("s1"), made)
    refuses(board, "role-missing", endorse, chamber, board.seated("p1"), made)
    refuses(board, "role-missing", endorse, chamber, Seated("s2", "handle-s3"), made)
    refuses(board, "not-found", endorse, chamber, board.seated("s2"), "mo_unknown")
    endorse(chamber, board.seated("s2"), made)
    refuses(board, "conflict", endorse, chamber, board.seated("s2"), made)
    assert endorse(chamber, board.seated("s3"), made).state == "discussion"
    refuses(board, "conflict", endorse, chamber, board.seated("s4"), made)
    refuses(board, "role-missing", motions.withdraw, chamber, board.seated("s2"), made)
    assert motions.withdraw(chamber, board.seated("s1"), made).state == "withdrawn"
    refuses(board, "conflict", motions.withdraw, chamber, board.seated("s1"), made)
    refuses(board, "conflict", motions.remark, chamber, board.seated("s1"), made, "support", "scope")
    refuses(board, "conflict", motions.declare, chamber, board.seated("s1"), made, conflict=True)


def test_a_draft_lapses_after_ninety_days(board: Board) -> None:
    made = board.propose("community.open", "forgotten")
    board.endorse(made, "s2")
    board.clock.advance(90 * DAY - 1)
    assert motions.motion(board.chamber, made).state == "proposed"
    board.clock.advance(1)
    assert board.hub.run_job("governance.tick")
    assert motions.motion(board.chamber, made).state == "lapsed"


@pytest.mark.parametrize(
    ("kind", "subject", "params", "code", "field"),
    [
        ("member.admit", PIXEL, {}, "claim-invalid", "type"),
        ("member.emergency_suspend", PIXEL, {}, "claim-invalid", "type"),
        ("appeal.uphold", "decision:1", {"of": 1, "filed_at": 1}, "claim-invalid", "type"),
        ("member.suspend", PIXEL, {"until": "soon"}, "claim-invalid", "params.until"),
        ("member.suspend", PIXEL, {"until": 2**40}, "claim-invalid", "params.until"),
        ("key.revoke", PIXEL, {"kid": "A" * 43}, "key-unknown", "params.kid"),
        ("member.reinstate", PIXEL, {}, "conflict", "state"),
        ("member.expel", PIXEL, {}, "conflict", "state"),
        ("member.activate", "https://nobody.example", {}, "subject-unknown", "decision.subject"),
        ("community.open", "child-safety", {}, "conflict", "decision.subject"),
        ("community.open", "Not A Slug", {}, "claim-invalid", "subject"),
        ("policy.set", "", {"policy": {"version": 7}}, "policy-version", "params.policy.version"),
        ("policy.set", "", {"policy": {"no_such_number": 7}}, "claim-invalid", "params.policy"),
    ],
)
def test_what_could_never_be_decided_is_not_proposed(
    board: Board, kind: Any, subject: str, params: dict[str, Any], code: str, field: str
) -> None:
    refused = refuses(board, code, board.propose, kind, subject, params)
    assert refused.field == field
    for value in (subject, *map(str, params.values())):
        assert len(value) < 4 or value not in refused.reason


def test_a_complaint_is_a_members(board: Board) -> None:
    until = {"until": board.clock.now + 60 * DAY}
    refused = refuses(
        board, "claim-invalid", board.propose, "member.suspend", PIXEL, until, complainant="<script>"
    )
    assert refused.field == "complainant"


def test_the_same_motion_twice(board: Board) -> None:
    made = board.propose("community.open", "once")
    refuses(board, "conflict", board.propose, "community.open", "once")
    motions.withdraw(board.chamber, board.seated("s1"), made)


def test_recusals_by_complaint_tie_and_own_word(board: Board) -> None:
    chamber, clock = board.chamber, board.clock
    board.member("booth")
    board.activate("booth")
    motions.declare_tie(chamber, board.seated("s4"), BOOTH, None)
    motions.declare_tie(chamber, board.seated("s5"), BOOTH, clock.now - 729 * DAY)
    motions.declare_tie(chamber, board.seated("s6"), BOOTH, clock.now - 800 * DAY)
    refuses(board, "claim-invalid", motions.declare_tie, chamber, board.seated("s6"), BOOTH, clock.now + 1)
    refuses(board, "claim-invalid", motions.declare_tie, chamber, board.seated("s6"), "pixel", None)
    until = {"until": clock.now + 60 * DAY}
    made = board.propose("member.suspend", BOOTH, until, complainant="https://seat-s2.example")
    motions.declare(chamber, board.seated("s9"), made, conflict=True)
    shown = motions.motion(chamber, made, board.seated("s9"))
    assert shown.declared is True
    assert shown.recusals == (("s2", "complainant"), ("s4", "tie"), ("s5", "tie"), ("s9", "declared"))
    assert shown.meter.eligible == 5
    refuses(board, "ballot-recused", motions.endorse, chamber, board.seated("s2"), made)
    # A recused seat may speak; a word given cannot be taken back.
    assert motions.remark(chamber, board.seated("s2"), made, "answer", "evidence").remarks[0].seat == "s2"
    motions.declare(chamber, board.seated("s9"), made, conflict=False)
    assert motions.motion(chamber, made, board.seated("s9")).declared is True
    # The notice of five working days runs from the proposal.
    assert shown.params["noticed_at"] == clock.now
    closed = board.carry(made, {"s1": "yes", "s3": "yes", "s6": "yes", "s7": "no", "s8": "abstain"})
    assert (closed.result, standing(board, BOOTH)) == ("passes", "suspended")
    assert board.decide("member.reinstate", BOOTH).result == "passes"


def test_a_tie_that_was_said_to_last_has_not_ended_before(board: Board) -> None:
    """Or whoever declared one could unsay the 24 months that follow it, on the day of a ballot."""
    chamber, clock, seat = board.chamber, board.clock, board.seated("s6")

    def refused(ended_at: int) -> None:
        assert refuses(board, "claim-invalid", motions.declare_tie, chamber, seat, TIED, ended_at).field == (
            "ended_at"
        )

    def said() -> int | None:
        (tie,) = [tie for tie in motions.ties(chamber, seat) if tie.issuer == TIED]
        return tie.ended_at

    motions.declare_tie(chamber, seat, TIED, None)
    today = clock.now - clock.now % DAY
    for past in (0, clock.now - 800 * DAY, today - 1):
        refused(past)
    assert said() is None
    clock.advance(10 * DAY)
    motions.declare_tie(chamber, seat, TIED, today)
    assert said() == today
    # An end moves on, never back; and what lasts again has not ended before that was said.
    for past in (0, today - 1):
        refused(past)
    motions.declare_tie(chamber, seat, TIED, today + 5 * DAY)
    motions.declare_tie(chamber, seat, TIED, None)
    refused(today + 5 * DAY)
    motions.declare_tie(chamber, seat, TIED, clock.now)
    # One that was over when it was first declared says what it says.
    motions.declare_tie(chamber, board.seated("s7"), TIED, 0)


def test_what_the_board_cannot_decide_goes_to_the_panel(board: Board) -> None:
    made = board.propose("member.sanction", PIXEL)
    for seat in ("s3", "s4", "s5", "s6", "s7", "s8", "s9"):
        motions.declare(board.chamber, board.seated(seat), made, conflict=True)
    refuses(board, "ballot-recused", motions.endorse, board.chamber, board.seated("s3"), made)
    # One other seat is left that may endorse it, so one is enough.
    assert motions.endorse(board.chamber, board.seated("s2"), made).state == "discussion"
    # Nobody could carry it, so nobody is asked: its ballot is over as it opens.
    asked = board.discuss(made)
    assert (asked.state, asked.result, asked.ballots) == ("closed", "panel", ())
    assert standing(board) == "active"
    (follow,) = [row for row in motions.docket(board.chamber) if row.state == "ballot"]
    shown = motions.motion(board.chamber, follow.id)
    assert (shown.threshold, shown.params) == ("panel", asked.params)
    # Whoever declared a conflict stays out of the panel as well: the three of it decide.
    assert shown.meter.eligible == 3
    for seat in ("p1", "p2", "p3"):
        decided = board.vote(follow.id, seat)
    assert (decided.result, standing(board)) == ("passes", "restricted")
    assert board.decide("member.reinstate", PIXEL).result == "passes"


def test_one_objection_takes_the_automatic_way_to_active(board: Board) -> None:
    board.member("harbor")
    harbor = "https://harbor.example"
    made = board.propose("member.object", harbor)
    assert motions.motion(board.chamber, made).state == "ballot"
    assert board.vote(made, "s1").result == "passes"
    (follow,) = [row for row in motions.docket(board.chamber) if row.type == "member.activate"]
    assert follow.state == "discussion"
    board.clock.advance(120 * DAY)
    board.hub.run_job("governance.tick")
    assert standing(board, harbor) == "provisional"
    assert board.decide("member.extend", harbor).result == "passes"
    assert board.decide("member.refuse", harbor).result == "passes"
    assert standing(board, harbor) == "rejected"


def test_an_emergency_that_is_not_confirmed_ends_with_the_ballot(board: Board) -> None:
    reach = emergency.preview(board.chamber, KIOSK)
    assert (reach.state, reach.live_keys, reach.clients, reach.communities) == (
        "active",
        1,
        1,
        ("child-safety",),
    )
    assert "statements" in reach.reach
    refuses(board, "not-found", emergency.preview, board.chamber, "https://nobody.example")
    assert board.suspend_in_emergency("kiosk").result == "passes"
    refuses(board, "conflict", emergency.begin, board.chamber, board.seated("s1"), KIOSK)
    (follow,) = [
        row for row in motions.docket(board.chamber) if row.type == "member.suspend" and row.state == "ballot"
    ]
    for number in range(1, 10):
        board.vote(follow.id, f"s{number}", "no")
    assert standing(board, KIOSK) == "active"


def test_what_can_be_appealed_by_whom(board: Board) -> None:
    appeal, admin = appeals.appeal, Caller("adam", frozenset({"org_admin"}), KIOSK)
    made = board.propose("member.sanction", KIOSK)
    sanctioned = board.carry(made)
    assert sanctioned.seq is not None
    of = sanctioned.seq
    analyst = Caller("ann", frozenset({"org_analyst"}), KIOSK)
    refuses(board, "role-missing", appeal, board.chamber, of, analyst)
    refuses(board, "not-found", appeal, board.chamber, of, Caller("eve", frozenset({"org_admin"}), PIXEL))
    refuses(board, "not-found", appeal, board.chamber, of + 500, admin)
    board.clock.advance(30 * DAY)
    filed = appeal(board.chamber, of, admin)
    refuses(board, "conflict", appeal, board.chamber, of, admin)
    board.discuss(filed)
    # s1 to s9 have all voted on it: only the panel hears it, and only its seats may vote.
    paper = ballots.ballot_paper(board.chamber, None, filed, "yes")
    ballot = board.officers["s9"].ballot(paper)
    refuses(board, "ballot-seat-unknown", ballots.cast, board.chamber, filed, ballot)
    for seat in ("p1", "p2", "p3"):
        board.vote(filed, seat, "no")
    dismissed = motions.motion(board.chamber, filed)
    assert (dismissed.result, standing(board, KIOSK)) == ("fails", "restricted")
    refuses(board, "appeal-repeated", appeal, board.chamber, of, admin)
    board.clock.advance(1)
    assert board.decide("member.reinstate", KIOSK).result == "passes"


def test_an_appeal_comes_within_thirty_days(board: Board) -> None:
    admin = Caller("adam", frozenset({"org_admin"}), KIOSK)
    sanctioned = board.decide("member.sanction", KIOSK)
    assert sanctioned.seq is not None
    board.clock.advance(30 * DAY + 1)
    refuses(board, "appeal-late", appeals.appeal, board.chamber, sanctioned.seq, admin)
    assert board.decide("member.reinstate", KIOSK).result == "passes"
