"""Bodies: of a named type, as they are, and never more than the route takes."""

from collections.abc import Iterator
from typing import Annotated

import anyio
import httpx2
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient

from tests.support.hub import LiveHub
from tocsin.errors import Refused
from tocsin.web import problems
from tocsin.web.body import Body, body
from tocsin.web.middleware import Edge

LIMIT = 1000


@pytest.fixture
def web() -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Edge, https=False)

    @app.post("/")
    def take(content: Annotated[Body, Depends(body({"text/one": LIMIT, "text/two": 10}))]) -> list[str]:
        return [content.media_type, content.content.decode()]

    with TestClient(app) as client:
        yield client


def post(web: TestClient, content: object, kind: str = "text/one", **headers: str) -> httpx2.Response:
    sent = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return web.post("/", content=content, headers=sent)  # type: ignore[arg-type]  # bytes, or what yields them


def test_the_exact_bytes_arrive(web: TestClient) -> None:
    assert post(web, b" a\r\nb ").json() == ["text/one", " a\r\nb "]
    assert post(web, b"x", "Text/ONE; charset=utf-8").json() == ["text/one", "x"]
    assert post(web, iter([b"a", b"", b"b"])).json() == ["text/one", "ab"]
    assert post(web, b"x" * LIMIT).status_code == 200
    assert post(web, b"", Content_Encoding="identity").json() == ["text/one", ""]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "text/onetwo", "application/json", "text/one,text/two", ";"]
)
def test_another_type_is_refused(web: TestClient, kind: str) -> None:
    answer = post(web, b"x", kind)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        415,
        "unsupported-media-type",
        "content-type",
    )
    assert answer.json()["detail"] == "send text/one or text/two"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"])
def test_no_coding_is_undone(web: TestClient, coding: str) -> None:
    answer = post(web, b"x", Content_Encoding=coding)
    assert (answer.status_code, answer.json()["field"]) == (415, "content-encoding")


@pytest.mark.parametrize(("kind", "limit"), [("text/one", LIMIT), ("text/two", 10)])
def test_too_much_is_refused_with_and_without_a_length(web: TestClient, kind: str, limit: int) -> None:
    for content in (b"x" * (limit + 1), iter([b"x"] * (limit + 1)), iter([b"x" * 10 * limit])):
        answer = post(web, content, kind)
        assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")


@pytest.mark.parametrize("length", ["-1", "1e3", "", "x", "²"])
def test_a_length_that_is_no_number(web: TestClient, length: str) -> None:
    headers = [(b"Content-Type", b"text/one"), (b"Content-Length", length.encode())]
    answer = web.post("/", content=b"x", headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (400, "content-length")


def read_all(messages: list[dict[str, object]], **headers: str) -> Body:
    """What the dependency makes of these ASGI messages; asking for one more is an error."""
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"text/one"), *fields]}
    waiting = iter(messages)

    async def receive() -> dict[str, object]:
        return next(waiting)

    async def run() -> Body:
        return await body({"text/one": LIMIT})(Request(scope, receive))

    return anyio.run(run)


def test_an_announced_size_is_refused_before_anything_is_read() -> None:
    with pytest.raises(Refused) as caught:
        read_all([], content_length=str(LIMIT + 1))
    assert caught.value.code == "payload-too-large"


def test_reading_stops_at_the_limit() -> None:
    with pytest.raises(Refused) as caught:
        read_all([{"type": "http.request", "body": b"x" * (LIMIT + 1), "more_body": True}])
    assert caught.value.code == "payload-too-large"


def test_a_caller_that_leaves_early_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        read_all([{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}])
    assert (caught.value.code, caught.value.field) == ("request-invalid", "body")


def test_a_real_server_refuses_an_endless_body(live_hub: LiveHub) -> None:
    """Sent in chunks without a length, past the limit of a token request."""

    def endless() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b"x" * 1000

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        answer = live_hub.http.post("/oauth/token", content=endless(), headers=headers)
    except httpx2.WriteError:
        pass  # the server had answered and closed before all was sent
    else:
        assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")
    assert live_hub.http.get("/healthz").status_code == 200
