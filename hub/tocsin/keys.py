"""The hub's own keys: ES256 for access tokens, Ed25519 for the events it signs.

They are private JWK files in `keys/` of the data directory (files 0600, directory 0700), or given by the operator
through the settings. A file that others may read is refused: its key must be taken for known.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from tocsin.config import Settings
from tocsin.errors import Misconfigured, Refused
from tocsin_schemas.jwk import KeyAlg, SigningKey

DIRECTORY: Final = "keys"
_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class HubKeys:
    """`token` (ES256) signs access tokens and stands in the JWKS; `events` (Ed25519) signs the hub's own events."""

    token: SigningKey
    events: SigningKey


def load(settings: Settings) -> HubKeys:
    """The hub's keys.

    Raises:
        Misconfigured: when a key is missing, of the wrong kind, or readable by others.
    """
    token = _given(settings.token_key, settings.token_key_file)
    events = _given(settings.events_key, settings.events_key_file)
    return HubKeys(
        token=_read(_stored(settings, "token") if token is None else token, "ES256", "token"),
        events=_read(_stored(settings, "events") if events is None else events, "Ed25519", "events"),
    )


def ensure(settings: Settings) -> HubKeys:
    """The hub's keys, made in the data directory where the operator gave none.

    Raises:
        Misconfigured: as `load`, or when the data directory cannot be written.
    """
    if settings.token_key is None and settings.token_key_file is None:
        _make(settings, "token", "ES256")
    if settings.events_key is None and settings.events_key_file is None:
        _make(settings, "events", "Ed25519")
    return load(settings)


def _given(value: SecretStr | None, file: Path | None) -> str | None:
    if file is None:
        return value.get_secret_value() if value is not None else None
    try:
        return file.read_text()
    except OSError:
        raise Misconfigured(
            "a key file named in the settings cannot be read",
            "check the path and the permissions of TOCSIN_TOKEN_KEY_FILE and TOCSIN_EVENTS_KEY_FILE",
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


def _read(text: str, alg: KeyAlg, name: str) -> SigningKey:
    try:
        key = SigningKey.from_jwk(json.loads(text))
    except (ValueError, TypeError, Refused):
        key = None
    if key is None or key.public.alg != alg:
        raise Misconfigured(
            f"the {name} key is not a private JWK for {alg}",
            "give the whole private JWK (RFC 7517) as JSON, or let the hub make its own key",
        )
    return key


def _make(settings: Settings, name: str, alg: KeyAlg) -> None:
    """Make a key file unless there is one: written whole under another name, then linked, so never seen half."""
    path = _path(settings, name)
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists():
            return
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(SigningKey.generate(alg).jwk()))
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
