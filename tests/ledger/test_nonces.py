"""Nonces that come from the log's key: of the construction that is said, and another for everything that differs."""

import hashlib
import hmac
from pathlib import Path

from tests.ledger.logs import KEY, open_log
from tocsin.db import Database
from tocsin.ledger.service.nonces import PURPOSE, nonce_for, nonce_key
from tocsin_schemas.jwk import SigningKey

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
"""The private key of RFC 8037 §A.1."""


def test_the_key_is_the_logs_through_hkdf() -> None:
    """RFC 5869 by hand: no salt, one block."""
    extracted = hmac.digest(bytes(32), SEED, hashlib.sha256)
    assert nonce_key(KEY) == hmac.digest(extracted, PURPOSE + b"\x01", hashlib.sha256)
    assert nonce_key(SigningKey.generate()) != nonce_key(KEY)


def test_a_nonce_is_of_one_entry_and_one_text() -> None:
    secret = nonce_key(KEY)
    nonce = nonce_for(secret, 7, b"said")
    assert nonce == hmac.digest(secret, (7).to_bytes(8) + b"said", hashlib.sha256)
    others = {nonce_for(secret, 8, b"said"), nonce_for(secret, 7, b"sai"), nonce_for(bytes(32), 7, b"said")}
    assert len(others | {nonce}) == 4


def test_the_secret_is_shown_nowhere(database: Database, tmp_path: Path) -> None:
    log = open_log(database, tmp_path)
    assert repr(log.nonce_key) not in repr(log)
