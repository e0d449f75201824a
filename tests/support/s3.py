"""A server of the S3 API for the tests: moto in a process of its own, or a real one that the environment names.

TOCSIN_TEST_S3=http://key:secret@127.0.0.1:7480/bucket runs the same tests against that server and bucket; each test
has a prefix of its own there.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

ENV = "TOCSIN_TEST_S3"
PATIENCE = 30


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = S3(f"http://127.0.0.1:{port}", "tocsin", "any", "any")
    try:
        _make_bucket(found)
        yield found
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _make_bucket(s3: S3) -> None:
    pause = threading.Event()
    signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={s3.key}/20261122/us-east-1/s3/aws4_request"}
    with httpx2.Client(trust_env=False, timeout=PATIENCE) as http:
        for _ in range(PATIENCE * 10):
            try:
                answer = http.put(f"{s3.endpoint}/{s3.bucket}", headers=signed)
            except httpx2.TransportError:
                pause.wait(0.1)
                continue
            assert answer.status_code == 200, answer.text
            return
    raise AssertionError("the S3 server did not start")
