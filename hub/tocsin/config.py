"""Settings: what the operator decides, made once by the command line and passed down.

What the board decides (life times, thresholds, caps) is policy, never a setting. Every field can be set as an
environment variable with the prefix `TOCSIN_`; docs/operator-guide.md describes each.
"""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
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
    log_key: SecretStr | None = None
    """Private JWK (Ed25519) that signs the log's checkpoints; likewise."""
    log_key_file: Path | None = None
    """A file that holds it instead."""
    witness_key: SecretStr | None = None
    """Private JWK (Ed25519) that cosigns the checkpoints of logs this hub witnesses; likewise."""
    witness_key_file: Path | None = None
    """A file that holds it instead."""
    witness_pq_key: SecretStr | None = None
    """Private JWK (ML-DSA-44, RFC 9964) that does the same; likewise."""
    witness_pq_key_file: Path | None = None
    """A file that holds it instead."""
    console_key: SecretStr | None = None
    """Private JWK (Ed25519) from which the console derives its secrets: seeds of one-time codes are sealed with it."""
    console_key_file: Path | None = None
    """A file that holds it instead."""
    delivery_key: SecretStr | None = None
    """Private JWK (Ed25519) from which the secrets of every webhook endpoint are derived; likewise."""
    delivery_key_file: Path | None = None
    """A file that holds it instead."""
    delivery_before_key: SecretStr | None = None
    """The private JWK that was the delivery key before, while both hold; only where that one is given here too."""
    delivery_before_key_file: Path | None = None
    """A file that holds it instead."""
    ssf_es_key: SecretStr | None = None
    """Private JWK (P-256) that signs the events of Shared Signals streams with ES256; likewise."""
    ssf_es_key_file: Path | None = None
    """A file that holds it instead."""
    ssf_rs_key: SecretStr | None = None
    """Private JWK (RSA, 2048 bits or more) that signs those of receivers that ask for RS256; likewise."""
    ssf_rs_key_file: Path | None = None
    """A file that holds it instead."""
    witness_policy_file: Path | None = None
    """A C2SP tlog-policy: the witnesses that are to cosign this hub's log, and the quorum; without it, none."""
    witness_timeout: Annotated[float, Field(gt=0, le=30)] = 1.0
    """Seconds a publication waits for its witnesses; whoever has not answered by then cosigns the next one."""
    outbound_ca_file: Path | None = None
    """Certificates (PEM) to trust besides the system's in connections the hub opens: a private CA."""
    egress_allow_subnets: str = ""
    """Networks (CIDR, separated by commas) whose hosts members may have called too, plainly and on any port."""
    egress_ports: str = ""
    """Ports besides 443 on which members' endpoints may listen, separated by commas."""
    log_store: str | None = None
    """Where the public log lies: a folder, or `s3://bucket/prefix`; without it, `log` in the data directory."""
    feed_store: str | None = None
    """Where feed segments and snapshots lie, which are not public; without it, `feed` in the data directory."""
    s3_endpoint: str | None = None
    """URL of the S3-compatible server; without it, Amazon's own. Plain http only on a loopback host."""
    s3_region: str = "us-east-1"
    s3_access_key_id: str | None = None
    """Without it, credentials come from the machine's own role."""
    s3_secret_access_key: SecretStr | None = None
    s3_secret_access_key_file: Path | None = None
    """A file that holds it instead."""
    oidc_issuer: str | None = None
    """Issuer URL of the OpenID provider at which people may sign in to the console; without it, nowhere else."""
    oidc_client_id: str | None = None
    """What that provider calls this hub."""
    oidc_client_secret: SecretStr | None = None
    """The secret it gave; without it, a public client, which PKCE alone protects."""
    oidc_client_secret_file: Path | None = None
    """A file that holds it instead."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    ingest_processes: Annotated[int, Field(ge=0, le=256)] = (os.cpu_count() or 1) + 1
    """Processes that work on large batches; 0 does everything in the serving process."""
    run_jobs: bool = True
    """Run the periodic jobs in the serving process; switch off where `tocsin-hub work` runs beside it."""
    read_only: bool = False
    """Refuse every write: for maintenance and for replicas."""
    sandbox: bool = False
    """A hub for trials: no board decides here, the operator does, and every page and checkpoint says so."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _check(self) -> Self:
        url = urlsplit(self.issuer)
        if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query or url.fragment:
            raise ValueError("issuer must be a base URL like https://hub.example, with no path")
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            raise ValueError("issuer must be https; plain http is for loopback hosts only")
        endpoint = urlsplit(self.s3_endpoint or "https://")
        if endpoint.scheme != "https" and (endpoint.scheme != "http" or endpoint.hostname not in LOOPBACK):
            raise ValueError("s3_endpoint must be https; plain http is for loopback hosts only")
        provider = urlsplit(self.oidc_issuer or "https://")
        if provider.scheme != "https" and (provider.scheme != "http" or provider.hostname not in LOOPBACK):
            raise ValueError("oidc_issuer must be https; plain http is for loopback hosts only")
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("set oidc_issuer and oidc_client_id, or neither")
        if f"{self.feed_location()}/".startswith(f"{self.log_location()}/"):
            raise ValueError("log_store is public and feed_store is not: it cannot lie in there")
        self.allowed_subnets()
        self.allowed_ports()
        for name in (
            "database_url",
            "token_key",
            "events_key",
            "log_key",
            "witness_key",
            "witness_pq_key",
            "console_key",
            "delivery_key",
            "delivery_before_key",
            "ssf_es_key",
            "ssf_rs_key",
            "oidc_client_secret",
            "s3_secret_access_key",
        ):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"set {name} or {name}_file, not both")
        return self

    def log_location(self) -> str:
        """Where the public log lies: a folder or `s3://bucket/prefix`."""
        return (self.log_store or str(self.data_dir / "log")).rstrip("/")

    def feed_location(self) -> str:
        """Where segments and snapshots lie, likewise."""
        return (self.feed_store or str(self.data_dir / "feed")).rstrip("/")

    def allowed_subnets(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Networks whose hosts may be called on a member's behalf, besides the public internet."""
        try:
            return tuple(ip_network(part) for part in _parts(self.egress_allow_subnets))
        except ValueError:
            raise ValueError("egress_allow_subnets must be networks like 127.0.0.0/8,fd00::/8") from None

    def allowed_ports(self) -> tuple[int, ...]:
        """Ports besides 443 that may be called on a member's behalf."""
        ports = _parts(self.egress_ports)
        if not all(port.isascii() and port.isdigit() and 0 < int(port) <= 65535 for port in ports):
            raise ValueError("egress_ports must be numbers like 8443,9443")
        return tuple(int(port) for port in ports)

    def s3_secret(self) -> str | None:
        """The secret of the S3 credentials, if there is one."""
        if self.s3_secret_access_key_file is not None:
            return self.s3_secret_access_key_file.read_text().strip()
        return None if self.s3_secret_access_key is None else self.s3_secret_access_key.get_secret_value()

    def oidc_secret(self) -> str | None:
        """The secret of this hub at the OpenID provider, if it has one."""
        if self.oidc_client_secret_file is not None:
            return self.oidc_client_secret_file.read_text().strip()
        return None if self.oidc_client_secret is None else self.oidc_client_secret.get_secret_value()

    def database(self) -> str:
        """The database URL in force."""
        if self.database_url_file is not None:
            return self.database_url_file.read_text().strip()
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'tocsin.db'}"


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
