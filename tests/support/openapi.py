"""The hub's OpenAPI document, as the hub itself serves it."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr

from tocsin.app import create_app
from tocsin.config import Settings
from tocsin_schemas.jwk import KeyAlg, SigningKey


def document() -> dict[str, Any]:
    """OpenAPI 3.1 of a hub that is never started: its keys are of the moment, its database is empty."""
    with TemporaryDirectory() as folder:
        settings = Settings(
            issuer="https://hub.example",
            data_dir=Path(folder),
            token_key=_key("ES256"),
            events_key=_key("Ed25519"),
            ingest_processes=0,
            run_jobs=False,
        )
        app = create_app(settings)
        try:
            return app.openapi()
        finally:
            app.state.database.dispose()


def _key(alg: KeyAlg) -> SecretStr:
    return SecretStr(json.dumps(SigningKey.generate(alg).jwk()))
