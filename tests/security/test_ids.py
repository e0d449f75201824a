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
    "endpoint": "",
}
"""What each parameter of a protected path is for what the stranger has no part in. The endpoint is made by the test."""
NOBODYS: Final = {
    **OWN,
    "community": "no-such-place",
    "indicator": str(md5(2)),
    "endpoint": f"ep_{'0' * 32}",
}
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
    own = OWN | {"endpoint": _endpoint(hub, owner)}
    refused = [_seen(stranger, path.format(**values)) for values in (own, NOBODYS)]
    assert refused[0] == refused[1]
    assert refused[0][0] == 404


def test_every_parameter_of_a_protected_path_is_known_here() -> None:
    assert set().union(*map(names, PATHS)) == OWN.keys() | PUBLIC_IDS


def _endpoint(hub: Hub, owner: Voice) -> str:
    """An endpoint of the owner's, at a public address that nothing is ever sent to."""
    made = hub.http.post(
        "/v1/webhooks/endpoints", json={"url": "https://9.9.9.9/"}, headers=owner.party.bearer()
    )
    assert made.status_code == 201, made.text
    assert owner.get(f"/v1/webhooks/endpoints/{made.json()['id']}").status_code == 200
    return str(made.json()["id"])


def _seen(voice: Voice, path: str) -> tuple[int, dict[str, Any]]:
    answer = voice.get(path)
    return answer.status_code, {name: value for name, value in answer.json().items() if name != "instance"}
