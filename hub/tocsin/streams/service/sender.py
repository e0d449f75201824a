"""Pushing (RFC 8935): what delivery's courier sends for streams, and what becomes of it.

A token is made and signed when its turn comes. While a stream is paused, or its member under emergency suspension, its
turn passes: it is handed over again when the stream goes on (`service.handing`). So is one that delivery has given up:
nothing that waits is lost before its time.

Any 2xx counts as received; whatever else a receiver says is tried again on delivery's schedule. What verifies a target
is 202 alone, the one answer by which a receiver acknowledges (RFC 8935 §2.2): any server says 200 to anything.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery.service import Claim, End, Making
from tocsin.egress import Outbound
from tocsin.streams.rules.events import held_back
from tocsin.streams.service.context import Transmitter
from tocsin.streams.service.managing import CREDENTIAL
from tocsin.streams.service.rendering import Unsigned, render, sign
from tocsin.streams.service.upkeep import stop
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin.streams.store.waiting import Waiting
from tocsin_schemas.envelope import MEDIA_TYPE

ANSWER_BYTES: Final = 4096
ACCEPTED: Final = 202
_HEADERS: Final = {"Accept": "application/json"}


class _Making(NamedTuple):
    """What makes one request (`tocsin.delivery.service.Making`). Keys of streams stay in this process."""

    transmitter: Transmitter
    unsigned: Unsigned
    target: str

    def call(self, _now: int) -> None:
        return None

    def request(self, _signed: None) -> Outbound:
        stream, authorization = self.unsigned.stream, None
        if stream.credential is not None:
            authorization = self.transmitter.seal.open(CREDENTIAL, stream.public_id, stream.credential)
        return Outbound(
            "POST",
            self.target,
            ANSWER_BYTES,
            sign(self.transmitter, self.unsigned),
            MEDIA_TYPE,
            authorization,
            _HEADERS,
            cut=True,
        )


class StreamSender:
    """The side of streams that the courier speaks to (`tocsin.delivery.service.Sender`)."""

    kind: Final[Literal["stream"]] = "stream"
    final: Final[frozenset[int]] = frozenset()

    def __init__(self, transmitter: Transmitter) -> None:
        self._transmitter = transmitter

    def compose(self, uow: UnitOfWork, claims: Sequence[Claim]) -> Sequence[Making | None]:
        """What makes the request that carries each token; None for what is received, gone, or not to be sent now."""
        tokens = waiting.at(uow, [claim.message_id for claim in claims])
        streams = store.among(uow, {token.stream_id for token in tokens.values()})
        orgs = self._transmitter.context.members.orgs(uow) if streams else {}
        turn: list[tuple[Stream, Waiting]] = []
        for token in tokens.values():
            stream = streams.get(token.stream_id)
            if stream is None or stream.method != "push" or token.word not in stream.sendable:
                continue
            if not held_back(token.word, orgs[stream.organisation_id].state):
                turn.append((stream, token))
        rendered = dict(
            zip((token.id for _, token in turn), render(self._transmitter, uow, turn), strict=True)
        )
        waiting.done(uow, [number for number, unsigned in rendered.items() if unsigned is None])
        return [self._making(rendered.get(claim.message_id)) for claim in claims]

    def settle(self, uow: UnitOfWork, ends: Sequence[End]) -> None:
        """What was received waits no longer; a target that has acknowledged a verification is verified from then on.

        What was given up, or was not to be sent when its turn came, waits to be handed over again.
        """
        delivered = {end.claim.message_id: end.status for end in ends if end.verdict == "delivered"}
        tokens = waiting.at(uow, delivered)
        waiting.done(uow, delivered)
        waiting.unqueue(uow, [end.claim.message_id for end in ends if end.verdict in ("dead", "dropped")])
        verified = {
            token.stream_id
            for token in tokens.values()
            if token.word == "verification" and delivered[token.id] == ACCEPTED
        }
        for stream in store.among(uow, verified).values():
            if stream.verified_at is None:
                store.change(uow, stream.id, verified_at=uow.now)

    def exhausted(self, uow: UnitOfWork, receiver_ids: Sequence[int]) -> None:
        """A receiver that has not taken anything for days: its stream is paused, and told so."""
        for stream in store.by_receiver(uow, receiver_ids):
            if stream.status == "enabled":
                stop(uow, stream, "undeliverable")

    def _making(self, unsigned: Unsigned | None) -> Making | None:
        if unsigned is None or unsigned.stream.target is None:
            return None
        return _Making(self._transmitter, unsigned, unsigned.stream.target)
