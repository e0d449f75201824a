"""Parameters that are read at once: as documented, and refused by name."""

from typing import Annotated

import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from tests.support.hub import Hub
from tocsin.web.parameters import documented, read_query


class Query(BaseModel):
    after: Annotated[int | None, Field(ge=0, description="What is had.")] = None
    limit: Annotated[int, Field(ge=1, le=9)] = 5


def test_what_is_not_said_has_its_default_and_what_is_unknown_is_ignored() -> None:
    assert read_query(Query, {"limit": "7", "other": "x"}) == Query(after=None, limit=7)


@pytest.mark.parametrize(("name", "value"), [("after", "-1"), ("after", "x"), ("limit", "0"), ("limit", "")])
def test_what_does_not_fit_is_named(name: str, value: str) -> None:
    with pytest.raises(RequestValidationError) as raised:
        read_query(Query, {name: value})
    assert [one["loc"] for one in raised.value.errors()] == [("query", name)]


def test_the_document_says_all_of_it() -> None:
    app = FastAPI()

    @app.get("/asked", openapi_extra=documented(Query, {"Prefer": "What is liked."}))
    async def asked(_request: Request) -> None: ...

    said = {(one["in"], one["name"]): one for one in app.openapi()["paths"]["/asked"]["get"]["parameters"]}
    assert said.keys() == {("query", "after"), ("query", "limit"), ("header", "Prefer")}
    assert said["query", "limit"]["schema"] | {"title": ""} == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "default": 5,
        "title": "",
    }
    assert said["query", "after"]["description"] == "What is had."
    assert not any(one["required"] for one in said.values())


def test_the_last_of_a_name_counts_and_the_feed_names_what_does_not_fit(hub: Hub) -> None:
    party = hub.party("pixel")
    path = "/v1/communities/child-safety/feed"
    assert hub.http.get(path + "?limit=0&limit=1", headers=party.bearer()).status_code == 200
    answer = hub.http.get(path + "?limit=1&limit=0", headers=party.bearer())
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        400,
        "request-invalid",
        "query.limit",
    )
