"""Receiving a hub's webhooks: verify a request, know whether it came before, see what is missing, and answer.

Verify the bytes as they came in, before any framework has parsed and printed them again. Then, for each request:

1. The signature, the time and the shape are checked (`verify`); a request that fails is answered with a problem.
2. The challenge that activates an endpoint is sent back.
3. A message that was handled before is answered well and not handled again; `Journal` remembers.
4. Your code is given the event, with the gap before it if there is one, and only then is the hub told that it arrived.
   If your code fails, the hub sends the message again, for three days and more.

`Receiver` does all four for any web framework; `tocsin_client.webhooks_asgi` and `tocsin_client.webhooks_fastapi` are
it for ASGI and FastAPI. Types of event that this version does not know are handed on like the others: ignore them.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeGuard

from tocsin_client.clock import Clock, system_clock
from tocsin_client.webhook_journal import Gap, Journal, Told
from tocsin_schemas.notifications import Notification, parse_notification
from tocsin_schemas.problems import MEDIA_TYPE, REGISTRY, Refused, document
from tocsin_schemas.webhooks import PUBLIC_PREFIX, SEED_PREFIX, TOLERANCE, parse_key, parse_secret
from tocsin_schemas.webhooks import verify as verify_request

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""A request's headers, with names in any case."""

MAX_BODY_BYTES: Final = 64 * 1024
"""The largest body that is looked at; a hub sends 20,000 bytes at most."""

CHALLENGE: Final = "endpoint.verification"
"""The event that asks a receiver to prove that it wants to be one."""

_TYPE: Final = re.compile(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*")
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """What a hub tells.

    `id` names the message and is the same on every try; `sent_at` is this try (Unix seconds), `timestamp` when it
    happened (RFC 3339). `data` is what is said of it, `body` the bytes that were signed. `gap` is what is missing
    before it.
    """

    id: str
    sent_at: int
    type: str
    timestamp: str
    data: Mapping[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    gap: Gap | None = None

    def notification(self) -> Notification:
        """The event as one of the models of `tocsin_schemas.notifications`.

        Raises:
            Refused: `request-invalid` when its type is not known here, or it has not the form of its type.
        """
        return parse_notification(self.body)

    @property
    def told(self) -> Told | None:
        """The event's place among those about its subject, where it has one."""
        subject, seq, cursor = (self.data.get(name) for name in ("subject", "seq", "cursor"))
        if not isinstance(subject, str) or not _is_count(seq) or seq == 0:
            return None
        return Told(subject, seq, cursor if _is_count(cursor) else None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer a request with: the status, the body and its media type (empty: there is no body)."""

    status: int
    body: bytes = b""
    media_type: str = ""


class Keys:
    """The secrets (`whsec_…`) and public keys (`whpk_…`) of one endpoint: one, or old and new while they change."""

    def __init__(self, *texts: str) -> None:
        """Read them.

        Raises:
            Refused: `webhook-key-malformed` when one is none, or there is none.
        """
        if not texts:
            raise Refused("webhook-key-malformed", "secret", "there is nothing to verify with")
        public = [text for text in texts if text.startswith((PUBLIC_PREFIX, SEED_PREFIX))]
        self.keys = tuple(parse_key(text) for text in public)
        self.secrets = tuple(parse_secret(text) for text in texts if text not in public)


def verify(
    headers: Headers,
    body: bytes,
    *keys: str,
    clock: Clock = system_clock,
    tolerance: int = TOLERANCE,
) -> Event:
    """The event in a request, if one of `keys` (`whsec_…`, `whpk_…`) signed it within `tolerance` seconds of now.

    Whether it came before it cannot tell: that is what `Receiver` is for.

    Raises:
        Refused: `webhook-malformed`, `webhook-stale`, `webhook-signature-invalid`; `webhook-key-malformed` when a key
            is none.
    """
    return _event(headers, body, Keys(*keys), clock(), tolerance)


class Receiver:
    """One endpoint's receiving side: its keys, and the journal of what it has handled."""

    def __init__(
        self,
        *keys: str,
        journal: Journal | None = None,
        clock: Clock = system_clock,
        tolerance: int = TOLERANCE,
    ) -> None:
        """Be ready to receive what is signed with one of `keys`; without a journal, remember in memory.

        Raises:
            Refused: `webhook-key-malformed` when a key is none, or there is none.
        """
        self._keys = Keys(*keys)
        self.journal = journal or Journal()
        self._clock = clock
        self._tolerance = tolerance

    def receive(self, headers: Headers, body: bytes) -> Event:
        """Verify a request and begin to handle its event; go on inside `handling(event)`.

        Raises:
            Refused: as `verify` does; `payload-too-large`; `webhook-replayed` when it was handled before;
                `webhook-busy` when it is being handled at this moment.
        """
        if len(body) > MAX_BODY_BYTES:
            raise Refused("payload-too-large", "body", f"{MAX_BODY_BYTES} bytes are the limit")
        now = self._clock()
        event = _event(headers, body, self._keys, now, self._tolerance)
        if event.type == CHALLENGE:
            return event
        begun = self.journal.begin(event.id, now)
        if begun == "handled":
            raise Refused("webhook-replayed", "webhook-id", "handled before")
        if begun == "busy":
            raise Refused("webhook-busy", "webhook-id", "being handled at this moment")
        return event if event.told is None else replace(event, gap=self.journal.gap_before(event.told))

    @contextmanager
    def handling(self, event: Event) -> Iterator[None]:
        """Mark the event as handled at the end, or as not handled if what is inside raises."""
        try:
            yield
        except BaseException:
            self.journal.failed(event.id)
            raise
        self.journal.handled(event.id, event.told)

    def respond(self, headers: Headers, body: bytes, handle: Callable[[Event], object]) -> Answer:
        """The answer to a request; `handle` is called with the event if it is a new one.

        What `handle` raises goes through: answer it with a 5xx, and the hub tries again.
        """
        event = self.open(headers, body)
        if isinstance(event, Answer):
            return event
        with self.handling(event):
            handle(event)
        return HANDLED

    def open(self, headers: Headers, body: bytes) -> Event | Answer:
        """The event to handle, inside `handling(event)`; or the answer, where there is nothing to handle."""
        try:
            event = self.receive(headers, body)
        except Refused as refused:
            if refused.code == "webhook-replayed":
                return HANDLED_BEFORE
            _log.warning("webhook refused: %s: %s: %s", refused.code, refused.field, refused.reason)
            return refusal(refused)
        if event.type == CHALLENGE:
            return Answer(200, json.dumps({"challenge": event.data.get("challenge")}).encode(), _JSON)
        return event


_JSON: Final = "application/json"
HANDLED: Final = Answer(204)
HANDLED_BEFORE: Final = Answer(200)


def refusal(refused: Refused) -> Answer:
    """The answer to a request that is refused: a problem document (RFC 9457) that repeats nothing of it."""
    body = json.dumps(document(refused.code, refused.field, refused.reason)).encode()
    return Answer(REGISTRY[refused.code].status, body, MEDIA_TYPE)


def _is_count(value: object) -> TypeGuard[int]:
    """Whether `value` is a number that JSON carries exactly (RFC 8259 §6)."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _event(headers: Headers, body: bytes, keys: Keys, now: int, tolerance: int) -> Event:
    found = verify_request(headers, body, now=now, secrets=keys.secrets, keys=keys.keys, tolerance=tolerance)
    try:
        said = json.loads(found.body)
    except (ValueError, RecursionError):
        raise Refused("webhook-malformed", "body", "not JSON") from None
    if not isinstance(said, dict):
        raise Refused("webhook-malformed", "body", "not an object")
    kind, timestamp, data = (said.get(name) for name in ("type", "timestamp", "data"))
    if not isinstance(kind, str) or _TYPE.fullmatch(kind) is None:
        raise Refused("webhook-malformed", "type", "words joined by full stops")
    if not isinstance(timestamp, str) or not isinstance(data, dict):
        raise Refused("webhook-malformed", "body", "a type, a timestamp and data")
    return Event(found.id, found.timestamp, kind, timestamp, data, found.body)
