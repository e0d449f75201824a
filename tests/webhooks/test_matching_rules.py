"""Whom a message is for, pure: what a member may be told in its state, and what an endpoint asked for."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.webhooks.rules import (
    Audience,
    Filter,
    Notice,
    Reader,
    addressed,
    asked_for,
    may_be_shown,
    may_be_told,
    missed,
    reads_freely,
)
from tocsin_schemas.membership import EFFECTS
from tocsin_schemas.notifications import (
    CORRECTIONS,
    ENDPOINT_EVENTS,
    ESCALATIONS,
    EVENT_TYPES,
    SEVERITY,
    EventType,
)
from tocsin_schemas.vocabulary import MemberState

COMMUNITY, OTHER = 1, 2
MEMBER, STRANGER = 10, 11
ALL = Filter(frozenset(), frozenset(), frozenset(), "info")
STATES = tuple(EFFECTS)


def reader(state: MemberState = "active", *reads: int, member_class: str = "platform") -> Reader:
    return Reader(MEMBER, member_class, state, frozenset(reads or (COMMUNITY,)))  # type: ignore[arg-type]  # a class


def notice(
    kind: EventType = "signal.recorded",
    community: int | None = COMMUNITY,
    *labels: str,
    audience: Audience = "any",
    only: int | None = None,
) -> Notice:
    return Notice(kind, SEVERITY[kind], audience, community, only, frozenset(labels))


@pytest.mark.parametrize(("state", "kind"), list(itertools.product(STATES, EVENT_TYPES)))
def test_each_state_is_told_what_the_table_of_states_says(state: MemberState, kind: EventType) -> None:
    told = {
        "all": True,
        "no_escalations": kind not in ESCALATIONS,
        "corrections": kind in CORRECTIONS,
        "none": False,
    }[EFFECTS[state].webhooks]
    assert may_be_told(reader(state), notice(kind)) is told
    assert may_be_told(reader(state), notice(kind, OTHER)) is False


@pytest.mark.parametrize("state", STATES)
def test_what_concerns_one_member_goes_to_no_other(state: MemberState) -> None:
    hears = EFFECTS[state].webhooks != "none"
    assert may_be_told(reader(state), notice("endpoint.disabled", None, only=MEMBER)) is hears
    assert may_be_told(reader(state), notice("endpoint.disabled", None, only=STRANGER)) is False


def test_what_the_board_does_is_for_everybody_and_what_members_say_is_not_for_observers() -> None:
    observer = reader("active", COMMUNITY, member_class="observer")
    assert may_be_told(observer, notice("decision.recorded", None))
    assert not may_be_told(observer, notice())
    assert may_be_told(reader("active", COMMUNITY, member_class="partner"), notice())


@pytest.mark.parametrize("audience", ["any", "full", "free"])
def test_each_reader_gets_the_message_that_is_made_for_such_readers(audience: Audience) -> None:
    full, free = reader("active"), reader("provisional")
    assert (reads_freely(full), reads_freely(free)) == (False, True)
    said = notice(audience=audience)
    assert addressed(full, ALL, said) is (audience != "free")
    assert addressed(free, ALL, said) is (audience != "full")
    # Later on, what travels freely may go to anybody; what does not, only to whom it may be told then.
    assert may_be_told(full, said)
    assert may_be_told(free, said) is (audience != "full")


@pytest.mark.parametrize("state", STATES)
def test_signals_are_shown_to_whoever_reads_them(state: MemberState) -> None:
    reads = EFFECTS[state].reads != "none"
    assert may_be_shown(reader(state)) is reads
    assert may_be_shown(reader(state, member_class="hotline")) is reads
    assert not may_be_shown(reader(state, member_class="partner"))
    assert not may_be_shown(reader(state, member_class="observer"))


def test_an_empty_filter_lets_everything_pass() -> None:
    for kind, community in itertools.product(EVENT_TYPES, (None, COMMUNITY)):
        assert asked_for(ALL, notice(kind, community))


@pytest.mark.parametrize("kind", sorted(ENDPOINT_EVENTS))
def test_what_concerns_endpoints_passes_every_filter(kind: EventType) -> None:
    none = Filter(frozenset({"key.revoked"}), frozenset({OTHER}), frozenset({"x"}), "urgent")
    assert asked_for(none, notice(kind, None))


@pytest.mark.parametrize(
    ("wanted", "said", "passes"),
    [
        (ALL._replace(types=frozenset({"signal.recorded"})), notice(), True),
        (ALL._replace(types=frozenset({"signal.expired"})), notice(), False),
        (ALL._replace(severity="notice"), notice(), False),
        (ALL._replace(severity="notice"), notice("indicator.disputed"), True),
        (ALL._replace(severity="notice"), notice("indicator.corroborated"), True),
        (ALL._replace(severity="urgent"), notice("indicator.disputed"), False),
        (ALL._replace(communities=frozenset({COMMUNITY})), notice(), True),
        (ALL._replace(communities=frozenset({OTHER})), notice(), False),
        (ALL._replace(communities=frozenset({OTHER})), notice("decision.recorded", None), True),
        (ALL._replace(labels=frozenset({"a", "b"})), notice("signal.recorded", COMMUNITY, "b", "c"), True),
        (ALL._replace(labels=frozenset({"a"})), notice("signal.recorded", COMMUNITY, "b"), False),
        (ALL._replace(labels=frozenset({"a"})), notice(), False),
        (ALL._replace(labels=frozenset({"a"})), notice("decision.recorded", None), True),
    ],
)
def test_each_filter_lets_pass_what_it_says(wanted: Filter, said: Notice, passes: bool) -> None:
    assert asked_for(wanted, said) is passes


_SOME = st.frozensets(st.sampled_from(["a", "b", "c"]))
_FILTERS = st.builds(
    Filter,
    st.frozensets(st.sampled_from(EVENT_TYPES)),
    st.frozensets(st.sampled_from([COMMUNITY, OTHER])),
    _SOME,
    st.sampled_from(["info", "notice", "urgent"]),
)
_NOTICES = st.builds(
    lambda kind, community, labels: Notice(kind, SEVERITY[kind], "any", community, None, labels),
    st.sampled_from(EVENT_TYPES),
    st.sampled_from([None, COMMUNITY, OTHER]),
    _SOME,
)


@given(_FILTERS, _NOTICES)
def test_filters_narrow_each_other_and_never_widen(wanted: Filter, said: Notice) -> None:
    each = [asked_for(ALL._replace(**{name: value}), said) for name, value in wanted._asdict().items()]
    assert asked_for(wanted, said) is all(each)


@pytest.mark.parametrize(("state", "kind"), list(itertools.product(STATES, EVENT_TYPES)))
def test_what_a_suspended_member_is_not_told_it_misses(state: MemberState, kind: EventType) -> None:
    said = notice(kind)
    suspended = state in {"suspended", "emergency_suspended"}
    assert missed(reader(state), ALL, said) is (suspended and not addressed(reader(state), ALL, said))
    assert not missed(reader(state), ALL, notice(kind, OTHER)), "nor could it read that"
    assert not missed(reader(state), ALL._replace(types=frozenset({"key.revoked"})), notice("key.rotating"))
