"""What a ballot cannot say: each lie about a vote or its decision has a code of its own, and changes nothing."""

import pytest

from tests.schemas.boards import COMMUNITY, PIXEL, START, Chair, Hall, next_roster, refused
from tests.support.authenticator import UP
from tocsin_schemas.decisions import Recusal
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.tally import Result

OPEN = ("community.open", "ncii")


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_an_altered_decision(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    ballots = hall.votes(decision)
    for changes in ({"subject": "other"}, {"seq": 9}):
        altered = decision.model_copy(update=changes)
        refused(hall, "decision-altered", hall.append, hall.body(altered, ballots))
    # The same with offline votes alone, and with passkeys alone.
    altered = decision.model_copy(update={"subject": "other"})
    for kept in (ballots[:1], ballots[1:]):
        hall.now = decision.expires_at
        refused(hall, "decision-altered", hall.append, hall.body(altered, kept))


def test_a_late_vote(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    in_time = hall.votes(decision, {"s1": "yes", "s2": "yes", "s3": "yes"})
    hall.now = decision.expires_at
    late = hall.votes(decision, {"s4": "yes"})
    refused(hall, "ballot-late", hall.append, hall.body(decision, [*in_time, *late]))
    hall.now += 1
    hall.append(hall.body(decision, in_time))


def test_a_vote_from_before_the_ballot_or_after_the_record(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    for at in (START - 1, START + 1):
        ballots = [ballot.model_copy(update={"cast_at": at}) for ballot in hall.votes(decision)]
        refused(hall, "ballot-invalid", hall.append, hall.body(decision, ballots))


def test_a_recused_vote(hall: Hall) -> None:
    decision = hall.decision(*OPEN, recused=[hall.recusal("s4", "declared")])
    ballots = hall.votes(decision, {"s1": "yes", "s2": "yes", "s3": "yes", "s4": "yes", "s5": "yes"})
    refused(hall, "ballot-recused", hall.append, hall.body(decision, ballots))
    hall.append(hall.body(decision, [ballot for ballot in ballots if ballot.seat != "s4"]))


def test_a_duplicate_vote(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    ballots = hall.votes(decision)
    for again in (ballots[1], hall.votes(decision, {"s2": "no"})[0], hall.votes(decision, {"s1": "yes"})[0]):
        refused(hall, "ballot-duplicate", hall.append, hall.body(decision, [*ballots, again]))


def test_a_passkey_that_did_not_verify_its_user(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    lazy = hall.chairs["s1"].vote(decision, "s1", "yes", hall.now, flags=UP)
    rest = hall.votes(decision)[1:]
    refused(hall, "ballot-unverified-user", hall.append, hall.body(decision, [lazy, *rest]))


def test_a_vote_from_an_earlier_decision(hall: Hall) -> None:
    first = hall.decision(*OPEN)
    ballots = hall.votes(first)
    hall.append(hall.body(first, ballots))
    second = hall.decision("community.open", "third")
    for seat in (0, 1):
        mixed = hall.votes(second)
        mixed[seat] = ballots[seat]
        refused(hall, "ballot-replayed", hall.append, hall.body(second, mixed))


def test_a_vote_with_a_removed_credential(hall: Hall) -> None:
    old = hall.chairs["s4"]
    hall.chairs["s4"] = Chair()
    hall.chairs["old"] = old
    decision = hall.decision("roster.set", "roster", next_roster(hall))
    ballots = [
        hall.chairs[name].vote(decision, name.replace("old", "s4"), "yes", hall.now)
        for name in ("s1", "s2", "s3", "s4", "s5", "old")
    ]
    hall.append(hall.body(decision, ballots))
    later = hall.decision(*OPEN)
    votes = [hall.chairs[name].vote(later, name, "yes", hall.now) for name in ("s1", "s2", "s3", "s5")]
    stale = old.vote(later, "s4", "yes", hall.now)
    refused(hall, "ballot-credential-unknown", hall.append, hall.body(later, [*votes, stale]))


def test_a_vote_signed_for_another_choice_or_seat(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    good = hall.votes(decision)
    for place, changes in ((0, {"choice": "no"}), (1, {"choice": "no"})):
        bad = list(good)
        bad[place] = good[place].model_copy(update=changes)
        refused(hall, "ballot-invalid", hall.append, hall.body(decision, bad))
    moved = hall.chairs["s2"].vote(decision, "s3", "yes", hall.now).model_copy(update={"seat": "s2"})
    refused(hall, "ballot-invalid", hall.append, hall.body(decision, [good[0], moved]))


def test_a_vote_signed_in_the_way_of_another_key(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    good = hall.votes(decision)
    as_jws = good[0].model_copy(update={"assertion": None, "jws": good[1].jws})
    as_assertion = good[1].model_copy(update={"assertion": good[0].assertion, "jws": None})
    for bad in (as_jws, as_assertion):
        refused(hall, "ballot-invalid", hall.append, hall.body(decision, [bad]))


@pytest.mark.parametrize(
    "said", ["e30", "bm8", "eyJjaGFsbGVuZ2UiOjF9", "eyJjaGFsbGVuZ2UiOiIhIn0", "W10", "A"]
)
def test_an_assertion_that_names_no_challenge(hall: Hall, said: str) -> None:
    decision = hall.decision(*OPEN)
    good = hall.votes(decision)
    assert good[0].assertion is not None
    empty = good[0].assertion.model_copy(update={"client_data": said})
    bad = good[0].model_copy(update={"assertion": empty})
    refused(hall, "ballot-invalid", hall.append, hall.body(decision, [bad]))


def test_a_vote_of_a_seat_that_is_not_asked(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    ballots = hall.votes(decision)
    stranger = ballots[1].model_copy(update={"seat": "s9"})
    refused(hall, "ballot-seat-unknown", hall.append, hall.body(decision, [*ballots, stranger]))
    hall.append(hall.body(decision, ballots))
    hall.admit(PIXEL, "a")
    alarm = hall.decision("member.emergency_suspend", PIXEL)
    off_duty = hall.votes(alarm, {"s1": "yes", "s4": "yes"})
    refused(hall, "ballot-seat-unknown", hall.append, hall.body(alarm, off_duty))


def test_a_result_that_the_ballots_do_not_give(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    lies: list[tuple[dict[str, str], Result]] = [({}, "fails"), ({"s2": "no", "s3": "no"}, "passes")]
    for choices, result in lies:
        ballots = hall.votes(decision, {f"s{n}": "yes" for n in range(1, 6)} | choices)
        refused(hall, "result-mismatch", hall.append, hall.body(decision, ballots, result))


def test_a_ballot_that_is_still_open(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    four = hall.votes(decision)[:4]
    hall.now = decision.expires_at - 1
    refused(hall, "ballot-open", hall.append, hall.body(decision, four))
    hall.now += 1
    hall.append(hall.body(decision, four))


def test_a_decision_kept_in_a_drawer(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    ballots = hall.votes(decision)
    hall.now = decision.expires_at + 7 * DAY + 1
    refused(hall, "decision-expired", hall.append, hall.body(decision, ballots))
    hall.now -= 1
    hall.append(hall.body(decision, ballots))


@pytest.mark.parametrize("ends", [START + 7 * DAY - 1, START + 7 * DAY + 1, START])
def test_another_window_than_the_policys(hall: Hall, ends: int) -> None:
    decision = hall.decision(*OPEN, expires_at=ends)
    refused(hall, "decision-window", hall.append, hall.body(decision, []))


@pytest.mark.parametrize("issued", [START - 1, START + 1])
def test_a_ballot_that_opened_before_what_it_follows_or_later_than_now(hall: Hall, issued: int) -> None:
    decision = hall.decision(*OPEN, issued_at=issued, expires_at=issued + 7 * DAY)
    refused(hall, "decision-window", hall.append, hall.body(decision, []))


def test_a_decision_of_another_chain(hall: Hall) -> None:
    body = hall.body(hall.decision(*OPEN), [])
    elsewhere = body.decision.model_copy(update={"prev": Hall().state.tip.hex()})
    refused(hall, "decision-prev-unknown", hall.append, body.model_copy(update={"decision": elsewhere}))


def test_a_decision_that_is_recorded_already(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    body = hall.body(decision, hall.votes(decision))
    hall.append(body)
    refused(hall, "decision-repeated", hall.append, body)


def test_a_decision_under_anothernext_roster(hall: Hall) -> None:
    decision = hall.decision(*OPEN, roster_version=2)
    refused(hall, "roster-mismatch", hall.append, hall.body(decision, []))


def test_a_decision_after_the_rosters_time(hall: Hall) -> None:
    hall.wait(days=3650)
    decision = hall.decision(*OPEN)
    refused(hall, "roster-expired", hall.append, hall.body(decision, []))
    hall.decide("roster.set", "roster", next_roster(hall, expires_at=START + 4000 * DAY))
    hall.decide(*OPEN)


def test_another_rule_than_the_kinds(hall: Hall) -> None:
    for rule in ("majority", "panel", "duty", "single"):
        decision = hall.decision(*OPEN, threshold=rule)
        refused(hall, "threshold-mismatch", hall.append, hall.body(decision, []))


@pytest.mark.parametrize(
    "recused",
    [
        [Recusal(seat="s4", reason="control_group")],
        [Recusal(seat="s2", reason="sponsor")],
        [Recusal(seat="s2", reason="suspended")],
        [Recusal(seat="s9", reason="declared")],
        [Recusal(seat="s4", reason="tie"), Recusal(seat="s4", reason="declared")],
    ],
    ids=["no such group", "no such sponsor", "in good standing", "no such seat", "twice"],
)
def test_a_recusal_without_its_reason(hall: Hall, recused: list[Recusal]) -> None:
    code = "recusal-mismatch"
    decision = hall.decision(*OPEN, recused=recused)
    refused(hall, code, hall.append, hall.body(decision, []))


def test_a_seat_that_votes_on_its_own_organisation(hall: Hall) -> None:
    hall.decide("community.open", COMMUNITY)
    said = hall.admission("u", control_group=hall.state.roster.seats[1].control_group)
    decision = hall.decision("member.admit", PIXEL, said, recused=[])
    refused(hall, "recusal-missing", hall.append, hall.body(decision, []))


def test_recusals_at_the_close_that_are_not_those(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    ballots = hall.votes(decision)[:3]
    extra = [Recusal(seat="s4", reason="suspended")]
    refused(hall, "recusal-mismatch", hall.append, hall.body(decision, ballots, "passes", recusals=extra))


def test_a_ballot_is_the_whole_record(hall: Hall) -> None:
    """One field of a ballot changed after the fact is seen, whichever it is."""
    decision = hall.decision(*OPEN)
    ballots = hall.votes(decision)
    for place in (0, 1):
        for changes in ({"seat": "s4"}, {"choice": "abstain"}, {"credential": ballots[3].credential}):
            bad = list(ballots)
            bad[place] = ballots[place].model_copy(update=changes)
            before = hall.state
            with pytest.raises(Refused):
                hall.append(hall.body(decision, bad, "passes"))
            assert hall.state is before
