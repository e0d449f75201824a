"""One story from end to end: two members report, a third follows, matches, and lets go of what is gone."""

from pathlib import Path

from tests.signals.material import COMMUNITY, DISPUTE, Voice, md5, pdq, report, sha256
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tocsin_client.match import Matcher
from tocsin_client.mirror import Mirror
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY

KNOWN, SHARED, SHORT, WRONG = md5(1), pdq(128), sha256(3), md5(4)
NEAR = Indicator("pdq", (int.from_bytes(SHARED.value) ^ 0b1011).to_bytes(32))


def found(mirror: Mirror, *queries: Indicator, disputed: bool = False) -> list[tuple[str, int, str, str]]:
    """What the third member's matcher says: indicator, distance, status and band of reporters."""
    matcher = Matcher(mirror, include_disputed=disputed)
    return [(str(hit.indicator), hit.distance, hit.status, hit.reporters) for hit in matcher.find(queries)]


def test_two_report_and_a_third_follows(hub: Hub, tmp_path: Path) -> None:
    pixel, frame, vendor = (hub.party(name) for name in ("pixel", "frame", "vendor"))
    pixel_sdk, frame_sdk, vendor_sdk = pixel.sdk(), frame.sdk(), vendor.sdk()

    def checked() -> None:
        check_hub(hub.database, hub.settings)

    # Two members report, each what it found; one hash they share, near and exact.
    long, short = hub.clock() + 30 * DAY, hub.clock() + 2 * DAY
    first = pixel_sdk.report(COMMUNITY, [KNOWN], report(long))
    pixel_sdk.report(COMMUNITY, [SHARED, sha256(2)], report(long, quality=95))
    frame_sdk.report(COMMUNITY, [SHARED], report(long, "user_report", quality=90))
    frame_sdk.report(COMMUNITY, [SHORT], report(short))
    wrong = frame_sdk.report(COMMUNITY, [WRONG], report(long))
    pixel_sdk.report(COMMUNITY, [pdq(128, 100)], report(long, quality=20))
    checked()

    path = tmp_path / "vendor.mirror"
    with Mirror.open(path, hub.issuer, COMMUNITY, clock=hub.clock) as mirror:
        # The third follows: everything verifies, what is quarantined is withheld.
        hub.publish()
        step = mirror.follow(vendor_sdk, limit=2)
        assert (step.cursor, step.stored, step.absent, step.refused) == (5, 5, 1, [])
        assert found(mirror, KNOWN) == [(str(KNOWN), 0, "candidate", "1")]
        assert found(mirror, NEAR) == [(str(SHARED), 3, "human_confirmed", "2")]
        assert found(mirror, SHORT, md5(99), pdq(128, 100)) == [(str(SHORT), 0, "candidate", "1")]
        for indicator in (KNOWN, SHARED, SHORT, WRONG, sha256(2)):
            view = vendor_sdk.view(COMMUNITY, indicator)
            assert view is not None
            standing = mirror.standing(indicator)
            assert (standing.status, standing.reporters) == (view.status, view.reporters)

        # The third meets one of them and says so: having been told, it corroborates nothing.
        assert vendor_sdk.report(COMMUNITY, [KNOWN], report(long)).status == "candidate"
        # Two owners dispute one; its author takes another back.
        assert pixel_sdk.dispute(COMMUNITY, [WRONG], DISPUTE).status == "candidate"
        assert vendor_sdk.dispute(COMMUNITY, [WRONG], DISPUTE).status == "disputed"
        pixel_sdk.retract(COMMUNITY, first.statement, "error")
        checked()
        hub.publish()
        step = mirror.follow(vendor_sdk)
        assert (step.stored, step.retracted, step.refused) == (4, 1, [])
        assert found(mirror, KNOWN) == []
        assert found(mirror, WRONG) == []
        assert found(mirror, WRONG, disputed=True) == [(str(WRONG), 0, "disputed", "1")]

    # It stops and starts again; meanwhile one report has expired, which no message had to tell it.
    hub.clock.advance(2 * DAY)
    with Mirror.open(path, hub.issuer, COMMUNITY, clock=hub.clock) as mirror:
        assert found(mirror, SHORT) == []
        before = mirror.store.counts()["statement:report"]
        hub.publish()
        step = mirror.follow(vendor_sdk)
        assert (step.pages, step.expired) == (0, 1)
        assert mirror.store.counts()["statement:report"] == before - 1
        assert vendor_sdk.view(COMMUNITY, SHORT) is None

        # The hub erases it and, when the day is over, says in the log what went.
        for _ in range(2):
            hub.run_job("signals.expire")
            hub.clock.advance(DAY)
        checked()
        hub.publish()
        step = mirror.follow(vendor_sdk)
        assert (step.pages, step.refused) == (1, [])
        assert mirror.store.counts()["hub:expiry"] == 1

        # A member is suspended: nothing of it counts. It comes back: all of it does.
        hub.members.suspend(frame.issuer)
        hub.publish()
        mirror.follow(vendor_sdk)
        assert found(mirror, NEAR) == [(str(SHARED), 3, "candidate", "1")]
        hub.members.reinstate(frame.issuer)
        hub.publish()
        mirror.follow(vendor_sdk)
        assert found(mirror, NEAR) == [(str(SHARED), 3, "human_confirmed", "2")]

        # A follower that comes late ends where the one that was there all along is.
        with Mirror.open(tmp_path / "late.mirror", hub.issuer, COMMUNITY, clock=hub.clock) as late:
            hub.publish()
            late.follow(frame_sdk)
            assert late.tally() == mirror.tally()
            for indicator in (KNOWN, SHARED, SHORT, WRONG, sha256(2)):
                assert late.standing(indicator) == mirror.standing(indicator)
        assert (tmp_path / "late.mirror").exists()
        checked()
    assert wrong.seq == 4


def test_a_follower_that_only_reads_ends_where_the_hub_is(hub: Hub, tmp_path: Path) -> None:
    """Whatever happens between its steps, its standing of every indicator is the hub's own."""
    voices = [Voice(hub, f"m{n}", owner="mosaic" if n > 2 else None) for n in range(5)]
    reader = hub.party("reader").sdk()
    with Mirror.open(tmp_path / "reader.mirror", hub.issuer, COMMUNITY, clock=hub.clock) as mirror:
        for turn in range(12):
            voice = voices[turn % 5]
            tokens = [voice.report(md5(n), days=1 + n % 4) for n in range(turn, turn + 9)]
            receipts = [line for line in voice.batch(tokens) if "seq" in line]
            if turn % 3 == 0 and receipts:
                voice.party.sdk().retract(COMMUNITY, receipts[0]["statement"], "outdated")
            if turn % 4 == 1:
                voice.post(voice.sign(DISPUTE, md5(turn + 1)))
            if turn == 5:
                hub.members.suspend(voices[2].issuer)
            if turn == 6:
                hub.members.reinstate(voices[2].issuer)
            hub.clock.advance(DAY // 3)
            if turn % 2:
                hub.run_job("signals.expire")
            hub.publish()
            mirror.follow(reader)
            for n in range(turn, turn + 9):
                view, standing = reader.view(COMMUNITY, md5(n)), mirror.standing(md5(n))
                if view is None:
                    assert standing.status == "expired"
                else:
                    said = (view.status, view.reporters, view.disputes)
                    assert said == (standing.status, standing.reporters, standing.disputes)
        check_hub(hub.database, hub.settings)
