"""The feed: every record of a community once, in the log's order, byte for byte."""

import pytest

from tests.signals.material import COMMUNITY, RETRACTION, SIGHTING, Voice, assert_refused, md5, pdq, report
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tests.support.views import newest_view
from tocsin_client.http import Call
from tocsin_schemas import ledger
from tocsin_schemas.feed import parse_record
from tocsin_schemas.policy import DAY

BOTH = {COMMUNITY: "rw", "ncii": "rw"}


def test_a_record_is_the_signed_bytes_with_what_opens_its_commitment(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.report(md5(1))
    receipt = pixel.post(token).json()
    answer = Voice(hub, "frame").get(f"/v1/communities/{COMMUNITY}/feed")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "private, no-store"
    (record,) = [parse_record(line) for line in answer.content.splitlines()]
    assert record.model_dump() == {
        "seq": 0,
        "recorded_at": receipt["recorded_at"],
        "expires_at": receipt["expires_at"],
        "r": record.model_dump()["r"],
        "jws": token.decode(),
    }
    entry = ledger.Entry.decode(receipt["entry"].encode())
    assert ledger.opens(entry.commitment, bytes.fromhex(record.model_dump()["r"]), token)


def test_pages_of_interleaved_communities_join_without_gap_or_repetition(hub: Hub) -> None:
    pixel, reader = Voice(hub, "pixel", communities=BOTH), Voice(hub, "frame", communities=BOTH)
    slugs = [COMMUNITY, "ncii", "ncii", COMMUNITY, COMMUNITY, "ncii", COMMUNITY] * 3
    pixel.batch([pixel.report(md5(n), community=slug) for n, slug in enumerate(slugs)])
    for slug in BOTH:
        expected = [seq for seq, place in enumerate(slugs) if place == slug]
        for limit in (1, 2, 5, 100):
            seen: list[int] = []
            covered, page = -1, [-1]
            path = f"/v1/communities/{slug}/feed?limit={limit}"
            while page:
                answer = hub.http.get(path, headers=reader.headers())
                page = [parse_record(line).seq for line in answer.content.splitlines()]
                assert len(page) <= limit
                seen += page
                before, covered = covered, page[-1] if len(page) == limit else len(slugs) - 1
                path = f"/v1/communities/{slug}/feed?after={covered}&limit={limit}"
                follows = f'<{hub.issuer}{path}>; rel="next"' if covered > before else None
                assert answer.headers.get("link") == follows
            assert seen == expected


@pytest.mark.parametrize("after", [0, 3, 4, 19, 20, 21, 10_000])
def test_after_names_the_last_record_held_whether_or_not_it_is_of_this_community(
    hub: Hub, after: int
) -> None:
    pixel = Voice(hub, "pixel", communities=BOTH)
    pixel.batch([pixel.report(md5(n), community=COMMUNITY if n % 2 else "ncii") for n in range(21)])
    assert [r["seq"] for r in pixel.feed(after=after)] == [n for n in range(21) if n % 2 and n > after]


def test_a_feed_begins_at_the_beginning(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    assert pixel.feed() == []
    pixel.batch([pixel.report(md5(n)) for n in range(3)])
    assert [record["seq"] for record in pixel.feed()] == [0, 1, 2]


def test_quarantine_is_said_openly_and_shown_to_nobody_else(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    receipt = pixel.say(report(hub.clock() + DAY, quality=10), pdq(128))
    assert receipt["status"] == "quarantined"
    assert frame.feed() == pixel.feed() == [{"seq": 0, "withheld": "quarantine"}]
    assert_refused(frame.view(pdq(128)), "not-found")
    mine = pixel.view(pdq(128)).json()
    assert (mine["status"], mine["reporters"]) == ("quarantined", "0")
    assert [(s["author"], s["counts"]) for s in mine["statements"]] == [(pixel.issuer, False)]
    assert mine["reasons"] == [{"rule": "quarantined/v1", "statements": [receipt["statement"]]}]
    # Somebody else's sound report of it is seen by both; the quarantined one still only by its author.
    frame.say(report(hub.clock() + DAY, quality=90), pdq(128))
    assert [s["author"] for s in frame.view(pdq(128)).json()["statements"]] == [frame.issuer]
    assert len(pixel.view(pdq(128)).json()["statements"]) == 2
    assert pixel.view(pdq(128)).json()["status"] == "candidate"
    check_hub(hub.database, hub.settings)


def test_a_suspended_authors_records_are_withheld_and_do_not_count(hub: Hub) -> None:
    pixel, frame, vendor = Voice(hub, "pixel"), Voice(hub, "frame"), Voice(hub, "vendor")
    pixel.say(report(hub.clock() + DAY), md5(1))
    frame.say(report(hub.clock() + DAY), md5(1))
    pixel.say(report(hub.clock() + DAY), md5(2))
    pixel.say(SIGHTING, md5(1))
    assert vendor.view(md5(1)).json()["status"] == "human_confirmed"
    hub.members.suspend(pixel.issuer)
    assert [(r["seq"], r.get("withheld")) for r in vendor.feed()] == [
        (0, "state"), (1, None), (2, "state"), (3, "state"),
    ]  # fmt: skip
    view = vendor.view(md5(1)).json()
    assert (view["status"], view["reporters"]) == ("candidate", "1")
    assert [s["author"] for s in view["statements"]] == [frame.issuer]
    assert_refused(vendor.view(md5(2)), "not-found")
    # Nor does it count when others report.
    bead = Voice(hub, "bead")
    assert bead.say(report(hub.clock() + DAY), md5(2))["status"] == "candidate"
    hub.members.reinstate(pixel.issuer)
    assert all("jws" in record for record in vendor.feed())
    assert vendor.view(md5(1)).json()["status"] == "human_confirmed"
    check_hub(hub.database, hub.settings)


def test_what_is_gone_stays_as_a_tombstone_even_when_its_author_is_suspended(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    pixel.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    hub.members.suspend(pixel.issuer)
    # Nor is a retraction withheld: what it withdraws must go everywhere.
    tombstone, retraction = frame.feed()
    assert tombstone == {"seq": 0, "gone": "retracted"}
    assert (retraction["seq"], "jws" in retraction) == (1, True)


def test_the_sdk_follows_page_by_page(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(n)) for n in range(25)])
    sdk = hub.party("frame").sdk()
    assert [line.record.seq for line in sdk.feed(COMMUNITY, limit=7)] == list(range(25))
    assert [line.record.seq for line in sdk.feed(COMMUNITY, after=20, limit=7)] == [21, 22, 23, 24]
    hub.publish()
    entries = dict(newest_view(sdk, hub.clock).entries(0, 24))
    assert [entries[line.record.seq] for line in sdk.feed(COMMUNITY)] == list(entries.values())


def test_a_feed_is_private_and_the_log_is_not(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    hub.publish()
    assert_refused(hub.http.get(f"/v1/communities/{COMMUNITY}/feed"), "unauthenticated")
    assert pixel.party.sdk().transport.request(Call("GET", "/log/tile/entries/000.p/1")).status == 200
