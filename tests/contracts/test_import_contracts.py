"""Every import contract holds, and breaks when it should.

The packages are copied, one import that a contract forbids is written into the copy, and import-linter must then name
that contract and no other. A contract that nothing can break protects nothing.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "tocsin": ROOT / "hub",
    "tocsin_client": ROOT / "federation",
    "tocsin_federation": ROOT / "federation",
    "tocsin_schemas": ROOT / "schemas",
}
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
NAMES = {contract["name"]: contract["id"] for contract in CONFIG["contracts"]}


@dataclass(frozen=True)
class Violation:
    """`importer` (a dotted module, made if it does not exist) gets the line `statement`; `contract` must break."""

    contract: str
    importer: str
    statement: str

    def __str__(self) -> str:
        return f"{self.contract}: {self.importer}: {self.statement}"


VIOLATIONS = [
    Violation("components", "tocsin_client.seeded", "import tocsin_federation"),
    Violation("components", "tocsin_federation.seeded", "import tocsin.errors"),
    Violation("hub-layers", "tocsin.ledger.service", "import tocsin.signals.service"),
    Violation("hub-layers", "tocsin.witnessing.service", "import tocsin.ledger.service"),
    Violation("hub-layers", "tocsin.members.service", "import tocsin.signals.rules"),
    Violation("hub-layers", "tocsin.jobs.metronome", "import tocsin.app"),
    Violation("hub-layers", "tocsin.config", "import tocsin.errors"),
    Violation("hub-layers", "tocsin.objects.files", "import tocsin.db"),
    Violation("hub-layers", "tocsin.gossip", "import json"),  # a module that no layer declares
    Violation("feature-anatomy", "tocsin.members.store", "import tocsin.members.service"),
    Violation("feature-anatomy", "tocsin.signals.service", "import tocsin.signals.routes"),
    Violation("feature-anatomy", "tocsin.signals.routes", "import tocsin.signals.pages"),
    Violation("private-stores", "tocsin.signals.service", "import tocsin.members.store"),
    Violation("private-stores", "tocsin.app", "import tocsin.ledger.store"),
    Violation("private-stores", "tocsin.jobs.service", "import tocsin.signals.store.tables"),
    Violation("private-stores", "tocsin.streams.service", "import tocsin.delivery.store"),
    Violation("hub-layers", "tocsin.webhooks.service", "import tocsin.streams.service"),
    Violation("private-stores", "tocsin.peering.service", "import tocsin.peering.store"),  # not declared yet
    Violation("pure-rules", "tocsin.members.rules", "import sqlalchemy"),
    Violation("pure-rules", "tocsin.signals.rules", "import tocsin.db"),  # by way of another module
    Violation("pure-rules", "tocsin_schemas.seeded", "import socket"),
    Violation("web-framework", "tocsin.members.service", "from fastapi import HTTPException"),
    Violation("web-framework", "tocsin.ledger.store", "from starlette.responses import Response"),
    Violation("web-framework", "tocsin_client.seeded", "import fastapi"),
    Violation("web-framework", "tocsin.ledger.pages", "import jinja2"),
    Violation("pure-rules", "tocsin.egress.guard", "import socket"),
    Violation("outbound-http", "tocsin.members.service", "import httpx2"),
    Violation("outbound-http", "tocsin.egress.trust", "import aiohttp"),
    Violation("outbound-http", "tocsin.egress.door", "import httpx2"),
    Violation("outbound-http", "tocsin_client.seeded", "import requests"),
    Violation("outbound-http", "tocsin.objects.files", "import obstore"),
]


def copy_packages(to: Path) -> None:
    for name, home in PACKAGES.items():
        shutil.copytree(home / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to)


def module_file(root: Path, module: str) -> Path:
    """The file of a dotted module below `root`, made with its packages if it is not there."""
    path = root.joinpath(*module.split("."))
    if (path / "__init__.py").exists():
        return path / "__init__.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "__init__.py").touch()
    path = path.with_suffix(".py")
    path.touch()
    return path


def broken_contracts(root: Path) -> set[str]:
    """The ids of the contracts that import-linter calls broken for the packages in `root`."""
    run = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = re.findall(r"^(.+) (KEPT|BROKEN)\b", run.stdout, flags=re.MULTILINE)
    assert {name for name, _ in verdicts} == set(NAMES), run.stdout + run.stderr
    broken = {NAMES[name] for name, verdict in verdicts if verdict == "BROKEN"}
    assert run.returncode == (1 if broken else 0)
    return broken


def test_every_contract_has_a_seeded_violation() -> None:
    assert {violation.contract for violation in VIOLATIONS} == set(NAMES.values())


def test_the_packages_keep_every_contract(tmp_path: Path) -> None:
    copy_packages(tmp_path)
    assert broken_contracts(tmp_path) == set()


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_a_seeded_violation_breaks_exactly_its_contract(tmp_path: Path, violation: Violation) -> None:
    copy_packages(tmp_path)
    imported = violation.statement.split()[1]
    if imported.startswith("tocsin"):
        module_file(tmp_path, imported)
    with module_file(tmp_path, violation.importer).open("a") as importer:
        importer.write(f"\n{violation.statement}\n")
    assert broken_contracts(tmp_path) == {violation.contract}
