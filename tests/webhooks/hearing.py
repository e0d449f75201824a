"""Members with an endpoint and a receiver of its own, who hear what the hub tells them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.client.webserver import Asked
from tests.signals.material import Voice
from tests.support.hub import Hub
from tests.webhooks.receiving import Receiver, receiving
from tocsin.webhooks import rules
from tocsin_schemas.notifications import Notification, parse_notification
from tocsin_schemas.webhooks import parse_key, parse_secret, verify

ENDPOINTS = "/v1/webhooks/endpoints"


class Ear:
    """An active endpoint of a member, and everything that came to it and verified."""

    def __init__(self, voice: Voice, receiver: Receiver, made: dict[str, Any]) -> None:
        self.voice = voice
        self.receiver = receiver
        self.made = made
        self.id: str = made["id"]

    def verified(self, asked: Asked) -> bytes:
        """The body of a request, verified both ways with what its owner was shown."""
        now, late = self.voice.hub.clock(), 10**9
        secrets, keys = [parse_secret(self.made["secret"])], [parse_key(self.made["public_key"])]
        seen = verify(asked.headers, asked.body, now=now, tolerance=late, secrets=secrets)
        assert seen == verify(asked.headers, asked.body, now=now, tolerance=late, keys=keys)
        assert seen.body == asked.body
        return asked.body

    @property
    def raw(self) -> list[dict[str, Any]]:
        """What was told, in the order it came, without the challenge."""
        said = [json.loads(self.verified(asked)) for asked in self.receiver.asked]
        return [one for one in said if one["type"] != "endpoint.verification"]

    def told(self, kind: str | None = None) -> list[Notification]:
        """The same, parsed; of one type."""
        heard = [parse_notification(json.dumps(one).encode()) for one in self.raw]
        return [one for one in heard if kind is None or one.type == kind]

    def types(self) -> list[str]:
        """The types alone, sorted."""
        return sorted(one["type"] for one in self.raw)

    def ids(self) -> list[str]:
        """The webhook-id of each request, in order."""
        return [asked.headers["webhook-id"] for asked in self.receiver.asked][1:]


Hear = Callable[..., Ear]


@contextmanager
def ears(hub: Hub) -> Iterator[Hear]:
    """Gives members endpoints: `hear(voice, **wanted)`."""
    with ExitStack() as stack:

        def hear(voice: Voice, **wanted: Any) -> Ear:
            # The pace is a minute's.
            hub.clock.advance(rules.PROBE_WINDOW)
            receiver = stack.enter_context(receiving())
            made = hub.http.post(ENDPOINTS, json={"url": receiver.url, **wanted}, headers=voice.headers())
            assert made.status_code == 201, made.text
            done = hub.http.post(f"{ENDPOINTS}/{made.json()['id']}/activation", headers=voice.headers())
            assert done.status_code == 200, done.text
            return Ear(voice, receiver, made.json())

        yield hear


def deliver(hub: Hub) -> None:
    """What the jobs do within two seconds: fan out, send, and again for what that brought about."""
    for _ in range(2):
        hub.run_job("webhooks.fanout")
        hub.run_job("delivery.send")
