"""Replaying a chain: the board itself: rosters, panels, vacant seats, policy, and what fails."""

from typing import Any

import pytest

from tests.schemas.boards import (
    FRAME,
    HUB,
    NOVA,
    PIXEL,
    START,
    TWO_AGAINST,
    Hall,
    copied,
    early,
    group,
    grown,
    refused,
)
from tocsin_schemas import chain
from tocsin_schemas.ballots import Verifier
from tocsin_schemas.decisions import (
    Admit,
    Agreement,
    Peer,
    SetPolicy,
    SetRoster,
)
from tocsin_schemas.member_effects import Case
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused


def test_a_new_roster_is_carried_by_both() -> None:
    hall = grown()
    new = Hall()
    # Three of five seats change hands: the old board agrees, the new one does not know of it.
    roster = hall.roster(2).model_copy(
        update={"seats": [*hall.state.roster.seats[:2], *(new.state.roster.seats[2:])]}
    )
    decision = hall.decision("roster.set", "roster", SetRoster(roster=roster))
    old = hall.votes(decision)
    hall.wait(days=7)
    # Both rosters together have eight people; five old votes are two thirds of one roster alone.
    failed = copied(hall)
    failed.append(failed.body(decision, old))
    assert failed.state.roster.version == 1
    assert failed.state.decisions[max(failed.state.decisions)].result == "inquorate"
    joined = [new.chairs[name].vote(decision, name, "yes", decision.issued_at) for name in ("s3", "s4")]
    hall.append(hall.body(decision, [*old, *joined]))
    assert hall.state.roster == roster
    assert hall.state.decisions[max(hall.state.decisions)].voted == {f"person-s{n}" for n in range(1, 6)}
    # The new board decides now.
    hall.chairs |= {name: new.chairs[name] for name in ("s3", "s4", "s5")}
    hall.decide("community.open", "ncii")


def test_a_roster_keeps_its_hub_and_seats_only_active_members() -> None:
    hall = grown()
    hall.admit(NOVA, "c", sponsors=[PIXEL, FRAME])
    base = hall.roster(2)

    def seated(issuer: str, name: str) -> Any:
        seats = list(base.seats)
        seats[3] = seats[3].model_copy(update={"issuer": issuer, "control_group": group(name)})
        return base.model_copy(update={"seats": seats})

    for roster in (
        base.model_copy(update={"origin": "https://other.hub.example"}),
        seated(NOVA, "c"),
        base.model_copy(update={"version": 3}),
        base.model_copy(update={"rp_id": "example"}),
        # The owner that a member was admitted with is the seat's.
        seated(PIXEL, "z"),
    ):
        refused(hall, "roster-invalid", hall.decide, "roster.set", "roster", SetRoster(roster=roster))
    hall.decide("roster.set", "roster", SetRoster(roster=seated(PIXEL, "a")))


def test_a_seat_is_vacant_after_its_term() -> None:
    hall = early()
    seats = list(hall.state.roster.seats)
    seats[4] = seats[4].model_copy(update={"term_ends": "2026-11-23"})
    roster = hall.roster(2).model_copy(update={"seats": seats})
    hall.decide("roster.set", "roster", SetRoster(roster=roster))
    hall.decide("community.open", "one")
    hall.wait(days=1)
    decision = hall.decision("community.open", "two")
    refused(hall, "ballot-seat-unknown", hall.append, hall.body(decision, hall.votes(decision)))
    hall.append(hall.body(decision, hall.votes(decision)[:4]))
    # For the next roster it still has its say.
    hall.decide("roster.set", "roster", SetRoster(roster=roster.model_copy(update={"version": 3})))


def test_a_shorter_vote_by_policy_does_not_cut_what_is_open() -> None:
    hall = early()
    open_before = hall.decision("community.open", "one")
    hall.decide("policy.set", "policy", SetPolicy(policy=Policy(version=2, voting=DAY)))
    open_after = hall.decision("community.open", "two")
    assert (open_before.expires_at, open_after.expires_at) == (START + 7 * DAY, START + DAY)
    hall.append(hall.body(open_before, hall.votes(open_before)))
    hall.append(hall.body(open_after, hall.votes(open_after)))


def test_peers_and_agreements() -> None:
    hall = early()
    hall.decide("peering.set", "https://peer.example", Peer(terms="5e" * 32))
    assert hall.state.peerings == {"https://peer.example": "5e" * 32}
    hall.decide("agreement.record", "agreement", Agreement(list="iwf", terms="aa" * 32))
    assert hall.state.agreements == {"iwf": "aa" * 32}
    assert (hall.state.policy.version, hall.state.policy.agreements) == (2, frozenset({"iwf"}))
    without = SetPolicy(policy=Policy(version=3))
    hall.decide("policy.set", "policy", without)
    assert hall.state.policy == without.policy


def test_a_person_is_found_by_handle() -> None:
    hall = early()
    for name in ("s4", "p2"):
        handle = f"person-{name}" if name == "s4" else f"panel-{name}"
        seat = hall.state.seat_of(handle)
        assert seat is not None
        assert seat.seat == name
    assert hall.state.seat_of("nobody") is None
    assert hall.state.hub == HUB


def test_a_decision_that_fails_leaves_everything() -> None:
    hall = grown()
    before = hall.state
    hall.decide("community.open", "ncii", choices=TWO_AGAINST)
    hall.decide("community.open", "ncii", choices={"s2": "yes"})
    after = hall.state
    assert [outcome.result for outcome in after.decisions.values()][-2:] == ["fails", "inquorate"]
    for name in ("members", "communities", "policy", "roster", "peerings", "refused"):
        assert getattr(after, name) == getattr(before, name)


def test_the_verifier_is_any_that_verifies() -> None:
    class Never:
        def assertion(self, *said: Any) -> None:
            raise Refused("ballot-unverified-user", "ballot", "nobody was verified")

    never: Verifier = Never()
    hall = grown()
    with pytest.raises(Refused) as found:
        chain.replay(hall.records, never)
    assert found.value.code == "ballot-unverified-user"


def test_case_reads_only_its_own_params() -> None:
    hall = early()
    case = Case(hall.state, hall.decision("member.object", PIXEL), 1, START)
    with pytest.raises(TypeError):
        case.said(Admit)
