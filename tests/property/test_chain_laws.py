"""Random lives on a real chain: nobody becomes active without everything, and the records alone tell all of it.

The oracle knows nothing of `BoardState` but the states it went through: it counts provisional days, proofs, votes and
sponsors from the records by itself.
"""

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schemas.boards import COMMUNITY, START, VERIFY, Hall, copied
from tocsin_schemas import chain
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Admit, Sanction, Suspend
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.governance import DecisionBody, MemberBody, Record, parse_record, read_act, record_bytes
from tocsin_schemas.membership import State
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

MEMBERS = {f"https://m{n}.example": "abc"[n] for n in range(3)}
BY_BALLOT = (
    "member.admit",
    "member.object",
    "member.activate",
    "member.extend",
    "member.refuse",
    "member.emergency_suspend",
    "member.suspend",
    "member.sanction",
    "member.reinstate",
    "member.expel",
)
BY_MEMBER = ("prove", "rotate", "attest", "withdraw", "key-revoke")

steps = st.tuples(
    st.sampled_from((*BY_BALLOT, *BY_MEMBER, "member.admit", "prove", "prove", "member.activate")),
    st.sampled_from(sorted(MEMBERS)),
    st.sampled_from((1, 1, 8, 31, 95, 200)),
    st.booleans(),
)
lives = st.lists(steps, min_size=6, max_size=18)
RESTED = ("active", "restricted", "suspended", "emergency_suspended")


class Life(NamedTuple):
    """What happened: the records, and what the states were after each."""

    records: list[Record]
    states: list[dict[str, State]]
    end: BoardState


_START = Hall(("independent", "platform", "vendor"), passkeys=0)
_START.decide("community.open", COMMUNITY)


def live(life: list[tuple[str, str, int, bool]]) -> Life:
    hall = copied(_START)
    for act, issuer, days, against in life:
        hall.wait(days=days)
        hall.tick()
        before, records = hall.state, len(hall.records)
        try:
            _do(hall, act, issuer, against)
        except (Refused, KeyError):
            assert hall.state is before
            assert len(hall.records) == records
    state, states = None, []
    for record in hall.records:
        state = chain.apply(state, record, VERIFY)
        states.append({issuer: member.state for issuer, member in state.members.items()})
    assert state == hall.state
    return Life(hall.records, states, hall.state)


def _do(hall: Hall, act: str, issuer: str, against: bool) -> None:
    if act in BY_BALLOT:
        params: Any = None
        if act == "member.admit":
            able = sorted(
                {m.control_group: m.issuer for m in hall.state.may_sponsor(group_of(issuer))}.values()
            )
            params = hall.admission(MEMBERS[issuer], sponsors=able[:2])
        if act == "member.suspend":
            params = Suspend(until=hall.now + 90 * DAY, noticed_at=hall.now - 8 * DAY)
        if act == "member.sanction":
            params = Sanction(noticed_at=hall.now - 8 * DAY)
        hall.decide(act, issuer, params, {"s1": "no", "s2": "no", "s3": "yes"} if against else None)
        if act == "member.admit" and issuer in hall.state.members:
            hall.keys[issuer] = list(hall.made)
    elif act == "prove":
        key = hall.keys[issuer][-1]
        hall.append(hall.signed(hall.proving(issuer), key, key.public.jwk()))
    elif act == "rotate":
        hall.rotate(issuer)
    elif act == "attest":
        hall.act(issuer, "attest", year=2026 + int((hall.now - START + 325 * DAY) // (365.25 * DAY)))
    elif act == "withdraw":
        hall.act(issuer, "withdraw")
    else:
        hall.act(issuer, "key-revoke", kid=hall.keys[issuer][0].public.kid)


def group_of(issuer: str) -> str:
    return f"cg_{MEMBERS[issuer] * 16}"


@given(lives)
@settings(max_examples=25, deadline=None)
def test_nobody_is_active_without_everything(life: list[tuple[str, str, int, bool]]) -> None:
    found = live(life)
    for issuer in MEMBERS:
        _check_life(issuer, found)


def _check_life(issuer: str, life: Life) -> None:
    admitted: Admit | None = None
    proven: set[str] = set()
    provisional = 0
    activated = False
    was = ""
    at = START
    for record, states in zip(life.records, life.states, strict=True):
        now = states.get(issuer, "")
        if was == "provisional":
            provisional += record.at - at
        at = record.at
        body = record.body
        if isinstance(body, MemberBody) and body.key is not None:
            act = read_act(payload_of(body.jws.encode()))
            if act.iss == issuer:
                proven.add(body.key["kid"])
        if isinstance(body, DecisionBody) and body.result == "passes" and body.decision.subject == issuer:
            if isinstance(body.decision.params, Admit):
                admitted, proven, provisional, activated = body.decision.params, set(), 0, False
            elif body.decision.threshold != "duty":
                assert len(body.ballots) >= (1 if body.decision.threshold == "single" else 3)
        if now == "active" and was not in RESTED:
            assert admitted is not None, "nobody was admitted"
            assert set(admitted.keys) <= proven, "a key was not proved"
            assert provisional >= 30 * DAY, "thirty provisional days"
            assert admitted.vetting
            assert len(admitted.sponsors) in {0, 2}
            activated = True
        if now == "active":
            assert activated, "active again, and never was"
        if now == "expelled" and was != "expelled":
            assert was == "suspended"
        was = now


@given(lives)
@settings(max_examples=8, deadline=None)
def test_sponsors_are_two_and_unrelated_once_two_could_be(life: list[tuple[str, str, int, bool]]) -> None:
    found = live(life)
    groups = {issuer: group_of(issuer) for issuer in MEMBERS}
    before: dict[str, State] = {}
    founded = False
    for record, states in zip(found.records, found.states, strict=True):
        body = record.body
        if (
            isinstance(body, DecisionBody)
            and isinstance(body.decision.params, Admit)
            and body.result == "passes"
        ):
            said, applicant = body.decision.params, body.decision.subject
            able = {"active"} if founded else {"active", "provisional"}
            could = {groups[issuer] for issuer, state in before.items() if state in able}
            assert (len(said.sponsors) == 2) == (founded or len(could) >= 2)
            assert len({groups[sponsor] for sponsor in said.sponsors} - {groups[applicant]}) == len(
                said.sponsors
            )
            assert all(before[sponsor] in able for sponsor in said.sponsors)
        before = states
        founded = founded or len({groups[issuer] for issuer, now in states.items() if now == "active"}) >= 2


@given(lives, st.data())
@settings(max_examples=8, deadline=None)
def test_the_records_alone_tell_all_of_it(
    life: list[tuple[str, str, int, bool]], data: st.DataObject
) -> None:
    found = live(life)
    published = [record_bytes(record) for record in found.records]
    read = [parse_record(raw) for raw in published]
    assert chain.replay(read, VERIFY, found.end.genesis) == found.end
    place = data.draw(st.integers(0, len(read) - 2))
    without = [*read[:place], *read[place + 1 :]]
    swapped = [*read[:place], read[place + 1], read[place], *read[place + 2 :]]
    twice = [*read[: place + 1], read[place], *read[place + 1 :]]
    for wrong in (without, swapped, twice):
        with pytest.raises(Refused) as refused:
            chain.replay(wrong, VERIFY, found.end.genesis)
        assert refused.value.code in {"genesis-missing", "record-skipped", "record-repeated"}


@given(lives, st.integers(0, 500))
@settings(max_examples=8, deadline=None)
def test_what_is_due_is_recorded_and_then_due_no_more(
    life: list[tuple[str, str, int, bool]], days: int
) -> None:
    end = live(life).end
    now = end.at + days * DAY
    for body in end.due(now):
        assert body not in end.due(end.at) or days == 0
    hall = copied(_START)
    hall.state, hall.now = end, now
    due = hall.tick()
    again = hall.state.due(now)
    # What ends one time may begin another that is over as well; in three rounds nothing is left.
    for _ in range(3):
        again = again and hall.tick() and hall.state.due(now)
    assert again == [], (due, again)


def test_the_lives_are_worth_living() -> None:
    """One that goes all the way, so that the laws above are about something."""
    first, second, third = sorted(MEMBERS)
    found = live(
        [
            ("member.admit", first, 1, False),
            ("prove", first, 1, False),
            ("member.admit", second, 1, False),
            ("prove", second, 1, False),
            ("member.admit", third, 95, False),
            ("prove", third, 1, False),
            ("member.activate", third, 31, False),
            ("member.emergency_suspend", third, 1, False),
            ("member.suspend", third, 1, False),
            ("member.expel", third, 1, False),
        ]
    )
    seen = [states.get(third, "") for states in found.states]
    order = ["approved_pending_keys", "provisional", "active", "emergency_suspended", "suspended", "expelled"]
    assert list(dict.fromkeys(state for state in seen if state)) == order
    assert found.end.members[third].sponsors == (first, second)
