"""What a hub really says fits the published schemas, member for member: nothing more, no null, nothing missing."""

import json
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from tests.schemas.directory import SCHEMAS
from tests.support.hub import Hub
from tests.support.parties import Party
from tests.support.vectors.good import MD5, SHA256, artefact_report, claims, report
from tests.support.vectors.keys import compact
from tocsin_schemas import envelope
from tocsin_schemas.feed import Receipt
from tocsin_schemas.ledger import rfc3339

COMMUNITY = "/v1/communities/child-safety"
AUDIENCE = "https://hub.example/communities/child-safety"


def fits(name: str, said: Any) -> list[str]:
    """What is wrong with an answer, by its schema; empty if nothing."""
    schema = json.loads((SCHEMAS / "v1" / f"{name}.schema.json").read_text())
    return [
        f"{name}: {error.json_path}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(said)
    ]


def get(hub: Hub, party: Party, path: str) -> httpx2.Response:
    answer = hub.http.get(path, headers=party.bearer())
    assert answer.status_code == 200, answer.text
    return answer


def submit(hub: Hub, party: Party, said: dict[str, Any], **query: str) -> httpx2.Response:
    token = envelope.sign(compact(said), party.key)
    headers = {**party.bearer(), "Content-Type": envelope.MEDIA_TYPE}
    return hub.http.post("/v1/signals", content=token, headers=headers, params=query)


def said_by(hub: Hub, party: Party, name: str, kind: str, body: dict[str, Any], *ids: str) -> dict[str, Any]:
    return claims(name, kind, body, *ids, iss=party.issuer, aud=AUDIENCE, iat=hub.clock())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_answer_fits_its_published_schema(hub: Hub) -> None:
    pixel, brook = hub.party("pixel"), hub.party("brook", alg="ES256")
    first = said_by(hub, pixel, "1", "report", report(), MD5, SHA256)
    dry = submit(hub, pixel, first, dry_run="true")
    created = submit(hub, pixel, first)
    again = submit(hub, pixel, first)
    assert (dry.status_code, created.status_code, again.status_code) == (200, 201, 200)
    wrong = [*fits("dry-run", dry.json()), *fits("receipt", created.json()), *fits("receipt", again.json())]
    receipt = Receipt.model_validate(created.json())
    wrong += fits("entry", json.loads(receipt.entry))
    assert submit(hub, brook, said_by(hub, brook, "2", "report", report(), MD5)).status_code == 201
    gone = submit(hub, brook, said_by(hub, brook, "3", "report", artefact_report(), "file-" + SHA256))
    withdrawn = f"statement:{gone.json()['statement']}"
    retraction = said_by(hub, brook, "4", "retraction", {"reason": "error"}, withdrawn)
    assert submit(hub, brook, retraction).status_code == 201

    for path, name in (
        ("/v1/me", "me"),
        ("/v1/policy", "policy"),
        ("/v1/communities", "communities"),
        (f"{COMMUNITY}/members", "directory"),
        (f"{COMMUNITY}/indicators/{MD5}", "indicator-view"),
    ):
        answer = get(hub, pixel, path)
        assert "null" not in answer.text
        wrong += fits(name, answer.json())
    records = [json.loads(line) for line in get(hub, pixel, f"{COMMUNITY}/feed").text.splitlines()]
    assert {"jws", "gone"} <= {member for record in records for member in record}
    for record in records:
        wrong += fits("record", record)
    assert wrong == []
    assert receipt.recorded_at == rfc3339(hub.clock())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_refusal_fits_the_published_schema(hub: Hub) -> None:
    pixel = hub.party("pixel")
    refusals = [
        submit(hub, pixel, said_by(hub, pixel, "1", "report", report(note="x"), MD5)),
        submit(
            hub,
            pixel,
            said_by(hub, pixel, "2", "sighting", {"detection_context": "upload", "count": "1"}, MD5),
        ),
        hub.http.get("/v1/me"),
        hub.http.get("/nowhere"),
        hub.http.delete("/v1/me"),
        hub.http.get(f"{COMMUNITY}/feed?limit=0", headers=pixel.bearer()),
        hub.http.post("/v1/signals", content=b"x", headers={**pixel.bearer(), "Content-Type": "text/plain"}),
    ]
    assert [answer.status_code for answer in refusals] == [422, 422, 401, 404, 405, 400, 415]
    for answer in refusals:
        assert answer.headers["content-type"] == "application/problem+json"
        assert fits("problem", answer.json()) == []
