"""The log over HTTP: checkpoint, tiles and entry bundles at the paths of C2SP tlog-tiles, for anybody."""

import hashlib

import pytest

from tests.signals.material import COMMUNITY, RETRACTION, Voice, assert_refused, md5, report
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tocsin_schemas import ledger
from tocsin_schemas.checkpoint import open_checkpoint
from tocsin_schemas.feed import parse_record
from tocsin_schemas.merkle import EMPTY_ROOT, merkle_root, tree_root
from tocsin_schemas.policy import DAY

SIZE = 600


@pytest.fixture
def filled(hub: Hub) -> Hub:
    """A hub whose log has two full bundles and a part of a third, of two communities."""
    pixel = Voice(hub, "pixel", communities={COMMUNITY: "rw", "ncii": "rw"})
    slugs = [COMMUNITY if n % 3 else "ncii" for n in range(SIZE)]
    pixel.batch([pixel.report(md5(n), community=slug) for n, slug in enumerate(slugs)])
    hub.publish()
    return hub


def test_bundles_hold_every_entry_in_order(filled: Hub) -> None:
    seen: list[bytes] = []
    for index in range(3):
        width = min(ledger.BUNDLE_ENTRIES, SIZE - index * ledger.BUNDLE_ENTRIES)
        answer = filled.http.get(f"/log/{ledger.bundle_path(index, width)}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        found = ledger.decode_bundle(answer.content)
        assert len(found) == width
        seen += found
    entries = [ledger.Entry.decode(raw) for raw in seen]
    assert [entry.community for entry in entries] == [COMMUNITY if n % 3 else "ncii" for n in range(SIZE)]
    assert {(entry.kind, entry.recorded_at) for entry in entries} == {("report", filled.clock())}
    assert len({entry.commitment for entry in entries}) == SIZE


def test_what_was_recorded_is_not_there_before_it_is_published(filled: Hub) -> None:
    pixel = Voice(filled, "frame", communities={COMMUNITY: "rw"})
    pixel.batch([pixel.report(md5(SIZE + n)) for n in range(168)])
    assert_refused(filled.http.get("/log/tile/entries/002"), "not-found")
    assert filled.publish() == 168
    assert len(ledger.decode_bundle(filled.http.get("/log/tile/entries/002").content)) == 256
    assert_refused(filled.http.get(f"/log/tile/entries/002.p/{SIZE - 512}"), "not-found")


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        (None, False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
        ("*", True),
        ("zstd", False),
    ],
)
def test_a_bundle_is_compressed_for_whoever_can_read_that(
    filled: Hub, accepted: str | None, packed: bool
) -> None:
    headers = {"Accept-Encoding": "identity" if accepted is None else accepted}
    answer = filled.http.get("/log/tile/entries/000", headers=headers)
    assert (answer.headers.get("content-encoding") == "gzip") == packed
    assert answer.headers["vary"] == "Accept-Encoding"
    assert len(ledger.decode_bundle(answer.content)) == 256


def _all(hub: Hub) -> list[bytes]:
    parts = [(0, 256), (1, 256), (2, SIZE - 512)]
    answers = [hub.http.get(f"/log/{ledger.bundle_path(*part)}") for part in parts]
    return [raw for answer in answers for raw in ledger.decode_bundle(answer.content)]


NO_BUNDLES = [
    "002",  # not full yet
    f"002.p/{SIZE - 511}",
    "002.p/1",  # no checkpoint had that size
    "003.p/1",
    "999",
    "x001/000",
    "x999/x999/x999/x999/x999/999",
    "x001/x000/x000/x000/x000/000.p/1",
    "000.p/0",
    "000.p/256",
    "000.p/01",
    "000.p/-1",
    "000.p",
    "000.p/",
    "0",
    "00",
    "0000",
    "x000",
    "x000/000",
    "x000/x001/000",
    "001/000",
    "x01/000",
    "١٢٣",
    "",
    "000/",
    "000%20",
    "../../../etc/passwd",
]


def test_what_is_no_path_of_a_bundle_is_not_found(filled: Hub) -> None:
    for path in NO_BUNDLES:
        assert_refused(filled.http.get(f"/log/tile/entries/{path}"), "not-found")
        assert_refused(filled.http.get(f"/log/tile/0/{path}"), "not-found")


@pytest.mark.parametrize(
    "path", ["64/000", "00/000", "-1/000", "x/000", "1", "1/", "3/000", "0/000/", "entries"]
)
def test_what_is_no_path_of_a_tile_is_not_found(filled: Hub, path: str) -> None:
    assert_refused(filled.http.get(f"/log/tile/{path}"), "not-found")


def test_tiles_hold_the_hashes_of_the_entries(filled: Hub) -> None:
    leaves = [hashlib.sha256(b"\0" + raw).digest() for raw in _all(filled)]
    found = b""
    for path in ("000", "001", f"002.p/{SIZE - 512}"):
        answer = filled.http.get(f"/log/tile/0/{path}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        found += answer.content
    assert found == b"".join(leaves)
    above = filled.http.get("/log/tile/1/000.p/2").content
    assert above == b"".join(tree_root(leaves[at : at + 256]) for at in (0, 256))


def test_the_checkpoint_is_a_signed_note_of_the_size_and_the_root(filled: Hub) -> None:
    answer = filled.http.get("/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=1"
    opened = open_checkpoint(answer.content, filled.ledger.signer.verifier)
    assert opened.checkpoint == ("hub.example/sandbox/log", SIZE, merkle_root(_all(filled)), ())


def test_a_hub_that_never_published_has_no_checkpoint(hub: Hub) -> None:
    assert_refused(hub.http.get("/log/checkpoint"), "not-found")
    assert hub.publish() == 0
    opened = open_checkpoint(hub.http.get("/log/checkpoint").content, hub.ledger.signer.verifier)
    assert opened.checkpoint[1:3] == (0, EMPTY_ROOT)


def test_an_empty_log_has_no_bundle(hub: Hub) -> None:
    assert_refused(hub.http.get("/log/tile/entries/000.p/1"), "not-found")
    assert_refused(hub.http.get("/log/tile/entries/000"), "not-found")


def test_commitments_open_with_what_the_feed_gives(filled: Hub) -> None:
    reader = Voice(filled, "frame")
    entries = _all(filled)
    for record in reader.feed(limit=1000):
        entry = ledger.Entry.decode(entries[record["seq"]])
        nonce, jws = bytes.fromhex(record["r"]), record["jws"].encode()
        assert ledger.opens(entry.commitment, nonce, jws)
        assert not ledger.opens(entry.commitment, nonce, jws + b"A")
        assert not ledger.opens(entry.commitment, hashlib.sha256(nonce).digest(), jws)


def test_an_entry_outlives_what_it_commits_to_unchanged(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    hub.publish()
    before = hub.http.get("/log/tile/entries/000.p/1").content
    pixel.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    hub.publish()
    assert hub.http.get("/log/tile/entries/000.p/1").content == before
    assert ledger.decode_bundle(before) == [receipt["entry"].encode()]
    assert parse_record(b'{"seq":0,"gone":"retracted"}').seq == pixel.feed()[0]["seq"]
    check_hub(hub.database, hub.settings)
