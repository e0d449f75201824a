"""A sender of webhooks for the tests of receivers: it signs events as a hub does, and may be told to cheat."""

import json
import time
from typing import Any

import httpx2

from tocsin_schemas.webhooks import Signer, render_key, render_secret

SECRET = bytes(range(32))
SEED = bytes(range(100, 132))
WHSEC = render_secret(SECRET)
SIGNER = Signer([SECRET], [SEED])
WHPK = render_key(SIGNER.public_keys[0])
OTHER = Signer([bytes(32)], [bytes(32)])
NOW = 1_795_305_600
CHALLENGE = "kR3-Zt_9aQ"

Request = tuple[dict[str, str], bytes]


def told(seq: int, subject: str = "community:child-safety", cursor: int | None = None) -> dict[str, Any]:
    return {"subject": subject, "seq": seq, "cursor": seq * 10 if cursor is None else cursor}


def body(kind: str = "signal.recorded", data: dict[str, Any] | None = None) -> bytes:
    said = {"type": kind, "timestamp": "2026-11-22T00:00:00Z", "data": told(1) if data is None else data}
    return json.dumps(said).encode()


def request(
    message_id: str = "msg_1", content: bytes | None = None, *, at: int = NOW, signer: Signer = SIGNER
) -> Request:
    """The headers and the body of one try."""
    content = body() if content is None else content
    return signer.headers(message_id, at, content), content


def event(message_id: str, seq: int, *, at: int = NOW, subject: str = "community:child-safety") -> Request:
    return request(message_id, body(data=told(seq, subject)), at=at)


def challenge(*, at: int = NOW) -> Request:
    data = {"subject": "endpoint:ep_1", "challenge": CHALLENGE}
    return request("msg_challenge", body("endpoint.verification", data), at=at)


def live(message_id: str = "msg_1", kind: str = "signal.recorded", **more: Any) -> Request:
    """A request of this moment, for receivers that have a clock of their own."""
    return request(message_id, body(kind), at=int(time.time()), **more)


def post(url: str, made: Request) -> httpx2.Response:
    headers, content = made
    return httpx2.post(url, content=content, headers=headers, timeout=60, trust_env=False)
