"""What is no snapshot of the hub: every step by which one is believed, broken once."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.client.snapshot_reader import Reader, make
from tests.signals.material import COMMUNITY, Voice, md5, report
from tests.support.hub import Hub
from tocsin_client import snapshots
from tocsin_client.config import NotReady
from tocsin_client.http import HubError
from tocsin_client.snapshot import keys
from tocsin_client.snapshot.shard import Shard, encode_shard
from tocsin_client.snapshot_check import Kept, SnapshotUnverified, check_logged, check_view
from tocsin_client.snapshot_match import SnapshotMatcher
from tocsin_client.snapshots import SnapshotStore
from tocsin_client.trust import Trust
from tocsin_schemas import envelope, hub_events
from tocsin_schemas.policy import DAY
from tocsin_schemas.snapshots import Manifest, ShardFile


@pytest.fixture
def pixel(hub: Hub) -> Voice:
    return Voice(hub, "pixel")


@pytest.fixture
def reader(hub: Hub, tmp_path: Path) -> Reader:
    return Reader(hub, "frame", tmp_path / "home")


Change = Any


def _manifest(**members: Any) -> Change:
    def change(view: dict[str, Any]) -> None:
        view["manifest"].update(members)

    return change


def _other_event(view: dict[str, Any]) -> None:
    header, payload, signature = view["jws"].split(".")
    view["jws"] = ".".join((header, payload, ("A" if signature[0] != "A" else "B") + signature[1:]))


def _other_nonce(view: dict[str, Any]) -> None:
    view["r"] = "0" * 64


def _other_place(view: dict[str, Any]) -> None:
    view["seq"] = 0


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        (_manifest(community="ncii"), "snapshot-mismatch", "another community"),
        (_manifest(type="pdq"), "snapshot-mismatch", "another community, type"),
        (_manifest(width=20), "snapshot-mismatch", "width"),
        (_manifest(count=1), "snapshot-mismatch", "another manifest"),
        (_manifest(keys="0" * 64), "snapshot-mismatch", "another manifest"),
        (_manifest(shards=[]), "snapshot-mismatch", "another manifest"),
        (_other_event, "signature-invalid", "the hub's event"),
        (_other_nonce, "snapshot-mismatch", "commits to another"),
        (_other_place, "snapshot-mismatch", "about something else"),
    ],
)
def test_what_the_hub_did_not_say_is_refused(
    hub: Hub,
    pixel: Voice,
    reader: Reader,
    change: Change,
    code: str,
    names: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixel.batch([pixel.report(md5(n)) for n in range(5)])
    make(hub)
    reader.get()
    kept = (reader.store().folder / "newest.json").read_bytes()
    before = reader.files()
    real = reader.client.snapshot

    def lying(community: str, kind: str):
        view = json.loads(real(community, kind).model_dump_json())
        change(view)
        return Kept.model_validate({"view": view, "entry": "", "proof": ""}).view

    monkeypatch.setattr(reader.client, "snapshot", lying)
    with pytest.raises(SnapshotUnverified, match=names) as refused:
        reader.get()
    assert refused.value.code == code
    assert reader.files() == before
    # The same, in what lies here.
    view = json.loads(kept)
    change(view["view"])
    (reader.store().folder / "newest.json").write_text(json.dumps(view))
    with pytest.raises(SnapshotUnverified) as refused:
        reader.verify()
    assert refused.value.code in {code, "snapshot-mismatch"}


def test_an_event_that_was_never_logged_is_refused(
    hub: Hub, pixel: Voice, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that signs one snapshot for one member, and logs another."""
    pixel.batch([pixel.report(md5(n)) for n in range(5)])
    make(hub)
    view = reader.client.snapshot(COMMUNITY, "md5")
    manifest = view.manifest.model_copy(update={"count": 4})
    said = hub_events.Snapshot(
        type="md5", version=1, count=4, log_size=manifest.log_size, manifest=manifest.digest()
    )
    payload = hub_events.compose_snapshot(
        iss=hub.issuer, aud=reader.client.audience(COMMUNITY), iat=hub.clock(), snapshot=said
    )
    token = envelope.sign(payload, hub.means.keys.events).decode()
    forged = view.model_copy(update={"jws": token, "manifest": manifest})
    monkeypatch.setattr(reader.client, "snapshot", lambda _community, _kind: forged)
    with pytest.raises(SnapshotUnverified, match="commits to another event"):
        reader.get()
    assert reader.store().kept() is None


def test_an_event_that_no_checkpoint_covers_is_refused(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.say(report(hub.clock() + DAY), md5(1))
    hub.publish()
    hub.run_job("feed.snapshot")
    with pytest.raises(SnapshotUnverified, match="the log does not cover"):
        reader.get()


def test_an_event_for_another_community_is_refused(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.say(report(hub.clock() + DAY), md5(1))
    make(hub)
    trust = replace(Trust.of(reader.client.directory(COMMUNITY)), audience=f"{hub.issuer}/communities/ncii")
    with pytest.raises(SnapshotUnverified, match="for another community"):
        check_view(reader.client.snapshot(COMMUNITY, "md5"), trust, "md5")


def test_the_proof_of_another_entry_is_refused(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.batch([pixel.report(md5(n)) for n in range(3)])
    make(hub)
    reader.get()
    kept = reader.store().demand()
    other = reader.log.latest().proof(0).encode().decode()
    with pytest.raises(SnapshotUnverified, match="of another entry"):
        check_logged(kept.model_copy(update={"proof": other}), reader.log.policy(), hub.clock())
    with pytest.raises(SnapshotUnverified, match="the log's proof") as refused:
        check_logged(kept.model_copy(update={"proof": "c2sp.org"}), reader.log.policy(), hub.clock())
    assert refused.value.code == "proof-malformed"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"count": 2}, "snapshot-mismatch"),
        ({"keys": "0" * 64}, "snapshot-mismatch"),
        ({"twice": True}, "snapshot-mismatch"),
        ({"malformed": True}, "snapshot-malformed"),
    ],
)
def test_a_manifest_that_describes_its_files_wrongly_is_refused(
    tmp_path: Path, members: dict[str, Any], code: str
) -> None:
    """What a hub could sign that makes mistakes, or lies to everybody alike."""
    store = SnapshotStore(tmp_path, COMMUNITY, "md5")
    values = keys.as_keys(sorted(md5(n).value for n in range(3)), 16)
    raw = encode_shard("md5", values) if "malformed" not in members else b"TSS1" + bytes(60)
    name = hashlib.sha256(raw).hexdigest()
    store.write(name, raw)
    file = {"count": members.get("count", 3), "bytes": len(raw), "sha256": name}
    manifest = Manifest.model_validate(
        {
            "community": COMMUNITY, "type": "md5", "version": 1, "at": "2026-11-22T12:00:00Z", "log_size": 3,
            "width": 16, "count": 3, "deltas": [], "shards": [file] * (2 if "twice" in members else 1),
            "keys": members.get("keys", hashlib.sha256(values.tobytes()).hexdigest()),
        }
    )  # fmt: skip
    with pytest.raises(SnapshotUnverified) as refused:
        snapshots.check_shards(store, manifest)
    assert refused.value.code == code


def test_files_replaced_while_they_are_opened_are_opened_again(
    hub: Hub, pixel: Voice, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel.say(report(hub.clock() + DAY), md5(1))
    make(hub)
    reader.get()
    real = SnapshotStore.open
    missed: list[ShardFile] = []

    def late(store: SnapshotStore, file: ShardFile) -> Shard:
        if len(missed) < 2:
            missed.append(file)
            raise FileNotFoundError
        return real(store, file)

    monkeypatch.setattr(SnapshotStore, "open", late)
    assert SnapshotMatcher(reader.home, hub.issuer, COMMUNITY).find([md5(1)]) != []
    missed[:] = missed[:0]
    monkeypatch.setattr("tocsin_client.snapshot_match.ATTEMPTS", 1)
    with pytest.raises(FileNotFoundError):
        SnapshotMatcher(reader.home, hub.issuer, COMMUNITY).find([md5(1)])


def test_an_older_version_is_refused(
    hub: Hub, pixel: Voice, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel.say(report(hub.clock() + DAY), md5(1))
    make(hub)
    old = reader.client.snapshot(COMMUNITY, "md5")
    pixel.say(report(hub.clock() + DAY), md5(2))
    make(hub)
    reader.get()
    monkeypatch.setattr(reader.client, "snapshot", lambda _community, _kind: old)
    with pytest.raises(SnapshotUnverified, match="had shown another version 2"):
        reader.get()
    assert reader.verify() == 2


@pytest.mark.parametrize("file", ["shard", "delta"])
def test_a_file_that_the_manifest_does_not_name_is_refused(
    hub: Hub, pixel: Voice, reader: Reader, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel.batch([pixel.report(md5(n)) for n in range(300)])
    make(hub)
    reader.get()
    pixel.say(report(hub.clock() + DAY), md5(1000))
    make(hub)
    if file == "delta":
        monkeypatch.setattr(reader.client, "snapshot_delta", lambda *_: b"other")
        assert reader.get().way == "whole"
        return
    monkeypatch.setattr(reader.client, "snapshot_shard", lambda *_: b"other")
    with pytest.raises(SnapshotUnverified, match="shard 0"):
        reader.get(whole=True)
    assert reader.verify() == 1


def test_a_hub_that_never_stands_still_is_given_up(
    hub: Hub, pixel: Voice, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel.say(report(hub.clock() + DAY), md5(1))
    make(hub)

    def gone(*_: Any) -> bytes:
        raise HubError("snapshot-superseded", status=410)

    monkeypatch.setattr(reader.client, "snapshot_shard", gone)
    with pytest.raises(HubError, match="snapshot-superseded"):
        reader.get()


def test_a_damaged_description_says_what_to_do(hub: Hub, pixel: Voice, reader: Reader) -> None:
    pixel.say(report(hub.clock() + DAY), md5(1))
    make(hub)
    reader.get()
    (reader.store().folder / "newest.json").write_text("{}")
    with pytest.raises(NotReady, match="Delete it"):
        reader.verify()
