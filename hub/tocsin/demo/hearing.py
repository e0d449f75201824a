"""A member that is told: an endpoint at the hub, a receiver of its own, and everything that came to it and verified."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from tocsin.demo.stage import Member
from tocsin_client.webhooks import Event, Receiver
from tocsin_client.webhooks_http import LOOPBACK, WebhookServer
from tocsin_schemas.problems import Refused
from tocsin_schemas.webhooks import Signer

FORGED: Final = b'{"type":"indicator.corroborated"}'
PATIENCE: Final = 15.0
"""Seconds to wait for what should be there within five."""


@dataclass(slots=True)
class Ear:
    """What came, in order, with the moment it did (`time.monotonic`); `state` is the endpoint's at the hub."""

    receiver: Receiver
    state: str = ""
    heard: list[tuple[float, Event]] = field(default_factory=list)

    def handle(self, event: Event) -> None:
        """Take one in."""
        self.heard.append((time.monotonic(), event))

    def told(self, kind: str) -> list[tuple[float, Event]]:
        """Everything of one type, by now."""
        return [(at, event) for at, event in self.heard if event.type == kind]

    def wait(self, kind: str, count: int) -> list[tuple[float, Event]]:
        """The same, once there are so many, or waiting has become pointless."""
        end = time.monotonic() + PATIENCE
        while len(self.told(kind)) < count and time.monotonic() < end:
            threading.Event().wait(0.02)
        return self.told(kind)

    def forged(self) -> str:
        """Why the receiver refuses what somebody sends who knows the address and has no key: the problem's code."""
        headers = Signer([secrets.token_bytes(32)], []).headers("msg_forged", int(time.time()), FORGED)
        try:
            self.receiver.receive(headers, FORGED)
        except Refused as refused:
            return refused.code
        return "nothing"


@contextmanager
def hearing(member: Member) -> Iterator[Ear]:
    """Give a member an endpoint and run its receiver."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    made = member.client.endpoints.add(f"http://{LOOPBACK}:{port}/tocsin")
    ear = Ear(Receiver(made.secret, made.public_key))
    with WebhookServer(ear.receiver, ear.handle, port) as server:
        threading.Thread(target=server.serve_forever, name="receiver", daemon=True).start()
        try:
            ear.state = member.client.endpoints.activate(made.id).state
            yield ear
        finally:
            server.shutdown()
