"""The one door out: what it refuses, what it waits for, and what it never does. Against real servers on loopback."""

import asyncio
import gc
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.webserver import Answer as Given
from tests.client.webserver import script, serving
from tests.egress.servers import certificate, dripping, raw, saying, secure
from tocsin.egress import Answer, Egress, Outbound, Send, Unanswered, base_url
from tocsin.errors import Misconfigured, Refused

QUICK = 5.0


@pytest.fixture
def egress() -> Egress:
    return Egress()


def ask(egress: Egress, url: str, *, limit: int = 1000, seconds: float = QUICK) -> Answer | str:
    """The answer to a GET, or why there is none."""

    async def conversation(send: Send) -> Answer:
        return await send(Outbound("GET", url, limit, to="operator"))

    (found,) = egress.talk([conversation], seconds)
    return found.why if isinstance(found, Unanswered) else found


def test_an_answer_is_read_whole_whatever_its_status(egress: Egress) -> None:
    with serving(script(Given(409, b"7\n", {"Content-Type": "Text/X.Tlog.Size; x=y"}))) as web:

        async def conversation(send: Send) -> Answer:
            return await send(Outbound("POST", f"{web.url}/w/add", 100, b"old 0\n", to="operator"))

        assert egress.talk([conversation], QUICK) == [Answer(409, "text/x.tlog.size", b"7\n")]
    (asked,) = web.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/w/add", b"old 0\n")
    assert asked.headers["user-agent"] == "tocsin-hub"
    assert asked.headers["accept-encoding"] == "identity"


def test_a_redirect_is_an_answer_and_is_not_followed(egress: Egress) -> None:
    with serving(lambda asked: Given(302, headers={"Location": "/elsewhere"})) as web:
        found = ask(egress, web.url)
        assert isinstance(found, Answer)
        assert found.status == 302
        assert [asked.path for asked in web.asked] == ["/"]


def test_nothing_of_the_environment_leads_elsewhere(egress: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(script(Given(200, b"here"))) as web:
        found = ask(Egress(), web.url)
    assert isinstance(found, Answer)
    assert found.body == b"here"


def test_an_answer_of_the_limit_is_read_and_a_larger_one_is_not(egress: Egress) -> None:
    with serving(script(Given(200, b"x" * 1000), Given(200, b"x" * 1001))) as web:
        assert ask(egress, web.url) == Answer(200, "", b"x" * 1000)
        assert ask(egress, web.url) == "too-large"


def test_a_compressed_answer_is_not_unpacked(egress: Egress) -> None:
    with serving(script(Given(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}))) as web:
        assert ask(egress, web.url) == "encoded"


def test_an_answer_that_breaks_off_is_none(egress: Egress) -> None:
    with serving(script(None, Given(200, b"whole", cut=2))) as web:
        assert ask(egress, web.url) == "unreachable"
        assert ask(egress, web.url) == "unreachable"
    assert ask(egress, "http://127.0.0.1:1") == "unreachable"


def test_who_answers_slowly_costs_the_time_limit_and_no_more(egress: Egress) -> None:
    drip = dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    with raw(drip) as slow, serving(script(Given(200, b"quick"))) as web:

        async def to_slow(send: Send) -> Answer:
            return await send(Outbound("GET", slow.url, 100, to="operator"))

        async def to_quick(send: Send) -> Answer:
            return await send(Outbound("GET", web.url, 100, to="operator"))

        started = time.monotonic()
        first, second = egress.talk([to_slow, to_quick], 0.3)
        assert 0.25 < time.monotonic() - started < 4
    assert isinstance(first, Unanswered)
    assert first.why == "timeout"
    assert isinstance(second, Answer)
    assert second.body == b"quick"


def test_conversations_run_side_by_side(egress: Egress) -> None:
    met: list[asyncio.Event] = []

    async def waits(_send: Send) -> str:
        met.append(asyncio.Event())
        await met[0].wait()
        return "met"

    async def wakes(_send: Send) -> str:
        met[0].set()
        return "woke"

    assert egress.talk([waits, wakes], QUICK) == ["met", "woke"]
    assert egress.talk([], QUICK) == []


def test_connections_are_kept_between_calls(egress: Egress) -> None:
    accepted: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            accepted.append(1)
            with connection:
                for _ in range(3):
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for _ in range(3):
            assert ask(egress, url) == Answer(200, "", b"")
        thread.join()
    assert accepted == [1]


def test_an_error_of_our_own_goes_through(egress: Egress) -> None:
    async def wrong(_send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        egress.talk([wrong], QUICK)


def test_and_ends_the_other_conversations(egress: Egress) -> None:
    ended = threading.Event()

    async def waits(_send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def wrong(_send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        egress.talk([waits, wrong], QUICK)
    assert ended.is_set()


def test_a_door_that_nobody_holds_leaves_no_thread() -> None:
    others, door = set(threading.enumerate()), Egress()
    with serving(script(Given(200))) as web:
        ask(door, web.url)
    (ours,) = (each for each in set(threading.enumerate()) - others if each.name == "egress")
    del door
    gc.collect()
    assert not ours.is_alive()


def test_what_is_under_way_when_a_door_ends_is_broken_off() -> None:
    door = Egress()
    running = door._open()
    with raw(lambda _connection, _request, ended: ended.wait()) as silent, ThreadPoolExecutor(1) as thread:
        request = Outbound("GET", silent.url, 100, to="operator")
        waiting = thread.submit(running.wait, running.send(request))
        while not silent.received:
            time.sleep(0.01)
        del door
        gc.collect()
        with pytest.raises(CancelledError):
            waiting.result(QUICK)


def test_a_door_that_ends_leaves_nothing_open(tmp_path: Path) -> None:
    """TLS has the other end agree to a close, and this one never does."""
    public, private = certificate(tmp_path, "127.0.0.1")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

    def says_and_falls_silent(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
        connection.sendall(answer)
        ended.wait()

    with raw(says_and_falls_silent, wrap=secure(public, private)) as served:
        door = Egress(public)
        assert ask(door, f"https://127.0.0.1:{served.port}") == Answer(200, "", b"ok")
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            del door
            gc.collect()
    assert not [each for each in warned if "transport" in str(each.message)]


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An https server on loopback with a certificate of its own, and the file with that certificate."""
    public, private = certificate(tmp_path, "127.0.0.1")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    with raw(saying(answer), wrap=secure(public, private)) as served:
        yield f"https://127.0.0.1:{served.port}", public


def test_a_certificate_that_nobody_vouches_for_is_refused(
    egress: Egress, certified: tuple[str, Path]
) -> None:
    assert ask(egress, certified[0]) == "tls"


def test_a_private_authority_is_trusted_when_the_operator_names_it(certified: tuple[str, Path]) -> None:
    assert ask(Egress(certified[1]), certified[0]) == Answer(200, "", b"ok")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificates_that_cannot_be_read_are_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Misconfigured, match="cannot be read"):
        Egress(file)


@pytest.mark.parametrize(
    "url",
    [
        "https://witness.example",
        "https://witness.example:8443/a/b/",
        "http://127.0.0.1:80",
        "http://[::1]:8/x",
    ],
)
def test_what_may_be_an_address(url: str) -> None:
    assert base_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "witness.example",
        "http://witness.example",
        "ftp://127.0.0.1",
        "https://",
        "https://[",
        "https://witness.example:port",
        "https://user@witness.example",
        "https://witness.example/?q",
        "https://witness.example/?",
        "https://witness.example/#f",
        "https://witness.example/a b",
        "https://witness.example/\n",
        "https://witness.example/\u00e9",
    ],
)
def test_what_may_not(url: str) -> None:
    with pytest.raises(Refused) as caught:
        base_url(url)
    assert caught.value.code == "request-invalid"
    assert "witness" not in str(caught.value)
