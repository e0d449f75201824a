"""Independent libraries of Standard Webhooks, Python's and Node's, take what is signed here, and nothing else."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.client.posting import NOW, OTHER, SECRET, SEED, WHSEC, Request, body, live, request
from tests.client.programs import installed_library, node_verdicts
from tests.schemas.directory import vectors
from tocsin_schemas.webhooks import Signer

UNICODE = '{"type":"a","timestamp":"t","data":{"text":"é中🔔"}}'.encode()


def good() -> list[Request]:
    rotating = Signer([bytes(32), SECRET], [bytes(32), SEED])
    return [
        live("msg_1"),
        live("msg_2", signer=rotating),
        live("m" * 128),
        request(content=UNICODE, at=int(time.time())),
        request(content=body(data={"x": "y" * 19_000}), at=int(time.time()) - 200),
    ]


def bad() -> list[Request]:
    headers, content = live("msg_1")
    return [
        live("msg_1", signer=OTHER),
        (headers, content + b" "),
        (headers | {"webhook-id": "msg_2"}, content),
        (headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, content),
        request(at=int(time.time()) - 330),
        request(at=int(time.time()) + 330),
        request(at=NOW - 10**8),
    ]


def test_the_python_library_agrees() -> None:
    library = Webhook(WHSEC)
    for headers, content in good():
        assert library.verify(content, headers)
    for headers, content in bad():
        with pytest.raises(WebhookVerificationError):
            library.verify(content, headers)


def test_the_node_library_agrees(tmp_path: Path) -> None:
    library = installed_library(tmp_path)
    accepted, refused = good(), bad()
    verdicts = node_verdicts(library, [(WHSEC, made) for made in [*accepted, *refused]])
    assert verdicts == ["accepted"] * len(accepted) + ["refused"] * len(refused)


def test_the_python_library_signs_the_example_alike() -> None:
    signed = vectors("webhooks")["signed"]
    at = datetime.fromtimestamp(signed["timestamp"], UTC)
    made = Webhook(signed["secret"]).sign(signed["id"], at, signed["body"])
    assert made == signed["header"].split(" ")[0]
