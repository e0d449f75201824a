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
from tocsin.members.service import hub_keys
from tocsin.signals.service.context import Context
from tocsin.streams.rules.asking import Alg
from tocsin.streams.rules.events import STREAM_WORDS, WORDS, Word, lane
from tocsin.streams.service.pace import Pace
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin_schemas.hub_acts import HubPublic
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.rsa import RsaKey

STREAM_ID: Final = re.compile(r"st_[0-9a-f]{32}")
_NONCE: Final = 12
HANDED_OVER: Final = 10_000
"""Events given to delivery in one transaction at most."""


class Seal:
    """Keeps secrets of receivers: AES-256-GCM with a key derived from the hub's `delivery` key (HKDF, RFC 5869).

    What is sealed opens for its own stream and use alone. It is sealed with the newest key, and opens with the one
    before too, as long as that is kept.
    """

    def __init__(self, key: SigningKey, before: SigningKey | None = None) -> None:
        self._ciphers = [_cipher(one) for one in (key, before) if one is not None]

    def close(self, use: str, public_id: str, secret: str) -> bytes:
        """Seal a secret of a stream."""
        nonce = token_bytes(_NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, secret.encode(), _bound(use, public_id))

    def open(self, use: str, public_id: str, sealed: bytes) -> str | None:
        """The secret; None when it was sealed with another key, or for something else."""
        found = self._opened(use, public_id, sealed)
        return None if found is None else found[0]

    def renewed(self, use: str, public_id: str, sealed: bytes) -> bytes | None:
        """The same sealed with the newest key; None where it is that already, or does not open."""
        found = self._opened(use, public_id, sealed)
        return None if found is None or found[1] == 0 else self.close(use, public_id, found[0])

    def _opened(self, use: str, public_id: str, sealed: bytes) -> tuple[str, int] | None:
        """The secret, and which key opened it: 0 is the newest."""
        for number, cipher in enumerate(self._ciphers):
            try:
                opened = cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(use, public_id))
            except InvalidTag:
                continue
            return opened.decode(), number
        return None


def _cipher(key: SigningKey) -> AESGCM:
    scalar = key.jwk()["d"]
    private = urlsafe_b64decode(scalar + "=" * (-len(scalar) % 4))
    return AESGCM(HKDF(SHA256(), 32, None, b"tocsin/stream-seal/v1").derive(private))


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
    before = None if keys.delivery_before is None else keys.delivery_before.key
    seal = Seal(keys.delivery, before)
    return Transmitter(context.database, context, context.issuer, signers, seal, egress.vet)


def published_keys(transmitter: Transmitter) -> list[HubPublic]:
    """What tokens are verified with: the keys in hand, and the others that hold while one is changed."""
    held = [key.public for key in transmitter.signers.values()]
    with transmitter.database.snapshot() as uow:
        return hub_keys.published(uow, ("ssf_es", "ssf_rs"), held)


def find(uow: UnitOfWork, org_id: int, stream_id: str) -> Stream:
    """A member's stream.

    Raises:
        Refused: `not-found` for one that is nobody's, and just so for somebody else's.
    """
    found = store.find(uow, stream_id) if STREAM_ID.fullmatch(stream_id) else None
    if found is None or found.organisation_id != org_id:
        raise Refused("not-found", "stream_id", "no such stream of yours")
    return found


def new_id(now: int) -> str:
    """The id of a new stream: prefixed and ordered by time."""
    return f"st_{now:08x}{token_bytes(12).hex()}"


def hand_over(uow: UnitOfWork, streams: Collection[Stream], limit: int = HANDED_OVER) -> int:
    """Give delivery what waits on push streams and goes out now, at most `limit`; how much. A job gives it the rest.

    Delivery's rows are locked before the streams' own wherever both are, so that no two transactions wait for each
    other.
    """
    groups: dict[tuple[Word, ...], dict[int, int]] = {WORDS: {}, STREAM_WORDS: {}, ("stream-updated",): {}}
    for stream in streams:
        if stream.receiver_id is not None and stream.method == "push":
            groups[stream.sendable][stream.id] = stream.receiver_id
    items: list[delivery.NewItem] = []
    for words, receivers in groups.items():
        items += [
            delivery.NewItem(receivers[token.stream_id], lane(token.word), token.id, token.id)
            for token in waiting.unqueued(uow, receivers, words, limit - len(items))
        ]
    delivery.requeue(uow, items)
    return len(items)
