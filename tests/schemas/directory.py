"""The published vectors as the tests read them: from the files, as another implementation would."""

import json
from pathlib import Path
from typing import Any

from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.jwk import public_key

SCHEMAS = Path(__file__).parents[2] / "schemas"


def vectors(name: str) -> Any:
    return json.loads((SCHEMAS / "vectors" / f"{name}.json").read_text())


def author_keys(part: str = "members") -> dict[str, AuthorKey]:
    """kid to key, of every key that the vectors' directory lists."""
    return {
        entry["jwk"]["kid"]: AuthorKey(
            public_key(entry["jwk"]),
            entry["iss"],
            entry["not_before"],
            entry["not_after"],
            entry.get("revoked_at"),
        )
        for entry in vectors("keys")[part]
        if entry["listed"]
    }
