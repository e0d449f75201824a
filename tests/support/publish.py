"""Write what is published from the Python: JSON Schemas, the OpenAPI document and the test vectors.

python -m tests.support.publish            write the files below schemas/
python -m tests.support.publish --check    say which of them are stale; exit 1 if any is
"""

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support import json_schemas, openapi
from tests.support.vectors import DOCUMENTS as VECTORS

SCHEMAS: Final = Path(__file__).parents[2] / "schemas"
COMMAND: Final = "python -m tests.support.publish"
DIFF_LINES: Final = 20


def files() -> dict[str, str]:
    """Path below schemas/ to the text that belongs there."""
    made: dict[str, Any] = {"openapi.json": openapi.document()}
    made |= {f"v1/{name}.schema.json": schema for name, schema in json_schemas.documents().items()}
    made |= {f"vectors/{name}.json": make() for name, make in VECTORS.items()}
    return {path: text(value) for path, value in made.items()}


def text(value: Any) -> str:
    """JSON as it is committed: sorted, indented, ASCII, one line feed at the end."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


def stale(home: Path, expected: Mapping[str, str]) -> dict[str, str]:
    """Path to the start of a diff, for each file below `home` that is missing, differs or belongs to nothing."""
    found = {
        str(path.relative_to(home)): path.read_text()
        for pattern in ("openapi.json", "v1/*.json", "vectors/*.json")
        for path in home.glob(pattern)
    }
    return {
        path: _diff(found.get(path, ""), expected.get(path, ""))
        for path in sorted(found.keys() | expected.keys())
        if found.get(path) != expected.get(path)
    }


def write(home: Path, expected: Mapping[str, str]) -> None:
    for path in stale(home, expected):
        target = home / path
        if path in expected:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(expected[path])
            print(f"written: {path}")
        else:
            target.unlink()
            print(f"removed: {path}")


def main(
    arguments: list[str] | None = None,
    home: Path = SCHEMAS,
    make: Callable[[], Mapping[str, str]] = files,
) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write what is published, or check it.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    options = parser.parse_args(arguments)
    expected = make()
    if not options.check:
        write(home, expected)
        return 0
    wrong = stale(home, expected)
    for path, diff in wrong.items():
        print(f"stale: schemas/{path}\n{diff}")
    if wrong:
        print(f"{len(wrong)} generated files are stale. Write them again with: {COMMAND}")
    return 1 if wrong else 0


def _diff(old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), "committed", "generated", lineterm="", n=1
    )
    return "\n".join(line[:200] for line, _ in zip(lines, range(DIFF_LINES), strict=False))


if __name__ == "__main__":
    sys.exit(main())
