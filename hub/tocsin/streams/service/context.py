"""What every use case of streams is given, and what they share: finding a stream, and giving delivery its tokens."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tocsin.db import Database, UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.egress import Egress
from tocsin.egress.calls import Calls
from tocsin.errors import Refused
from tocsin.keys import HubKeys
from tocsin.signals.service.context import Context
from tocsin.streams.rules.asking import Alg
from tocsin.streams.rules.events import STREAM_WORDS, WORDS, Word, lane
from tocsin.streams.service.pace import Pace
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.rsa import RsaKey

_ID: Final = re.compile(r"st_[0-9a-f]{32}")
_NONCE: Final = 12


class Seal:
    """Keeps secrets of receivers: AES-256-GCM with a key derived from the hub's `delivery` key (HKDF, RFC 5869).

    What is sealed opens for its own stream and use alone.
    """

    def __init__(self, key: SigningKey) -> None:
        scalar = key.jwk()["d"]
        private = urlsafe_b64decode(scalar + "=" * (-len(scalar) % 4))
        self._cipher = AESGCM(HKDF(SHA256(), 32, None, b"tocsin/stream-seal/v1").derive(private))

    def close(self, use: str, public_id: str, secret: str) -> bytes:
        """Seal a secret of a stream."""
        nonce = token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), _bound(use, public_id))

    def open(self, use: str, public_id: str, sealed: bytes) -> str | None:
        """The secret; None when it was sealed with another key, or for something else."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(use, public_id)).decode()
        except InvalidTag:
            return None


def _bound(use: str, public_id: str) -> bytes:
    return f"{use}\0{public_id}".encode()


@dataclass(frozen=True, slots=True)
class Transmitter:
    """The hub as a transmitter: whose events it tells, how it signs them, and how it sees that a target may be called.

    `vet` gives a URL back as it is to be kept, and asks the network for it: never inside a transaction, and only so
    often, by `calls` at a time and by `pace` in a minute.
    """

    database: Database
    context: Context
    issuer: str
    signers: Mapping[Alg, SigningKey | RsaKey]
    seal: Seal
    vet: Callable[[str], str]
    calls: Calls = field(default_factory=Calls)
    pace: Pace = field(default_factory=Pace)


def open_transmitter(context: Context, keys: HubKeys, egress: Egress) -> Transmitter:
    """The transmitter of the hub that has these."""
    signers: Mapping[Alg, SigningKey | RsaKey] = {"ES256": keys.ssf_es, "RS256": keys.ssf_rs}
    return Transmitter(context.database, context, context.issuer, signers, Seal(keys.delivery), egress.vet)


def find(uow: UnitOfWork, org_id: int, stream_id: str) -> Stream:
    """A member's stream.

    Raises:
        Refused: `not-found` for one that is nobody's, and just so for somebody else's.
    """
    found = store.find(uow, stream_id) if _ID.fullmatch(stream_id) else None
    if found is None or found.organisation_id != org_id:
        raise Refused("not-found", "stream_id", "no such stream of yours")
    return found


def new_id(now: int) -> str:
    """The id of a new stream: prefixed and ordered by time."""
    return f"st_{now:08x}{token_bytes(12).hex()}"


def hand_over(uow: UnitOfWork, streams: Collection[Stream]) -> None:
    """Give delivery what waits on push streams and goes out now.

    Delivery's rows are locked before the streams' own wherever both are, so that no two transactions wait for each
    other.
    """
    groups: dict[tuple[Word, ...], dict[int, int]] = {WORDS: {}, STREAM_WORDS: {}, ("stream-updated",): {}}
    for stream in streams:
        if stream.receiver_id is not None and stream.method == "push":
            groups[stream.sendable][stream.id] = stream.receiver_id
    items = [
        delivery.NewItem(receivers[token.stream_id], lane(token.word), token.id, token.id)
        for words, receivers in groups.items()
        for token in waiting.unqueued(uow, receivers, words)
    ]
    delivery.requeue(uow, items)
