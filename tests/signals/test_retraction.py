"""Withdrawing one's own statements, on both databases."""

import pytest

from tests.signals.material import (
    COMMUNITY,
    DISPUTE,
    OUTCOME,
    RETRACTION,
    SIGHTING,
    Voice,
    assert_refused,
    md5,
    report,
    sha256,
)
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump, unchanged
from tocsin_schemas.policy import DAY


def retract(voice: Voice, statement: str, community: str = COMMUNITY) -> bytes:
    return voice.sign(RETRACTION, bytes.fromhex(statement), community=community)


def test_what_is_withdrawn_is_gone_from_feed_and_view(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    assert frame.view(md5(1)).status_code == 200
    answer = pixel.post(retract(pixel, receipt["statement"]))
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["seq"]) == ("expired", 1)
    feed = frame.feed()
    assert feed[0] == {"seq": 0, "gone": "retracted"}
    assert feed[1]["seq"] == 1
    assert "jws" in feed[1]
    assert_refused(frame.view(md5(1)), "not-found")
    tables = dump(hub.database)
    assert (tables["indicator"], tables["observation"]) == ([], [])
    check_hub(hub.database, hub.settings)


def test_a_retraction_leaves_other_members_statements_alone(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    mine = pixel.say(report(hub.clock() + DAY), [md5(1), sha256(1)])
    theirs = frame.say(report(hub.clock() + DAY), md5(1))
    assert theirs["status"] == "human_confirmed"
    assert pixel.post(retract(pixel, mine["statement"])).json()["status"] == "candidate"
    view = pixel.view(md5(1)).json()
    assert ([s["author"] for s in view["statements"]], view["status"]) == ([frame.issuer], "candidate")
    assert_refused(pixel.view(sha256(1)), "not-found")
    check_hub(hub.database, hub.settings)


@pytest.mark.parametrize("event", [SIGHTING, DISPUTE, OUTCOME])
def test_any_kind_of_statement_can_be_withdrawn(hub: Hub, event: object) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    receipt = pixel.say(event, md5(1))
    assert pixel.post(retract(pixel, receipt["statement"])).status_code == 201
    assert len(pixel.view(md5(1)).json()["statements"]) == 1
    check_hub(hub.database, hub.settings)


def test_a_retraction_cannot_be_withdrawn(hub: Hub) -> None:
    """A follower that has the report and not the retraction yet would never hear of it."""
    pixel = Voice(hub, "pixel")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    withdrawal = pixel.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    with unchanged(hub.database):
        assert_refused(pixel.post(retract(pixel, withdrawal["statement"])), "statement-unknown")
    live = [record["seq"] for record in pixel.feed() if "jws" in record]
    assert live == [withdrawal["seq"]]


def test_only_ones_own_live_statements_of_that_community_can_be_withdrawn(hub: Hub) -> None:
    both = {"child-safety": "rw", "ncii": "rw"}
    pixel, frame = Voice(hub, "pixel", communities=both), Voice(hub, "frame")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    with unchanged(hub.database):
        assert_refused(frame.post(retract(frame, receipt["statement"])), "statement-unknown")
        assert_refused(pixel.post(retract(pixel, receipt["statement"], "ncii")), "statement-unknown")
        assert_refused(pixel.post(retract(pixel, "00" * 32)), "statement-unknown")
    hub.clock.advance(DAY)
    with unchanged(hub.database):
        assert_refused(pixel.post(retract(pixel, receipt["statement"])), "statement-unknown")


def test_it_can_be_withdrawn_once(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    first = retract(pixel, receipt["statement"])
    answer = pixel.post(first)
    with unchanged(hub.database):
        assert_refused(pixel.post(retract(pixel, receipt["statement"])), "statement-unknown")
        again = pixel.post(first)
    assert (again.status_code, again.content) == (200, answer.content)


def test_a_replay_of_what_was_withdrawn_does_not_bring_it_back(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    token = pixel.report(md5(1))
    receipt = pixel.post(token).json()
    pixel.post(retract(pixel, receipt["statement"]))
    for seconds in (0, 299, 1, 1):
        hub.clock.advance(seconds)
        with unchanged(hub.database):
            assert_refused(pixel.post(token), "statement-gone")
            assert [line["code"] for line in pixel.batch([token, token])] == ["statement-gone"] * 2
            assert_refused(frame.view(md5(1)), "not-found")
    check_hub(hub.database, hub.settings)


def test_after_a_retraction_the_hash_may_be_reported_anew(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    pixel.post(retract(pixel, receipt["statement"]))
    hub.clock.advance(10)
    assert pixel.say(report(hub.clock() + DAY), md5(1))["status"] == "candidate"
    check_hub(hub.database, hub.settings)


def test_in_one_batch_report_retract_replay_and_report_again(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    first, other, anew = pixel.report([md5(1), sha256(1)]), pixel.report(md5(2)), pixel.report(md5(1))
    digest = pixel.batch([first], dry_run="true")[0]["statement"]
    withdrawal = retract(pixel, digest)
    results = pixel.batch([first, other, withdrawal, first, retract(pixel, digest), anew])
    assert [result.get("code") for result in results] == [
        None, None, None, "statement-gone", "statement-unknown", None,
    ]  # fmt: skip
    assert [results[at]["seq"] for at in (0, 1, 2, 5)] == [0, 1, 2, 3]
    assert pixel.feed()[0] == {"seq": 0, "gone": "retracted"}
    assert_refused(pixel.view(sha256(1)), "not-found")
    assert [s["seq"] for s in pixel.view(md5(1)).json()["statements"]] == [3]
    assert check_hub(hub.database, hub.settings) == 4


def test_in_one_batch_retract_something_older_and_report_it_again(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.report([md5(1), sha256(1)])
    receipt = pixel.post(token).json()
    hub.clock.advance(10)
    anew = pixel.report(md5(1))
    results = pixel.batch([token, anew, retract(pixel, receipt["statement"]), token, anew])
    assert results[0] == receipt
    assert [result.get("code") for result in results[1:]] == [
        "renewal-without-evidence", None, "statement-gone", None,
    ]  # fmt: skip
    assert [s["seq"] for s in pixel.view(md5(1)).json()["statements"]] == [2]
    assert_refused(pixel.view(sha256(1)), "not-found")
    assert check_hub(hub.database, hub.settings) == 3


def test_a_retraction_lives_as_long_as_its_target_would_have(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    hub.clock.advance(60)
    assert pixel.post(retract(pixel, receipt["statement"])).json()["expires_at"] == receipt["expires_at"]
    hub.clock.advance(DAY)
    assert pixel.feed() == [{"seq": 0, "gone": "retracted"}, {"seq": 1, "gone": "expired"}]
