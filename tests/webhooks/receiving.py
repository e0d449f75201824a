"""A receiver on loopback: it verifies what comes, answers challenges, and can be told to do anything else."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.client.webserver import Answer, Asked, serving
from tocsin_schemas.webhooks import parse_key, parse_secret, verify


@dataclass
class Receiver:
    """Where it is, what it was asked, and how it answers: `script` instead of what a good receiver does."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    script: Callable[[Asked], Answer | None] | None = None

    def answer(self, asked: Asked) -> Answer | None:
        return good(asked) if self.script is None else self.script(asked)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.asked]


def good(asked: Asked) -> Answer:
    """The challenge back, and anything else taken."""
    said = json.loads(asked.body)
    if said["type"] != "endpoint.verification":
        return Answer(204)
    return Answer(
        200,
        json.dumps({"challenge": said["data"]["challenge"]}).encode(),
        {"Content-Type": "application/json"},
    )


def verifies(asked: Asked, now: int, *, secret: str | None = None, public_key: str | None = None) -> bool:
    """Whether a request verifies with that secret, and with that key."""
    secrets = [] if secret is None else [parse_secret(secret)]
    keys = [] if public_key is None else [parse_key(public_key)]
    return verify(asked.headers, asked.body, now=now, secrets=secrets, keys=keys).body == asked.body


@contextmanager
def receiving(host: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver that is there for as long as the block."""
    receiver = Receiver()
    with serving(receiver.answer) as web:
        receiver.url = f"{web.url.replace('127.0.0.1', host)}/hook"
        receiver.asked = web.asked
        yield receiver
