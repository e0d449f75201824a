"""The composition root, seen from outside."""

from typing import Any

from openapi_spec_validator import validate

from tests.support.hub import Hub
from tocsin_schemas.vocabulary import SCOPES


def test_the_interface_is_described_in_openapi(hub: Hub) -> None:
    document: dict[str, Any] = hub.http.get("/openapi.json").json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Tocsin hub"
    tags = {tag["name"] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            assert set(operation["tags"]) <= tags, (method, path)


def test_the_sdk_knows_who_it_is(hub: Hub) -> None:
    party = hub.party("pixel", communities={"child-safety": "rw", "ncii": "r"})
    client = party.sdk()
    me = client.me()
    assert (me.issuer, me.client_id, me.state) == (party.issuer, party.client_id, "active")
    assert me.scopes == sorted(SCOPES)
    views = {view.community: (view.may_read, view.may_write) for view in client.communities()}
    assert views == {"child-safety": (True, True), "ncii": (True, False)}
    assert client.communities()[0].audience == client.audience("child-safety")
    assert me.communities == client.communities()
