"""HTTP to one hub: the only place in the client that opens a connection.

Rules: TLS is always verified, plain http is for loopback hosts alone, no redirect is followed, nothing is read from the
environment (no proxies, no netrc). A call that may be repeated (a signal is known by its issuer and jti) is tried
again after a broken connection, a 502, 503 or 504; any other after a 503 alone, behind which nothing was done; either
one after a 429 when `Retry-After` is short. Errors name the hub, the code and the field, never a value that was sent.
"""

import email.utils
import ipaddress
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tocsin_schemas.problems import MEDIA_TYPE, REGISTRY, Refused

HttpClient = httpx2.Client
"""What may be handed in to speak HTTP; the only name of the library that leaves this module."""

USER_AGENT: Final = "tocsin-client"
RETRIED: Final = frozenset({429, 502, 503, 504})
UNDONE: Final = frozenset({429, 503})
"""Statuses behind which nothing was done."""
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
MAX_LINE_BYTES: Final = 1024 * 1024
"""Room for a receipt with a proof of the largest kind."""
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 8.0
_BASE_URL: Final = re.compile(r"https?://[a-z0-9.\[\]:-]+", re.IGNORECASE)


class HubError(Exception):
    """A hub refused a request, or gave no usable answer.

    `status` is the HTTP status (0 without an answer), `code` the problem's code, `field` and `detail` what it is about,
    `request_id` what the hub's operator can look up, `retry_after` seconds to wait, `help` what to do next.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        status: int = 0,
        field: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        help_text: str = "",
    ) -> None:
        where = f" ({field})" if field else ""
        super().__init__(f"{code}{where}: {detail}" if detail else f"{code}{where}")
        self.status = status
        self.code = code
        self.field = field
        self.detail = detail
        self.request_id = request_id
        self.retry_after = retry_after
        self.help = help_text or (REGISTRY[code].help if code in REGISTRY else "")


class HubUnreachable(HubError):
    """No answer, or one that broke off, however often it was asked for."""


class BrokeOff(HubUnreachable):
    """A streamed answer broke off behind its beginning."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: headers in lower case, the body as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            HubError: `answer-invalid`.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise HubError("answer-invalid", "the hub's answer is not JSON", status=self.status) from None


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    `body` may be a function, called for each attempt anew; so is `authorize`, which gives the `Authorization` header
    and is asked for a fresh one after a 401. `once` says that to do it twice is not to do it once.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Callable[[], bytes] | None = None
    authorize: Callable[[bool], str] | None = None
    once: bool = False


def base_url(text: str) -> str:
    """A hub's base URL without a slash at the end.

    Raises:
        Refused: `request-invalid` unless it is https://host[:port], or http:// on a loopback host.
    """
    text = text.rstrip("/")
    parts = urlsplit(text)
    if not _BASE_URL.fullmatch(text) or not parts.hostname:
        raise Refused("request-invalid", "hub", "must be a base URL like https://hub.example, without a path")
    if parts.scheme.lower() == "http" and not _loopback(parts.hostname):
        raise Refused("request-invalid", "hub", "must be https; plain http is for loopback hosts only")
    return text


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Transport:
    """Calls to one hub, over an `httpx2.Client` that may be handed in (it is then left open by `close`).

    `retries` attempts follow the first; `max_wait` is the longest `Retry-After` in seconds that is waited for;
    `pause` waits so many seconds.
    """

    def __init__(
        self,
        hub: str,
        *,
        http: httpx2.Client | None = None,
        ca_file: Path | None = None,
        retries: int = 4,
        max_wait: float = 60.0,
        timeout: float = 60.0,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.hub = base_url(hub)
        self._owned = http is None
        self._http = http or httpx2.Client(
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
            trust_env=False,
            timeout=timeout,
            headers={"User-Agent": USER_AGENT},
        )
        self._retries = retries
        self._max_wait = max_wait
        self._pause = threading.Event().wait if pause is None else pause
        self._jitter = secrets.SystemRandom()

    def close(self) -> None:
        """Close the connections, if they were opened here."""
        if self._owned:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, call: Call) -> Reply:
        """Send one request and read the whole answer.

        Raises:
            HubError: for anything but a 2xx, with the problem's code.
            HubUnreachable: when every attempt broke off.
        """
        response, body = self._exchange(call, whole=True)
        return Reply(response.status_code, response.headers, body)

    def lines(self, call: Call) -> Iterator[bytes]:
        """Send one request and yield the lines of an NDJSON answer as they arrive, empty ones left out.

        Raises:
            HubError: as `request`.
            BrokeOff: as `Lines`.
        """
        yield from self.stream(call)

    def stream(self, call: Call) -> "Lines":
        """Send one request for an NDJSON answer, whose lines are then to be read.

        Attempts are repeated until the answer begins; one that breaks off later is the caller's to resume.

        Raises:
            HubError: as `request`.
        """
        response, _ = self._exchange(call, whole=False)
        return Lines(response, self.hub)

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._pause(seconds)

    def _exchange(self, call: Call, *, whole: bool) -> tuple[httpx2.Response, bytes]:
        attempt = 0
        fresh = False
        while True:
            wait = 0.0
            try:
                response = self._http.send(self._build(call, fresh), stream=True, follow_redirects=False)
                if response.is_success and not whole:
                    return response, b""
                body = self._read(response)
            except httpx2.RequestError as error:
                failure: HubError = self._unreachable(error)
                if call.once:
                    raise failure from None
            else:
                if response.is_success:
                    return response, body
                failure = _failure(response, body)
                if response.status_code == 401 and call.authorize is not None and not fresh:
                    fresh = True
                    continue
                if response.status_code not in (UNDONE if call.once else RETRIED):
                    raise failure
                wait = failure.retry_after or 0.0
            attempt += 1
            if attempt > self._retries or wait > self._max_wait:
                raise failure
            backoff = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
            self._pause(max(wait, backoff * self._jitter.uniform(0.5, 1.5)))

    def _build(self, call: Call, fresh: bool) -> httpx2.Request:
        headers = dict(call.headers)
        if call.authorize is not None:
            headers["Authorization"] = call.authorize(fresh)
        body = call.body() if callable(call.body) else call.body
        return self._http.build_request(
            call.method, self.hub + call.path, headers=headers, params=dict(call.params) or None, content=body
        )

    def _read(self, response: httpx2.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            for chunk in response.iter_bytes():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise HubError(
                        "answer-invalid", "the hub's answer is too large", status=response.status_code
                    )
                chunks.append(chunk)
        finally:
            response.close()
        return b"".join(chunks)

    def _unreachable(self, error: httpx2.RequestError) -> HubUnreachable:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return HubUnreachable(
                    "tls-refused",
                    f"the certificate of {self.hub} is not trusted",
                    help_text="Check the hub's name and clock, or name its private CA with `tocsin login --ca FILE`.",
                )
            cause = cause.__cause__ or cause.__context__
        return HubUnreachable(
            "hub-unreachable",
            f"no whole answer from {self.hub} ({type(error).__name__})",
            help_text="Check the network and the hub's address, then run the same command again.",
        )


class Lines:
    """An NDJSON answer that has begun: its headers, and its lines as they arrive, empty ones left out. Read them once.

    Raises (when read):
        HubError: `answer-invalid` for a line without end.
        BrokeOff: when the answer breaks off.
    """

    def __init__(self, response: httpx2.Response, hub: str) -> None:
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._hub = hub

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in self._response.iter_bytes():
                *found, rest = (rest + chunk).split(b"\n")
                yield from filter(None, found)
                if len(rest) > MAX_LINE_BYTES:
                    raise HubError(
                        "answer-invalid",
                        "the hub sent an endless line",
                        status=self._response.status_code,
                    )
        except httpx2.RequestError as error:
            raise BrokeOff(
                "answer-cut-off",
                f"an answer of {self._hub} broke off ({type(error).__name__})",
                help_text="Run the same command again: nothing is counted twice.",
            ) from None
        finally:
            self._response.close()
        if rest:
            yield rest

    def next_page(self, parameter: str) -> int | None:
        """The number that this parameter has in the address of the next page (`Link`, RFC 8288); None without one."""
        address = self._response.links.get("next", {}).get("url", "")
        value = dict(parse_qsl(urlsplit(address).query)).get(parameter, "")
        return int(value) if value.isascii() and value.isdigit() else None


def _failure(response: httpx2.Response, body: bytes) -> HubError:
    """The error an answer without 2xx stands for: RFC 9457, RFC 6749 §5.2, or only its status."""
    problem: dict[str, Any] = {}
    if response.headers.get("content-type", "").partition(";")[0] in {MEDIA_TYPE, "application/json"}:
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        problem = found if isinstance(found, dict) else {}
    if response.is_redirect:
        problem = {
            "code": "redirected",
            "detail": "the hub answered with a redirect, which is never followed",
        }

    def text(*names: str) -> str:
        return next((str(problem[name]) for name in names if isinstance(problem.get(name), str)), "")

    return HubError(
        text("code", "error") or f"http-{response.status_code}",
        text("detail", "error_description", "title"),
        status=response.status_code,
        field=text("field"),
        request_id=response.headers.get("x-request-id", ""),
        retry_after=_retry_after(response.headers.get("retry-after", "")),
        help_text=text("help"),
    )


def _retry_after(value: str) -> float | None:
    """Seconds to wait from `Retry-After` (RFC 9110 §10.2.3): a number or a date."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
