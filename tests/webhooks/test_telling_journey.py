"""From a signal to the right endpoints: who is told what, in what form, and what a member's state changes in it.

A real hub, the jobs it runs, and receivers on loopback that verify every request.
"""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.client.webserver import Answer
from tests.signals.material import DISPUTE, RETRACTION, SIGHTING, Voice, md5, pdq, report
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tests.webhooks.hearing import ENDPOINTS, Ear, Hear, deliver, ears
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.notifications import EventNotification
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import Report, parse

_NUMBERS = count(1)


@pytest.fixture
def community() -> str:
    """A community of its own for each test: what others say is told to others."""
    return f"journey{next(_NUMBERS)}"


@pytest.fixture
def hear(calling_hub: Hub) -> Iterator[Hear]:
    calling_hub.clock.advance(1)
    with ears(calling_hub) as found:
        yield found


def member(hub: Hub, community: str, rights: str = "rw", **wanted: str) -> Voice:
    return Voice(hub, f"voice{next(_NUMBERS)}", communities={community: rights}, **wanted)


def green(until: int) -> Report:
    return report(until).model_copy(update={"tlp": "green"})


def events(ear: Ear, kind: str) -> list[EventNotification]:
    return [one for one in ear.told(kind) if isinstance(one, EventNotification)]


def test_what_two_agree_on_arrives_at_the_right_endpoints_only(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    pixel, frame = member(hub, community), member(hub, community)
    reader, elsewhere = member(hub, community, "r"), member(hub, f"{community}-other")
    thin, full = hear(reader), hear(reader, detail="full", severity="urgent")
    by_type = hear(reader, types=["indicator.corroborated"])
    by_label = hear(reader, labels=["ncii@1:intimate_image"])
    by_community = hear(reader, communities=[community])
    other, author = hear(elsewhere), hear(pixel)
    blind = hear(member(hub, community, "w"))
    partner = hear(member(hub, community, "r", member_class="partner"))
    observer = hear(member(hub, community, "r", member_class="observer"))
    until = hub.clock() + 90 * DAY
    first = pixel.say(report(until), md5(1), community=community)
    hub.clock.advance(60)
    second = frame.say(report(until), md5(1), community=community)
    deliver(hub)
    both = ["indicator.corroborated", "signal.recorded", "signal.recorded"]
    assert thin.types() == by_community.types() == author.types() == partner.types() == both
    assert full.types() == by_type.types() == both[:1]
    assert by_label.types() == other.types() == blind.types() == observer.types() == []
    (said,) = [one for one in thin.raw if one["type"] == "indicator.corroborated"]
    data = said["data"]
    assert said["timestamp"] == second["recorded_at"]
    assert {name: data[name] for name in ("subject", "community", "first", "last", "count", "cursor")} == {
        "subject": f"community:{community}:urgent",
        "community": community,
        "first": second["seq"],
        "last": second["seq"],
        "count": 1,
        "cursor": second["seq"],
    }
    assert (data["status"], data["rule"]) == ("human_confirmed", "human-confirmed/v1")
    assert (data["labels"], data["policy_version"]) == (["test@1:benign_a"], 1)
    assert data["expires_at"] == second["expires_at"]
    link = data["link"].removeprefix(hub.issuer)
    assert frame.get(link).status_code == 200
    # What is urgent overtakes the rest, and is numbered apart from it.
    assert sorted(one["data"]["seq"] for one in thin.raw) == [1, 1, 2]
    assert "records" not in data
    # A thin body names nothing: no indicator, no author.
    assert str(md5(1)) not in str(thin.raw)
    assert pixel.issuer not in str(thin.raw)
    (same,) = [one for one in partner.raw if one["type"] == "indicator.corroborated"]
    assert same == said
    (whole,) = full.raw
    (record,) = whole["data"]["records"]
    (fed,) = [line for line in reader.feed(community) if line["seq"] == second["seq"]]
    assert record == fed
    assert parse(payload_of(record["jws"].encode())).indicators == (md5(1),)
    assert whole["data"]["seq"] == 1
    assert first["seq"] < second["seq"]
    check_hub(hub.database)


def test_a_full_body_counts_as_shown_and_a_thin_one_does_not(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    author, thin, full = (member(hub, community) for _ in range(3))
    hear(thin)
    hear(full, detail="full")
    until = hub.clock() + 90 * DAY
    author.say(report(until), md5(2), community=community)
    deliver(hub)
    # Whoever was sent the indicator has seen it: what it reports now is a sighting, and corroborates nothing.
    assert full.say(report(until), md5(2), community=community)["status"] == "candidate"
    assert thin.say(report(until), md5(2), community=community)["status"] == "human_confirmed"


def test_what_was_withdrawn_meanwhile_is_not_in_a_full_body(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    author, reader = member(hub, community), member(hub, community, "r")
    full = hear(reader, detail="full", types=["signal.recorded"])
    kept = author.say(report(hub.clock() + 90 * DAY), md5(3), community=community)
    gone = author.say(report(hub.clock() + 90 * DAY), md5(4), community=community)
    hub.run_job("webhooks.fanout")
    author.say(RETRACTION, bytes.fromhex(gone["statement"]), community=community)
    hub.run_job("delivery.send")
    records = {one["data"]["first"]: one["data"].get("records") for one in full.raw}
    assert [record["seq"] for record in records[kept["seq"]]] == [kept["seq"]]
    assert records[gone["seq"]] is None


def test_a_full_body_shows_only_what_carries_a_label_asked_for(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    author, reader = member(hub, community), member(hub, community, "r")
    ear = hear(reader, detail="full", labels=["test@1:benign_b"])
    until = hub.clock() + 90 * DAY
    other = report(until).model_copy(update={"labels": ["test@1:benign_b"]})
    answers = author.batch(
        [
            author.sign(report(until), md5(5), community=community),
            author.sign(other, md5(6), community=community),
        ]
    )
    author.say(SIGHTING, md5(5), community=community)
    deliver(hub)
    (said,) = ear.raw
    assert (said["data"]["count"], said["data"]["labels"]) == (2, ["test@1:benign_a", "test@1:benign_b"])
    assert [record["seq"] for record in said["data"]["records"]] == [answers[1]["seq"]]


def test_a_batch_too_large_for_a_body_is_told_thin(calling_hub: Hub, hear: Hear, community: str) -> None:
    hub = calling_hub
    author, reader = member(hub, community), member(hub, community, "r")
    ear = hear(reader, detail="full")
    until = hub.clock() + 90 * DAY
    author.batch([author.sign(report(until), md5(100 + n), community=community) for n in range(30)])
    deliver(hub)
    author.batch([author.sign(report(until), md5(200 + n), community=community) for n in range(22)])
    deliver(hub)
    assert [(one["data"]["count"], "records" in one["data"]) for one in ear.raw] == [(30, False), (22, False)]
    assert all(len(asked.body) < 1000 for asked in ear.receiver.asked)


def test_corrections_and_disputes_are_told_with_the_labels_of_what_they_concern(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    author, one, two, reader = (member(hub, community) for _ in range(4))
    ear = hear(reader, labels=["test@1:benign_a"])
    other = hear(reader, labels=["test@1:benign_b"])
    receipt = author.say(report(hub.clock() + 5 * DAY), md5(7), community=community)
    author.say(report(hub.clock() + 5 * DAY), md5(8), community=community)
    for voice in (one, two):
        voice.say(DISPUTE, md5(7), community=community)
    withdrawn = author.say(RETRACTION, bytes.fromhex(receipt["statement"]), community=community)
    hub.clock.advance(5 * DAY + 1)
    hub.run_job("signals.expire")
    deliver(hub)
    assert ear.types() == [
        "indicator.disputed",
        "signal.expired",
        "signal.recorded",
        "signal.recorded",
        "signal.retracted",
    ]
    assert other.raw == []
    (disputed,) = events(ear, "indicator.disputed")
    assert (disputed.data.status, disputed.data.rule) == ("disputed", "disputed/v1")
    (retracted,) = events(ear, "signal.retracted")
    assert (retracted.data.first, retracted.data.last) == (receipt["seq"], receipt["seq"])
    assert retracted.data.cursor == withdrawn["seq"]
    (expired,) = events(ear, "signal.expired")
    assert expired.data.first == receipt["seq"] + 1
    # Whoever pulls behind the cursor of one message knows everything of those before.
    numbered = [one for one in ear.told() if isinstance(one, EventNotification)]
    cursors = [one.data.cursor for one in sorted(numbered, key=lambda told: told.data.seq)]
    assert cursors == sorted(cursors, key=lambda cursor: cursor or 0)


def test_what_is_quarantined_is_told_to_nobody(calling_hub: Hub, hear: Hear, community: str) -> None:
    hub = calling_hub
    author, reader = member(hub, community), member(hub, community, "r")
    ear = hear(reader)
    receipt = author.say(report(hub.clock() + 5 * DAY, quality=10), pdq(128), community=community)
    author.say(RETRACTION, bytes.fromhex(receipt["statement"]), community=community)
    deliver(hub)
    # That something was taken back is told, as it is in the feed; of what, nothing.
    assert [(one["type"], one["data"]["count"]) for one in ear.raw] == [("signal.recorded", 1)]
    assert "labels" not in ear.raw[0]["data"]


def test_nothing_caused_before_an_endpoint_was_activated_is_for_it(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    author, reader = member(hub, community), member(hub, community, "r")
    author.say(report(hub.clock() + 90 * DAY), md5(50), community=community)
    ear = hear(reader)
    after = author.say(report(hub.clock() + 90 * DAY), md5(51), community=community)
    deliver(hub)
    assert [one["data"]["first"] for one in ear.raw] == [after["seq"]]


def test_a_right_that_is_taken_away_stops_what_waits(calling_hub: Hub, hear: Hear, community: str) -> None:
    hub = calling_hub
    author, reader = member(hub, community), member(hub, community, "r")
    ear = hear(reader)
    author.say(report(hub.clock() + 90 * DAY), md5(60), community=community)
    hub.run_job("webhooks.fanout")
    hub.members.grant(reader.issuer, community, may_read=False, may_write=False)
    hub.run_job("delivery.send")
    assert ear.raw == []
    hub.members.grant(reader.issuer, community, may_read=True, may_write=False)
    author.say(report(hub.clock() + 90 * DAY), md5(61), community=community)
    deliver(hub)
    # The number of what was not sent is missing: a receiver sees that there is something to fetch.
    assert [one["data"]["seq"] for one in ear.raw] == [2]


def test_410_disables_an_endpoint_and_the_members_others_are_told(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    author, reader, stranger = (member(hub, community) for _ in range(3))
    gone, other, others = hear(reader), hear(reader, types=["key.revoked"]), hear(stranger)
    gone.receiver.script = lambda _asked: Answer(410)
    author.say(report(hub.clock() + 90 * DAY), md5(70), community=community)
    author.say(report(hub.clock() + 90 * DAY), md5(71), community=community)
    deliver(hub)
    (told,) = other.raw
    assert (told["type"], told["data"]["subject"]) == ("endpoint.disabled", f"endpoint:{gone.id}")
    assert (told["data"]["reason"], told["data"]["seq"]) == ("gone", 1)
    assert others.types() == ["signal.recorded", "signal.recorded"]
    shown = hub.http.get(f"{ENDPOINTS}/{gone.id}", headers=reader.headers()).json()
    assert (shown["state"], shown["reason"]) == ("disabled", "gone")
    asked = len(gone.receiver.asked)
    author.say(report(hub.clock() + 90 * DAY), md5(72), community=community)
    deliver(hub)
    assert len(gone.receiver.asked) == asked


def test_five_days_of_nothing_but_failure_disable_an_endpoint(
    calling_hub: Hub, hear: Hear, community: str
) -> None:
    hub = calling_hub
    author, reader = member(hub, community), member(hub, community, "r")
    dead, other = hear(reader), hear(reader, types=["key.revoked"])
    dead.receiver.script = lambda _asked: Answer(500)
    for day in range(7):
        author.say(report(hub.clock() + 90 * DAY), md5(80 + day), community=community)
        deliver(hub)
        hub.clock.advance(DAY + DAY // 4)
    (told,) = other.raw
    assert told["data"]["reason"] == "failing"
    ids = dead.ids()
    assert len(set(ids)) < len(ids), "the same id on every try"


def test_what_the_operator_of_a_sandbox_does_is_told(calling_hub: Hub, hear: Hear, community: str) -> None:
    hub = calling_hub
    subject, reader = member(hub, community), member(hub, community, "r")
    ear = hear(reader)
    hub.members.suspend(subject.issuer)
    hub.members.revoke_key(subject.party.key.public.kid)
    deliver(hub)
    assert ear.types() == ["key.revoked", "member.state_changed"]
    (moved,) = events(ear, "member.state_changed")
    assert (moved.data.status, moved.data.first, moved.data.community) == ("suspended", None, community)
    assert subject.issuer not in str(ear.raw)
    link = moved.data.link
    assert link is not None
    assert reader.get(link.removeprefix(hub.issuer)).status_code == 200
