"""The secrets of endpoints, derived and never stored: whoever reads the database, or a copy of it, can sign nothing.

A `v1` secret and a `v1a` seed come from the hub's `delivery` key by HKDF (RFC 5869), bound to what they are for, to the
endpoint's public id and to its generation, so that no two endpoints share one and rotation is a number that goes up.
A secret is shown to the member once: when the endpoint is made, or when it is rotated.

While the hub changes that key, everything is signed with what comes from the key before as well.
"""

from base64 import urlsafe_b64decode
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.members.service import hub_keys
from tocsin.webhooks import rules
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.webhooks import Signer, render_key, render_secret

KEY: Final = "delivery"
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
    """What is derived from the hub's delivery key, and from the one before while both hold."""

    def __init__(self, key: SigningKey, before: SigningKey | None = None) -> None:
        keys = [key] if before is None else [key, before]
        self._kids = [one.public.kid for one in keys]
        self._privates = [_private(one) for one in keys]
        self._signer = lru_cache(maxsize=SIGNERS_KEPT)(self._make)

    def keys(self, uow: UnitOfWork) -> int:
        """With how many keys of the hub requests are signed now: two while one is changed, else one.

        Nothing is asked of the database outside of a change.
        """
        if len(self._kids) == 1:
            return 1
        last = hub_keys.succession(uow, KEY)
        return 2 if last is not None and [last.kid, last.before] == self._kids and uow.now < last.until else 1

    def lives(self, uow: UnitOfWork) -> list[tuple[int, int]]:
        """Since when and until when each key of the hub holds, the oldest first; none if it was never changed."""
        return hub_keys.lives(uow, KEY)

    def demand_newest(self, uow: UnitOfWork) -> None:
        """See that what is shown now comes from the newest key: anything else would end without a word.

        Raises:
            Refused: `unavailable` when this process was not started again since the key was changed.
        """
        last = hub_keys.succession(uow, KEY)
        if last is not None and last.kid != self._kids[0]:
            raise Refused("unavailable", "", "the hub is changing a key: no secret can be shown just now")

    def signer(self, endpoint: Keyed, now: int, keys: int = 1) -> Signer:
        """What signs a request to `endpoint` at `now`: its newest pair, and the one before for a day after rotation.

        Those come from the newest key of the hub, and from the one before too where there are two `keys`.
        """
        return self._signer(
            endpoint.public_id, rules.generations(endpoint.generation, endpoint.rotated_at, now), keys
        )

    def shown(self, public_id: str, generation: int) -> Shown:
        """The secret and the public key of one generation, as text."""
        made = self._signer(public_id, (generation,), 1)
        secret = _derive(self._privates[0], "v1", public_id, generation)
        return Shown(render_secret(secret), render_key(made.public_keys[0]))

    def _make(self, public_id: str, generations: tuple[int, ...], keys: int) -> Signer:
        pairs = [(private, number) for private in self._privates[:keys] for number in generations]
        return Signer(
            [_derive(private, "v1", public_id, number) for private, number in pairs],
            [_derive(private, "v1a", public_id, number) for private, number in pairs],
        )


def _private(key: SigningKey) -> bytes:
    scalar = key.jwk()["d"]
    return urlsafe_b64decode(scalar + "=" * (-len(scalar) % 4))


def _derive(private: bytes, use: str, public_id: str, generation: int) -> bytes:
    info = f"tocsin/webhook-{use}/v1\n{public_id}\n{generation}".encode()
    return HKDF(SHA256(), SECRET_BYTES, None, info).derive(private)
