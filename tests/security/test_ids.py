"""Whoever guesses an id that is somebody else's learns nothing: the answer is that to an id that does not exist."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.signals.material import COMMUNITY, Voice, md5
from tests.support.hub import Hub

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final[dict[str, Any]] = json.loads((ROOT / "schemas" / "openapi.json").read_text())
VALUE: Final = md5(1)
OWN: Final = {
    "community": COMMUNITY,
    "indicator": str(VALUE),
    "kind": "md5",
    "version": "1",
    "since": "1",
    "number": "0",
}
"""What each parameter of a protected path is for the community that the stranger has no part in."""
NOBODYS: Final = {**OWN, "community": "no-such-place", "indicator": str(md5(2))}
PUBLIC_IDS: Final = frozenset({"seq"})
"""Numbers of the public log: a proof is for everybody, and tests/signals/test_receipts.py asks what opens an entry."""
PATHS: Final = [
    path
    for path, item in DOCUMENT["paths"].items()
    if "{" in path and "get" in item and item["get"].get("security")
]


def names(path: str) -> set[str]:
    return {part[1:-1] for part in path.split("/") if part.startswith("{")}


@pytest.mark.parametrize("path", [path for path in PATHS if not names(path) <= PUBLIC_IDS])
def test_an_id_of_others_is_like_none(path: str, hub: Hub) -> None:
    owner, stranger = Voice(hub, "pixel"), Voice(hub, "frame", communities={"elsewhere": "rw"})
    owner.batch([owner.report(VALUE)])
    hub.publish()
    hub.run_job("feed.snapshot")
    assert stranger.get("/v1/me").status_code == 200
    refused = [_seen(stranger, path.format(**values)) for values in (OWN, NOBODYS)]
    assert refused[0] == refused[1]
    assert refused[0][0] == 404


def test_every_parameter_of_a_protected_path_is_known_here() -> None:
    assert set().union(*map(names, PATHS)) == OWN.keys() | PUBLIC_IDS


def _seen(voice: Voice, path: str) -> tuple[int, dict[str, Any]]:
    answer = voice.get(path)
    return answer.status_code, {name: value for name, value in answer.json().items() if name != "instance"}
