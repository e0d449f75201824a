"""Passwords as argon2id hashes (RFC 9106), and nothing about anybody told by how long it takes."""

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tocsin.accounts import rules
from tocsin.accounts.service.secrets import new_token

HASHER = PasswordHasher()
"""With the second recommended set of RFC 9106 §4: 64 MiB, three passes, four lanes."""


def hash_password(password: str, handle: str) -> str:
    """The hash of a new password.

    Raises:
        Refused: `claim-invalid` for one that is easily guessed.
    """
    return HASHER.hash(rules.check_password(password, handle))


def fits(kept: str | None, password: str) -> bool:
    """Whether it is the password of that hash; as slow when there is none."""
    try:
        HASHER.verify(kept or _decoy(), password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def renewed(kept: str, password: str) -> str | None:
    """The same password with the parameters of today, if it was hashed with others."""
    return HASHER.hash(password) if HASHER.check_needs_rehash(kept) else None


@lru_cache(maxsize=1)
def _decoy() -> str:
    """The hash of a password that nobody has."""
    return HASHER.hash(new_token())
