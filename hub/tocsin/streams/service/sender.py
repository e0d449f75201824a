"""Pushing (RFC 8935): what delivery's courier sends for streams, and what becomes of it.

A token is made and signed when its turn comes. While a stream is paused its turn passes: it is queued again when the
stream goes on. Any 2xx counts as received; whatever else a receiver says is tried again on delivery's schedule.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

from tocsin.db import UnitOfWork
from tocsin.delivery.service import Claim, End, Making
from tocsin.egress import Outbound
from tocsin.streams.service.context import Transmitter, hand_over
from tocsin.streams.service.managing import CREDENTIAL
from tocsin.streams.service.rendering import Unsigned, render, sign
from tocsin.streams.service.upkeep import stop
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin.streams.store.waiting import Waiting
from tocsin_schemas.envelope import MEDIA_TYPE

ANSWER_BYTES: Final = 4096
_HEADERS: Final = {"Accept": "application/json"}


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
        turn: list[tuple[Stream, Waiting]] = []
        for token in tokens.values():
            stream = streams.get(token.stream_id)
            if stream is not None and stream.method == "push" and token.word in stream.sendable:
                turn.append((stream, token))
        rendered = dict(
            zip((token.id for _, token in turn), render(self._transmitter, uow, turn), strict=True)
        )
        waiting.done(uow, [number for number, unsigned in rendered.items() if unsigned is None])
        return [self._making(rendered.get(claim.message_id)) for claim in claims]

    def settle(self, uow: UnitOfWork, ends: Sequence[End]) -> None:
        """What was received waits no longer; a target that has taken a verification is verified from then on."""
        delivered = [end.claim.message_id for end in ends if end.verdict == "delivered"]
        tokens = waiting.at(uow, delivered)
        waiting.done(uow, delivered)
        verified = {token.stream_id for token in tokens.values() if token.word == "verification"}
        for stream in store.among(uow, verified).values():
            if stream.verified_at is None:
                store.change(uow, stream.id, verified_at=uow.now)
                waiting.unqueue(uow, stream.id)
                hand_over(uow, [stream._replace(verified_at=uow.now)])

    def exhausted(self, uow: UnitOfWork, receiver_ids: Sequence[int]) -> None:
        """A receiver that has not taken anything for days: its stream is paused, and told so."""
        for stream in store.by_receiver(uow, receiver_ids):
            if stream.status == "enabled":
                stop(uow, stream, "undeliverable")

    def _making(self, unsigned: Unsigned | None) -> Making | None:
        if unsigned is None or unsigned.stream.target is None:
            return None
        return partial(self._request, unsigned, unsigned.stream.target)

    def _request(self, unsigned: Unsigned, target: str, _now: int) -> Outbound:
        stream, authorization = unsigned.stream, None
        if stream.credential is not None:
            authorization = self._transmitter.seal.open(CREDENTIAL, stream.public_id, stream.credential)
        return Outbound(
            "POST",
            target,
            ANSWER_BYTES,
            sign(self._transmitter, unsigned),
            MEDIA_TYPE,
            authorization,
            _HEADERS,
            cut=True,
        )
