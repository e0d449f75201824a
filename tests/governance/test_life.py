"""Two whole lives through the real use cases: to active and an emergency, and to expulsion and an appeal."""

import pytest

from tests.support.board import VETTERS, Board, form, governed
from tests.support.clock import MovableClock
from tests.support.officers import panel, seats
from tests.support.state import contents
from tocsin.config import Settings
from tocsin.governance.rules.people import Caller
from tocsin.governance.rules.vetting import ITEMS
from tocsin.governance.service import appeals, applications, emergency, motions, vetting
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import Choice

PIXEL = "https://pixel.example"


def standing(board: Board, name: str = "pixel") -> str:
    return str(board.state.members[f"https://{name}.example"].state)


def test_from_an_application_to_active_and_through_an_emergency(
    settings: Settings, clock: MovableClock
) -> None:
    with governed(settings, clock) as board:
        chamber, hub = board.chamber, board.hub
        assert board.decide("community.open", "child-safety").result == "passes"

        # Apply, answer what is asked again, be vetted by two people.
        key = SigningKey.generate()
        made = applications.apply(chamber, form(hub, "pixel", key), submit=False)
        assert made.state == "draft"
        assert applications.submit(chamber, made.id, made.secret).state == "submitted"
        assert vetting.begin(chamber, made.id, VETTERS[0]).state == "vetting"
        asked = vetting.request_info(chamber, made.id, VETTERS[1], ["appeals"])
        assert (asked.state, asked.asked) == ("info_requested", ("appeals",))
        answered = applications.answer(
            chamber, made.id, made.secret, {"appeals": ["https://help.pixel.example"]}
        )
        assert (answered.state, answered.asked) == ("vetting", ())
        for item in ITEMS:
            for checker in VETTERS:
                view = vetting.check(chamber, made.id, checker, item, "pass", "e" * 64)
        assert view.missing == ()
        assert vetting.report(chamber, made.id, VETTERS[0]).digest == view.report

        # Endorsed, discussed for seven days, voted on by five with the keys of their seats.
        motion = motions.propose_admission(chamber, board.seated("s1"), made.id)
        board.endorse(motion, "s2")
        assert motions.motion(chamber, motion).state == "proposed"
        board.endorse(motion, "s3")
        talked = motions.remark(chamber, board.seated("s4"), motion, "question", "human_review", "f" * 64)
        assert talked.state == "discussion"
        assert talked.discussion_ends == clock.now + 7 * DAY
        clock.advance(7 * DAY - 1)
        assert motions.motion(chamber, motion).state == "discussion"
        clock.advance(1)
        opened = motions.motion(chamber, motion)
        assert (opened.state, opened.closes_at) == ("ballot", clock.now + 7 * DAY)
        assert opened.decision is not None
        assert opened.decision["params"]["vetting"] == view.report
        for seat in ("s1", "s2", "s3", "s4"):
            assert board.vote(motion, seat).state == "ballot"
        closed = board.vote(motion, "s5", "no")
        assert (closed.state, closed.result, closed.meter.yes, closed.meter.no) == ("closed", "passes", 4, 1)
        assert {ballot.kind for ballot in closed.ballots} == {"webauthn", "ed25519"}
        assert closed.log_seq is not None
        assert applications.application(chamber, made.id, VETTERS[0]).state == "approved_pending_keys"
        assert standing(board) == "approved_pending_keys"

        # Its keys prove themselves; thirty days later the board makes it active.
        board.act("pixel", key, "prove-key", not_before=clock.now, not_after=clock.now + 365 * DAY)
        assert standing(board) == "provisional"
        proved_at, before = clock.now, contents(hub.database)
        with pytest.raises(Refused, match="provisional_days"):
            board.propose("member.activate", PIXEL)
        assert contents(hub.database) == before
        clock.now = proved_at + 17 * DAY
        early = board.propose("member.activate", PIXEL)
        board.endorse(early)
        board.discuss(early)
        for seat in ("s1", "s2", "s3", "s4", "s5"):
            # Everybody has voted, but the thirty days are not over: it closes at its end, not before.
            assert board.vote(early, seat).state == "ballot"
        clock.now = proved_at + 30 * DAY
        assert motions.motion(chamber, early).state == "ballot"
        assert standing(board) == "provisional"
        assert board.close(early).result == "passes"
        assert standing(board) == "active"

        # Two duty officers suspend it at once; nobody confirms, and after 72 hours it is back by itself.
        paper = emergency.begin(chamber, board.seated("s1"), PIXEL)
        assert emergency.begin(chamber, board.seated("s3"), PIXEL) == paper
        assert board.vote(paper, "s1").state == "ballot"
        assert standing(board) == "active"
        assert board.vote(paper, "s3").result == "passes"
        assert standing(board) == "emergency_suspended"
        suspended_at = clock.now
        (follow,) = [row for row in motions.docket(chamber) if row.type == "member.suspend"]
        assert follow.state == "ballot"
        assert follow.until < suspended_at + 72 * 3600
        clock.now = suspended_at + 72 * 3600 - 1
        assert hub.run_job("governance.tick") == 1
        assert motions.motion(chamber, follow.id).result == "inquorate"
        assert standing(board) == "emergency_suspended"
        clock.advance(1)
        assert hub.run_job("governance.tick") == 1
        assert standing(board) == "active"


def test_to_expulsion_and_an_appeal(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock, [*seats(), *panel()]) as board:
        chamber = board.chamber
        board.member("pixel")
        board.activate("pixel")
        before = board.state.size

        # An emergency that the board confirms; then five of five expel.
        board.suspend_in_emergency("pixel")
        (follow,) = [row for row in motions.docket(chamber) if row.type == "member.suspend"]
        for seat in ("s1", "s2", "s4"):
            assert board.vote(follow.id, seat).state == "ballot"
        board.vote(follow.id, "s3", "no")
        assert board.vote(follow.id, "s5", "no").result == "passes"
        assert standing(board) == "suspended"
        expelled = board.decide("member.expel", PIXEL)
        assert expelled.result == "passes"
        assert standing(board) == "expelled"
        assert board.state.size == before + 3

        # The appeal goes to three independents none of whom voted; the first try has no quorum, and it is heard again.
        admin = Caller("adam", frozenset({"org_admin"}), PIXEL)
        assert expelled.seq is not None
        appeal = appeals.appeal(chamber, expelled.seq, admin)
        heard = board.discuss(appeal)
        assert (heard.threshold, heard.meter.eligible, heard.of) == ("panel", 3, expelled.seq)
        assert heard.may == frozenset()
        assert motions.motion(chamber, appeal, board.seated("s4")).may == {"declare", "remark"}
        board.vote(appeal, "p1")
        assert board.close(appeal).result == "inquorate"
        (again,) = [
            row for row in motions.docket(chamber) if row.type == "appeal.uphold" and row.result is None
        ]
        board.discuss(again.id)
        for seat in ("p1", "p2", "p3"):
            upheld = board.vote(again.id, seat)
        assert upheld.result == "passes"
        assert standing(board) == "suspended"
        clock.now = board.state.members[PIXEL].suspended_until or 0
        board.hub.run_job("governance.tick")
        assert standing(board) == "active"


def test_an_applicant_whose_rejection_is_not_upheld_is_discussed_anew(
    settings: Settings, clock: MovableClock
) -> None:
    with governed(settings, clock, [*seats(9), *panel()]) as board:
        chamber, key = board.chamber, SigningKey.generate()
        made = applications.apply(chamber, form(board.hub, "unlucky", key, communities={}), submit=True)
        board.vet(made.id)
        board.sponsor(made.id)
        no: dict[str, Choice] = {f"s{number}": "no" for number in range(1, 10)}
        motion = motions.propose_admission(chamber, board.seated("s1"), made.id)
        assert board.carry(motion, no).result == "fails"
        assert applications.status(chamber, made.id).state == "rejected"
        appeal = appeals.appeal_rejection(chamber, made.id, made.secret)
        board.discuss(appeal)
        for seat in ("p1", "p2", "p3"):
            heard = board.vote(appeal, seat)
        assert heard.result == "passes"
        assert applications.status(chamber, made.id).state == "discussion"
        again = motions.propose_admission(chamber, board.seated("s1"), made.id)
        assert board.carry(again).result == "passes"
        assert applications.status(chamber, made.id).state == "approved_pending_keys"
        assert board.state.members["https://unlucky.example"].state == "approved_pending_keys"
