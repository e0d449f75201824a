"""The whole interface under generated input: no 5xx, and every answer as the OpenAPI document describes it."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.databases import Databases
from tests.support.hub import LiveHub, in_own_process

ROOT = Path(__file__).parents[2]
EXAMPLES = 15
DOCUMENT: dict[str, Any] = json.loads((ROOT / "schemas" / "openapi.json").read_text())
METHODS = {"get", "put", "post", "delete", "patch"}
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method in METHODS
]
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fuzzed(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveHub]:
    """A hub in a process of its own, which all generated requests share."""
    folder = tmp_path_factory.mktemp("fuzzed")
    data = folder / "data"
    data.mkdir(mode=0o700)
    with databases.migrated(request.param, folder) as url, in_own_process(url, data) as hub:
        yield hub


@pytest.fixture(scope="module")
def session(fuzzed: LiveHub) -> Iterator[requests.Session]:
    """A member that may do everything."""
    with requests.Session() as opened:
        opened.trust_env = False
        opened.headers.update(fuzzed.party("pixel").bearer())
        yield opened


@schemathesis.serializer("application/secevent+jwt", "application/secevent+jwt-seq", "application/jwt")
def as_it_is(_context: Any, value: Any) -> bytes:
    """The body of a submission is bytes, whatever the generator makes of the schema's string."""
    return value if isinstance(value, bytes) else str(value).encode()


@cache
def _schema() -> Any:
    return schemathesis.openapi.from_dict(DOCUMENT)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_input_breaks_an_operation(operation: str, fuzzed: LiveHub, session: requests.Session) -> None:
    method, _, path = operation.partition(" ")

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_schema()[path][method].as_strategy())
    def run(case: Any) -> None:
        case.call_and_validate(base_url=fuzzed.issuer, session=session, checks=CHECKS, timeout=20)

    run()


def test_every_operation_is_tried() -> None:
    assert len(OPERATIONS) == len(set(OPERATIONS)) > 20


def test_the_hub_lived_through_it(fuzzed: LiveHub) -> None:
    assert fuzzed.http.get("/readyz").status_code == 200
    assert fuzzed.http.get("/log/checkpoint").status_code == 200
