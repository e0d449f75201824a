"""Where a member's client keeps things: its profile, its private keys, its mirrors.

By default the user's configuration and data folders; `TOCSIN_HOME` or `--home` puts everything below one folder.
Folders are 0700, the profile, keys and mirrors 0600, and a key that others can read is not used. Every error says what
to do next.
"""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from tocsin_schemas.jwk import KeyAlg, SigningKey
from tocsin_schemas.problems import Refused

HOME_VARIABLE: Final = "TOCSIN_HOME"
LOG_IN: Final = "Run `tocsin login --hub URL --issuer URL --client-id ID`."
_SECRET: Final = 0o600
_FOLDER: Final = 0o700


class NotReady(Exception):
    """Something on this machine is missing or unfit: `what` it is, and what to do `next`."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(f"{what}. {next_step}")
        self.what = what
        self.next = next_step


class Profile(BaseModel):
    """Who this client is and which hub it talks to: what `tocsin login` keeps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hub: str
    issuer: str
    client_id: str
    key: Path
    community: str
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """The folders for configuration (profile, keys) and for data (mirrors)."""

    config: Path
    data: Path

    @classmethod
    def locate(cls, override: Path | None = None) -> Self:
        """The folders in force: `override`, else `TOCSIN_HOME`, else the platform's own."""
        chosen = override or (Path(os.environ[HOME_VARIABLE]) if os.environ.get(HOME_VARIABLE) else None)
        if chosen is not None:
            return cls(chosen, chosen)
        return cls(platformdirs.user_config_path("tocsin"), platformdirs.user_data_path("tocsin"))

    @property
    def profile_file(self) -> Path:
        """The profile, as JSON."""
        return self.config / "config.json"

    @property
    def keys(self) -> Path:
        """The folder of private keys."""
        return self.config / "keys"

    def mirror_file(self, hub: str, community: str) -> Path:
        """The mirror of one community of one hub."""
        return self.data / "mirrors" / f"{host_of(hub)}-{community}.sqlite3"

    def load(self, next_step: str = LOG_IN) -> Profile:
        """The profile; `next_step` is what to do without one.

        Raises:
            NotReady: before `tocsin login`, or when the file is not a profile.
        """
        try:
            return Profile.model_validate_json(self.profile_file.read_bytes())
        except FileNotFoundError:
            raise NotReady("This machine has not logged in to a hub yet", next_step) from None
        except ValidationError:
            raise NotReady(
                f"{self.profile_file} is not a profile of this version", "Run `tocsin login …` again."
            ) from None

    def save(self, profile: Profile) -> None:
        """Write the profile, whole or not at all."""
        private_folder(self.config)
        text = json.dumps(profile.model_dump(mode="json", exclude_none=True), indent=2) + "\n"
        fresh = self.profile_file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        _write_secret(fresh, text)
        fresh.replace(self.profile_file)

    def only_key(self) -> Path:
        """The one private key in `keys`.

        Raises:
            NotReady: when there is none, or more than one to choose from.
        """
        found = sorted(self.keys.glob("*.jwk"))
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotReady("There is no key yet", "Run `tocsin keys new`, or name one with --key FILE.")
        raise NotReady(f"There are {len(found)} keys in {self.keys}", "Name the one to use with --key FILE.")


def new_key(alg: KeyAlg, path: Path | None, folder: Path) -> tuple[SigningKey, Path]:
    """Make a key and keep it: at `path`, or in `folder` under its thumbprint. Never overwrites.

    Raises:
        NotReady: when the file exists.
    """
    key = SigningKey.generate(alg)
    target = path or folder / f"{key.public.kid}.jwk"
    private_folder(target.parent)
    try:
        _write_secret(target, json.dumps(key.jwk()) + "\n")
    except FileExistsError:
        raise NotReady(f"{target} exists and is left as it is", "Choose another --out file.") from None
    return key, target


def load_key(path: Path) -> SigningKey:
    """Read a private key.

    Raises:
        NotReady: when it is missing, readable by others, or no private key.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except OSError:
        raise NotReady(
            f"The key {path} cannot be read", "Make one with `tocsin keys new`, or check --key."
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise NotReady(f"The private key {path} can be read by others", f"Run `chmod 600 {path}`.")
    try:
        jwk = json.loads(text)
        return SigningKey.from_jwk(jwk if isinstance(jwk, dict) else {})
    except (ValueError, Refused):
        raise NotReady(
            f"{path} holds no private Ed25519 or P-256 JWK", "Name the file `tocsin keys new` made."
        ) from None


def host_of(hub: str) -> str:
    """A hub's host and port, fit for the name of a file."""
    return hub.partition("://")[2].replace(":", "_").replace("/", "_")


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, and those above it."""
    folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
