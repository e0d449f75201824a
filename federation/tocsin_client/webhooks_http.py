"""A webhook receiver as an HTTP server of the standard library: for trying things out, and behind a proxy.

Plain HTTP on the loopback interface: whatever ends TLS for the public name passes the requests on, headers and body as
they came. A request has ten seconds to arrive, and says its length.
"""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final

from tocsin_client.webhooks import MAX_BODY_BYTES, Answer, Event, Receiver

LOOPBACK: Final = "127.0.0.1"
_MOST_DIGITS: Final = 9
_FAILED: Final = Answer(500)


class WebhookServer(ThreadingHTTPServer):
    """Answers POST requests to `path`, or to any path; `serve_forever` runs it, `server_port` is where."""

    daemon_threads = True

    def __init__(
        self, receiver: Receiver, handle: Callable[[Event], object], port: int = 0, path: str = ""
    ) -> None:
        """Listen on `port` (0: a free one); each new event is given to `handle`, in the thread of its request."""
        self.receiver = receiver
        self.handle = handle
        self.path = path
        super().__init__((LOOPBACK, port), _Request)


class _Request(BaseHTTPRequestHandler):
    timeout: ClassVar[float] = 10.0
    protocol_version = "HTTP/1.1"
    server: WebhookServer

    def do_POST(self) -> None:
        """Answer one request."""
        length = self.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or len(length) > _MOST_DIGITS:
            return self._answer(Answer(411), last=True)
        if int(length) > MAX_BODY_BYTES:
            return self._answer(Answer(413), last=True)
        body = self.rfile.read(int(length))
        if self.server.path and self.path != self.server.path:
            return self._answer(Answer(404))
        try:
            answer = self.server.receiver.respond(self.headers.items(), body, self.server.handle)
        except BaseException:
            self._answer(_FAILED, last=True)
            raise
        return self._answer(answer)

    def version_string(self) -> str:
        """What stands in `Server`."""
        return "tocsin"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name for it
        """Keep quiet: what a stranger sends is not to be repeated in a log."""

    def _answer(self, answer: Answer, *, last: bool = False) -> None:
        self.send_response(answer.status)
        if answer.media_type:
            self.send_header("content-type", answer.media_type)
        if answer.status != 204:
            self.send_header("content-length", str(len(answer.body)))
        if last:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)
