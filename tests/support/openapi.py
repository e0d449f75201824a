"""The hub's OpenAPI document, as the hub itself serves it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tocsin import keys
from tocsin.app import create_app
from tocsin.config import Settings


def document() -> dict[str, Any]:
    """OpenAPI 3.1 of a hub that is never started: its keys are of the moment, its database is empty."""
    with TemporaryDirectory() as folder:
        settings = Settings(
            issuer="https://hub.example",
            data_dir=Path(folder),
            ingest_processes=0,
            run_jobs=False,
        )
        keys.ensure(settings)
        app = create_app(settings)
        try:
            return app.openapi()
        finally:
            app.state.database.dispose()
