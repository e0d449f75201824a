"""Receivers that attack: redirects, floods, drips, injections. Each costs its limit, and the door goes on."""

import gzip
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.egress.conftest import LOOPBACK, post, said
from tests.egress.servers import dripping, pouring, raw, saying
from tocsin.egress import Answer, Egress, Outbound, Send, Unanswered
from tocsin.egress.connections import OVERHEAD

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
METADATA = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(door: Egress, status: int) -> None:
    with raw(saying(OK)) as elsewhere:
        for location in (METADATA, elsewhere.url, "//127.0.0.1/", "/other"):
            head = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            with raw(saying(head.encode())) as served:
                assert said(door, post(served.url)) == Answer(status, "", b"")
                assert len(served.received) == 1
        assert elsewhere.accepted == 0


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
)
def test_an_answer_of_50_mb_is_cut(door: Egress, head: bytes) -> None:
    poured: list[int] = []
    with raw(pouring(head, b"x" * 65536, 800, poured)) as served:
        started = time.monotonic()
        assert said(door, post(served.url)) == Answer(200, "", b"x" * 4096)
        assert said(door, post(served.url, cut=False)) == "too-large"
        assert time.monotonic() - started < 4
    # What lies in the buffers of two connections, of 100 MB.
    assert sum(poured) < 20_000_000


def test_an_answer_that_was_cut_leaves_nothing_for_the_next(door: Egress) -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno" * 50_000
    head = f"HTTP/1.1 201 Created\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with raw(saying(head + body)) as served:
        for _ in range(3):
            answer = said(door, post(served.url))
            assert isinstance(answer, Answer)
            assert (answer.status, answer.body) == (201, body[:4096])
        assert served.accepted == 3


def test_an_answer_nobody_asked_for_is_nobody_s(door: Egress) -> None:
    """Two answers to one request: the second must not be taken for what the next request gets."""
    first = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    with raw(saying(first + OK)) as served:
        for _ in range(3):
            assert said(door, post(served.url)) == Answer(202, "", b"")
        assert served.accepted == 3


def test_nothing_is_unpacked(door: Egress) -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with raw(saying(head + bomb)) as served:
        assert said(door, post(served.url)) == Answer(200, "", b"")
        assert said(door, post(served.url, cut=False, limit=len(bomb))) == "encoded"


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_who_drips_is_waited_for_until_the_time_is_up(door: Egress, first: bytes, drop: bytes) -> None:
    with raw(dripping(first, drop)) as served:
        started = time.monotonic()
        found = said(door, post(served.url, seconds=0.4))
        assert time.monotonic() - started < 4
        # What is plainly not HTTP need not be waited for.
        assert found == ("unreachable" if drop == b"H" else "timeout")


def test_who_takes_a_connection_and_says_nothing_costs_the_same(
    door: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.egress.door.MEMBER_SECONDS", 0.4)
    with raw(lambda _connection, _request, ended: ended.wait(5)) as served:
        for seconds in (None, 60.0):
            started = time.monotonic()
            assert said(door, post(served.url, seconds=seconds)) == "timeout"
            assert time.monotonic() - started < 4


def test_a_connection_that_is_never_accepted_costs_the_time_to_connect(
    door: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.egress.door.CONNECT_SECONDS", 0.4)
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        port = listener.getsockname()[1]
        # Fill the queue, so that no further handshake is answered.
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        assert said(door, post(f"http://127.0.0.1:{port}/")) == "timeout"
        assert time.monotonic() - started < 4
        for each in waiting:
            each.close()


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n", b"X: x\r\n" * 10_000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2500),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1500),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=", b"y" * 65536),
        (b"", b"x" * 65536),
        (b"", b"\x00" * 65536),
    ],
)
def test_who_pours_what_is_no_body_is_hung_up_on(door: Egress, first: bytes, more: bytes) -> None:
    """Interim answers and the like are read by nobody and parsed all the same, with the time of everybody."""
    poured: list[int] = []
    with raw(pouring(first, more, 10_000, poured)) as served:
        assert said(door, post(served.url)) == "unreachable"
    assert sum(poured) < 10_000_000


def test_a_flood_over_a_kept_connection_is_ended_as_well(door: Egress) -> None:
    poured: list[int] = []
    flood = pouring(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2500, 10_000, poured)

    def behave(connection: socket.socket, request: bytes, ended: threading.Event) -> None:
        if b"/first" in request:
            connection.sendall(OK)
        else:
            flood(connection, request, ended)

    with raw(behave) as served:
        assert said(door, post(served.url.replace("hook", "first"))) == Answer(200, "", b"ok")
        assert said(door, post(served.url)) == "unreachable"
        # Once over the kept one, once over a new one.
        assert served.accepted == 2
    assert sum(poured) < 20_000_000


def test_what_may_come_back_is_counted_for_each_request_anew(door: Egress) -> None:
    body = b"x" * 4000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"
    with raw(saying(head + body)) as served:
        for _ in range(2 * OVERHEAD // len(body)):
            assert said(door, post(served.url)) == Answer(200, "", body)
        assert served.accepted == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 999999 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ],
)
def test_what_is_no_whole_answer_is_none(door: Egress, answer: bytes) -> None:
    def once(connection: socket.socket, _request: bytes, _ended: object) -> None:
        connection.sendall(answer)
        connection.close()

    with raw(once) as served:
        assert said(door, post(served.url, cut=False)) == "unreachable"


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"X-One": "a\r\nX-Two: b"}},
        {"headers": {"X-One": "a\nX-Two: b"}},
        {"headers": {"X-One\r\nX-Two": "b"}},
        {"headers": {"X-One": "a\x00"}},
        {"headers": {"": "a"}},
        {"authorization": "Bearer a\r\nX-Two: b"},
        {"authorization": ""},
        {"authorization": "Bearer \u00e9"},
    ],
)
def test_no_header_can_be_smuggled_into_a_request(door: Egress, given: dict[str, object]) -> None:
    with raw(saying(OK)) as served:
        for to in ("member", "operator"):
            assert said(door, post(served.url, to=to, **given)) == "refused"
        for path in ("/\r\nX-Two: b", "/ HTTP/1.1\r\nX-Two: b\r\n\r\n", "/\nX-Two: b"):
            assert said(door, post(served.url.removesuffix("/hook") + path, **given)) == "refused"
        assert served.accepted == 0


def test_a_request_says_what_it_should_and_no_more(door: Egress) -> None:
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1"}
    with raw(saying(OK)) as served:
        said(door, post(f"{served.url}?a=%2e%2e/..//b", authorization="Bearer t", headers=headers))
    (request,) = served.received
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /hook?a=%2e%2e/..//b HTTP/1.1"
    assert body == b"{}"
    assert {name.lower(): value for name, value in (line.split(": ") for line in lines)} == {
        "host": f"127.0.0.1:{served.port}",
        "user-agent": "tocsin-hub",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": "2",
        "authorization": "Bearer t",
        "webhook-id": "msg_1",
        "webhook-timestamp": "1",
    }


def test_nothing_of_the_environment_is_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw(saying(OK)) as proxy, raw(saying(OK)) as served:
        for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
            monkeypatch.setenv(name, f"http://user:secret@127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.upper(), f"http://user:secret@127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login user password secret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        egress = Egress(guard=LOOPBACK)
        for to in ("member", "operator"):
            assert said(egress, post(served.url, to=to)) == Answer(200, "", b"ok")
        assert said(egress, post(served.url.replace("http:", "https:"), seconds=0.2)) == "timeout"
        assert proxy.accepted == 0
    assert len(served.received) == 2
    assert not any(b"authorization" in request.lower() for request in served.received)
    assert not (tmp_path / "keys").exists()


def test_no_cookie_comes_back(door: Egress) -> None:
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    with raw(saying(cookie)) as served:
        for _ in range(2):
            said(door, post(served.url))
    assert not any(b"cookie" in request.lower() for request in served.received)


def test_who_asks_for_a_password_gets_none(door: Egress) -> None:
    asks = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
    with raw(saying(asks)) as served:
        assert said(door, post(served.url, authorization="Bearer t")) == Answer(401, "", b"")
    assert len(served.received) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("Retry-After: 120\r\n", "120"),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", "Fri, 31 Dec 1999 23:59:59 GMT"),
        (f"Retry-After: {'9' * 65}\r\n", None),
        ("Retry-After: \u00b2\r\n", None),
        ("Retry-After:\r\n", None),
    ],
)
def test_when_to_come_back_is_passed_on(door: Egress, header: str, expected: str | None) -> None:
    head = f"HTTP/1.1 503 Busy\r\n{header}Content-Length: 0\r\n\r\n"
    with raw(saying(head.encode())) as served:
        assert said(door, post(served.url)) == Answer(503, "", b"", expected)


def test_no_descriptor_is_left_behind(door: Egress) -> None:
    before = descriptors()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 9999
    with raw(saying(head)) as cut, raw(dripping(b"HTTP/1.1 200 OK\r\nX: ")) as slow:
        said(door, post(cut.url))
        started = descriptors()
        for _ in range(20):
            said(door, post(cut.url))
            said(door, post(slow.url, seconds=0.01))
            said(door, post("http://127.0.0.1:1/", seconds=0.1))
        assert descriptors() <= started + 8 + 20
    del door
    time.sleep(0.1)
    assert descriptors() <= before + 8


def test_others_are_served_while_some_are_slow(door: Egress) -> None:
    with raw(dripping(b"HTTP/1.1 200 OK\r\nX: ")) as slow, raw(saying(OK)) as quick:

        async def to(url: str, send: Send) -> Answer:
            return await send(post(url))

        async def to_slow(send: Send) -> Answer:
            return await to(slow.url, send)

        async def to_quick(send: Send) -> Answer:
            return await to(quick.url, send)

        found = door.talk([*[to_slow] * 50, to_quick], 0.5)
    assert found.pop() == Answer(200, "", b"ok")
    assert all(isinstance(each, Unanswered) and each.why == "timeout" for each in found)


def test_an_operators_address_that_is_none_is_refused(door: Egress) -> None:
    assert said(door, Outbound("GET", "http://[", 10, to="operator")) == "refused"
    assert said(door, Outbound("GET", "nothing", 10, to="operator")) == "refused"
