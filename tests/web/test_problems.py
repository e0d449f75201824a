"""Every refusal is a problem document, whoever refuses: a feature, the framework, or an error nobody foresaw."""

import json
from collections.abc import Iterator
from typing import Annotated

import httpx2
import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from tests.support.hub import Hub
from tocsin.web import problems
from tocsin.web.middleware import Edge
from tocsin_schemas.problems import REGISTRY, Refused

SECRET = "someone@pasted.example"


def check(answer: httpx2.Response, status: int, code: str, field: str | None = None) -> None:
    """A whole problem document, and no echo of what was sent."""
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:tocsin:problem:{code}"
    assert (body["title"], body["help"]) == (REGISTRY[code].title, REGISTRY[code].help)
    assert body["instance"] == f"urn:tocsin:request:{answer.headers['X-Request-Id']}"
    assert body.get("field") == field
    assert body.keys() <= {"type", "title", "status", "code", "field", "detail", "help", "instance"}
    assert SECRET not in answer.text
    assert SECRET not in str(answer.headers)


def test_no_such_path(hub: Hub) -> None:
    for path in ("/", "/v1", "/v1/", f"/{SECRET}", "/v1/me/", "/docs", "/redoc", "//v1/me", "/v1/%2e%2e"):
        for method in ("GET", "POST", "DELETE"):
            check(hub.http.request(method, path), 404, "not-found")


def test_wrong_method(hub: Hub) -> None:
    for method, path, allow in (
        ("POST", "/v1/me", "GET"),
        ("GET", "/v1/signals", "POST"),
        ("DELETE", "/healthz", "GET"),
        ("PATCH", "/oauth/token", "POST"),
        ("OPTIONS", "/v1/signals", "POST"),
        ("SEARCH", "/v1/signals", "POST"),
    ):
        answer = hub.http.request(method, path)
        check(answer, 405, "method-not-allowed")
        assert answer.headers["Allow"] == allow


class Item(BaseModel):
    """A closed body."""

    model_config = ConfigDict(extra="forbid")
    count: int


def broken_app() -> FastAPI:
    """Routes that fail in every way a route can."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Edge, https=False)

    @app.get("/refused/{code}")
    def refused(code: str) -> None:
        raise Refused(code, "sub_id.id", "not canonical", retry_after=7 if code == "rate-limited" else None)

    @app.get("/challenged")
    def challenged() -> None:
        raise problems.Challenged("unauthenticated", "authorization", "no Bearer token", "Bearer x")

    @app.get("/http/{status}")
    def http(status: int) -> None:
        raise HTTPException(status, SECRET)

    @app.get("/number")
    def number(count: Annotated[int, Query(ge=1)]) -> int:
        return count

    @app.post("/item")
    def item(item: Item) -> int:
        return item.count

    @app.get("/unexpected")
    def unexpected() -> None:
        raise ValueError(SECRET)

    @app.get("/locked")
    def locked() -> None:
        with create_engine("sqlite:////nonexistent/folder/tocsin.db").connect() as conn:
            conn.execute(text("SELECT 1"))

    @app.get("/crowded")
    def crowded() -> None:
        raise PoolTimeoutError(SECRET)

    return app


@pytest.fixture
def web() -> Iterator[TestClient]:
    with TestClient(broken_app(), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("code", sorted(REGISTRY))
def test_every_registered_code_has_its_status(web: TestClient, code: str) -> None:
    answer = web.get(f"/refused/{code}")
    check(answer, REGISTRY[code].status, code, "sub_id.id")
    assert answer.json()["detail"] == "not canonical"
    assert answer.headers.get("Retry-After") == ("7" if code == "rate-limited" else None)


def test_a_challenge_is_sent(web: TestClient) -> None:
    answer = web.get("/challenged")
    check(answer, 401, "unauthenticated", "authorization")
    assert answer.headers["WWW-Authenticate"] == "Bearer x"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "request-invalid"),
        (404, "not-found"),
        (405, "method-not-allowed"),
        (406, "not-acceptable"),
        (413, "payload-too-large"),
        (415, "unsupported-media-type"),
        (418, "request-invalid"),
        (429, "rate-limited"),
        (500, "internal-error"),
        (502, "internal-error"),
        (503, "unavailable"),
    ],
)
def test_what_the_framework_refuses(web: TestClient, status: int, code: str) -> None:
    check(web.get(f"/http/{status}"), REGISTRY[code].status, code)


@pytest.mark.parametrize(
    ("query", "field"),
    [("", "query.count"), (f"?count={SECRET}", "query.count"), ("?count=0", "query.count")],
)
def test_a_parameter_that_does_not_fit(web: TestClient, query: str, field: str) -> None:
    check(web.get(f"/number{query}"), 400, "request-invalid", field)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (b"{}", "body.count"),
        (json.dumps({"count": SECRET}).encode(), "body.count"),
        (json.dumps({"count": 1, SECRET: 1}).encode(), "body"),
        (b"[]", "body"),
        (b"{", "body.1"),
        (SECRET.encode(), "body.0"),
    ],
)
def test_a_body_that_does_not_fit(web: TestClient, sent: bytes, field: str) -> None:
    answer = web.post("/item", content=sent, headers={"Content-Type": "application/json"})
    check(answer, 400, "request-invalid", field)


def test_an_error_nobody_foresaw_says_nothing(web: TestClient) -> None:
    answer = web.get("/unexpected")
    check(answer, 500, "internal-error")
    assert "detail" not in answer.json()
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/locked", "/crowded"])
def test_a_database_that_does_not_answer(web: TestClient, path: str) -> None:
    answer = web.get(path)
    check(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_documented_codes_are_grouped_by_status() -> None:
    found = problems.documented("forbidden", "member-suspended", "not-found")
    assert found.keys() == {403, 404}
    assert "`forbidden`" in found[403]["description"]
    assert "`member-suspended`" in found[403]["description"]
