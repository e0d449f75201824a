"""The partner guide's chapter about streams is true: its requests are answered, its reader reads what comes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.docs.pages import ROOT, fences
from tests.streams.receiving import Receiver, Target, deliver
from tests.support.hub import Hub
from tocsin.streams.rules.events import SUPPORTED, URIS

PAGE = ROOT / "docs" / "partner-guide.md"


def test_its_requests_are_answered_and_its_reader_reads(
    hub: Hub, member: Callable[..., Receiver], target: Target
) -> None:
    pixel = member("pixel")
    scope: dict[str, Any] = {}
    exec(next(fence.code for fence in fences(PAGE, "python") if "PyJWKSet" in fence.code), scope)
    keys = hub.http.get("/ssf/jwks.json").json()
    streams: list[dict[str, Any]] = []
    for fence in fences(PAGE, "http"):
        head, _, body = fence.code.partition("\n\n")
        method, path = head.split()
        asked = body.replace("https://receiver.example/events", target.url)
        path = path.replace("STREAM", streams[0]["stream_id"] if streams else "")
        answer = pixel.ask(method, path, json.loads(asked))
        assert answer.status_code in (200, 201), answer.text
        if path == "/ssf/stream":
            streams.append(answer.json())
            assert len(answer.json()["events_delivered"]) == body.count("/event-type/") + body.count(
                "urn:tocsin"
            )
    deliver(hub)
    (pushed,) = target.take()
    assert scope["read"](pushed.body.decode(), keys, streams[1])["aud"] == pixel.issuer
    with pytest.raises(Exception, match="specified alg value is not allowed"):
        scope["read"](pushed.body.decode(), keys, streams[0])


def test_its_table_names_every_event() -> None:
    table = PAGE.read_text().rpartition("| event | about | says |")[2]
    for word in SUPPORTED:
        named = (URIS[word], f"…{word}`", f"…{word.rpartition('.')[2]}`", f"…/risc/event-type/{word}`")
        assert any(name in table for name in named), word
