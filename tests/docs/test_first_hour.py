"""A stranger's first hour, block by block as the page has it; what a browser does there, forms do here."""

import re
import shlex
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx2
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.docs.pages import ROOT, fences
from tests.docs.test_quickstart import BIN, SERVE, Shell
from tests.support.console import Visitor
from tocsin.accounts.service import Link
from tocsin.cli import main as hub
from tocsin.web.people import relying_party
from tocsin_client.cli import cli as client
from tocsin_schemas.vocabulary import VettingItem

PAGE = ROOT / "docs" / "first-hour.md"
OURS = ("tocsin ", "tocsin-hub ")
SHOW = "tocsin board show --hub http://localhost:8000"
PROGRAMS = {"tocsin": client, "tocsin-hub": hub}

pytestmark = pytest.mark.check


@pytest.fixture
def issuer() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://localhost:{probe.getsockname()[1]}"


@pytest.fixture
def shell(tmp_path: Path, issuer: str) -> Iterator[Shell]:
    picture = Image.effect_mandelbrot((256, 256), (-2.2, -1.5, 0.8, 1.5), 100).convert("RGB")
    picture.save(tmp_path / "picture.png")
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "TOCSIN_ISSUER": issuer,
        "TOCSIN_PORT": issuer.rpartition(":")[2],
    }
    made = Shell(tmp_path, environment)
    yield made
    made.close()


@pytest.mark.slow
def test_the_first_hour_works_as_written(shell: Shell, issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block in its order; ids take the place of the words that stand for them."""
    monkeypatch.chdir(shell.folder)
    for name, value in shell.environment.items():
        monkeypatch.setenv(name, value)
    known: dict[str, str] = {}
    said: dict[str, str] = {}
    links: list[str] = []
    for fence in fences(PAGE, "console", "sh"):
        # A here-document is one command; so is each line of what is ours.
        parts = [fence.code] if fence.language == "sh" else fence.code.splitlines()
        for part in parts:
            if fence.language == "console" and not part.startswith(OURS):
                continue
            if part == SERVE:
                shell.serve()
                published(issuer)
                continue
            command = part.replace("http://localhost:8000", issuer)
            for word, value in known.items():
                command = re.sub(rf"\b{word}\b", value, command)
            said[part] = text = run(shell, command)
            learn(known, text)
            links += re.findall(r"http://localhost:\d+/console/\S+", text)
        if len(links) == 2:
            vet(links, issuer, known["APPLICATION"])
            links = []
    assert set(known) == {"GENESIS", "MOTION", "APPLICATION", "CLIENT"}
    votes = [text for line, text in said.items() if " vote " in line]
    assert "passes, record 2" in votes[-1]
    assert "provisional" in said["tocsin hub --home weave"]
    alarms = [text for line, text in said.items() if " emergency " in line]
    assert ["Nothing is stopped yet" in text for text in alarms] == [True, False]
    assert "https://weave.example  emergency_suspended" in said[SHOW]
    copy = [text for line, text in said.items() if "--offline" in line]
    assert "4 records verified" in copy[0]


def run(shell: Shell, command: str) -> str:
    """One command, in this process where it is ours: starting forty interpreters takes longer than all they do."""
    words = shlex.split(command)
    if "\n" in command or words[0] not in PROGRAMS:
        return shell.run(command)
    target = None
    if ">" in words:
        *words, _, target = words
    done = CliRunner(env=shell.environment).invoke(PROGRAMS[words[0]], words[1:])
    assert done.exit_code == 0, f"{command}\n{done.output}"
    if target is not None:
        (shell.folder / target).write_text(done.stdout)
    return done.stdout


def published(issuer: str) -> None:
    """Wait for the log's first checkpoint, which a person who has just started the hub never outruns."""
    ends = time.monotonic() + 30
    while httpx2.get(f"{issuer}/log/checkpoint", trust_env=False).status_code != 200:
        assert time.monotonic() < ends, "no checkpoint after half a minute"
        time.sleep(0.1)


def learn(known: dict[str, str], text: str) -> None:
    """The ids that a command printed."""
    for word, pattern in {
        "GENESIS": r"genesis hash:\s+([0-9a-f]{64})",
        "MOTION": r"(mo_[0-9a-f]{32})",
        "APPLICATION": r"(ap_[0-9a-f]{32})",
        "CLIENT": r"client_id\s+(\S+)",
    }.items():
        if found := re.search(pattern, text):
            known[word] = found[1]


def vet(links: list[str], issuer: str, application: str) -> None:
    """Two people make passkeys, say why they look, and pass every item."""
    for number, url in enumerate(links):
        with httpx2.Client(base_url=issuer, trust_env=False) as http:
            visitor = Visitor(http, relying_party(issuer))
            assert visitor.enrol(Link("handle", url, 0)).status_code == 303
            purpose = visitor.post("/console/purpose", action="application.read", purpose="vetting")
            assert purpose.status_code == 303
            page = f"/console/applications/{application}"
            if number == 0:
                assert visitor.post(f"{page}/vetting").status_code == 303
            for item in get_args(VettingItem):
                done = visitor.post(f"{page}/checks", item=item, result="pass", evidence="d" * 64)
                assert done.status_code == 303, done.text
