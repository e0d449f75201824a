import datetime as dt
import email.utils
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.client.webserver import Answer, script, serving
from tocsin_client import http
from tocsin_client.http import BrokeOff, Call, HubError, HubUnreachable, Transport, base_url
from tocsin_schemas.problems import Refused

PROBLEM = {"content-type": "application/problem+json", "x-request-id": "r-1"}


def problem(code: str, status: int, **more: object) -> Answer:
    headers = {**PROBLEM, **{k: str(v) for k, v in more.pop("headers", {}).items()}}  # type: ignore[attr-defined]
    return Answer(status, json.dumps({"code": code, "status": status, **more}).encode(), headers)


class Pauses(list[float]):
    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://hub.example/", "https://hub.example"),
        ("https://hub.example:8443", "https://hub.example:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_a_base_url_is_kept_without_its_slash(given: str, kept: str) -> None:
    assert base_url(given) == kept


@pytest.mark.parametrize(
    "bad",
    [
        "http://other.example",
        "http://10.0.0.1",
        "ftp://other.example",
        "https://other.example/path",
        "https://user@other.example",
        "https://other.example?x=1",
        "other.example",
        "https://:1",
    ],
)
def test_a_base_url_that_is_none_is_refused_and_not_repeated(bad: str) -> None:
    with pytest.raises(Refused) as caught:
        base_url(bad)
    assert caught.value.field == "hub"
    assert bad not in str(caught.value)


def test_a_whole_answer_comes_back() -> None:
    with serving(script(Answer(201, b'{"a":1}', {"X-Thing": "x"}))) as web, Transport(web.url) as transport:
        reply = transport.request(Call("POST", "/v1/x", headers={"A": "b"}, params={"q": "1"}, body=b"hello"))
    assert (reply.status, reply.json(), reply.headers["x-thing"]) == (201, {"a": 1}, "x")
    (asked,) = web.asked
    assert (asked.method, asked.path, asked.body, asked.headers["a"]) == ("POST", "/v1/x?q=1", b"hello", "b")
    assert asked.headers["user-agent"] == http.USER_AGENT


def test_an_answer_that_is_not_json_is_the_hubs_fault() -> None:
    with serving(script(Answer(200, b"<html>"))) as web, Transport(web.url) as transport:
        with pytest.raises(HubError, match="answer-invalid"):
            transport.request(Call("GET", "/")).json()


def test_a_problem_becomes_an_error_with_its_parts() -> None:
    answer = problem("claim-invalid", 422, field="iat", detail="must be a number", help="Fix it.")
    with serving(script(answer)) as web, Transport(web.url, pause=Pauses()) as transport:
        with pytest.raises(HubError) as caught:
            transport.request(Call("GET", "/"))
    error = caught.value
    assert (error.status, error.code, error.field, error.detail) == (
        422,
        "claim-invalid",
        "iat",
        "must be a number",
    )
    assert (error.request_id, error.help) == ("r-1", "Fix it.")
    assert str(error) == "claim-invalid (iat): must be a number"
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(500, b"oops", {"content-type": "text/plain"}), "http-500"),
        (Answer(404, b"{broken", {"content-type": "application/json"}), "http-404"),
        (Answer(404, b"[]", {"content-type": "application/json"}), "http-404"),
        (
            Answer(400, b'{"error":"invalid_scope"}', {"content-type": "application/json; charset=x"}),
            "invalid_scope",
        ),
        (Answer(307, b"", {"location": "https://elsewhere.example/"}), "redirected"),
    ],
)
def test_any_other_answer_is_an_error_too(answer: Answer, code: str) -> None:
    with serving(script(answer)) as web, Transport(web.url) as transport:
        with pytest.raises(HubError) as caught:
            transport.request(Call("GET", "/"))
    assert caught.value.code == code
    assert len(web.asked) == 1, "neither followed nor tried again"


def test_the_registry_helps_where_the_hub_does_not() -> None:
    assert HubError("rate-limited").help == "Wait as long as Retry-After says."
    assert HubError("something-new").help == ""


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_error_is_tried_again_with_growing_pauses(status: int) -> None:
    pauses = Pauses()
    answers = [Answer(status), Answer(status), Answer(status), Answer(200, b"ok")]
    with serving(script(*answers)) as web, Transport(web.url, pause=pauses) as transport:
        assert transport.request(Call("GET", "/")).body == b"ok"
    assert len(web.asked) == 4
    for pause, expected in zip(pauses, [0.25, 0.5, 1.0], strict=True):
        assert expected * 0.5 <= pause <= expected * 1.5


def test_after_the_last_attempt_the_error_is_raised() -> None:
    with serving(script(Answer(503))) as web, Transport(web.url, retries=2, pause=Pauses()) as transport:
        with pytest.raises(HubError, match="http-503"):
            transport.request(Call("GET", "/"))
    assert len(web.asked) == 3


def test_a_connection_that_is_closed_is_tried_again() -> None:
    with (
        serving(script(None, None, Answer(200, b"ok"))) as web,
        Transport(web.url, pause=Pauses()) as transport,
    ):
        assert transport.request(Call("GET", "/")).body == b"ok"
    assert len(web.asked) == 3


def test_an_answer_that_breaks_off_is_tried_again() -> None:
    answers = [Answer(200, b"0123456789", cut=4), Answer(200, b"0123456789")]
    with serving(script(*answers)) as web, Transport(web.url, pause=Pauses()) as transport:
        assert transport.request(Call("GET", "/")).body == b"0123456789"
    assert len(web.asked) == 2


def test_nobody_there_is_unreachable() -> None:
    with serving(script(Answer())) as web:
        pass
    with Transport(web.url, retries=1, pause=Pauses()) as transport:
        with pytest.raises(HubUnreachable) as caught:
            transport.request(Call("GET", "/v1/secret-path"))
    assert caught.value.code == "hub-unreachable"
    assert "secret-path" not in str(caught.value)


@pytest.mark.parametrize("answer", [None, Answer(502), Answer(504)])
def test_what_may_be_done_is_not_said_twice(answer: Answer | None) -> None:
    with serving(script(answer)) as web, Transport(web.url, pause=Pauses()) as transport:
        with pytest.raises(HubError):
            transport.request(Call("POST", "/make", body=b"x", once=True))
        assert len(web.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_not_done_is_said_again(status: int) -> None:
    with serving(script(Answer(status), Answer(200))) as web, Transport(web.url, pause=Pauses()) as transport:
        assert transport.request(Call("POST", "/make", body=b"x", once=True)).status == 200
        assert len(web.asked) == 2


def test_retry_after_is_waited_for() -> None:
    pauses = Pauses()
    answers = [problem("rate-limited", 429, headers={"retry-after": 7}), Answer(200, b"ok")]
    with serving(script(*answers)) as web, Transport(web.url, pause=pauses) as transport:
        transport.request(Call("GET", "/"))
    assert pauses == [7.0]


def test_retry_after_may_be_a_date() -> None:
    pauses = Pauses()
    when = email.utils.formatdate(time.time() + 20, usegmt=True)
    answers = [problem("unavailable", 503, headers={"retry-after": when}), Answer(200)]
    with serving(script(*answers)) as web, Transport(web.url, pause=pauses) as transport:
        transport.request(Call("GET", "/"))
    assert 15 < pauses[0] <= 20


@pytest.mark.parametrize("value", ["soon", "Mon, 99 Foo 2026", ""])
def test_a_retry_after_that_says_nothing_is_passed_over(value: str) -> None:
    pauses = Pauses()
    answers = [Answer(503, headers={"retry-after": value}), Answer(200)]
    with serving(script(*answers)) as web, Transport(web.url, pause=pauses) as transport:
        transport.request(Call("GET", "/"))
    assert pauses[0] < 1


def test_a_long_retry_after_is_not_waited_for() -> None:
    answer = problem("rate-limited", 429, headers={"retry-after": 3600})
    with serving(script(answer)) as web, Transport(web.url, max_wait=60, pause=Pauses()) as transport:
        with pytest.raises(HubError) as caught:
            transport.request(Call("GET", "/"))
    assert (caught.value.retry_after, len(web.asked)) == (3600, 1)


def test_a_401_asks_once_for_a_fresh_token() -> None:
    given: list[bool] = []

    def authorize(fresh: bool) -> str:
        given.append(fresh)
        return f"Bearer {len(given)}"

    with serving(script(Answer(401), Answer(200))) as web, Transport(web.url) as transport:
        transport.request(Call("GET", "/", authorize=authorize))
    assert given == [False, True]
    assert [asked.headers["authorization"] for asked in web.asked] == ["Bearer 1", "Bearer 2"]
    with serving(script(Answer(401))) as web, Transport(web.url) as transport:
        with pytest.raises(HubError, match="http-401"):
            transport.request(Call("GET", "/", authorize=authorize))
    assert len(web.asked) == 2


def test_a_body_can_be_made_anew_for_each_attempt() -> None:
    made = iter([b"first", b"second"])
    with serving(script(Answer(502), Answer(200))) as web, Transport(web.url, pause=Pauses()) as transport:
        transport.request(Call("POST", "/", body=lambda: next(made)))
    assert [asked.body for asked in web.asked] == [b"first", b"second"]


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1000)
    with serving(script(Answer(200, b"x" * 1001))) as web, Transport(web.url) as transport:
        with pytest.raises(HubError, match="too large"):
            transport.request(Call("GET", "/"))


class TestLines:
    def test_lines_come_without_their_ends_and_empty_ones_are_left_out(self) -> None:
        body = b'{"a":1}\n\n{"b":"\xe2\x80\xa8"}\nlast'
        with serving(script(Answer(200, body))) as web, Transport(web.url) as transport:
            assert list(transport.lines(Call("GET", "/"))) == [b'{"a":1}', b'{"b":"\xe2\x80\xa8"}', b"last"]

    def test_an_empty_answer_has_no_lines(self) -> None:
        with serving(script(Answer(200))) as web, Transport(web.url) as transport:
            assert list(transport.lines(Call("GET", "/"))) == []

    def test_many_lines_over_many_packets(self) -> None:
        lines = [b"%07d" % n for n in range(50_000)]
        with serving(script(Answer(200, b"\n".join(lines)))) as web, Transport(web.url) as transport:
            assert list(transport.lines(Call("GET", "/"))) == lines

    def test_breaking_off_is_the_callers_to_resume(self) -> None:
        with (
            serving(script(Answer(200, b"one\ntwo\nthree\n", cut=8))) as web,
            Transport(web.url) as transport,
        ):
            lines = transport.lines(Call("GET", "/"))
            assert [next(lines), next(lines)] == [b"one", b"two"]
            with pytest.raises(BrokeOff):
                next(lines)
        assert len(web.asked) == 1

    def test_an_error_before_the_first_line_is_tried_again(self) -> None:
        with (
            serving(script(Answer(503), Answer(200, b"one\n"))) as web,
            Transport(web.url, pause=Pauses()) as transport,
        ):
            assert list(transport.lines(Call("GET", "/"))) == [b"one"]

    def test_an_endless_line_is_an_error(self) -> None:
        with (
            serving(script(Answer(200, b"x" * (http.MAX_LINE_BYTES + 1)))) as web,
            Transport(web.url) as transport,
        ):
            with pytest.raises(HubError, match="endless"):
                list(transport.lines(Call("GET", "/")))


def test_a_client_handed_in_is_left_open() -> None:
    import httpx2

    with httpx2.Client(trust_env=False) as given, serving(script(Answer(200, b"ok"))) as web:
        with Transport(web.url, http=given) as transport:
            assert transport.request(Call("GET", "/")).body == b"ok"
        assert not given.is_closed


def test_nothing_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with serving(script(Answer(200, b"ok"))) as web, Transport(web.url, retries=0) as transport:
        assert transport.request(Call("GET", "/")).body == b"ok"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for localhost, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_tls_is_always_verified_and_a_private_ca_can_be_named(certificate: Path) -> None:
    class Quiet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            """Quiet."""

    class Server(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A refused handshake is what the test wants."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(("127.0.0.1", 0), Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    url = f"https://localhost:{server.server_address[1]}"
    try:
        with Transport(url, retries=0) as transport, pytest.raises(HubUnreachable) as caught:
            transport.request(Call("GET", "/"))
        assert caught.value.code == "tls-refused"
        assert "--ca" in caught.value.help
        with Transport(url, retries=0, ca_file=certificate) as transport:
            assert transport.request(Call("GET", "/")).body == b"ok"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
