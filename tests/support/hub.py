"""A hub for tests: the app in this process with a clock that can be moved, or a server process of its own.

hub.party("pixel")              a member with a key, a client and rights (tests/support/parties.py)
hub.party("pixel").sdk()        the SDK, speaking for it
hub.http                        a plain HTTP client on the hub's address
hub.clock.advance(3600)         an hour later (in-process only)
hub.publish()                   what ledger.publish does every second of a hub that runs its jobs (in-process only)
hub.run_job("signals.expire")   one job, once (in-process only)
hub.members, hub.database       the service objects, for what the operator would do
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx2
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from tests.support.clock import MovableClock
from tests.support.forks import Forked, started
from tests.support.parties import Party, admit
from tocsin import keys
from tocsin.app import create_app
from tocsin.config import Settings
from tocsin.db import Database, system_clock
from tocsin.jobs.service import Means, run
from tocsin.ledger.service import Ledger, publish
from tocsin.members.service import Members

ISSUER = "https://hub.example"
PATIENCE = 120


class Endpoint(Protocol):
    """What a member needs of a hub: an address, a connection, and what time it is there."""

    @property
    def issuer(self) -> str: ...
    @property
    def http(self) -> httpx2.Client: ...
    @property
    def clock(self) -> Callable[[], int]: ...


class Hub:
    """The app in this process."""

    def __init__(self, app: FastAPI, http: TestClient, settings: Settings, clock: MovableClock) -> None:
        self.app = app
        self.http = http
        self.settings = settings
        self.clock = clock
        self.issuer = settings.issuer
        self.database: Database = app.state.database
        self.members: Members = app.state.members
        self.ledger: Ledger = app.state.ledger
        self.means: Means = app.state.means

    def party(self, name: str, **wanted: Any) -> Party:
        """Admit a member; see `tests.support.parties.admit`."""
        return admit(self, self.members, name, **wanted)

    def publish(self) -> int:
        """Publish what was recorded; how many entries a checkpoint newly covers."""
        return publish(self.ledger)

    def run_job(self, name: str) -> int | None:
        """Run one job now; how much it did."""
        return run(self.means, name)


@contextmanager
def in_process(settings: Settings, clock: MovableClock, *, raise_errors: bool = True) -> Iterator[Hub]:
    """A hub in this process; `raise_errors` shows an unexpected error to the test and not only to the caller."""
    keys.ensure(settings)
    app = create_app(settings, clock=clock)
    with TestClient(app, base_url=settings.issuer, raise_server_exceptions=raise_errors) as http:
        yield Hub(app, http, settings, clock)


class LiveHub:
    """A hub in a process of its own, on a free port of the loopback address, with the system's clock.

    `kill` is SIGKILL, `stop` is SIGTERM; `start` brings it back at the same address.
    """

    def __init__(self, settings: dict[str, str], log: Path, *, installed: bool = False) -> None:
        self.env = settings
        self.log = log
        self.installed = installed
        self.issuer = ""
        self.clock = system_clock
        self.process: subprocess.Popen[str] | Forked | None = None
        self.database = Database(settings["TOCSIN_DATABASE_URL"])
        self.http = httpx2.Client(trust_env=False, timeout=PATIENCE)

    @property
    def settings(self) -> Settings:
        """The settings that the server has."""
        return Settings(
            issuer=self.issuer,
            data_dir=Path(self.env["TOCSIN_DATA_DIR"]),
            database_url=SecretStr(self.env["TOCSIN_DATABASE_URL"]),
            sandbox=self.env["TOCSIN_SANDBOX"] == "true",
        )

    @property
    def members(self) -> Members:
        """What the operator's commands use."""
        return Members(self.database, self.settings)

    def party(self, name: str, **wanted: Any) -> Party:
        """Admit a member; see `tests.support.parties.admit`."""
        return admit(self, self.members, name, **wanted)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        port = self.issuer.rpartition(":")[2] or "0"
        arguments, env = ["serve", "--port", port, "--json"], {**os.environ, **self.env}
        with self.log.open("a") as log:
            self.process = (
                subprocess.Popen(
                    [command(), *arguments], env=env, stdout=subprocess.PIPE, stderr=log, text=True
                )
                if self.installed
                else started("tocsin-hub", arguments, env, log)
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the hub did not start: {self.log.read_text()}"
        self.issuer = json.loads(line)["issuer"]
        self.http.base_url = self.issuer
        assert self.http.get("/readyz").status_code == 200

    def stop(self) -> int:
        """Ask it to end, and wait; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it in the middle of whatever it does."""
        return self._end(signal.SIGKILL)

    def _end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code


@contextmanager
def in_own_process(
    database_url: str, data_dir: Path, *, installed: bool = False, **settings: str
) -> Iterator[LiveHub]:
    """A hub as operators run it; `settings` are environment variables without their prefix, in lower case.

    It is a sandbox unless they say otherwise. It is forked with everything imported, not measured for coverage, and
    has no ingest processes unless they say so; `installed` starts the script itself, with the defaults of a hub.
    """
    env = {"TOCSIN_SANDBOX": "true"} | ({} if installed else {"TOCSIN_INGEST_PROCESSES": "0"})
    env |= {f"TOCSIN_{name.upper()}": value for name, value in settings.items()}
    hub = LiveHub(
        {**env, "TOCSIN_DATA_DIR": str(data_dir), "TOCSIN_DATABASE_URL": database_url},
        data_dir / "server.log",
        installed=installed,
    )
    try:
        hub.start()
        yield hub
    finally:
        if hub.process is not None:
            hub.stop()
        hub.http.close()
        hub.database.dispose()


def command() -> str:
    """The installed `tocsin-hub`."""
    return str(Path(sys.executable).with_name("tocsin-hub"))
