"""Replaying a chain: how one becomes a member, stays one, and what sponsors and keys have to do with it."""

from tests.schemas.boards import (
    COMMUNITY,
    FRAME,
    NOVA,
    PIXEL,
    START,
    TWO_AGAINST,
    VERIFY,
    Chair,
    Hall,
    copied,
    early,
    group,
    grown,
    refused,
    state,
)
from tocsin_schemas import chain
from tocsin_schemas.board import keys_live
from tocsin_schemas.decisions import Appeal, EnrolKeys, Grant, RevokeKey
from tocsin_schemas.governance import ClockBody
from tocsin_schemas.policy import DAY


def test_from_application_to_active() -> None:
    hall = early()
    member = hall.member(PIXEL)
    assert (member.state, member.since, member.provisional_since) == ("provisional", START, START)
    assert (member.admitted_by, member.activated, member.attested_at) == (2, False, None)
    assert member.communities == {COMMUNITY: (True, True)}
    key = member.keys[hall.keys[PIXEL][0].public.kid].author(PIXEL)
    assert (key.iss, key.public) == (PIXEL, hall.keys[PIXEL][0].public)
    hall.wait(days=90, seconds=-1)
    assert hall.tick() == []
    hall.wait(1)
    assert hall.tick() == [ClockBody(rule="provisional-complete", issuer=PIXEL, of=member.cause)]
    after = hall.member(PIXEL)
    assert (after.state, after.activated, after.attested_at) == ("active", True, hall.now)
    assert chain.replay(hall.records, VERIFY, hall.state.genesis) == hall.state


def test_the_board_may_activate_after_thirty_days() -> None:
    hall = early()
    hall.wait(days=30, seconds=-1)
    refused(hall, "transition-forbidden", hall.decide, "member.activate", PIXEL)
    hall.wait(1)
    hall.decide("member.activate", PIXEL)
    assert state(hall) == "active"


def test_one_objection_makes_it_a_ballot() -> None:
    hall = early()
    hall.decide("member.object", PIXEL, choices={"s5": "yes"})
    assert (state(hall), hall.member(PIXEL).objected) == ("provisional", True)
    hall.wait(days=400)
    assert hall.tick() == []
    hall.decide("member.activate", PIXEL, choices=TWO_AGAINST)
    assert state(hall) == "provisional"
    hall.decide("member.activate", PIXEL)
    assert state(hall) == "active"


def test_a_provisional_time_is_extended_once() -> None:
    hall = early()
    hall.decide("member.extend", PIXEL)
    refused(hall, "transition-forbidden", hall.decide, "member.extend", PIXEL)
    hall.wait(days=180, seconds=-1)
    assert hall.tick() == []
    hall.wait(1)
    assert [body.rule for body in hall.tick()] == ["provisional-complete"]


def test_an_admission_lapses_without_its_keys() -> None:
    hall = early()
    hall.decide("member.admit", FRAME, hall.admission("b", keys=2))
    one, other = hall.made
    hall.append(hall.signed(hall.proving(FRAME), one, one.public.jwk()))
    assert (state(hall, FRAME), hall.member(FRAME).awaiting) == (
        "approved_pending_keys",
        frozenset({other.public.kid}),
    )
    assert not keys_live(hall.member(FRAME).state)
    hall.wait(days=30)
    assert [body.rule for body in hall.tick()] == ["keys-lapsed"]
    assert state(hall, FRAME) == "lapsed"
    refused(hall, "key-unknown", hall.append, hall.signed(hall.proving(FRAME), other, other.public.jwk()))
    # It may apply again at once; the key that it proved is used up.
    again = hall.admission("b").model_copy(update={"keys": [one.public.kid]})
    refused(hall, "key-in-use", hall.decide, "member.admit", FRAME, again)
    copied(hall).decide("member.admit", FRAME, again.model_copy(update={"keys": [other.public.kid]}))
    hall.admit(FRAME, "b", keys=2)
    assert (state(hall, FRAME), hall.member(FRAME).awaiting) == ("provisional", frozenset())
    assert hall.member(FRAME).keys[one.public.kid].revoked_at is not None


def test_a_rejected_applicant_waits_or_appeals() -> None:
    hall = early()
    hall.decide("member.admit", FRAME, hall.admission("b"), choices=TWO_AGAINST)
    assert FRAME not in hall.state.members
    rejected = hall.now
    refused(hall, "transition-forbidden", hall.decide, "member.admit", FRAME, hall.admission("b"))
    appealed = copied(hall)
    hall.now = rejected + 180 * DAY
    hall.admit(FRAME, "b")
    assert (state(hall, FRAME), hall.state.refused) == ("provisional", {})
    of = max(appealed.state.decisions)
    appealed.decide("appeal.uphold", f"decision:{of}", Appeal(of=of, filed_at=appealed.now))
    assert appealed.state.refused == {}
    appealed.admit(FRAME, "b")


def sister(hall: Hall) -> None:
    """A third owner comes in, so that another organisation of the first one can."""
    third = "https://third.example"
    hall.admit(third, "d", sponsors=[PIXEL, FRAME])
    hall.wait(days=90)
    hall.tick()
    hall.admit("https://sister.example", "a", sponsors=[FRAME, third])


def test_sponsors_once_the_hub_is_founded() -> None:
    hall = grown()
    sister(hall)
    for sponsors, code in (
        ([], "sponsors-missing"),
        ([PIXEL], "sponsors-missing"),
        ([PIXEL, PIXEL], "sponsors-related"),
        ([PIXEL, NOVA], "sponsors-ineligible"),
        ([PIXEL, "https://sister.example"], "sponsors-ineligible"),
    ):
        refused(hall, code, hall.decide, "member.admit", NOVA, hall.admission("c", sponsors=sponsors))
    hall.admit(NOVA, "c", sponsors=[PIXEL, FRAME])
    assert hall.member(NOVA).sponsors == (PIXEL, FRAME)


def test_another_organisation_of_one_owner_waits_for_a_third() -> None:
    hall = grown()
    for sponsors, code in (
        ([PIXEL, FRAME], "sponsors-ineligible"),
        ([FRAME], "sponsors-missing"),
        # With one owner beside its own it waits: this is not as if the hub were being founded.
        ([], "sponsors-missing"),
    ):
        refused(hall, code, hall.decide, "member.admit", NOVA, hall.admission("a", sponsors=sponsors))


def test_sponsors_of_one_owner() -> None:
    hall = grown()
    sister(hall)
    hall.wait(days=90)
    hall.tick()
    said = hall.admission("c", sponsors=[PIXEL, "https://sister.example"])
    refused(hall, "sponsors-related", hall.decide, "member.admit", NOVA, said)


def test_while_founding_provisional_members_sponsor() -> None:
    hall = early()
    assert hall.state.may_sponsor(group("b")) == []
    refused(
        hall, "sponsors-missing", hall.decide, "member.admit", FRAME, hall.admission("b", sponsors=[PIXEL])
    )
    hall.admit(FRAME, "b")
    assert {member.issuer for member in hall.state.may_sponsor(group("c"))} == {PIXEL, FRAME}
    hall.admit(NOVA, "c", sponsors=[PIXEL, FRAME])
    hall.wait(days=89)
    hall.decide("member.activate", PIXEL)
    hall.decide("member.activate", FRAME)
    # Two active ones: from now on they alone.
    assert {member.issuer for member in hall.state.may_sponsor(group("d"))} == {PIXEL, FRAME}
    said = hall.admission("d", sponsors=[PIXEL, NOVA])
    refused(hall, "sponsors-ineligible", hall.decide, "member.admit", "https://d.example", said)


def test_a_sponsor_is_recused_for_two_years() -> None:
    hall = grown()
    # Give the organisation of seat 2 an active membership, and let it sponsor.
    seat = hall.state.roster.seats[1]
    sent = str(seat.issuer)
    hall.admit(sent, "t", control_group=seat.control_group, sponsors=[PIXEL, FRAME])
    hall.wait(days=90)
    hall.tick()
    sponsored = hall.admission("c", sponsors=[PIXEL, sent])
    decision = hall.decision("member.admit", NOVA, sponsored)
    assert [(found.seat, found.reason) for found in decision.recused] == [("s2", "sponsor")]
    hall.append(hall.body(decision, hall.votes(decision)))
    key = hall.made[0]
    hall.append(hall.signed(hall.proving(NOVA), key, key.public.jwk()))
    assert [found.seat for found in hall.decision("member.object", NOVA).recused] == ["s2"]
    # Its sister organisation's seat as well; nobody's for another member.
    assert hall.decision("member.object", PIXEL).recused == []
    hall.wait(days=730)
    assert hall.decision("member.object", NOVA).recused == []
    assert [found.reason for found in hall.decision("member.object", sent).recused] == ["control_group"]


def test_the_yearly_attestation() -> None:
    hall = grown()
    hall.wait(days=250)
    for issuer in (PIXEL, FRAME):
        hall.rotate(issuer)
    refused(hall, "claim-invalid", hall.act, PIXEL, "attest", year=2026)
    hall.act(PIXEL, "attest", year=2027)
    assert (state(hall), hall.member(PIXEL).attested_at) == ("active", hall.now)
    hall.wait(days=145)
    assert [(body.rule, body.issuer) for body in hall.tick()] == [("attestation-missed", FRAME)]
    assert (state(hall, FRAME), state(hall, PIXEL)) == ("restricted", "active")
    hall.wait(days=1)
    hall.act(FRAME, "attest", year=2028)
    assert (state(hall, FRAME), hall.member(FRAME).attested_at) == ("active", hall.now)


def test_keys_change_hands_by_the_member_alone() -> None:
    hall = grown()
    old, new = hall.keys[PIXEL][0], Chair().key
    hall.append(hall.signed(hall.adding(PIXEL, new), old))
    hall.append(hall.signed(hall.said(PIXEL, "key-revoke", kid=old.public.kid), new))
    keys = hall.member(PIXEL).keys
    assert (keys[old.public.kid].revoked_at, keys[new.public.kid].revoked_at) == (hall.now, None)
    refused(
        hall, "key-unknown", hall.append, hall.signed(hall.said(PIXEL, "key-revoke", kid=old.public.kid), new)
    )


def test_a_member_that_lost_its_keys_proves_new_ones() -> None:
    hall = grown()
    lost, found = hall.keys[PIXEL][0], Chair().key
    hall.decide("key.revoke", PIXEL, RevokeKey(kid=lost.public.kid))
    for kid in (lost.public.kid, found.public.kid):
        refused(hall, "key-unknown", hall.decide, "key.revoke", PIXEL, RevokeKey(kid=kid))
    refused(hall, "key-in-use", hall.decide, "key.enrol", PIXEL, EnrolKeys(keys=[lost.public.kid]))
    refused(hall, "key-in-use", hall.decide, "key.enrol", PIXEL, EnrolKeys(keys=[found.public.kid] * 2))
    hall.decide("key.enrol", PIXEL, EnrolKeys(keys=[found.public.kid]))
    hall.append(hall.signed(hall.proving(PIXEL), found, found.public.jwk()))
    member = hall.member(PIXEL)
    assert (member.state, member.awaiting, member.keys[found.public.kid].revoked_at) == (
        "active",
        frozenset(),
        None,
    )


def test_communities_are_granted_and_taken() -> None:
    hall = grown()
    hall.decide("community.open", "ncii")
    for read, write in ((True, False), (False, True), (False, False)):
        hall.decide("community.grant", PIXEL, Grant(community="ncii", read=read, write=write))
        expected = {COMMUNITY: (True, True)} | ({"ncii": (read, write)} if read or write else {})
        assert hall.member(PIXEL).communities == expected
    unknown = Grant(community="nowhere", read=True, write=True)
    refused(hall, "community-unknown", hall.decide, "community.grant", PIXEL, unknown)
    twice = [Grant(community=COMMUNITY, read=True, write=True)] * 2
    for grants in (twice, [unknown]):
        said = hall.admission("c", sponsors=[PIXEL, FRAME], communities=grants)
        refused(hall, "community-unknown", hall.decide, "member.admit", NOVA, said)


def test_a_member_is_admitted_once() -> None:
    hall = grown()
    refused(hall, "conflict", hall.decide, "member.admit", PIXEL, hall.admission("a"))
