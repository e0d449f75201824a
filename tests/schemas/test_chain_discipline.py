"""Replaying a chain: emergencies, suspensions, sanctions, appeals, and leaving."""

from tests.schemas.boards import (
    ALARM,
    COMMUNITY,
    FRAME,
    HOUR,
    NOVA,
    PIXEL,
    START,
    TWO_AGAINST,
    Chair,
    copied,
    early,
    grown,
    refused,
    state,
    suspended,
    with_panel,
)
from tocsin_schemas.decisions import (
    Appeal,
    EnrolKeys,
    Grant,
    Sanction,
    SetRoster,
    Suspend,
)
from tocsin_schemas.governance import ClockBody
from tocsin_schemas.member_effects import working_days_after
from tocsin_schemas.policy import DAY


def test_two_officers_suspend_for_seventy_two_hours() -> None:
    hall = grown()
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    member = hall.member(PIXEL)
    assert (member.state, member.since, member.before) == ("emergency_suspended", hall.now, "active")
    refused(
        hall,
        "transition-forbidden",
        hall.append,
        hall.signed(hall.adding(PIXEL, Chair().key), hall.keys[PIXEL][0]),
    )
    hall.wait(72 * HOUR - 1)
    assert hall.tick() == []
    hall.wait(1)
    assert [body.rule for body in hall.tick()] == ["emergency-lapsed"]
    assert (state(hall), hall.member(PIXEL).before) == ("active", None)
    # Nothing was forgiven and nothing renewed: the year goes on.
    assert hall.member(PIXEL).attested_at == member.attested_at


def test_one_officer_suspends_nobody() -> None:
    hall = grown()
    hall.decide("member.emergency_suspend", PIXEL, choices={"s1": "yes", "s2": "no"})
    assert state(hall) == "active"
    assert hall.state.decisions[max(hall.state.decisions)].result == "inquorate"


def test_signatures_for_an_emergency_are_collected_for_a_day() -> None:
    hall = grown()
    decision = hall.decision("member.emergency_suspend", PIXEL)
    ballots = hall.votes(decision, ALARM)
    hall.wait(days=1, seconds=1)
    refused(hall, "decision-expired", hall.append, hall.body(decision, ballots))
    longer = decision.model_copy(update={"expires_at": decision.issued_at + DAY + 1})
    refused(hall, "decision-window", hall.append, hall.body(longer, ballots))


def test_the_board_confirms_an_emergency_within_its_time() -> None:
    hall = grown()
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    until = Suspend(until=hall.now + 30 * DAY)
    late = hall.now + 72 * HOUR
    decision = hall.decision("member.suspend", PIXEL, until)
    assert decision.expires_at == late
    over = decision.model_copy(update={"expires_at": late + 1})
    refused(hall, "decision-window", hall.append, hall.body(over, hall.votes(over)))
    confirmed = copied(hall)
    confirmed.append(confirmed.body(decision, hall.votes(decision)))
    assert (state(confirmed), confirmed.member(PIXEL).suspended_until) == ("suspended", until.until)
    # A board that says no ends it there and then; one without a quorum leaves it to the clock.
    ballots = hall.votes(decision, TWO_AGAINST)
    undecided = copied(hall)
    hall.append(hall.body(decision, ballots))
    assert state(hall) == "active"
    undecided.now = late
    undecided.append(undecided.body(decision, ballots[:1]))
    assert state(undecided) == "emergency_suspended"
    assert [body.rule for body in undecided.tick()] == ["emergency-lapsed"]


def test_a_provisional_member_does_not_become_active_by_being_suspended() -> None:
    hall = early()
    hall.wait(days=10)
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    hall.decide("member.suspend", PIXEL, Suspend(until=hall.now + 100 * DAY))
    lifted = copied(hall)
    hall.wait(days=100)
    assert [body.rule for body in hall.tick()] == ["suspension-ended"]
    assert (state(hall), hall.member(PIXEL).activated) == ("provisional", False)
    # Ten days were spent; twenty are left of the thirty, eighty of the ninety.
    assert hall.member(PIXEL).provisional_since == hall.now - 10 * DAY
    hall.wait(days=20, seconds=-1)
    refused(hall, "transition-forbidden", hall.decide, "member.activate", PIXEL)
    hall.wait(1)
    hall.decide("member.activate", PIXEL)
    lifted.decide("member.reinstate", PIXEL)
    assert (state(lifted), lifted.member(PIXEL).watch_until) == ("provisional", lifted.now + 30 * DAY)
    lifted.wait(days=80)
    assert [body.rule for body in lifted.tick()] == ["provisional-complete"]


def test_a_suspension_takes_five_working_days_notice() -> None:
    hall = grown()
    noticed = hall.now
    for at in (None, noticed + 1):
        hall.now = working_days_after(noticed, 5)
        said = Suspend(until=hall.now + DAY, noticed_at=at)
        refused(hall, "transition-forbidden", hall.decide, "member.suspend", PIXEL, said)
    refused(
        hall, "transition-forbidden", hall.decide, "member.sanction", PIXEL, Sanction(noticed_at=noticed + 1)
    )
    hall.decide("member.suspend", PIXEL, Suspend(until=hall.now + DAY, noticed_at=noticed))
    assert state(hall) == "suspended"


def test_working_days_leave_the_weekend_out() -> None:
    monday = START + DAY
    assert [(working_days_after(monday + n * DAY, 5) - monday) // DAY for n in range(7)] == [
        7,
        8,
        9,
        10,
        11,
        11,
        11,
    ]
    assert working_days_after(monday, 0) == monday


def test_a_suspension_is_for_a_hundred_and_eighty_days_at_most() -> None:
    hall = grown()
    noticed = hall.now
    hall.wait(days=8)
    for until in (hall.now, hall.now + 180 * DAY + 1):
        said = Suspend(until=until, noticed_at=noticed)
        refused(hall, "suspension-length", hall.decide, "member.suspend", PIXEL, said)
    hall.decide("member.suspend", PIXEL, Suspend(until=hall.now + 180 * DAY, noticed_at=noticed))
    hall.wait(days=180)
    assert ("suspension-ended", PIXEL) in [(body.rule, body.issuer) for body in hall.tick()]
    member = hall.member(PIXEL)
    assert (member.state, member.watch_until, member.suspended_until) == ("active", hall.now + 30 * DAY, None)


def test_a_sanction_is_lifted_by_the_board_and_not_by_attesting() -> None:
    hall = grown()
    noticed = hall.now
    hall.wait(days=8)
    hall.decide("member.sanction", PIXEL, Sanction(noticed_at=noticed))
    assert (state(hall), hall.member(PIXEL).sanctioned) == ("restricted", True)
    refused(hall, "transition-forbidden", hall.act, PIXEL, "attest", year=2027)
    # An emergency in between forgives nothing.
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    hall.wait(72 * HOUR)
    hall.tick()
    assert (state(hall), hall.member(PIXEL).sanctioned) == ("restricted", True)
    refused(hall, "transition-forbidden", hall.act, PIXEL, "attest", year=2027)
    hall.decide("member.reinstate", PIXEL)
    assert (state(hall), hall.member(PIXEL).sanctioned) == ("active", False)


def test_a_failed_suspension_by_notice_changes_nothing() -> None:
    hall = grown()
    before = hall.member(PIXEL)
    noticed = hall.now
    hall.wait(days=8)
    said = Suspend(until=hall.now + 30 * DAY, noticed_at=noticed)
    hall.decide("member.suspend", PIXEL, said, choices=TWO_AGAINST)
    hall.decide("member.suspend", "https://nobody.example", said, choices=TWO_AGAINST)
    hall.decide("member.reinstate", PIXEL, choices=TWO_AGAINST)
    assert hall.member(PIXEL) == before


def test_a_refused_provisional_member_may_appeal_or_come_back() -> None:
    hall = early()
    hall.wait(days=10)
    hall.decide("member.refuse", PIXEL)
    assert state(hall) == "rejected"
    upheld = copied(hall)
    of = max(upheld.state.decisions)
    upheld.wait(days=5)
    upheld.decide("appeal.uphold", f"decision:{of}", Appeal(of=of, filed_at=upheld.now))
    assert (state(upheld), upheld.member(PIXEL).provisional_since) == ("provisional", START + 5 * DAY)
    refused(hall, "transition-forbidden", hall.decide, "member.admit", PIXEL, hall.admission("a"))
    refused(
        hall,
        "transition-forbidden",
        hall.decide,
        "community.grant",
        PIXEL,
        Grant(community=COMMUNITY, read=True, write=True),
    )
    hall.wait(days=180)
    hall.admit(PIXEL, "a")
    assert (state(hall), hall.member(PIXEL).provisional_since) == ("provisional", hall.now)


def test_an_expelled_member_appeals_to_who_did_not_vote() -> None:
    hall = grown()
    hall.decide("roster.set", "roster", SetRoster(roster=with_panel(hall)))
    hall.admit(NOVA, "c", sponsors=[PIXEL, FRAME])
    suspended(hall)
    hall.decide("member.expel", PIXEL)
    expelled = hall.now
    assert state(hall) == "expelled"
    of = max(hall.state.decisions)
    subject = f"decision:{of}"
    hall.wait(days=30)
    for filed in (expelled - 1, expelled + 30 * DAY + 1, hall.now + 1):
        refused(hall, "appeal-late", hall.decide, "appeal.uphold", subject, Appeal(of=of, filed_at=filed))
    said = Appeal(of=of, filed_at=hall.now)
    decision = hall.decision("appeal.uphold", subject, said)
    voter = hall.votes(decision, {"s5": "yes"})
    refused(hall, "ballot-seat-unknown", hall.append, hall.body(decision, voter))
    dismissed, tied = copied(hall), copied(hall)
    hall.decide("appeal.uphold", subject, said)
    assert state(hall) == "suspended"
    refused(hall, "appeal-repeated", hall.decide, "appeal.dismiss", subject, said)
    # The suspension's own time was over meanwhile.
    assert [body.rule for body in hall.tick()] == ["suspension-ended"]
    dismissed.decide("appeal.dismiss", subject, said)
    assert (state(dismissed), dismissed.state.appealed) == ("expelled", frozenset({of}))
    tied.decide("appeal.uphold", subject, said, choices={"p1": "yes", "p2": "no"})
    assert (state(tied), tied.state.appealed) == ("expelled", frozenset({of}))
    # A year later it may apply again; what it signed then stays verifiable, and is signed no more.
    old = tied.keys[PIXEL][0].public.kid
    tied.rotate(FRAME)
    tied.now = expelled + 365 * DAY
    tied.tick()
    tied.act(FRAME, "attest", year=2028)
    tied.admit(PIXEL, "a", sponsors=[FRAME, NOVA])
    assert (state(tied), tied.member(PIXEL).keys[old].revoked_at) == ("provisional", expelled)
    (absent,) = tied.member(PIXEL).absences
    assert (absent.since <= expelled, absent.vacant, absent.until) == (True, True, expelled + 365 * DAY)


def test_what_can_be_appealed() -> None:
    hall = grown()
    hall.decide("roster.set", "roster", SetRoster(roster=with_panel(hall)))
    for of in (1, 2, 99):
        said = Appeal(of=of, filed_at=hall.now)
        for kind in ("appeal.uphold", "appeal.dismiss"):
            decision = hall.decision(kind, f"decision:{of}", said)
            ballots = hall.votes(decision, {"p1": "yes", "p2": "yes", "s1": "yes", "s5": "yes"})
            asked = [ballot for ballot in ballots if of == 99 or ballot.seat.startswith("p")]
            refused(hall, "appeal-impossible", hall.append, hall.body(decision, asked))
    suspended(hall, days=100)
    of = max(hall.state.decisions)
    said = Appeal(of=of, filed_at=hall.now)
    lifted, upheld = copied(hall), copied(hall)
    lifted.decide("member.reinstate", PIXEL)
    refused(lifted, "appeal-moot", lifted.decide, "appeal.uphold", f"decision:{of}", said)
    upheld.decide("appeal.uphold", f"decision:{of}", said)
    assert state(upheld) == "active"


def test_a_member_leaves() -> None:
    hall = grown()
    hall.act(PIXEL, "withdraw")
    assert state(hall) == "withdrawing"
    refused(hall, "conflict", hall.act, PIXEL, "attest", year=2027)
    hall.wait(days=30)
    assert [body.rule for body in hall.tick()] == ["withdrawal-complete"]
    key = hall.keys[PIXEL][0].public.kid
    for act, members, code in (
        ("withdraw", {}, "conflict"),
        ("key-revoke", {"kid": key}, "key-unknown"),
    ):
        refused(hall, code, hall.act, PIXEL, act, **members)
    other = Chair().key
    for body in (hall.adding(PIXEL, other),):
        refused(hall, "transition-forbidden", hall.append, hall.signed(body, hall.keys[PIXEL][0]))
    refused(hall, "transition-forbidden", hall.decide, "key.enrol", PIXEL, EnrolKeys(keys=["k" * 43]))
    assert hall.state.due(hall.now + 999 * DAY) == [
        ClockBody(rule="attestation-missed", issuer=FRAME, of=hall.member(FRAME).cause)
    ]


def test_a_key_that_was_enrolled_is_not_proved_by_a_suspended_member() -> None:
    hall = grown()
    key = Chair().key
    hall.decide("key.enrol", PIXEL, EnrolKeys(keys=[key.public.kid]))
    suspended(hall)
    refused(
        hall, "transition-forbidden", hall.append, hall.signed(hall.proving(PIXEL), key, key.public.jwk())
    )
    # It may still revoke one that was stolen, and leave.
    hall.act(PIXEL, "key-revoke", kid=hall.keys[PIXEL][0].public.kid)
    suspended(hall, FRAME)
    hall.act(FRAME, "withdraw")
    assert state(hall, FRAME) == "withdrawn"
