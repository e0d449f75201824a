"""What is refused over HTTP, with its code, and that nothing changed then."""

import httpx2
import pytest

from tests.signals.material import (
    COMMUNITY,
    DISPUTE,
    OUTCOME,
    SIGHTING,
    Voice,
    assert_refused,
    evidence,
    md5,
    pdq,
    report,
    sha256,
)
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump, unchanged
from tocsin_schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from tocsin_schemas.feed import MAX_PAGE
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.signals import Event

AGING = 400
"""Seconds after which a signal may be 301 s old and still be younger than its author's key."""


def test_times(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    hub.clock.advance(AGING)
    now = hub.clock()
    wrong = {
        "iat-future": pixel.report(md5(1), iat=now + 61),
        "iat-too-old": pixel.report(md5(1), iat=now - 301),
        "toe-invalid": pixel.report(md5(1), toe=now + 1),
        "valid-until-past": pixel.sign(report(now), md5(1)),
    }
    with unchanged(hub.database):
        for code, token in wrong.items():
            assert_refused(pixel.post(token), code)
        old = pixel.report(md5(1), toe=now - 30 * DAY - 1)
        assert_refused(pixel.post(old), "toe-invalid")
    fitting = [
        pixel.report(md5(1), iat=now + 60),
        pixel.report(md5(2), iat=now - 300),
        pixel.report(md5(3), toe=now),
        pixel.sign(report(now + 1), md5(4)),
        pixel.report(md5(5), toe=now - 30 * DAY),
    ]
    assert [line.get("code") for line in pixel.batch(fitting)] == [None] * 5
    check_hub(hub.database, hub.settings)


def test_audiences(hub: Hub) -> None:
    pixel = Voice(hub, "pixel", communities={COMMUNITY: "rw", "ncii": "r"})
    Voice(hub, "frame", communities={"others": "rw"})
    with unchanged(hub.database):
        assert_refused(pixel.post(pixel.report(md5(1), community="nowhere")), "audience-unknown")
        elsewhere = pixel.report(md5(1), aud=f"https://hub.elsewhere/communities/{COMMUNITY}")
        assert_refused(pixel.post(elsewhere), "audience-unknown")
        assert_refused(pixel.post(pixel.report(md5(1), community="ncii")), "audience-forbidden")
        assert_refused(pixel.post(pixel.report(md5(1), community="others")), "audience-unknown")


def test_a_lookalike_of_the_hubs_own_address_is_not_it(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    with unchanged(hub.database):
        for base in ("http://hub.example", "https://hub.example:443", "https://hub.example.evil"):
            token = pixel.report(md5(1), aud=f"{base}/communities/{COMMUNITY}")
            assert_refused(pixel.post(token), "audience-unknown")


def test_reading_and_writing_are_rights_of_their_own(hub: Hub) -> None:
    Voice(hub, "frame").say(report(hub.clock() + DAY), md5(1))
    writer = Voice(hub, "writer", communities={COMMUNITY: "w"})
    reader = Voice(hub, "reader", communities={COMMUNITY: "r"})
    nobody = Voice(hub, "nobody", communities={})
    writer.say(report(hub.clock() + DAY), md5(2))
    assert len(reader.feed()) == 2
    with unchanged(hub.database):
        assert_refused(reader.post(reader.report(md5(3))), "audience-forbidden")
        assert_refused(nobody.post(nobody.report(md5(3))), "audience-unknown")
        for voice in (writer, nobody):
            for path in (
                f"/v1/communities/{COMMUNITY}/feed",
                f"/v1/communities/{COMMUNITY}/indicators/{md5(1)}",
            ):
                assert_refused(voice.get(path), "not-found")
                assert_refused(voice.get(path.replace(COMMUNITY, "nowhere")), "not-found")


def test_scopes(hub: Hub) -> None:
    reader = Voice(hub, "reader", scopes=("signals:read",))
    writer = Voice(hub, "writer", scopes=("signals:submit",))
    with unchanged(hub.database):
        assert_refused(reader.post(reader.report(md5(1))), "forbidden")
        assert_refused(writer.get(f"/v1/communities/{COMMUNITY}/feed"), "forbidden")
        assert_refused(writer.view(md5(1)), "forbidden")
    assert writer.get("/v1/me").status_code == reader.get("/v1/policy").status_code == 200


@pytest.mark.parametrize("event", [SIGHTING, DISPUTE, OUTCOME])
def test_one_can_only_answer_to_what_is_reported(hub: Hub, event: Event) -> None:
    pixel = Voice(hub, "pixel")
    with unchanged(hub.database):
        assert_refused(pixel.post(pixel.sign(event, md5(1))), "indicator-unknown")
    results = pixel.batch([pixel.sign(event, md5(1)), pixel.report(md5(1)), pixel.sign(event, md5(1))])
    assert [line.get("code") for line in results] == ["indicator-unknown", None, None]


def test_renewals(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")

    def again(seconds: int, *proof: int) -> bytes:
        until = hub.clock() + 40 * DAY
        given = [evidence(n) for n in proof] or None
        return pixel.sign(report(until, evidence=given), md5(1), toe=hub.clock() + seconds)

    pixel.post(again(0, 1))
    with unchanged(hub.database):
        assert_refused(pixel.post(again(0, 2)), "renewal-without-evidence")
    hub.clock.advance(5 * DAY)
    with unchanged(hub.database):
        assert_refused(pixel.post(again(0)), "renewal-without-evidence")
        assert_refused(pixel.post(again(0, 1)), "renewal-without-evidence")
        assert_refused(pixel.post(again(-5 * DAY, 2)), "renewal-without-evidence")
    assert pixel.post(again(0, 1, 2)).status_code == 201
    hub.clock.advance(1)
    assert [line.get("code") for line in pixel.batch([again(0, 3), again(0, 3), again(0, 4)])] == [
        None, "renewal-without-evidence", "renewal-without-evidence",
    ]  # fmt: skip
    check_hub(hub.database, hub.settings)


def test_a_members_live_reports_and_disputes_of_one_thing_are_bounded(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")

    def again(number: int) -> bytes:
        hub.clock.advance(1)
        return pixel.sign(report(hub.clock() + 40 * DAY, evidence=[evidence(number)]), md5(1))

    limit = Policy().live_reports
    receipts = [pixel.post(again(n)).json() for n in range(limit)]
    assert [receipt["seq"] for receipt in receipts] == list(range(limit))
    with unchanged(hub.database):
        assert_refused(pixel.post(again(limit)), "renewals-exhausted")
    pixel.say(DISPUTE, md5(1))
    with unchanged(hub.database):
        assert_refused(pixel.post(pixel.sign(DISPUTE, md5(1))), "dispute-repeated")
    pixel.party.sdk().retract(COMMUNITY, receipts[0]["statement"], "superseded")
    assert pixel.post(again(limit + 1)).status_code == 201
    check_hub(hub.database, hub.settings)


def test_licensed_lists(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    with unchanged(hub.database):
        token = pixel.sign(report(hub.clock() + DAY, source_restriction="iwf"), md5(1))
        assert_refused(pixel.post(token), "source-restricted")


def test_a_cap_refuses_the_whole_request_and_says_when_to_come_back(hub: Hub) -> None:
    pixel = Voice(hub, "pixel", signals_per_hour=5)
    frame = Voice(hub, "frame")
    hub.clock.now = hub.clock.now // 3600 * 3600 + 3000
    pixel.batch([pixel.report(md5(n)) for n in range(3)])
    with unchanged(hub.database, frozenset({"assertion"})):
        answer = pixel.post_lines([pixel.report(md5(n)) for n in range(3, 6)])
        assert_refused(answer, "rate-limited")
        assert answer.headers["retry-after"] == "600"
    assert pixel.batch([b"nonsense", pixel.report(md5(9))])[1]["seq"] == 3
    with unchanged(hub.database, frozenset({"assertion"})):
        assert_refused(pixel.post(pixel.report(md5(10))), "rate-limited")
        answer = pixel.post_lines([pixel.report(md5(11))], dry_run="true")
        assert_refused(answer, "rate-limited")
    assert frame.post(frame.report(md5(1))).status_code == 201
    me = pixel.get("/v1/me").json()
    assert (me["signals_per_hour"], me["signals_left"]) == (5, 0)
    hub.clock.advance(600)
    assert pixel.get("/v1/me").json()["signals_left"] == 5
    assert pixel.post(pixel.report(md5(12))).status_code == 201
    check_hub(hub.database, hub.settings)


def test_every_line_counts_bad_ones_and_repetitions_too(hub: Hub) -> None:
    pixel = Voice(hub, "pixel", signals_per_hour=10)
    token = pixel.report(md5(1))
    pixel.batch([token, token, b"nonsense"])
    pixel.post(token)
    pixel.post(b"nonsense")
    assert pixel.get("/v1/me").json()["signals_left"] == 5


def test_a_suspended_member_is_refused_everything_but_its_name(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.report(md5(1))
    headers = pixel.headers()
    hub.members.suspend(pixel.issuer)
    with unchanged(hub.database):
        assert_refused(pixel.post(token), "member-suspended")
        assert_refused(pixel.post_lines([token]), "member-suspended")
        assert_refused(pixel.get(f"/v1/communities/{COMMUNITY}/feed"), "member-suspended")
        assert_refused(pixel.view(md5(1)), "member-suspended")
    assert hub.http.get("/v1/me", headers=headers).json()["state"] == "suspended"


def test_requests_of_the_wrong_form(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.report(md5(1))

    def post(content: bytes, **headers: str) -> httpx2.Response:
        return hub.http.post("/v1/signals", content=content, headers={**pixel.headers(), **headers})

    single, batch = {"Content-Type": MEDIA_TYPE}, {"Content-Type": BATCH_MEDIA_TYPE}
    pixel.headers()
    with unchanged(hub.database, frozenset()):
        assert_refused(post(token, **{"Content-Type": "application/jwt"}), "unsupported-media-type")
        assert_refused(post(token, **single, **{"Content-Encoding": "gzip"}), "unsupported-media-type")
        assert_refused(post(b"a" * 8193, **single), "payload-too-large")
        assert_refused(post(b"a" * (16 * 1024 * 1024 + 1), **batch), "payload-too-large")
        assert_refused(post(b"a\n" * 10_001, **batch), "payload-too-large")
        assert_refused(post(b"", **batch), "request-invalid")
        assert_refused(pixel.post(token, dry_run="perhaps"), "request-invalid")
        assert_refused(hub.http.post("/v1/signals", content=token, headers=single), "unauthenticated")
        feed = f"/v1/communities/{COMMUNITY}/feed"
        for params in (
            {"after": "-1"},
            {"limit": "0"},
            {"limit": str(MAX_PAGE + 1)},
            {"after": "x"},
            {"after": str(2**54)},
        ):
            assert_refused(pixel.get(feed, **params), "request-invalid")
        assert_refused(pixel.get("/v1/signals"), "method-not-allowed")
        assert_refused(pixel.get("/v1/nothing"), "not-found")
    with unchanged(hub.database):
        assert_refused(post(b"", **single), "envelope-malformed")
        assert_refused(post(token + b"\n", **single), "base64-not-canonical")
        assert_refused(post(token + b"\r\n", **single), "base64-not-canonical")


def test_views_of_what_is_no_indicator(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    base = f"/v1/communities/{COMMUNITY}/indicators"
    with unchanged(hub.database):
        assert_refused(pixel.get(f"{base}/jane.doe@mail.example"), "indicator-type-unknown")
        assert_refused(pixel.get(f"{base}/{str(md5(1)).upper()}"), "indicator-type-unknown")
        assert_refused(pixel.get(f"{base}/md5:{md5(1).value.hex().upper()}"), "indicator-invalid")
        assert_refused(pixel.view(md5(1)), "not-found")


def test_a_dry_run_stores_nothing_and_costs_the_cap(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    kept = pixel.report(md5(1))
    pixel.post(kept)
    frame.say(report(hub.clock() + DAY), md5(2))
    lines = [
        kept,
        pixel.report([md5(3), sha256(3)]),
        pixel.report(md5(3)),
        pixel.report(md5(2)),
        pixel.sign(report(hub.clock() + DAY, quality=10), pdq(128)),
        pixel.sign(DISPUTE, md5(77)),
        b"nonsense",
    ]
    headers = pixel.headers()
    used = {row[0]: row[2] for row in dump(hub.database)["quota"]}
    with unchanged(hub.database, frozenset({"quota"})):
        results = pixel.batch(lines, dry_run="true")
        single = pixel.post(lines[1], dry_run="true")
    assert headers == pixel.headers()
    assert [line.get("would", line.get("code")) for line in results] == [
        "duplicate",
        "record",
        "renewal-without-evidence",
        "record",
        "quarantine",
        "indicator-unknown",
        "envelope-malformed",
    ]
    assert [line.get("status") for line in results[:1]] == ["candidate"]
    assert (results[3]["status"], results[4]["status"]) == ("human_confirmed", "quarantined")
    assert (single.status_code, single.json()) == (200, results[1])
    now_used = {row[0]: row[2] for row in dump(hub.database)["quota"]}
    assert sum(now_used.values()) - sum(used.values()) == len(lines) + 1
    receipts = pixel.batch(lines[1:2])
    assert receipts[0]["statement"] == results[1]["statement"]
    check_hub(hub.database, hub.settings)
