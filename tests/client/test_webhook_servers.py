"""The receivers that are servers: each answers real requests alike, whatever it is built on."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx2
import pytest
import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from tests.client.posting import CHALLENGE, NOW, OTHER, WHSEC, body, challenge, event, post, request
from tests.support.clock import MovableClock
from tocsin_client.webhooks import MAX_BODY_BYTES, Event, Receiver
from tocsin_client.webhooks_asgi import WebhookApp
from tocsin_client.webhooks_fastapi import Answered, Received
from tocsin_client.webhooks_http import WebhookServer


class Broken(Exception):
    """What a handler of these tests raises."""


class Inbox:
    """Handles events: keeps them, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failing = 0

    def take(self, given: Event) -> None:
        if self.failing:
            self.failing -= 1
            raise Broken
        self.events.append(given)

    async def take_soon(self, given: Event) -> None:
        await asyncio.sleep(0)
        self.take(given)


def fastapi(receiver: Receiver, inbox: Inbox) -> FastAPI:
    app = FastAPI()
    received = Received(receiver, app)

    @app.post("/hook", status_code=204)
    def hook(given: Annotated[Event, Depends(received)]) -> None:
        inbox.take(given)

    return app


def fastapi_async(receiver: Receiver, inbox: Inbox) -> FastAPI:
    app = FastAPI()
    received = Received(receiver, app)

    @app.post("/hook", status_code=204)
    async def hook(given: Annotated[Event, Depends(received)]) -> None:
        await inbox.take_soon(given)

    @app.exception_handler(Broken)
    async def broken(_: Request, error: Broken) -> JSONResponse:
        return JSONResponse({}, 500)

    return app


APPS: dict[str, Callable[[Receiver, Inbox], Any]] = {
    "asgi": lambda receiver, inbox: WebhookApp(receiver, inbox.take),
    "asgi-async": lambda receiver, inbox: WebhookApp(receiver, inbox.take_soon),
    "starlette-route": lambda receiver, inbox: Starlette(
        routes=[Route("/hook", WebhookApp(receiver, inbox.take))]
    ),
    "starlette-mount": lambda receiver, inbox: Starlette(
        routes=[Mount("/", WebhookApp(receiver, inbox.take_soon))]
    ),
    "fastapi": fastapi,
    "fastapi-async": fastapi_async,
}


class Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(uvicorn.Config(app, log_config=None, lifespan="auto"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        assert server.ready.wait(60)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def serving_plainly(receiver: Receiver, inbox: Inbox, path: str = "/hook") -> Iterator[str]:
    with WebhookServer(receiver, inbox.take, path=path) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a failing handler is not to be printed
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()
        thread.join()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture(params=[*APPS, "stdlib"])
def url(request: pytest.FixtureRequest, inbox: Inbox) -> Iterator[str]:
    receiver = Receiver(WHSEC, clock=MovableClock(NOW))
    with (
        serving_plainly(receiver, inbox)
        if request.param == "stdlib"
        else serving(APPS[request.param](receiver, inbox))
    ) as address:
        yield address


def test_a_server_receives(url: str, inbox: Inbox) -> None:
    """One story for each server: starting one is what takes the time."""
    # An event is handled, and its repetition is not.
    first = post(url, event("msg_1", 1))
    assert (first.status_code, first.content) == (204, b"")
    assert post(url, event("msg_1", 1)).status_code == 200
    # The challenge goes back, and is no event.
    answer = post(url, challenge())
    assert (answer.status_code, answer.json()) == (200, {"challenge": CHALLENGE})
    # What is not signed, not fresh or not whole is refused with a problem, and handled by nobody.
    for made, status, code in (
        (request(signer=OTHER), 401, "webhook-signature-invalid"),
        (event("msg_2", 2, at=NOW - 301), 400, "webhook-stale"),
        (request(content=b"[]"), 400, "webhook-malformed"),
        (({}, body()), 400, "webhook-malformed"),
    ):
        refused = post(url, made)
        assert refused.status_code == status
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == code
    assert post(url, request(content=b"x" * (MAX_BODY_BYTES + 1))).status_code == 413
    assert [given.id for given in inbox.events] == ["msg_1"]
    # What fails is answered with 500, and handled when it comes again.
    inbox.failing = 1
    assert post(url, event("msg_3", 3)).status_code == 500
    assert post(url, event("msg_3", 3)).status_code == 204
    assert [(given.id, given.gap is None) for given in inbox.events] == [("msg_1", True), ("msg_3", False)]
    # Nothing but POST.
    assert httpx2.get(url, trust_env=False).status_code in {405, 501}


def test_an_application_below_a_path_says_what_it_allows(inbox: Inbox) -> None:
    with serving(WebhookApp(Receiver(WHSEC), inbox.take)) as url:
        answer = httpx2.put(url, trust_env=False)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_an_application_is_for_http(inbox: Inbox) -> None:
    async def never() -> Any:
        raise AssertionError

    async def nothing(_: Any) -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="HTTP"):
        asyncio.run(WebhookApp(Receiver(WHSEC), inbox.take)({"type": "websocket"}, never, nothing))


def test_whoever_hangs_up_in_the_middle_is_not_listened_to(inbox: Inbox) -> None:
    said: list[Any] = []
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "headers": []}
    asyncio.run(WebhookApp(Receiver(WHSEC), inbox.take)(scope, receive, send))
    assert said[0]["status"] == 413
    assert inbox.events == []


def test_an_exception_of_another_kind_is_not_an_answer() -> None:
    app = FastAPI()
    Received(Receiver(WHSEC), app)
    with pytest.raises(Broken):
        app.exception_handlers[Answered](None, Broken())  # type: ignore[arg-type]  # the request is not looked at


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST /hook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 411),
        ("POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: \u0661\r\n\r\n", 411),
        ("POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 411),
        ("POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n", 413),
        ("POST /elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 404),
    ],
)
def test_the_plain_server_takes_no_odd_requests(inbox: Inbox, head: str, status: int) -> None:
    with serving_plainly(Receiver(WHSEC), inbox) as url:
        port = int(url.split(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(head.encode())
            assert connection.recv(4096).decode().split(" ")[1] == str(status)
    assert inbox.events == []


def test_the_plain_server_listens_to_this_machine_alone(inbox: Inbox) -> None:
    with WebhookServer(Receiver(WHSEC), inbox.take) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_a_problem_repeats_nothing(inbox: Inbox) -> None:
    with serving(WebhookApp(Receiver(WHSEC), inbox.take)) as url:
        answer = post(url, request("msg_jane-doe"))
        assert answer.status_code == 400
        assert "jane" not in json.dumps(answer.json())


def test_only_the_dependency_for_a_framework_needs_one() -> None:
    modules = [
        "webhooks",
        "webhook_journal",
        "webhooks_asgi",
        "webhooks_http",
        "snippets",
        "cli.webhook_listen",
    ]
    names = ", ".join(f"tocsin_client.{name}" for name in modules)
    code = f"import {names}, sys; print({{'starlette', 'fastapi', 'aiohttp', 'sqlalchemy'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
