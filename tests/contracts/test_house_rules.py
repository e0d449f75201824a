"""The house rules hold in every package, and each rule catches what it is there to catch."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from tests.contracts import house_rules
from tests.contracts.house_rules import RULES, Module, Rule

ROOT = Path(__file__).parents[2]
HOMES = {
    "tocsin_schemas": "schemas",
    "tocsin_client": "federation",
    "tocsin_federation": "federation",
    "tocsin": "hub",
}
LOCKS = ("requirements.lock", "requirements-hub.lock", "requirements-dev.lock")


def modules() -> list[Module]:
    found = []
    for package, home in HOMES.items():
        for path in sorted((ROOT / home / package).rglob("*.py")):
            parts = path.relative_to(ROOT / home).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            found.append(Module(name, path.relative_to(ROOT), path.read_text()))
    return found


MODULES = modules()


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _, _ in RULES))
def test_every_module_keeps_the_rule(rule: Rule) -> None:
    broken = [f"{module.path}:{where}" for module in MODULES for where in rule(module)]
    assert broken == []


@pytest.mark.parametrize(("rule", "name", "source"), RULES)
def test_the_rule_catches_its_violation(rule: Rule, name: str, source: str) -> None:
    assert list(rule(Module(name, Path("seeded.py"), source))) != []


def test_every_rule_is_in_force() -> None:
    defined = {
        name
        for name, value in inspect.getmembers(house_rules, inspect.isfunction)
        if value.__module__ == house_rules.__name__ and not name.startswith("_")
    }
    assert {getattr(rule, "__name__", "") for rule, _, _ in RULES} == defined


def imported_by_tests() -> set[str]:
    """Dotted names that some test imports: the modules, and what is taken from them."""
    names: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_every_module_of_decisions_and_of_the_wire_is_tested_directly() -> None:
    tested = imported_by_tests()
    expected = {
        module.name
        for module in MODULES
        if module.name.startswith("tocsin_schemas.") or ".rules" in module.name
    }
    assert expected - tested == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_pins_by_hash_and_names_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--(extra-)?index|--find-links|@ |(^|\s)/\w", text)
    pins = re.split(r"\n(?=\S)", text.strip())
    assert len(pins) > 10
    for pin in pins:
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+", pin), pin.splitlines()[0]
        assert "--hash=sha256:" in pin, pin.splitlines()[0]
