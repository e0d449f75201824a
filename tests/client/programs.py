"""Programs of other languages that the tests run: the receivers to begin with, and the verifying library of Node."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.posting import Request
from tocsin_client import snippets
from tocsin_client.snippets import Snippet

NODE_LIBRARY = Path(__file__).parents[1] / "support" / "node"
PUBLISHED = Path(snippets.__path__[0])
OFFLINE = re.compile(r"ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|network")
START_SECONDS = 120


def runtime(name: str) -> str:
    """Where a runtime is; skips the test where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no `{name}` here: install it to run this test")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """A receiver that runs: what it prints is read line by line."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}/hook"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def rest(self) -> list[str]:
        """Ends it; the lines not read yet."""
        self.process.terminate()
        said, _ = self.process.communicate(timeout=120)
        return said.splitlines()


@contextmanager
def running(snippet: Snippet, port: int, *secrets: str) -> Iterator[Program]:
    """The receiver as it is published, once it listens."""
    word, file = snippet.run.split(" ")
    command = [sys.executable if word == "python" else runtime(word), str(PUBLISHED / file)]
    env = {**os.environ, "PORT": str(port), "TOCSIN_WEBHOOK_SECRET": " ".join(secrets)}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(process, port)
        yield Program(process, port)
    finally:
        process.kill()
        process.communicate(timeout=120)


def wait_for(process: subprocess.Popen[str], port: int) -> None:
    """Until something listens there."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)
        else:
            return


def installed_library(folder: Path) -> Path:
    """A folder with Node's library of Standard Webhooks, from the committed lock; skips without npm or a registry."""
    npm = runtime("npm")
    for file in NODE_LIBRARY.iterdir():
        shutil.copy(file, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip("npm reaches no registry: run this where `npm ci` can fetch three packages")
    assert done.returncode == 0, done.stderr
    return folder


def node_verdicts(library: Path, requests: Sequence[tuple[str, Request]]) -> list[str]:
    """What the Node library says to each request, with the secret given beside it: accepted or refused."""
    lines = [
        json.dumps({"secret": secret, "headers": headers, "body": base64.b64encode(body).decode()})
        for secret, (headers, body) in requests
    ]
    done = subprocess.run(
        [runtime("node"), "verify.mjs"],
        cwd=library,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()
