"""Snapshots at the hub: what is in them, how one leads to the next, and that nothing that left stays anywhere."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.signals.material import (
    COMMUNITY,
    DISPUTE,
    RETRACTION,
    SIGHTING,
    Voice,
    assert_refused,
    md5,
    pdq,
    report,
    sha256,
)
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump
from tests.support.snapshots import check_snapshots, folder, values
from tocsin.signals.service import live_set
from tocsin.signals.service import snapshot as making
from tocsin_client.snapshot import delta, keys
from tocsin_client.snapshot.keys import as_keys
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY
from tocsin_schemas.snapshots import Manifest

AT = f"/v1/communities/{COMMUNITY}/snapshot"


def make(hub: Hub) -> dict[str, Manifest]:
    """Run the job; what is there then, by type."""
    hub.run_job("feed.snapshot")
    check_hub(hub.database, hub.settings)
    made = check_snapshots(hub.database, hub.settings)
    context = hub.means.context
    with hub.database.snapshot() as uow:
        community = context.members.communities(uow)[COMMUNITY]
        mine = {kind: manifest for (slug, kind), manifest in made.items() if slug == COMMUNITY}
        for kind, manifest in mine.items():
            # The fold over each indicator says the same as the shorter way by which snapshots are made.
            found: list[bytes] = []
            after: bytes | None = b""
            while after is not None:
                page, after = live_set.live_page(context, uow, community.id, kind, after)
                found += [item.value for item in page]
            assert found == values(hub.settings, manifest)
    return mine


def held(hub: Hub, kind: str = "md5") -> list[bytes]:
    return values(hub.settings, make(hub)[kind])


def of(*indicators: Indicator) -> list[bytes]:
    return sorted(indicator.value for indicator in indicators)


def ask(voice: Voice, path: str, **headers: str):
    """A request with more headers than who asks."""
    return voice.hub.http.get(path, headers={**voice.headers(), **headers})


def everything(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_a_snapshot_has_what_is_reported_of_each_type(hub: Hub) -> None:
    pixel, _ = Voice(hub, "pixel"), Voice(hub, "frame")
    assert make(hub) == {}
    pixel.batch([pixel.report([md5(n), sha256(n)]) for n in range(20)])
    made = make(hub)
    assert {kind: manifest.count for kind, manifest in made.items()} == {"md5": 20, "sha256": 20}
    assert values(hub.settings, made["md5"]) == of(*map(md5, range(20)))
    assert made["md5"].log_size == 20
    assert [manifest.version for manifest in made.values()] == [1, 1]


def test_nothing_is_made_anew_that_did_not_change(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.batch([pixel.report(md5(1)), pixel.report(sha256(1))])
    first = make(hub)
    assert hub.run_job("feed.snapshot") == 0
    # Another statement about the same: looked at again, and the set is the same.
    hub.clock.advance(60)
    frame.say(report(hub.clock() + DAY), md5(1))
    before = dump(hub.database)["statement"]
    assert hub.run_job("feed.snapshot") == 0
    assert dump(hub.database)["statement"] == before
    pixel.say(report(hub.clock() + DAY), md5(2))
    second = make(hub)
    assert (second["md5"].version, second["sha256"]) == (2, first["sha256"])


def test_a_set_of_each_community_and_only_for_its_readers(hub: Hub) -> None:
    pixel = Voice(hub, "pixel", communities={COMMUNITY: "rw", "ncii": "rw"})
    writer = Voice(hub, "writer", communities={COMMUNITY: "w"})
    stranger = Voice(hub, "stranger", communities={"ncii": "rw"})
    pixel.say(report(hub.clock() + DAY), md5(1))
    make(hub)
    hub.clock.advance(1)
    assert pixel.get(f"{AT}/md5").status_code == 200
    for voice in (writer, stranger):
        for path in (f"{AT}/md5", f"{AT}/md5/1/shards/0", f"{AT}/md5/1/delta/1"):
            assert_refused(voice.get(path), "not-found")
        assert_refused(ask(voice, f"{AT}/md5", Accept="text/csv"), "not-found")
    assert hub.http.get(f"{AT}/md5").status_code == 401
    assert not folder(hub.settings, "ncii", "md5").exists()


@pytest.mark.parametrize("leaves", ["expires", "withdrawn", "disputed", "suspended"])
def test_what_must_not_be_matched_leaves(hub: Hub, leaves: str) -> None:
    pixel, frame, muse = Voice(hub, "pixel"), Voice(hub, "frame"), Voice(hub, "muse")
    pixel.say(report(hub.clock() + 30 * DAY), md5(1))
    receipt = frame.say(report(hub.clock() + DAY), md5(2))
    assert held(hub) == of(md5(1), md5(2))
    hub.clock.advance(10)
    if leaves == "expires":
        hub.clock.advance(DAY)
    elif leaves == "withdrawn":
        frame.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    elif leaves == "disputed":
        pixel.say(DISPUTE, md5(2))
        assert held(hub) == of(md5(1), md5(2))
        muse.say(DISPUTE, md5(2))
        # One more voice against it that does not count changes nothing; one for it neither.
        frame.say(DISPUTE, md5(1))
    else:
        hub.members.suspend(frame.issuer)
    assert held(hub) == of(md5(1))
    if leaves == "suspended":
        hub.members.reinstate(frame.issuer)
        assert held(hub) == of(md5(1), md5(2))


def test_a_set_of_many_pages(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_set, "PAGE", 3)
    monkeypatch.setattr(making, "WRITTEN_AT_ONCE", 2)
    monkeypatch.setattr(keys, "SHARD_KEYS", 2)
    pixel = Voice(hub, "pixel")
    for size in (8, 9):
        pixel.batch([pixel.report(md5(n)) for n in range(size - 1 if size > 8 else 0, size)])
        assert held(hub) == of(*map(md5, range(size)))
    lines = ask(pixel, f"{AT}/md5", Accept="text/csv").text.splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == [f"md5:{value.hex()}" for value in held(hub)]


def test_quarantine_stays_out(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY, quality=100), pdq(10))
    pixel.say(report(hub.clock() + DAY, quality=100), pdq(128))
    assert held(hub, "pdq") == of(pdq(128))


def test_a_set_can_become_empty_and_come_back(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    # A sighting keeps the indicator known, and nothing more.
    pixel.say(SIGHTING, md5(1))
    assert held(hub) == of(md5(1))
    hub.clock.advance(DAY)
    assert held(hub) == []
    hub.run_job("signals.expire")
    assert held(hub) == []
    pixel.say(report(hub.clock() + DAY), md5(2))
    assert held(hub) == of(md5(2))


def test_a_value_that_left_is_in_no_object(hub: Hub) -> None:
    """Neither in a shard nor in a delta, of any version, nor anywhere else below the hub's folders."""
    pixel = Voice(hub, "pixel")
    for n in range(3):
        pixel.say(report(hub.clock() + (n + 1) * DAY), md5(n))
        make(hub)
        hub.clock.advance(60)
    # A value alone in a shard is there as it is.
    assert md5(0).value[4:] in everything(Path(hub.settings.feed_location()))
    hub.clock.advance(DAY)
    hub.run_job("signals.expire")
    made = make(hub)["md5"]
    assert values(hub.settings, made) == of(md5(1), md5(2))
    kept = everything(Path(hub.settings.feed_location()) / "snapshots")
    assert md5(0).value[4:] not in kept
    assert md5(2).value[4:] in kept


def test_every_kept_version_leads_to_the_newest(hub: Hub) -> None:
    pixel, reader = Voice(hub, "pixel"), Voice(hub, "frame")
    versions = {}
    for n in range(making.DELTAS + 3):
        pixel.batch([pixel.report(md5(10 * n + k), days=1 if k else 30) for k in range(3)])
        made = make(hub)["md5"]
        versions[made.version] = values(hub.settings, made)
        hub.clock.advance(DAY // 3)
        hub.run_job("signals.expire")
    newest = make(hub)["md5"]
    last = [*range(1, newest.version)][-making.DELTAS :]
    assert [file.since for file in newest.deltas] == last
    for file in newest.deltas:
        answer = reader.get(f"{AT}/md5/{newest.version}/delta/{file.since}")
        assert hashlib.sha256(answer.content).hexdigest() == file.sha256
        read = delta.decode_delta(answer.content, "md5", 16)
        old = as_keys(versions[file.since], 16)
        found = [row.tobytes() for keys in delta.apply(read, [old]) for row in keys]
        assert found == values(hub.settings, newest)
    gone = min(versions)
    assert_refused(reader.get(f"{AT}/md5/{newest.version}/delta/{gone}"), "not-found")


def test_a_delta_longer_than_the_set_is_not_kept(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "SHARD_KEYS", 4)
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(0))
    make(hub)
    pixel.batch([pixel.report(md5(n)) for n in range(1, 5)])
    assert [file.since for file in make(hub)["md5"].deltas] == [1]
    pixel.batch([pixel.report(md5(n)) for n in range(5, 10)])
    assert [file.since for file in make(hub)["md5"].deltas] == []


def test_the_manifest_comes_with_its_signed_event(hub: Hub) -> None:
    pixel, reader = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.say(report(hub.clock() + DAY), md5(1))
    made = make(hub)["md5"]
    answer = reader.get(f"{AT}/md5")
    assert answer.headers["content-type"] == "application/json"
    view = answer.json()
    assert Manifest.model_validate(view["manifest"]) == made
    (record,) = (record for record in reader.feed() if record["seq"] == view["seq"])
    assert (record["r"], record["jws"]) == (view["r"], view["jws"])
    again = ask(reader, f"{AT}/md5", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    shard = reader.get(f"{AT}/md5/1/shards/0")
    assert hashlib.sha256(shard.content).hexdigest() == made.shards[0].sha256


def test_what_is_not_there_is_said(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    assert_refused(pixel.get(f"{AT}/md5"), "not-found")
    make(hub)
    assert_refused(pixel.get(f"{AT}/sha1"), "not-found")
    assert_refused(pixel.get(f"{AT}/sha3"), "not-found")
    assert_refused(pixel.get(f"{AT}/md5/1/shards/1"), "not-found")
    assert_refused(pixel.get(f"{AT}/md5/2/shards/0"), "not-found")
    for accept in ("image/png", "application/json;q=0", "text/csv;q=much"):
        assert_refused(ask(pixel, f"{AT}/md5", Accept=accept), "not-acceptable")
    for accept in ("text/*", "application/json;q=0.5, text/csv;q=0.6"):
        assert ask(pixel, f"{AT}/md5", Accept=accept).headers["content-type"].startswith("text/csv")
    pixel.say(report(hub.clock() + DAY), md5(2))
    make(hub)
    assert_refused(pixel.get(f"{AT}/md5/1/shards/0"), "snapshot-superseded")


def test_lines_for_people(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.say(report(hub.clock() + DAY), md5(1))
    frame.say(report(hub.clock() + 2 * DAY), md5(1))
    pixel.say(report(hub.clock() + DAY), md5(2))
    rows = ask(pixel, f"{AT}/md5", Accept="text/csv")
    assert rows.headers["content-type"].startswith("text/csv")
    header, *lines = rows.text.splitlines()
    assert header == "indicator,status,expires_at"
    assert sorted(lines) == sorted(
        [f"{md5(1)},human_confirmed,2026-11-24T12:00:00Z", f"{md5(2)},candidate,2026-11-23T12:00:00Z"]
    )
    listed = ask(pixel, f"{AT}/md5", Accept="application/x-ndjson")
    assert [",".join(line.values()) for line in map(json.loads, listed.text.splitlines())] == lines


@pytest.mark.parametrize("form", ["application/json", "text/csv", "application/x-ndjson"])
def test_a_snapshot_counts_as_delivery(hub: Hub, form: str) -> None:
    """Whoever was given it and reports the same has seen it again, not found it."""
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.say(report(hub.clock() + DAY), md5(1))
    make(hub)
    assert ask(frame, f"{AT}/md5", Accept=form).status_code == 200
    frame.say(report(hub.clock() + DAY), md5(1))
    frame.say(report(hub.clock() + DAY), md5(2))
    kinds = [row[3] for row in sorted(dump(hub.database)["statement"]) if row[2] is not None]
    assert kinds == ["report", "sighting", "report"]


def test_a_lost_object_is_made_again(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    made = make(hub)["md5"]
    home = folder(hub.settings, COMMUNITY, "md5")
    (home / made.shards[0].sha256).unlink()
    assert_refused(pixel.get(f"{AT}/md5/1/shards/0"), "snapshot-superseded")
    again = make(hub)["md5"]
    assert (again.version, again.keys) == (2, made.keys)
    (home / again.digest()).unlink()
    assert_refused(pixel.get(f"{AT}/md5"), "unavailable")
    assert make(hub)["md5"].version == 3


class Faulty:
    """A store of objects whose write number `at` fails, after it was done or instead."""

    def __init__(self, objects, at: int, *, stored: bool) -> None:
        self.objects, self.left, self.stored = objects, at, stored

    def __getattr__(self, name: str):
        found = getattr(self.objects, name)
        if name not in {"write_many", "delete"}:
            return found

        def failing(given) -> None:
            self.left -= 1
            if self.left == 0:
                if self.stored:
                    found(list(given))
                raise OSError("failed on purpose")
            found(given)

        return failing


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("at", range(1, 5))
def test_a_crash_anywhere_leaves_the_last_version_and_is_healed(hub: Hub, at: int, stored: bool) -> None:
    """Writes: the shards (two, once there are more than fit), then deltas and manifest, then what is removed."""
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(n), days=1 if n % 2 else 9) for n in range(40)])
    first = make(hub)["md5"]
    hub.clock.advance(DAY)
    hub.run_job("signals.expire")
    context = hub.means.context
    broken = Faulty(context.feed_store, at, stored=stored)
    failed = False
    try:
        making.snapshot(replace(context, feed_store=broken), hub.means.keys.events)
    except OSError:
        failed = True
    assert failed == (at <= 3)
    # Whatever failed, what a reader gets is a whole version.
    view = pixel.get(f"{AT}/md5").json()
    assert view["manifest"]["version"] in {1, 2}
    version = view["manifest"]["version"]
    if version == 1:
        assert pixel.get(f"{AT}/md5/1/shards/0").status_code == 200
        assert Manifest.model_validate(view["manifest"]) == first
    hub.clock.advance(60)
    healed = make(hub)["md5"]
    assert healed.version == 2
    assert values(hub.settings, healed) == of(*(md5(n) for n in range(0, 40, 2)))


def test_what_a_crash_left_is_removed_though_nothing_changed(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    make(hub)
    pixel.say(report(hub.clock() + DAY), md5(2))
    broken = Faulty(hub.means.context.feed_store, 3, stored=False)
    with pytest.raises(OSError, match="on purpose"):
        making.snapshot(replace(hub.means.context, feed_store=broken), hub.means.keys.events)
    before = len(list(folder(hub.settings, COMMUNITY, "md5").iterdir()))
    assert hub.run_job("feed.snapshot") == 0
    assert make(hub)["md5"].version == 2
    assert len(list(folder(hub.settings, COMMUNITY, "md5").iterdir())) < before


def test_of_two_that_make_one_the_later_wins(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that stopped answering and comes back late does no harm."""
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    real = making._enter
    nested = []

    def late(context, key, place, manifest, looked):
        monkeypatch.setattr(making, "_enter", real)
        nested.append(making.snapshot(context, key))
        return real(context, key, place, manifest, looked)

    monkeypatch.setattr(making, "_enter", late)
    assert making.snapshot(hub.means.context, hub.means.keys.events) == 0
    assert nested == [1]
    assert make(hub)["md5"].version == 1
