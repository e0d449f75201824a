"""What each state of a member does, through HTTP: to what it may do, and to what it has said. And back again."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.signals.material import COMMUNITY, DISPUTE, RETRACTION, Voice, assert_refused, md5, report
from tests.support.hub import Hub
from tests.support.invariants import check_hub, unchanged
from tests.support.states import STATES, put
from tocsin_client.mirror import Mirror
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import MemberState

OLD, LATE, AGREED, OTHERS = md5(1), md5(2), md5(3), md5(4)
"""Reported by pixel 40 days ago, by pixel now, by both now, by frame now."""
FEED = f"/v1/communities/{COMMUNITY}/feed"
SUSPENDED, ENDED, RESTRICTED = "member-suspended", "membership-ended", "member-restricted"


class Row(NamedTuple):
    """A row of trust.md §1: which code answers, or None; which of pixel's three reports count; what is withheld."""

    submits: str | None
    reads: str | None
    free: bool
    counts: str
    withheld: str | None


TABLE: dict[MemberState, Row] = {
    "provisional": Row(None, None, True, "", "state"),
    "active": Row(None, None, False, "old late agreed", None),
    "restricted": Row(RESTRICTED, None, False, "old late agreed", None),
    "emergency_suspended": Row(SUSPENDED, SUSPENDED, False, "old", "state"),
    "suspended": Row(SUSPENDED, SUSPENDED, False, "", "state"),
    "withdrawing": Row(RESTRICTED, None, False, "old late agreed", None),
    "withdrawn": Row(ENDED, ENDED, False, "", "state"),
    "expelled": Row(ENDED, ENDED, False, "", "state"),
}


class Town:
    """Three members: pixel, whose state changes, frame, who agrees with it once, and vendor, who reads."""

    def __init__(self, hub: Hub, folder: Path, stack: ExitStack) -> None:
        self.hub = hub
        self.folder = folder
        self.stack = stack
        self.pixel, self.frame, self.vendor = (Voice(hub, name) for name in ("pixel", "frame", "vendor"))
        self.pixel.say(report(hub.clock() + 90 * DAY), OLD)
        hub.clock.advance(40 * DAY)
        until = hub.clock() + 90 * DAY
        self.pixel.say(report(until), LATE)
        self.pixel.say(report(until), AGREED)
        self.frame.say(report(until), AGREED)
        self.frame.say(report(until), OTHERS)
        self.early = self.follower(self.vendor)
        self.follow()

    def follower(self, reader: Voice) -> tuple[Voice, Mirror]:
        """A new mirror of a member."""
        path = self.folder / f"{len(list(self.folder.iterdir()))}.mirror"
        mirror = Mirror.open(path, self.hub.issuer, COMMUNITY, clock=self.hub.clock)
        return reader, self.stack.enter_context(mirror)

    def follow(self, *followers: tuple[Voice, Mirror]) -> None:
        """Let them follow to the end."""
        self.hub.publish()
        for reader, mirror in followers or (self.early,):
            mirror.follow(reader.party.sdk())
            assert mirror.store.refusals() == []

    def put(self, state: MemberState, *, activated: bool | None = None) -> None:
        """Pixel's state from now on."""
        put(self.hub, self.pixel.issuer, state, activated=activated)

    def statuses(self, reader: Voice | None = None) -> dict[Indicator, str | None]:
        """What the hub says to a member of each indicator; None where there is nothing to see."""
        views = {item: (reader or self.vendor).view(item) for item in (OLD, LATE, AGREED, OTHERS)}
        return {
            item: view.json()["status"] if view.status_code == 200 else None for item, view in views.items()
        }

    def agree(self, follower: tuple[Voice, Mirror]) -> None:
        """Hub and follower say the same of each; what the hub shows nobody does not stand with the follower."""
        self.follow(follower)
        reader, mirror = follower
        for item, status in self.statuses(reader).items():
            mine = mirror.standing(item).status
            assert mine == status or (status is None and mine in {"quarantined", "expired"}), (
                item,
                mine,
                status,
            )


@pytest.fixture
def town(hub: Hub, tmp_path: Path) -> Iterator[Town]:
    folder = tmp_path / "mirrors"
    folder.mkdir(mode=0o700)
    with ExitStack() as stack:
        yield Town(hub, folder, stack)


def test_the_table_here_is_of_every_state() -> None:
    assert tuple(TABLE) == STATES


@pytest.mark.parametrize("state", STATES)
def test_what_a_member_may_do_from_the_very_next_request_on(town: Town, state: MemberState) -> None:
    hub, pixel, row = town.hub, town.pixel, TABLE[state]
    pixel.headers()
    token = pixel.report(md5(9))
    town.put(state)
    # Submitting: one, a batch, a rehearsal.
    if row.submits is None:
        assert pixel.post(token, dry_run="true").status_code == 200
        assert pixel.post(token).status_code == 201
    else:
        with unchanged(hub.database, frozenset()):
            assert_refused(pixel.post(token), row.submits)
            assert_refused(pixel.post_lines([token]), row.submits)
            assert_refused(pixel.post(token, dry_run="true"), row.submits)
    # Reading, whatever it is.
    hub.publish()
    hub.run_job("feed.snapshot")
    for path in (
        FEED, f"/v1/communities/{COMMUNITY}/indicators/{OTHERS}", f"/v1/communities/{COMMUNITY}/members",
        "/v1/communities", "/v1/policy", "/v1/receipts/0", f"/v1/communities/{COMMUNITY}/snapshot/md5",
    ):  # fmt: skip
        answer = pixel.get(path)
        if row.reads is not None:
            assert_refused(answer, row.reads)
        elif row.free and path.endswith("/md5"):
            assert_refused(answer, RESTRICTED)
        elif row.free and "/indicators/" in path:
            assert_refused(answer, "not-found")
        else:
            assert answer.status_code == 200, path
    if row.free:
        assert {record["withheld"] for record in pixel.feed() if "withheld" in record} == {"state", "tlp"}
    # Its keys: a token that it has, and a new one.
    me = pixel.get("/v1/me")
    assert (me.status_code, me.json()["state"]) == (200, state)
    asked = hub.http.post("/oauth/token", data=pixel.party.form(grant_type="client_credentials"))
    if row.reads is None:
        assert asked.status_code == 200
        known = asked.json()["access_token"]
        assert hub.http.post("/oauth/introspect", data=pixel.party.form(token=known)).json()["active"]
    else:
        assert (asked.status_code, asked.json()["error"], asked.json()["code"]) == (
            400, "invalid_client", row.reads,
        )  # fmt: skip
    # Back: everything at once.
    town.put("active")
    assert pixel.post(pixel.report(md5(10))).status_code == 201
    assert all("jws" in record for record in pixel.feed())
    check_hub(hub.database, hub.settings)


@pytest.mark.parametrize("state", STATES)
def test_what_becomes_of_what_it_said_and_that_every_follower_agrees(town: Town, state: MemberState) -> None:
    hub, row = town.hub, TABLE[state]
    before = town.statuses()
    assert before == {OLD: "candidate", LATE: "candidate", AGREED: "human_confirmed", OTHERS: "candidate"}
    town.put(state)
    # The feed: pixel's own are at 0 (old), 1 and 2, frame's at 3 and 4.
    shown = [record["seq"] for record in town.vendor.feed() if "jws" in record]
    hidden = {record["seq"]: record["withheld"] for record in town.vendor.feed() if "withheld" in record}
    old, late, agreed = (word in row.counts for word in ("old", "late", "agreed"))
    assert shown == [seq for seq, given in ((0, old), (1, late), (2, agreed), (3, True), (4, True)) if given]
    assert set(hidden.values()) <= {row.withheld}
    # The fold, and the log's proofs, which open for nobody else.
    assert town.statuses() == {
        OLD: "candidate" if old else None,
        LATE: "candidate" if late else None,
        AGREED: "human_confirmed" if agreed else "candidate",
        OTHERS: "candidate",
    }
    hub.publish()
    for seq in range(3):
        assert (b'"r"' in _extra(town.vendor, seq)) == (seq in shown)
    # Snapshots and lists.
    hub.run_job("feed.snapshot")
    listed = town.vendor.get(f"/v1/communities/{COMMUNITY}/snapshot/md5").json()["manifest"]["count"]
    assert listed == sum((old, late)) + 2
    # Whoever followed before, and whoever comes now.
    late_comer = town.follower(town.frame)
    town.agree(town.early)
    town.agree(late_comer)
    # Active again: as if nothing had been.
    town.put("active")
    assert town.statuses() == before
    for follower in (town.early, late_comer):
        town.agree(follower)
        assert {item: follower[1].standing(item).status for item in before} == before
    hub.run_job("feed.snapshot")
    assert town.vendor.get(f"/v1/communities/{COMMUNITY}/snapshot/md5").json()["manifest"]["count"] == 4
    check_hub(hub.database, hub.settings)


def _extra(reader: Voice, seq: int) -> bytes:
    line = next(
        line for line in reader.get(f"/v1/receipts/{seq}").content.splitlines() if line.startswith(b"extra ")
    )
    return base64.b64decode(line.removeprefix(b"extra "))


def test_a_member_that_was_never_active_does_not_begin_to_count_by_being_suspended_or_leaving(
    town: Town,
) -> None:
    town.put("provisional")
    quiet = town.statuses()
    assert quiet[OLD] is None
    for state in ("emergency_suspended", "suspended", "withdrawing", "withdrawn"):
        town.put(state, activated=False)
        assert town.statuses() == quiet
        town.agree(town.early)


def test_a_retraction_is_withheld_from_nobody(town: Town) -> None:
    """Or whoever holds what was withdrawn would go on counting it."""
    with town.hub.database.snapshot() as uow:
        target = uow.conn.exec_driver_sql("SELECT digest FROM statement WHERE seq = 0").scalar_one()
    behind = town.follower(town.frame)
    town.follow(behind)
    town.pixel.say(RETRACTION, bytes(target))
    town.put("emergency_suspended")
    assert town.statuses()[OLD] is None
    town.agree(behind)
    assert behind[1].standing(OLD).status == "expired"


def test_a_dispute_of_a_member_that_does_not_count_is_no_dispute(town: Town) -> None:
    town.pixel.say(DISPUTE, OTHERS)
    town.vendor.say(DISPUTE, OTHERS)
    assert town.statuses()[OTHERS] == "disputed"
    for state in STATES:
        town.put(state)
        counted = state in {"active", "restricted", "withdrawing"}
        assert town.statuses()[OTHERS] == ("disputed" if counted else "candidate")
        town.agree(town.early)
