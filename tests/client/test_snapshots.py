"""Snapshots on a member's machine: fetched whole, by changes or by what is missing, compared and matched."""

from pathlib import Path

import pytest

from tests.client.snapshot_reader import Reader, at_hub, make
from tests.signals.material import COMMUNITY, Voice, md5, pdq, report
from tests.support.hub import Hub
from tocsin_client import snapshots
from tocsin_client.config import NotReady
from tocsin_client.snapshot import keys
from tocsin_client.snapshot_check import SnapshotUnverified
from tocsin_client.snapshot_match import SnapshotMatcher
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY


@pytest.fixture
def pixel(hub: Hub) -> Voice:
    return Voice(hub, "pixel")


@pytest.fixture
def reader(hub: Hub, tmp_path: Path) -> Reader:
    return Reader(hub, "frame", tmp_path / "home")


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of four keys, so that a small set has many."""
    monkeypatch.setattr(keys, "SHARD_KEYS", 4)


def test_what_the_hub_has_is_here_and_verifies(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.batch([pixel.report(md5(n)) for n in range(50)])
    make(hub)
    done = reader.get()
    assert (done.way, done.manifest.version) == ("whole", 1)
    assert reader.held() == at_hub(hub)
    assert reader.verify() == 1
    again = reader.get()
    assert (again.way, again.fetched) == ("same", 0)


@pytest.mark.usefixtures("many")
def test_a_delta_is_taken_where_it_is_shorter(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.batch([pixel.report(md5(n), days=1 if n < 20 else 30) for n in range(200)])
    make(hub)
    first = reader.get()
    assert len(first.manifest.shards) > 45
    hub.clock.advance(DAY)
    hub.run_job("signals.expire")
    pixel.batch([pixel.report(md5(n)) for n in range(200, 210)])
    make(hub)
    pixel.batch([pixel.report(md5(n)) for n in range(210, 220)])
    make(hub)
    second = reader.get()
    assert (second.way, second.manifest.version) == ("delta", 3)
    assert second.fetched < first.fetched / 3
    assert reader.held() == at_hub(hub) == sorted(md5(n).value for n in range(20, 220))
    assert reader.verify() == 3
    # Nothing else is left: not one value that went.
    assert all(md5(n).value[4:] not in raw for n in range(20) for raw in reader.files().values())


@pytest.mark.usefixtures("many")
def test_only_what_is_missing_is_fetched(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.batch([pixel.report(md5(n)) for n in range(100)])
    make(hub)
    reader.get()
    store = reader.store()
    one, other = store.demand().manifest.shards[3:5]
    (store.folder / one.sha256).unlink()
    (store.folder / other.sha256).write_bytes(b"damaged")
    with pytest.raises(SnapshotUnverified, match="shard 3"):
        reader.verify()
    mended = reader.get()
    assert (mended.way, mended.fetched) == ("whole", one.bytes + other.bytes)
    assert reader.verify() == 1


@pytest.mark.usefixtures("many")
def test_a_version_superseded_on_the_way_does_no_harm(
    hub: Hub, pixel: Voice, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel.batch([pixel.report(md5(n)) for n in range(100)])
    make(hub)
    real = reader.client.snapshot_shard
    asked: list[int] = []

    def slow(community: str, kind: str, version: int, number: int) -> bytes:
        asked.append(version)
        if len(asked) in {3, 20}:
            pixel.say(report(hub.clock() + DAY), md5(1000 + len(asked)))
            make(hub)
        return real(community, kind, version, number)

    monkeypatch.setattr(reader.client, "snapshot_shard", slow)
    done = reader.get()
    assert set(asked) == {1, 2, 3}
    # What had been fetched counted.
    assert len(asked) < 1.5 * len(done.manifest.shards)
    assert reader.held() == at_hub(hub)


def test_a_damaged_copy_is_no_obstacle_to_the_next(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.batch([pixel.report(md5(n)) for n in range(500)])
    make(hub)
    reader.get()
    for path in reader.store().folder.iterdir():
        if len(path.name) == 64:
            path.write_bytes(path.read_bytes()[:-1])
    pixel.say(report(hub.clock() + DAY), md5(1000))
    make(hub)
    assert reader.get().way == "whole"
    assert reader.verify() == 2


def test_difference_says_what_would_change(hub: Hub, pixel: Voice, reader: Reader) -> None:
    with pytest.raises(NotReady, match="snapshot get md5"):
        snapshots.difference(reader.client, reader.log, reader.store())
    pixel.batch([pixel.report(md5(n), days=1 + n) for n in range(3)])
    make(hub)
    reader.get()
    before = reader.files()
    same = snapshots.difference(reader.client, reader.log, reader.store())
    assert same is not None
    assert (len(same.removed), len(same.added)) == (0, 0)
    hub.clock.advance(DAY)
    hub.run_job("signals.expire")
    pixel.say(report(hub.clock() + 30 * DAY), md5(7))
    make(hub)
    found = snapshots.difference(reader.client, reader.log, reader.store())
    assert found is not None
    assert [row.tobytes() for row in found.removed] == [md5(0).value]
    assert [row.tobytes() for row in found.added] == [md5(7).value]
    assert reader.files() == before
    for n in range(10, 19):
        pixel.say(report(hub.clock() + 30 * DAY), md5(n))
        make(hub)
    assert snapshots.difference(reader.client, reader.log, reader.store()) is None


def test_matching_where_the_files_lie(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.batch([pixel.report(md5(n)) for n in range(50)])
    pixel.say(report(hub.clock() + DAY, quality=90), pdq(128))
    make(hub)
    for kind in ("md5", "pdq"):
        reader.get(kind)
    matcher = SnapshotMatcher(reader.home, hub.issuer, COMMUNITY)
    assert matcher.kinds() == ["md5", "pdq"]
    assert all(matcher.find([md5(n)])[0].indicator == md5(n) for n in range(50))
    assert matcher.find([md5(n) for n in range(50, 90)]) == []
    near = Indicator("pdq", (int.from_bytes(pdq(128).value) ^ 0b111).to_bytes(32))
    assert [(found.indicator, found.distance) for found in matcher.find([near])] == [(pdq(128), 3)]
    assert SnapshotMatcher(reader.home, hub.issuer, COMMUNITY, distance=2).find([near]) == []
    assert (
        SnapshotMatcher(reader.home, hub.issuer, COMMUNITY, distance=0).find([pdq(128), near])[0].distance
        == 0
    )
    # What is mapped stays readable when a newer version takes its place.
    pixel.say(report(hub.clock() + DAY), md5(70))
    make(hub)
    reader.get()
    assert matcher.find([md5(70)]) == []
    assert matcher.find([md5(1)]) != []
    assert SnapshotMatcher(reader.home, hub.issuer, COMMUNITY).find([md5(70)]) != []
    with pytest.raises(NotReady, match="snapshot get sha1"):
        matcher.find([Indicator("sha1", bytes(20))])
    with pytest.raises(ValueError, match="0 to 31"):
        SnapshotMatcher(reader.home, hub.issuer, COMMUNITY, distance=32)
