"""The secrets of endpoints, derived and never stored: whoever reads the database, or a copy of it, can sign nothing.

A `v1` secret and a `v1a` seed come from the hub's `delivery` key by HKDF (RFC 5869), bound to what they are for, to the
endpoint's public id and to its generation, so that no two endpoints share one and rotation is a number that goes up.
They are shown to the member twice in their life: when the endpoint is made and when it is rotated.
"""

from base64 import urlsafe_b64decode
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tocsin.webhooks import rules
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.webhooks import Signer, render_key, render_secret

SECRET_BYTES: Final = 32
SIGNERS_KEPT: Final = 4096
"""A signer is made ready once for many requests: making one costs as much as signing."""


class Keyed(Protocol):
    """What of an endpoint says which secrets it has; rows and records of endpoints do."""

    @property
    def public_id(self) -> str:
        """The id that the member knows it by."""

    @property
    def generation(self) -> int:
        """How many pairs of secrets it has had."""

    @property
    def rotated_at(self) -> int | None:
        """When it got the newest pair in the place of another (Unix seconds)."""


class Shown(NamedTuple):
    """One generation as its member is shown it: `whsec_…` verifies `v1`, `whpk_…` verifies `v1a`."""

    secret: str
    public_key: str


class Secrets:
    """What is derived from the hub's delivery key."""

    def __init__(self, key: SigningKey) -> None:
        scalar = key.jwk()["d"]
        self._private = urlsafe_b64decode(scalar + "=" * (-len(scalar) % 4))
        self._signer = lru_cache(maxsize=SIGNERS_KEPT)(self._make)

    def signer(self, endpoint: Keyed, now: int) -> Signer:
        """What signs a request to `endpoint` at `now`: its newest pair, and the one before for a day after rotation."""
        return self._signer(
            endpoint.public_id, rules.generations(endpoint.generation, endpoint.rotated_at, now)
        )

    def shown(self, public_id: str, generation: int) -> Shown:
        """The secret and the public key of one generation, as text."""
        made = self._signer(public_id, (generation,))
        secret = self._derive("v1", public_id, generation)
        return Shown(render_secret(secret), render_key(made.public_keys[0]))

    def _make(self, public_id: str, generations: tuple[int, ...]) -> Signer:
        return Signer(
            [self._derive("v1", public_id, number) for number in generations],
            [self._derive("v1a", public_id, number) for number in generations],
        )

    def _derive(self, use: str, public_id: str, generation: int) -> bytes:
        info = f"tocsin/webhook-{use}/v1\n{public_id}\n{generation}".encode()
        return HKDF(SHA256(), SECRET_BYTES, None, info).derive(self._private)
