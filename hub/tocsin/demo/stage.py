"""The stage: one hub in a process of its own, and members that talk to it over HTTP as they would anywhere."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tocsin_client.client import Client
from tocsin_client.log import Log, View
from tocsin_client.mirror import Mirror, Step
from tocsin_client.submit import Author
from tocsin_schemas.jwk import SigningKey

COMMUNITY: Final = "child-safety"
START_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Member:
    """A member: its SDK client, and the mirror it follows with."""

    issuer: str
    author: Author
    client: Client
    mirror: Mirror

    def follow(self) -> Step:
        """Follow to the end of what has been recorded by now; the hub publishes it within a second."""
        return self.mirror.follow(self.client, at_least=self.client.me().log_size)

    def view(self) -> View:
        """The log's newest checkpoint, accepted."""
        log = Log(self.client.log, self.mirror.log, self.client.hub)
        return log.latest(at_least=self.client.me().log_size)


class Stage:
    """A running hub whose data lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "hub"
        self.log = folder / "hub.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
            "TOCSIN_ISSUER": self.issuer,
            "TOCSIN_PORT": str(self.port),
            "TOCSIN_DATA_DIR": str(self.data),
            "TOCSIN_SANDBOX": "true",
            # The receiver of webhooks is on this machine, too; a hub that serves others leaves this empty.
            "TOCSIN_EGRESS_ALLOW_SUBNETS": "127.0.0.0/8",
        }

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """Start the hub; stop it at the end of the block."""
        with self.log.open("w") as log:
            process = subprocess.Popen(  # noqa: S603  # our own command, our own words
                [_command(), "serve", "--json"], env=self._env, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError(f"the hub did not start; its log is {self.log}")
            yield process
        finally:
            process.terminate()
            process.wait(START_SECONDS)

    def operator(self, *words: str) -> Any:
        """Run `tocsin-hub` as the operator does; what it answers."""
        done = subprocess.run(  # noqa: S603  # our own command, our own words
            [_command(), *words, "--json"], env=self._env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"tocsin-hub {' '.join(words[:2])} failed: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def admit(self, issuer: str, member_class: str) -> Member:
        """Admit a member with a key of its own."""
        name = issuer.removeprefix("https://").partition(".")[0]
        key = SigningKey.generate()
        public = self.folder / f"{name}.pub.jwk"
        public.write_text(json.dumps(key.public.jwk()))
        words = (
            "--issuer",
            issuer,
            "--class",
            member_class,
            "--key",
            str(public),
            "--community",
            f"{COMMUNITY}:rw",
        )
        answer = self.operator("member", "add", *words)
        author = Author(issuer, key)
        client = Client(self.issuer, author, answer["clients"][0]["client_id"])
        mirror = Mirror.open(self.folder / f"{name}.mirror.db", self.issuer, COMMUNITY)
        return Member(issuer, author, client, mirror)

    def policy(self) -> bytes:
        """Whose signatures to believe (C2SP tlog-policy), as the operator hands it to a stranger."""
        return f"log {self.operator('log', 'key')['vkey']}\nquorum none\n".encode()

    def database_bytes(self) -> bytes:
        """Everything the hub's database files hold."""
        return b"".join(path.read_bytes() for path in sorted(self.data.glob("tocsin.db*")))


def _command() -> str:
    return str(Path(sys.executable).with_name("tocsin-hub"))
