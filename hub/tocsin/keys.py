"""The hub's own keys, one for each thing it signs.

They are private JWK files in `keys/` of the data directory (files 0600, directory 0700), or given by the operator
through the settings. A file that others may read is refused: its key must be taken for known.

A key that is changed goes at once, its private half with it: what it signed is verified with the public one. From the
`delivery` key others are derived, which go on while both hold: the one before is kept until it is needed no more.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tocsin.config import Settings
from tocsin.errors import Misconfigured, Refused
from tocsin_schemas.akp import AkpKey
from tocsin_schemas.hub_acts import HubSigning
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.rsa import RsaKey
from tocsin_schemas.vocabulary import HubKeyName

DIRECTORY: Final = "keys"
_NEXT: Final = "{}.next"
DELIVERY: Final = "delivery"
DELIVERY_BEFORE: Final = "delivery_before"
_OTHERS: Final = 0o077
Alg = Literal["ES256", "Ed25519", "ML-DSA-44", "RS256"]
KEYS: Final[Mapping[str, Alg]] = {
    "token": "ES256",
    "events": "Ed25519",
    "log": "Ed25519",
    "witness": "Ed25519",
    "witness_pq": "ML-DSA-44",
    "console": "Ed25519",
    "delivery": "Ed25519",
    "ssf_es": "ES256",
    "ssf_rs": "RS256",
}
"""Each key and its algorithm; the settings `<name>_key` and `<name>_key_file` give it, else the hub makes one."""

Key = SigningKey | AkpKey | RsaKey
_KINDS: Final[Mapping[str, type[Key]]] = {"ML-DSA-44": AkpKey, "RS256": RsaKey}
"""What reads a key of an algorithm, where it is not `SigningKey`."""


@dataclass(frozen=True, slots=True)
class Before:
    """The delivery key before the one in force. `file` is where the hub itself keeps it; None when it was given."""

    key: SigningKey
    file: Path | None


@dataclass(frozen=True, slots=True)
class HubKeys:
    """`token` signs access tokens and stands in the JWKS, `events` the hub's own events, `log` its checkpoints.

    `witness` and `witness_pq` cosign the checkpoints of other logs. `console` and `delivery` sign nothing: the secrets
    of the console, and those shared with endpoints, are derived from them. `ssf_es` and `ssf_rs` sign the events of
    Shared Signals streams. No key does two of these.

    `delivery_before` is there from a change of the delivery key until nothing needs the one before any more.
    """

    token: SigningKey
    events: SigningKey
    log: SigningKey
    witness: SigningKey
    witness_pq: AkpKey
    console: SigningKey
    delivery: SigningKey
    ssf_es: SigningKey
    ssf_rs: RsaKey
    delivery_before: Before | None = None


def load(settings: Settings) -> HubKeys:
    """The hub's keys.

    Raises:
        Misconfigured: when a key is missing, of the wrong kind, or readable by others.
    """
    found: dict[str, Any] = {}
    for name, alg in KEYS.items():
        given = _given(settings, name)
        found[name] = _read(_stored(settings, name) if given is None else given, alg, name)
    return HubKeys(**found, delivery_before=_before(settings, found[DELIVERY]))


def ensure(settings: Settings) -> HubKeys:
    """The hub's keys, made in the data directory where the operator gave none.

    Raises:
        Misconfigured: as `load`, or when the data directory cannot be written.
    """
    for name, alg in KEYS.items():
        if getattr(settings, f"{name}_key") is None and getattr(settings, f"{name}_key_file") is None:
            _make(settings, name, alg)
    return load(settings)


def coming(settings: Settings, name: HubKeyName, given: str | None = None) -> HubSigning:
    """The key that is to take the place of another: the one `given` as a private JWK, or one made and kept beside it.

    Asked for again it is the same, until `adopt` puts it in place: a change that was interrupted goes on.

    Raises:
        Misconfigured: when it is no key for this, or the data directory cannot be written.
    """
    if given is None:
        _make(settings, _NEXT.format(name), KEYS[name])
        given = _stored(settings, _NEXT.format(name))
    key = _read(given, KEYS[name], name)
    assert not isinstance(key, AkpKey)  # noqa: S101  # KEYS says so for each of these names
    return key


def adopt(settings: Settings, name: HubKeyName) -> None:
    """Put the key that `coming` made in the place of the old one, whose private half is gone then.

    An old delivery key is laid beside it, until `let_go`.
    """
    new, old, kept = (_path(settings, each) for each in (_NEXT.format(name), name, DELIVERY_BEFORE))
    if new.exists():
        if name == DELIVERY and not kept.exists():
            kept.hardlink_to(old)
            _settle(old.parent)
        new.replace(old)
        _settle(old.parent)


def let_go(before: Before) -> None:
    """Delete the delivery key before the one in force, where the hub itself keeps it."""
    if before.file is not None:
        before.file.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Have the names in a folder outlast a loss of power."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _before(settings: Settings, delivery: SigningKey) -> Before | None:
    given, file = _given(settings, DELIVERY_BEFORE), _path(settings, DELIVERY_BEFORE)
    if given is None and not file.exists():
        return None
    text = _stored(settings, DELIVERY_BEFORE) if given is None else given
    key = _read(text, KEYS[DELIVERY], DELIVERY_BEFORE)
    assert isinstance(key, SigningKey)  # noqa: S101  # KEYS says so
    # A change that was interrupted has laid the old key beside itself.
    return None if key.public == delivery.public else Before(key, file if given is None else None)


def _given(settings: Settings, name: str) -> str | None:
    file = getattr(settings, f"{name}_key_file")
    if file is None:
        value = getattr(settings, f"{name}_key")
        return None if value is None else str(value.get_secret_value())
    try:
        return str(file.read_text())
    except OSError:
        raise Misconfigured(
            "a key file named in the settings cannot be read",
            f"check the path and the permissions of TOCSIN_{name.upper()}_KEY_FILE",
        ) from None


def _stored(settings: Settings, name: str) -> str:
    path = _path(settings, name)
    try:
        if (path.stat().st_mode | path.parent.stat().st_mode) & _OTHERS:
            raise Misconfigured(
                f"the {name} key can be read by others",
                f"take it for known: delete {path}, chmod 700 {path.parent}, run `tocsin-hub migrate` for a new one",
            )
        return path.read_text()
    except FileNotFoundError:
        raise Misconfigured(
            f"the hub has no {name} key", "run `tocsin-hub migrate`, which makes the hub's keys"
        ) from None
    except OSError:
        raise Misconfigured(
            f"the {name} key cannot be read", f"run as the user that owns {path.parent}"
        ) from None


def _read(text: str, alg: Alg, name: str) -> Key:
    key: Key | None
    try:
        key = _KINDS.get(alg, SigningKey).from_jwk(json.loads(text))
    except (ValueError, TypeError, AttributeError, Refused):
        key = None
    if key is None or (isinstance(key, SigningKey) and key.public.alg != alg):
        raise Misconfigured(
            f"the {name} key is not a private JWK for {alg}",
            "give the whole private JWK (RFC 7517) as JSON, or let the hub make its own key",
        )
    return key


def _new(alg: Alg) -> Key:
    if alg == "ML-DSA-44":
        return AkpKey.generate()
    return RsaKey.generate() if alg == "RS256" else SigningKey.generate(alg)


def _make(settings: Settings, name: str, alg: Alg) -> None:
    """Make a key file unless there is one: written whole under another name, then linked, so never seen half."""
    path = _path(settings, name)
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists():
            return
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(_new(alg).jwk()))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process made it first; both use that one
        finally:
            draft.unlink()
    except OSError:
        raise Misconfigured(
            "the data directory cannot be written",
            f"let this user write in {settings.data_dir}, or set TOCSIN_DATA_DIR",
        ) from None


def _path(settings: Settings, name: str) -> Path:
    return settings.data_dir / DIRECTORY / f"{name}.jwk"
