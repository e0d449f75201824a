"""What provisional members say, who is given what of the others', and what becomes of those that leave."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.signals.feeding import check_segments, fetch, fill_up, store
from tests.signals.material import (
    COMMUNITY,
    DISPUTE,
    RETRACTION,
    SIGHTING,
    Voice,
    assert_refused,
    md5,
    report,
)
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tests.support.states import put
from tocsin.ledger import service as ledger
from tocsin_client.mirror import Mirror
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.feed import SEGMENT
from tocsin_schemas.hub_events import HubClaims, Release
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.ledger import Entry
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import load_object
from tocsin_schemas.vocabulary import MemberState

Follower = tuple[Voice, Mirror]


@pytest.fixture
def newcomer(hub: Hub) -> Voice:
    voice = Voice(hub, "newcomer")
    put(hub, voice.issuer, "provisional")
    return voice


@pytest.fixture
def mirrors(hub: Hub, tmp_path: Path) -> Iterator[Any]:
    """Makes a mirror for a member."""
    with ExitStack() as stack:

        def open_mirror(voice: Voice) -> Follower:
            folder = tmp_path / voice.issuer.removeprefix("https://")
            folder.mkdir(mode=0o700)
            path = folder / "a.mirror"
            return voice, stack.enter_context(Mirror.open(path, hub.issuer, COMMUNITY, clock=hub.clock))

        yield open_mirror


def follow(hub: Hub, follower: Follower) -> Mirror:
    hub.publish()
    follower[1].follow(follower[0].party.sdk())
    assert follower[1].store.refusals() == []
    return follower[1]


def said(voice: Voice, about: Indicator, tlp: str = "amber", **more: Any) -> dict[str, Any]:
    event = report(voice.now + 90 * DAY, **more).model_copy(update={"tlp": tlp})
    return voice.say(event, about)


class TestRelease:
    def test_what_a_newcomer_says_is_its_own_business(self, hub: Hub, newcomer: Voice) -> None:
        frame = Voice(hub, "frame")
        assert newcomer.post(newcomer.report(md5(1)), dry_run="true").json()["would"] == "quarantine"
        receipt = said(newcomer, md5(1))
        assert receipt["status"] == "quarantined"
        assert frame.feed() == [{"seq": 0, "withheld": "state"}]
        assert_refused(frame.view(md5(1)), "not-found")
        mine = newcomer.view(md5(1)).json()
        assert (mine["status"], mine["statements"][0]["counts"]) == ("quarantined", False)
        # Nobody bears it out: nothing is released, however often it is looked for.
        for _ in range(2):
            assert hub.run_job("signals.release") == 0
        assert frame.feed() == [{"seq": 0, "withheld": "state"}]
        check_hub(hub.database, hub.settings)

    @pytest.mark.parametrize("first", ["newcomer", "frame"])
    def test_others_are_shown_it_once_somebody_reports_the_same_and_still_it_does_not_count(
        self, hub: Hub, newcomer: Voice, mirrors: Any, first: str
    ) -> None:
        frame, vendor = Voice(hub, "frame"), Voice(hub, "vendor")
        early = mirrors(vendor)
        for voice in (newcomer, frame) if first == "newcomer" else (frame, newcomer):
            said(voice, md5(1), basis="human_reviewed")
        seq = 0 if first == "newcomer" else 1
        assert follow(hub, early).store.withheld() == [seq]
        assert hub.run_job("signals.release") == 1
        assert hub.run_job("signals.release") == 0
        records = vendor.feed()
        assert ["jws" in record for record in records] == [True, True, True]
        event = HubClaims.model_validate(load_object(_payload(records[2]["jws"]), "payload")).event
        assert event == Release(seqs=[seq])
        view = vendor.view(md5(1)).json()
        assert (view["status"], view["reporters"], len(view["statements"])) == ("candidate", "1", 2)
        assert {s["author"]: s["counts"] for s in view["statements"]} == {
            newcomer.issuer: False, frame.issuer: True,
        }  # fmt: skip
        # A follower that had passed it by fetches it; with both it says the same as the hub.
        mirror = follow(hub, early)
        assert mirror.store.withheld() == []
        assert len(mirror.store.about(md5(1))) == 2
        assert (mirror.standing(md5(1)).status, mirror.standing(md5(1)).reporters) == ("candidate", "1")
        # It is active, and its word counts, from the first on.
        put(hub, newcomer.issuer, "active")
        assert vendor.view(md5(1)).json()["status"] == "corroborated"
        assert follow(hub, early).standing(md5(1)).status == "corroborated"
        check_hub(hub.database, hub.settings)

    def test_neither_a_brand_of_its_owner_nor_another_newcomer_bears_it_out(self, hub: Hub) -> None:
        one = Voice(hub, "one", owner="holding")
        brand, two = Voice(hub, "brand", owner="holding"), Voice(hub, "two")
        put(hub, one.issuer, "provisional")
        put(hub, two.issuer, "provisional")
        for voice in (one, brand, two):
            said(voice, md5(1))
        # The brand's word bears out the other newcomer, and not its sister.
        assert hub.run_job("signals.release") == 1
        assert [record.get("withheld") for record in brand.feed()] == ["state", None, None, None]

    def test_a_retraction_undoes_it_everywhere(self, hub: Hub, newcomer: Voice, mirrors: Any) -> None:
        frame = Voice(hub, "frame")
        early = mirrors(frame)
        receipt = said(newcomer, md5(1))
        said(frame, md5(1))
        hub.run_job("signals.release")
        assert len(follow(hub, early).store.about(md5(1))) == 2
        newcomer.say(RETRACTION, bytes.fromhex(receipt["statement"]))
        assert len(follow(hub, early).store.about(md5(1))) == 1

    def test_one_under_emergency_suspension_is_hidden_again_with_what_was_released(
        self, hub: Hub, newcomer: Voice
    ) -> None:
        frame = Voice(hub, "frame")
        said(newcomer, md5(1))
        said(frame, md5(1))
        hub.run_job("signals.release")
        assert "jws" in frame.feed()[0]
        put(hub, newcomer.issuer, "emergency_suspended", activated=False)
        assert frame.feed()[0] == {"seq": 0, "withheld": "state"}
        put(hub, newcomer.issuer, "provisional")
        assert "jws" in frame.feed()[0]

    def test_many_are_released_in_bounded_parts(self, hub: Hub, newcomer: Voice, mirrors: Any) -> None:
        frame, vendor = Voice(hub, "frame"), Voice(hub, "vendor")
        early = mirrors(vendor)
        newcomer.batch([newcomer.report(md5(n)) for n in range(300)])
        follow(hub, early)
        frame.batch([frame.report(md5(n)) for n in range(300)])
        assert hub.run_job("signals.release") == 300
        kinds = [Entry.decode(entry).kind for entry in _entries(hub, 600, 602)]
        assert kinds == ["release", "release"]
        assert follow(hub, early).store.withheld() == []
        assert early[1].tally() == {"candidate": 300}


class TestSegments:
    def test_a_stored_segment_follows_every_state_and_release(self, hub: Hub) -> None:
        pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
        said(pixel, md5(1))
        fill_up(hub, frame, SEGMENT)
        hub.clock.advance(40 * DAY)
        said(pixel, md5(2))
        fill_up(hub, frame, 2 * SEGMENT - 2)
        said(pixel, md5(3))
        said(frame, md5(3))
        assert store(hub) == 2
        steps: tuple[tuple[MemberState, int], ...] = (
            # The first segment's signals are old, and stay; the second's are new.
            ("emergency_suspended", 1), ("suspended", 2), ("withdrawn", 0), ("active", 2), ("restricted", 0),
            ("provisional", 2), ("provisional", 0), ("withdrawing", 2),
        )  # fmt: skip
        for state, built in steps:
            put(hub, pixel.issuer, state)
            stale = fetch(frame, limit=4 * SEGMENT)
            assert store(hub) == built, state
            check_segments(hub)
            assert fetch(frame, limit=4 * SEGMENT).lines.startswith(stale.lines[:300])
        put(hub, pixel.issuer, "provisional")
        store(hub)
        # Something is released: the one segment that shows it otherwise is made again.
        assert hub.run_job("signals.release") == 1
        assert store(hub) == 1
        check_segments(hub)

    def test_a_newcomer_is_given_rows(self, hub: Hub, newcomer: Voice) -> None:
        frame = Voice(hub, "frame")
        said(frame, md5(1))
        said(frame, md5(2), tlp="green")
        fill_up(hub, frame, SEGMENT)
        assert store(hub) == 1
        page = fetch(newcomer, limit=SEGMENT)
        assert "etag" not in page.headers
        first, second = (json.loads(line) for line in page.lines.splitlines()[:2])
        assert (first, second["seq"], "jws" in second) == ({"seq": 0, "withheld": "tlp"}, 1, True)
        assert "etag" in fetch(frame, limit=SEGMENT).headers


class TestFreely:
    """A provisional member is given what may travel freely, and told what follows from that."""

    def test_only_clear_and_green(self, hub: Hub, newcomer: Voice, mirrors: Any) -> None:
        frame, vendor = Voice(hub, "frame"), Voice(hub, "vendor")
        tlps = ("clear", "green", "amber", "amber+strict", "red")
        for n, tlp in enumerate(tlps):
            said(frame, md5(n), tlp=tlp)
        said(vendor, md5(1))
        given = [record["seq"] for record in newcomer.feed() if "jws" in record]
        assert given == [0, 1]
        assert [newcomer.view(md5(n)).status_code for n in range(5)] == [200, 200, 404, 404, 404]
        assert vendor.view(md5(1)).json()["status"] == "human_confirmed"
        assert newcomer.view(md5(1)).json()["status"] == "candidate"
        late = mirrors(newcomer)
        mirror = follow(hub, late)
        assert mirror.standing(md5(1)).status == "candidate"
        assert mirror.store.counts()["withheld:tlp"] == 4
        # Proofs for all, what opens them for what it is given.
        at = f"/v1/communities/{COMMUNITY}/snapshot/md5"
        hub.run_job("feed.snapshot")
        for path in (at, f"{at}/1/shards/0", f"{at}/2/delta/1"):
            assert_refused(newcomer.get(path), "member-restricted")
        for form in ("application/x-ndjson", "text/csv"):
            headers = {**newcomer.headers(), "Accept": form}
            listed = hub.http.get(at, headers=headers).text
            assert [str(md5(n)) in listed for n in range(5)] == [True, True, False, False, False]
        # Active: everything, and its follower fetches what it was not given.
        put(hub, newcomer.issuer, "active")
        assert follow(hub, late).store.withheld() == []
        assert late[1].standing(md5(1)).status == newcomer.view(md5(1)).json()["status"] == "human_confirmed"
        check_hub(hub.database, hub.settings)

    def test_what_names_no_tlp_travels_as_freely_as_the_reports_it_is_about(
        self, hub: Hub, newcomer: Voice
    ) -> None:
        frame, vendor = Voice(hub, "frame"), Voice(hub, "vendor")
        said(frame, md5(0), tlp="green")
        said(frame, md5(1))
        for n in (0, 1):
            vendor.say(DISPUTE, md5(n))
            vendor.say(SIGHTING, md5(n))
        vendor.say(SIGHTING, [md5(0), md5(1)])
        assert [record["seq"] for record in newcomer.feed() if "jws" in record] == [0, 2, 3]
        assert newcomer.view(md5(0)).json()["disputes"] == 1

    def test_what_it_was_not_given_it_found_itself(self, hub: Hub, newcomer: Voice) -> None:
        frame = Voice(hub, "frame")
        said(frame, md5(0), tlp="green")
        said(frame, md5(1))
        newcomer.feed()
        kinds = [Entry.decode(said(newcomer, md5(n))["entry"].encode()).kind for n in (0, 1)]
        assert kinds == ["sighting", "report"]


class TestLeaving:
    @pytest.mark.parametrize("state", ["withdrawn", "expelled"])
    def test_thirty_days_later_what_nobody_bore_out_has_expired(
        self, hub: Hub, mirrors: Any, state: Any
    ) -> None:
        pixel, frame, vendor = Voice(hub, "pixel"), Voice(hub, "frame"), Voice(hub, "vendor")
        follower = mirrors(vendor)
        until = hub.clock() + 40 * DAY
        alone = pixel.say(report(until), md5(1))
        pixel.say(report(until), md5(2))
        frame.say(report(until), md5(2))
        frame.say(report(until), md5(3))
        pixel.say(DISPUTE, md5(3))
        withdrawn = pixel.say(report(until), md5(4))
        pixel.say(RETRACTION, bytes.fromhex(withdrawn["statement"]))
        follow(hub, follower)
        put(hub, pixel.issuer, state)
        hub.clock.advance(30 * DAY - 1)
        assert hub.run_job("signals.expire") == 0
        assert len(follow(hub, follower).store.about(md5(1))) == 1
        hub.clock.advance(1)
        assert hub.run_job("signals.expire") == 2
        assert hub.run_job("signals.expire") == 0
        with hub.database.snapshot() as uow:
            gone = uow.conn.exec_driver_sql(
                "SELECT seq, gone FROM statement WHERE gone IS NOT NULL ORDER BY seq"
            )
            assert gone.all() == [(alone["seq"], "expired"), (4, "expired"), (5, "retracted")]
        # No name is shown with what stays, and the others' word for it stands.
        view = vendor.view(md5(2)).json()
        assert ([s["author"] for s in view["statements"]], view["status"]) == ([frame.issuer], "candidate")
        # The follower keeps nothing of it either; and agrees, when the day of its date has come, on what expired then.
        mirror = follow(hub, follower)
        assert (mirror.store.about(md5(1)), len(mirror.store.about(md5(2)))) == ([], 1)
        hub.clock.advance(12 * DAY)
        hub.run_job("signals.expire")
        mirror = follow(hub, follower)
        assert mirror.tally() == {}
        assert mirror.store.counts()["hub:expiry"] == 1
        check_hub(hub.database, hub.settings)


def _payload(jws: str) -> bytes:
    return payload_of(jws.encode())


def _entries(hub: Hub, first: int, behind: int) -> list[bytes]:
    with hub.database.snapshot() as uow:
        return [
            entry.encode() for _, entry in sorted(ledger.entries_at(uow, list(range(first, behind))).items())
        ]
