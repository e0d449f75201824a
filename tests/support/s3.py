"""A server of the S3 API for the tests: moto in a process of its own, or a real one that the environment names.

TOCSIN_TEST_S3=http://key:secret@127.0.0.1:7480/bucket runs the same tests against that server and bucket; each test
has a prefix of its own there.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

ENV = "TOCSIN_TEST_S3"
PATIENCE = 120


@dataclass(frozen=True)
class S3:
    """Where it is, and who may write."""

    endpoint: str
    bucket: str
    key: str
    secret: str

    def settings(self) -> dict[str, str]:
        """The settings that name it."""
        return {
            "s3_endpoint": self.endpoint,
            "s3_access_key_id": self.key,
            "s3_secret_access_key": self.secret,
        }


@contextmanager
def serving() -> Iterator[S3]:
    """A server with an empty bucket, or the one of the environment."""
    if named := os.environ.get(ENV):
        url = urlsplit(named)
        endpoint = f"{url.scheme}://{url.hostname}:{url.port}"
        yield S3(endpoint, url.path.strip("/"), url.username or "", url.password or "")
        return
    command = [sys.executable, "-m", __name__]
    server = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        found = S3(f"http://127.0.0.1:{int(server.stdout.readline())}", "tocsin", "any", "any")
        _make_bucket(found)
        yield found
    finally:
        server.terminate()
        server.communicate(timeout=PATIENCE)


def _make_bucket(s3: S3) -> None:
    signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={s3.key}/20261122/us-east-1/s3/aws4_request"}
    with httpx2.Client(trust_env=False, timeout=PATIENCE) as http:
        answer = http.put(f"{s3.endpoint}/{s3.bucket}", headers=signed)
        assert answer.status_code == 200, answer.text


def serve() -> None:
    """Serve on a free port, which is printed.

    One request at a time: moto looks whether an object is there and then stores it, and another thread may be between
    the two, as no server of S3 lets anybody be.
    """
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    app, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def one_at_a_time(environ: Any, start_response: Any) -> Any:
        with turn:
            return app(environ, start_response)

    server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=MotoRequestHandler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
