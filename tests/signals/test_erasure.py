"""What is withdrawn is nowhere: not in the database, not in what is stored from it, not in what the hub logs of itself.

The log still verifies, and its entry cannot be matched to the value any more.
"""

import hashlib
import hmac
import json
import logging
from pathlib import Path

import pytest

from tests.signals.feeding import check_segments, fetch, fill_up, undone
from tests.signals.material import COMMUNITY, RETRACTION, Voice, md5, sha256
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump
from tests.support.views import newest_view
from tocsin.jobs.service import JOBS
from tocsin_schemas.feed import MAX_PAGE, SEGMENT
from tocsin_schemas.ledger import Entry

COMPRESSED = (".zstd", ".deflate")


def run_every_job(hub: Hub) -> None:
    """Twice: a job that enters something in the log has another publish it."""
    for name in (*JOBS, *JOBS):
        hub.run_job(name)


def everywhere(hub: Hub, logged: str) -> dict[str, bytes]:
    """All that the hub holds: the rows, every file, compressed ones decompressed, and its own log."""
    found = {f"table {name}": repr(rows).encode() for name, rows in dump(hub.database).items()}
    found |= {f"bytes of {name}": _cells(rows) for name, rows in dump(hub.database).items()}
    for path in hub.settings.data_dir.parent.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found[str(path)] = data
            if path.suffix in COMPRESSED:
                found[f"{path} decompressed"] = undone(str(path), data)
    return found | {"log": logged.encode()}


def _cells(rows: list[tuple[object, ...]]) -> bytes:
    return b"\n".join(cell for row in rows for cell in row if isinstance(cell, bytes))


def test_a_withdrawn_value_is_nowhere(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    value, other = sha256(1), sha256(2)
    token = pixel.report([value, md5(1)])
    receipt = pixel.post(token).json()
    pixel.post(pixel.report([other, md5(2)]))
    fill_up(hub, pixel, SEGMENT + 3)
    run_every_job(hub)
    record, kept = (json.loads(line) for line in fetch(frame, limit=MAX_PAGE).lines.splitlines()[:2])
    nonce = bytes.fromhex(record["r"])
    header, payload, signature = token.split(b".")
    said = {
        # A snapshot stores the first four bytes of a value as a difference.
        "value": value.value[4:],
        "its hexadecimal": value.value.hex().encode(),
        "alias": md5(1).value[4:],
        "r": nonce,
        "r in hexadecimal": nonce.hex().encode(),
        "payload": payload,
        "signature": signature,
    }
    before = everywhere(hub, caplog.text)
    places = {name for name, data in before.items() if any(needle in data for needle in said.values())}
    for part in ("table statement", "segments", "snapshots"):
        assert any(part in place for place in places), f"it was never in {part}"
    entry = dict(newest_view(frame.party.sdk(), hub.clock).entries(0, 0))[0]
    assert hmac.digest(nonce, token, hashlib.sha256) == Entry.decode(entry).commitment

    pixel.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    run_every_job(hub)

    after = everywhere(hub, caplog.text)
    left = [(what, place) for place, data in after.items() for what, needle in said.items() if needle in data]
    assert left == []
    # What was not withdrawn is still there to be found.
    assert any(bytes.fromhex(kept["r"]) in data for data in after.values())
    assert any(other.value[4:] in data for place, data in after.items() if "snapshots" in place)
    # The log has not changed, and has nothing that leads back: the commitment is not a hash of the value.
    assert dict(newest_view(frame.party.sdk(), hub.clock).entries(0, 0))[0] == entry
    commitment = Entry.decode(entry).commitment
    for guess in (token, payload, value.value, str(value).encode()):
        for key in (b"", bytes(32), value.value, receipt["statement"].encode()):
            assert hmac.digest(key, guess, hashlib.sha256) != commitment
        assert hashlib.sha256(guess).digest() != commitment
    gone = fetch(frame, limit=MAX_PAGE).lines.splitlines()[0]
    assert json.loads(gone) == {"seq": 0, "gone": "retracted"}
    check_segments(hub)
    check_hub(hub.database, hub.settings)
    assert Path(hub.settings.feed_location()).is_relative_to(hub.settings.data_dir)
    assert COMMUNITY.encode() in entry
    assert header in before[next(name for name in before if "segments" in name and "decompressed" in name)]
