"""Who counts as agreeing: not a brand of the same owner, and not a member that repeats what the hub told it."""

from typing import Any

import pytest

from tests.signals.material import COMMUNITY, DISPUTE, RETRACTION, Voice, md5, pdq, report, sha256
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump
from tocsin_schemas.ledger import Entry
from tocsin_schemas.policy import DAY


def kind_of(receipt: dict) -> str:
    return Entry.decode(receipt["entry"].encode()).kind


def reports(hub: Hub, voice: Voice, about: object, **more: Any) -> dict:
    return voice.say(report(hub.clock() + DAY, **more), about)


def test_two_members_that_found_it_themselves_corroborate(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    assert reports(hub, pixel, md5(1), basis="human_reviewed")["status"] == "candidate"
    receipt = reports(hub, frame, md5(1), basis="user_report")
    assert (receipt["status"], kind_of(receipt)) == ("corroborated", "report")
    assert frame.view(md5(1)).json()["reporters"] == "2"


def test_whoever_pulled_it_before_has_seen_it_again(hub: Hub) -> None:
    pixel, frame, vendor = Voice(hub, "pixel"), Voice(hub, "frame"), Voice(hub, "vendor")
    reports(hub, pixel, md5(1))
    assert len(frame.feed()) == 1
    receipt = reports(hub, frame, md5(1))
    assert (receipt["status"], kind_of(receipt)) == ("candidate", "sighting")
    view = pixel.view(md5(1)).json()
    assert (view["status"], view["reporters"]) == ("candidate", "1")
    assert [s["kind"] for s in view["statements"]] == ["report", "sighting"]
    # A third member that never looked is independent of the first.
    assert reports(hub, vendor, md5(1))["status"] == "human_confirmed"
    check_hub(hub.database, hub.settings)


def test_a_page_that_ends_before_it_has_not_shown_it(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    for n in range(3):
        reports(hub, pixel, md5(n))
    assert [record["seq"] for record in frame.feed(limit=2)] == [0, 1]
    receipts = [reports(hub, frame, md5(n)) for n in range(3)]
    assert [kind_of(receipt) for receipt in receipts] == ["sighting", "sighting", "report"]


def test_a_pull_after_ones_own_report_changes_nothing(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    reports(hub, pixel, md5(1))
    reports(hub, frame, md5(1))
    frame.feed()
    assert frame.view(md5(1)).json()["status"] == "human_confirmed"


def test_whoever_looked_it_up_has_seen_it_again(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    reports(hub, pixel, [md5(1), sha256(1)])
    reports(hub, pixel, md5(2))
    assert frame.view(md5(1)).status_code == 200
    assert kind_of(reports(hub, frame, md5(1))) == "sighting"
    assert kind_of(reports(hub, frame, md5(2))) == "report"
    # What was shown was one hash of the thing; a report by both names is told by that one.
    vendor = Voice(hub, "vendor")
    vendor.view(sha256(1))
    assert kind_of(reports(hub, vendor, [md5(1), sha256(1)])) == "sighting"


def test_a_lookup_that_found_nothing_has_shown_nothing(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    assert frame.view(md5(1)).status_code == 404
    reports(hub, pixel, md5(1))
    assert kind_of(reports(hub, frame, md5(1))) == "report"


def test_what_one_brand_saw_the_other_has_seen(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    frame, tile = Voice(hub, "frame", owner="mosaic"), Voice(hub, "tile", owner="mosaic")
    reports(hub, pixel, md5(1))
    frame.feed()
    assert kind_of(reports(hub, tile, md5(1))) == "sighting"


def test_two_brands_of_one_owner_are_one_voice(hub: Hub) -> None:
    frame, tile = Voice(hub, "frame", owner="mosaic"), Voice(hub, "tile", owner="mosaic")
    reports(hub, frame, md5(1))
    receipt = reports(hub, tile, md5(1))
    assert (receipt["status"], kind_of(receipt)) == ("candidate", "report")
    view = Voice(hub, "pixel").view(md5(1)).json()
    assert (view["status"], view["reporters"], len(view["statements"])) == ("candidate", "1", 2)


def test_a_brand_that_pulled_its_sisters_report_repeats_nothing_of_the_hubs(hub: Hub) -> None:
    frame, tile = Voice(hub, "frame", owner="mosaic"), Voice(hub, "tile", owner="mosaic")
    reports(hub, frame, md5(1))
    tile.feed()
    assert kind_of(reports(hub, tile, md5(1))) == "report"


def test_what_was_pulled_in_one_community_says_nothing_of_another(hub: Hub) -> None:
    both = {COMMUNITY: "rw", "ncii": "rw"}
    pixel, frame = Voice(hub, "pixel", communities=both), Voice(hub, "frame", communities=both)
    pixel.say(report(hub.clock() + DAY), md5(1))
    pixel.say(report(hub.clock() + DAY), md5(1), community="ncii")
    frame.feed("ncii")
    assert kind_of(reports(hub, frame, md5(1))) == "report"
    assert kind_of(frame.say(report(hub.clock() + DAY), md5(1), community="ncii")) == "sighting"


def test_what_was_withheld_has_not_been_shown(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    reports(hub, pixel, pdq(128), quality=10)
    assert frame.feed() == [{"seq": 0, "withheld": "quarantine"}]
    assert kind_of(reports(hub, frame, pdq(128), quality=90)) == "report"


@pytest.mark.parametrize("basis", ["classifier", "hash_match_unviewed"])
def test_machines_alone_lift_nothing(hub: Hub, basis: str) -> None:
    pixel, frame, vendor = Voice(hub, "pixel"), Voice(hub, "frame"), Voice(hub, "vendor")
    reports(hub, pixel, md5(1))
    assert reports(hub, frame, md5(1), basis=basis)["status"] == "candidate"
    assert reports(hub, vendor, md5(1), basis="user_report")["status"] == "human_confirmed"


def test_one_dispute_is_a_flag_and_two_groups_dispute(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    tile, bead = Voice(hub, "tile", owner="mosaic"), Voice(hub, "bead", owner="mosaic")
    reports(hub, pixel, md5(1))

    def standing() -> tuple[str, int]:
        view = frame.view(md5(1)).json()
        return view["status"], view["disputes"]

    assert tile.say(DISPUTE, md5(1))["status"] == "candidate"
    assert standing() == ("candidate", 1)
    assert bead.say(DISPUTE, md5(1))["status"] == "candidate"
    assert standing() == ("candidate", 1)
    receipt = frame.say(DISPUTE, md5(1))
    assert (receipt["status"], standing()) == ("disputed", ("disputed", 2))
    frame.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    assert standing() == ("candidate", 1)
    check_hub(hub.database, hub.settings)


def test_what_is_lifted_or_disputed_is_told_once(hub: Hub) -> None:
    voices = [Voice(hub, f"member{n}") for n in range(4)]
    for voice in voices[:3]:
        reports(hub, voice, md5(1))
    for voice in voices[1:]:
        voice.say(DISPUTE, md5(1))
    events = [(row[1], row[3], row[4]) for row in sorted(dump(hub.database)["outbox_event"])]
    assert [event for event in events if event[0].startswith("indicator.")] == [
        ("indicator.corroborated", 1, 1),
        ("indicator.disputed", 4, 4),
    ]


def test_reports_far_apart_do_not_corroborate(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.say(report(hub.clock() + 90 * DAY), md5(1))
    hub.clock.advance(30 * DAY + 1)
    assert reports(hub, frame, md5(1))["status"] == "candidate"
    check_hub(hub.database, hub.settings)
