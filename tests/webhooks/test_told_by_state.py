"""What a member is sent in each state that it can be in, and what others are told of what it says (trust.md §1)."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.signals.material import DISPUTE, RETRACTION, Voice, md5, report
from tests.support.hub import Hub
from tests.support.states import put
from tests.webhooks.hearing import Ear, Hear, deliver, ears
from tocsin_schemas.notifications import EventNotification
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import Report
from tocsin_schemas.vocabulary import MemberState

_NUMBERS = count(1)


@pytest.fixture
def community() -> str:
    """A community of its own for each test: what others say is told to others."""
    return f"states{next(_NUMBERS)}"


@pytest.fixture
def hear(calling_hub: Hub) -> Iterator[Hear]:
    calling_hub.clock.advance(1)
    with ears(calling_hub) as found:
        yield found


def member(hub: Hub, community: str, rights: str = "rw", **wanted: str) -> Voice:
    return Voice(hub, f"state{next(_NUMBERS)}", communities={community: rights}, **wanted)


def green(until: int) -> Report:
    return report(until).model_copy(update={"tlp": "green"})


def events(ear: Ear, kind: str) -> list[EventNotification]:
    return [one for one in ear.told(kind) if isinstance(one, EventNotification)]


def test_a_provisional_member_is_told_what_travels_freely_and_no_escalations(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    pixel, frame, newcomer = (member(hub, community) for _ in range(3))
    ear, full = hear(newcomer), hear(newcomer, detail="full")
    put(hub, newcomer.issuer, "provisional")
    until = hub.clock() + 90 * DAY
    for voice in (pixel, frame):
        voice.say(report(until), md5(20), community=community)
        hub.clock.advance(1)
    # One of each in one batch: of the two, one may travel freely.
    mixed = pixel.batch(
        [
            pixel.sign(report(until), md5(21), community=community),
            pixel.sign(green(until), md5(22), community=community),
        ]
    )
    frame.say(green(until), md5(22), community=community)
    deliver(hub)
    assert ear.types() == ["signal.recorded", "signal.recorded"]
    assert [one.data.count for one in events(ear, "signal.recorded")] == [1, 1]
    shown = [record["seq"] for one in full.raw for record in one["data"]["records"]]
    assert mixed[1]["seq"] in shown
    assert mixed[0]["seq"] not in shown


def test_what_a_provisional_member_says_is_told_once_it_is_released(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    pixel, newcomer, reader = (member(hub, community) for _ in range(3))
    ear = hear(reader)
    put(hub, newcomer.issuer, "provisional")
    newcomer.say(report(hub.clock() + 90 * DAY), md5(30), community=community)
    deliver(hub)
    assert ear.raw == []
    pixel.say(report(hub.clock() + 90 * DAY), md5(30), community=community)
    hub.run_job("signals.release")
    deliver(hub)
    rules = [one["data"].get("rule") for one in ear.raw]
    assert sorted(rules, key=str) == [None, "released/v1"]
    (released,) = [one for one in ear.raw if one["data"].get("rule")]
    assert released["data"]["labels"] == ["test@1:benign_a"]
    put(hub, newcomer.issuer, "active")


@pytest.mark.parametrize(
    ("state", "types"),
    [
        (
            "active",
            [
                "indicator.corroborated",
                "signal.recorded",
                "signal.recorded",
                "signal.recorded",
                "signal.retracted",
            ],
        ),
        (
            "restricted",
            [
                "indicator.corroborated",
                "signal.recorded",
                "signal.recorded",
                "signal.recorded",
                "signal.retracted",
            ],
        ),
        ("suspended", ["signal.retracted"]),
        ("withdrawn", ["signal.retracted"]),
        ("expelled", ["signal.retracted"]),
        ("emergency_suspended", []),
    ],
)
def test_a_members_state_decides_what_it_is_sent_even_of_what_was_queued_before(
    calling_hub: Hub, hear: Hear, community: str, state: MemberState, types: list[str]
) -> None:
    hub = calling_hub
    pixel, frame, reader = (member(hub, community) for _ in range(3))
    ear = hear(reader)
    until = hub.clock() + 90 * DAY
    receipts = []
    for voice in (pixel, frame):
        receipts.append(voice.say(report(until), md5(40), community=community))
        hub.clock.advance(1)
    pixel.say(RETRACTION, bytes.fromhex(receipts[0]["statement"]), community=community)
    # Queued while it was active, sent in the state that it is in then.
    hub.run_job("webhooks.fanout")
    put(hub, reader.issuer, state)
    hub.run_job("delivery.send")
    assert ear.types() == types


def test_a_suspended_member_is_told_of_a_dispute_and_not_shown_it(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    author, one, two, reader, other = (member(hub, community) for _ in range(5))
    full, control = hear(reader, detail="full"), hear(other, detail="full")
    author.say(report(hub.clock() + 90 * DAY), md5(45), community=community)
    deliver(hub)
    assert full.types() == ["signal.recorded"]
    put(hub, reader.issuer, "suspended")
    for voice in (one, two):
        voice.say(DISPUTE, md5(45), community=community)
    deliver(hub)
    _, said = full.raw
    assert said["type"] == "indicator.disputed"
    assert not {"records", "labels"} & said["data"].keys()
    assert all("records" in one["data"] for one in control.raw)


@pytest.mark.parametrize("state", ["suspended", "withdrawn", "expelled"])
def test_what_is_recorded_after_a_member_lost_its_rights_is_not_told_by_its_corrections(
    calling_hub: Hub, hear: Hear, community: str, state: MemberState
) -> None:
    hub = calling_hub
    author, one, two, reader = (member(hub, community) for _ in range(4))
    ear = hear(reader, detail="full")
    before = author.say(report(hub.clock() + 90 * DAY), md5(46), community=community)
    deliver(hub)
    put(hub, reader.issuer, state)
    after = author.say(report(hub.clock() + 90 * DAY), md5(47), community=community)
    for voice in (one, two):
        voice.say(DISPUTE, md5(47), community=community)
    for receipt in (after, before):
        author.say(RETRACTION, bytes.fromhex(receipt["statement"]), community=community)
    deliver(hub)
    _, said = ear.raw
    assert said["type"] == "signal.retracted"
    assert (said["data"]["first"], said["data"]["last"], said["data"]["count"]) == (before["seq"],) * 2 + (1,)
    assert "labels" not in said["data"]
