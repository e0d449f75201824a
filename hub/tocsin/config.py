"""Settings: what the operator decides, made once by the command line and passed down.

What the board decides (life times, thresholds, caps) is policy, never a setting. Every field can be set as an
environment variable with the prefix `TOCSIN_`; docs/operator-guide.md describes each.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """The hub's settings, read from the environment and frozen."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_", frozen=True, extra="forbid")

    issuer: str = "http://127.0.0.1:8000"
    """Public base URL of the hub, without a slash at the end. Plain http only on a loopback host."""
    data_dir: Path = Path("tocsin-data")
    """Where the embedded database and the hub's keys are kept."""
    database_url: SecretStr | None = None
    """`postgresql://…`, or `sqlite:///…`; without it, SQLite in the data directory."""
    database_url_file: Path | None = None
    """A file that holds the database URL, for a secret mounted by the platform."""
    token_key: SecretStr | None = None
    """Private JWK (P-256) that signs access tokens; without it, a file in the data directory that the hub makes."""
    token_key_file: Path | None = None
    """A file that holds it instead."""
    events_key: SecretStr | None = None
    """Private JWK (Ed25519) that signs the hub's own events; likewise."""
    events_key_file: Path | None = None
    """A file that holds it instead."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    ingest_processes: Annotated[int, Field(ge=0, le=256)] = (os.cpu_count() or 1) + 1
    """Processes that work on large batches; 0 does everything in the serving process."""
    run_jobs: bool = True
    """Run the periodic jobs in the serving process; switch off where `tocsin-hub work` runs beside it."""
    read_only: bool = False
    """Refuse every write: for maintenance and for replicas."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _check(self) -> Self:
        url = urlsplit(self.issuer)
        if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query or url.fragment:
            raise ValueError("issuer must be a base URL like https://hub.example, with no path")
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            raise ValueError("issuer must be https; plain http is for loopback hosts only")
        for name in ("database_url", "token_key", "events_key"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"set {name} or {name}_file, not both")
        return self

    def database(self) -> str:
        """The database URL in force."""
        if self.database_url_file is not None:
            return self.database_url_file.read_text().strip()
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'tocsin.db'}"
