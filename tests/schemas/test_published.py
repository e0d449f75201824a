"""What is published below schemas/ is what the Python makes, valid, self-contained and closed."""

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.schemas.directory import SCHEMAS
from tests.support import json_schemas, publish
from tocsin.web.openapi import OPEN, PROTECTED
from tocsin_schemas import feed, signals
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import REGISTRY, document
from tocsin_schemas.published import never_null
from tocsin_schemas.vocabulary import LABELS

NAMES = sorted(path.name.removesuffix(".schema.json") for path in (SCHEMAS / "v1").glob("*.json"))
OPENAPI = json.loads((SCHEMAS / "openapi.json").read_text())


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / "v1" / f"{name}.schema.json").read_text())
    return found


def closed(part: dict[str, Any]) -> bool:
    """Whether an object schema names its members; a map with values of a schema is one that does not."""
    return part.get("additionalProperties") is False


@cache
def made() -> dict[str, str]:
    """What belongs below schemas/, made once."""
    return publish.files()


@pytest.mark.check
def test_nothing_published_is_stale() -> None:
    wrong = publish.stale(SCHEMAS, made())
    assert wrong == {}, f"write them again with: {publish.COMMAND}"


def test_check_names_each_stale_file_and_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish.main([], tmp_path, made) == 0
    assert publish.main(["--check"], tmp_path, made) == 0
    capsys.readouterr()
    (tmp_path / "v1" / "report.schema.json").write_text("{}\n")
    (tmp_path / "vectors" / "fold.json").unlink()
    (tmp_path / "v1" / "left-over.schema.json").write_text("{}\n")
    assert publish.main(["--check"], tmp_path, made) == 1
    said = capsys.readouterr().out
    for name in ("v1/report.schema.json", "vectors/fold.json", "v1/left-over.schema.json"):
        assert f"stale: schemas/{name}\n" in said
    assert publish.COMMAND in said
    assert publish.main([], tmp_path, made) == 0
    assert publish.main(["--check"], tmp_path, made) == 0
    assert not (tmp_path / "v1" / "left-over.schema.json").exists()


def test_the_files_come_out_the_same_each_time() -> None:
    assert publish.files() == made()


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*/*.json")), ids=lambda path: path.name)
def test_a_published_file_is_sorted_ascii_and_ends_with_a_line_feed(path: Path) -> None:
    raw = path.read_bytes()
    assert raw.isascii()
    assert raw == publish.text(json.loads(raw)).encode()


def test_every_event_answer_and_claim_set_is_published() -> None:
    assert set(NAMES) == set(json_schemas.documents())
    assert {*signals.EVENTS, *(f"claims-{kind}" for kind in signals.EVENTS)} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_named_and_leads_nowhere_else(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"urn:tocsin:schema:v1:{name}"
    assert found["title"]
    targets = {part["$ref"] for part in json_schemas.objects(found) if "$ref" in part}
    definitions = found.get("$defs", {})
    assert targets == {f"#/$defs/{target}" for target in definitions}
    assert all("description" in part for part in (found, *definitions.values()) if "properties" in part)


# A receiver must not break when a newer hub says more (Standard Webhooks).
OPEN_SCHEMAS = {"notification"}


@pytest.mark.parametrize("name", NAMES)
def test_every_object_is_closed_and_no_null_is_offered(name: str) -> None:
    found = schema(name)
    for part in json_schemas.objects(found):
        if part.get("type") == "object":
            assert closed(part) != (name in OPEN_SCHEMAS), part.get("title")
        assert part.get("type") != "null"
    assert "null" not in json.dumps(found)


def test_free_text_is_offered_nowhere_in_a_signal_or_a_record_of_the_board() -> None:
    """A string is a word of a list, or spelled by a pattern."""
    claims = [f"claims-{kind}" for kind in signals.EVENTS]
    for name in (*signals.EVENTS, *claims, "header", "claims-expiry", *json_schemas.GOVERNANCE):
        for part in json_schemas.objects(schema(name)):
            if part.get("type") == "string":
                assert part.keys() & {"enum", "const", "pattern"}, part


def test_the_labels_are_a_closed_list() -> None:
    labels = schema("report")["properties"]["labels"]
    assert set(labels["items"]["enum"]) == LABELS
    assert labels["uniqueItems"] is True


def test_null_is_taken_out_of_a_schema_and_nothing_else() -> None:
    found: dict[str, Any] = {
        "properties": {
            "a": {
                "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
                "default": None,
                "title": "A",
            },
            "b": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "c": {"type": "string", "default": "x"},
        }
    }
    rest = copy.deepcopy({name: found["properties"][name] for name in ("b", "c")})
    never_null(found)
    assert found["properties"] == {"a": {"type": "integer", "minimum": 1, "title": "A"}, **rest}
    never_null({"type": "string"})


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("policy", Policy()),
        ("dry-run", feed.DryRun(would="record", status="candidate", statement="0" * 64)),
        (
            "receipt",
            feed.Receipt(
                seq=0,
                entry="{}",
                recorded_at="2026-11-22T00:00:00Z",
                expires_at="2026-11-23T00:00:00Z",
                status="candidate",
                statement="0" * 64,
                jws_digest="0" * 64,
            ),
        ),
        ("record", feed.Gone(seq=1, gone="expired")),
        ("record", feed.Live(seq=1, recorded_at="2026-11-22T00:00:00Z", r="0" * 64, jws="a.b.c")),
    ],
)
def test_an_answer_fits_its_schema(name: str, answer: Any) -> None:
    validator = Draft202012Validator(schema(name))
    said = json.loads(answer.model_dump_json(exclude_none=True))
    assert validator.is_valid(said)
    assert not validator.is_valid({**said, "note": "x"})
    for member in said:
        if member != "expires_at":
            assert not validator.is_valid({k: v for k, v in said.items() if k != member})


@pytest.mark.parametrize("code", REGISTRY)
def test_every_problem_fits_its_schema(code: str) -> None:
    validator = Draft202012Validator(schema("problem"))
    full = {
        **document(code, "field", "reason"),
        "help": REGISTRY[code].help,
        "instance": "urn:tocsin:request:1",
    }
    assert validator.is_valid(document(code))
    assert validator.is_valid(full)
    assert not validator.is_valid({**full, "value": "x"})


def test_the_openapi_document_is_valid_and_leads_nowhere_else() -> None:
    errors = list(OpenAPIV31SpecValidator(OPENAPI).iter_errors())
    assert [str(error) for error in errors] == []
    targets = {part["$ref"] for part in json_schemas.objects(OPENAPI) if "$ref" in part}
    assert targets <= {f"#/components/schemas/{name}" for name in OPENAPI["components"]["schemas"]}


def test_the_openapi_document_offers_no_null_and_closed_answers() -> None:
    assert '"null"' not in json.dumps(OPENAPI)
    for name, part in OPENAPI["components"]["schemas"].items():
        assert closed(part), name


def test_every_operation_says_how_it_refuses_and_whom_it_serves() -> None:
    for path, methods in OPENAPI["paths"].items():
        for operation in methods.values():
            default = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
            assert default == {"$ref": "#/components/schemas/Problem"}
            asks = path.startswith(PROTECTED) and not path.startswith(OPEN)
            assert ("security" in operation) == asks
            assert "HTTPValidationError" not in json.dumps(operation)


def test_codes_in_the_openapi_document_are_registered_with_their_status() -> None:
    for methods in OPENAPI["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for code in re.findall(r"`([a-z-]+)`: ", response["description"]):
                    assert str(REGISTRY[code].status) == status
