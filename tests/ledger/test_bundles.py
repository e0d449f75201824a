"""The log over HTTP: entry bundles at the paths of C2SP tlog-tiles, for anybody."""

import hashlib

import pytest

from tests.signals.material import COMMUNITY, RETRACTION, Voice, assert_refused, md5, report
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tocsin_schemas import ledger
from tocsin_schemas.feed import parse_record
from tocsin_schemas.policy import DAY

SIZE = 600


@pytest.fixture
def filled(hub: Hub) -> Hub:
    """A hub whose log has two full bundles and a part of a third, of two communities."""
    pixel = Voice(hub, "pixel", communities={COMMUNITY: "rw", "ncii": "rw"})
    slugs = [COMMUNITY if n % 3 else "ncii" for n in range(SIZE)]
    pixel.batch([pixel.report(md5(n), community=slug) for n, slug in enumerate(slugs)])
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


def test_any_beginning_of_a_bundle_can_be_had(filled: Hub) -> None:
    whole = _all(filled)
    for index, width in ((0, 1), (0, 255), (1, 1), (2, SIZE - 512), (2, 1), (2, SIZE - 513)):
        answer = filled.http.get(f"/log/{ledger.bundle_path(index, width)}")
        first = index * ledger.BUNDLE_ENTRIES
        assert ledger.decode_bundle(answer.content) == whole[first : first + width]


def _all(hub: Hub) -> list[bytes]:
    parts = [(0, 256), (1, 256), (2, SIZE - 512)]
    answers = [hub.http.get(f"/log/{ledger.bundle_path(*part)}") for part in parts]
    return [raw for answer in answers for raw in ledger.decode_bundle(answer.content)]


NO_BUNDLES = [
    "002",  # not full yet
    f"002.p/{SIZE - 511}",
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
    before = hub.http.get("/log/tile/entries/000.p/1").content
    pixel.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    assert hub.http.get("/log/tile/entries/000.p/1").content == before
    assert ledger.decode_bundle(before) == [receipt["entry"].encode()]
    assert parse_record(b'{"seq":0,"gone":"retracted"}').seq == pixel.feed()[0]["seq"]
    check_hub(hub.database, hub.settings)
