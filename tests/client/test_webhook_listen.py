"""`tocsin webhook listen` as a process: what it prints, what it refuses, what it remembers."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client.posting import CHALLENGE, OTHER, SIGNER, WHPK, WHSEC, challenge, live, post
from tests.client.terminal import SECRET, Terminal
from tocsin_client.snippets import SNIPPETS

TOCSIN = Path(sys.executable).with_name("tocsin")
PATIENCE = 120
"""Seconds: a busy machine may take long, and nobody waits for longer than it does."""


class Listening:
    """The process, once it listens; `url` is what it says of itself."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process, self.out, self.err = process, process.stdout, process.stderr
        said = self.err.readline()
        found = re.match(r"Listening on (http://127\.0\.0\.1:\d+)(\S*); Ctrl-C stops it\.", said)
        assert found, said + self.err.read()
        self.url, self.path = found[1], found[2]

    def stop(self) -> tuple[str, str]:
        """Ctrl-C; what it still had to say."""
        self.process.send_signal(signal.SIGINT)
        rest = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, rest
        return rest


@contextmanager
def listening(*words: object, env: dict[str, str] | None = None) -> Iterator[Listening]:
    process = subprocess.Popen(
        [TOCSIN, "webhook", "listen", "--port", "0", *map(str, words)],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Listening(process)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def test_it_verifies_answers_and_prints_each_event_once() -> None:
    with listening(env={"TOCSIN_WEBHOOK_SECRET": f"{WHSEC} whsec_{'B' * 32}"}) as found:
        assert post(found.url, live("msg_1")).status_code == 204
        assert (
            found.out.readline()
            == "2026-11-22T00:00:00Z  signal.recorded  community:child-safety #1  msg_1\n"
        )
        assert post(found.url, live("msg_1")).status_code == 200
        assert post(found.url, live("msg_2", signer=OTHER)).status_code == 401
        answer = post(found.url, challenge(at=int(live()[0]["webhook-timestamp"])))
        assert answer.json() == {"challenge": CHALLENGE}
        out, err = found.stop()
    assert out == ""
    assert "Stopped." in err
    assert "msg_" not in err


def test_as_json_with_the_public_key_and_a_journal(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite3"
    words = (
        "--json",
        "--key",
        WHPK,
        "--journal",
        journal,
        "--public-url",
        "https://hooks.pixel.example/tocsin",
    )
    late = live()[1].replace(b'"seq": 1', b'"seq": 4')
    with listening(*words) as found:
        assert found.path == "/tocsin"
        assert post(found.url + "/elsewhere", live("msg_1")).status_code == 404
        assert post(found.url + "/tocsin", live("msg_1")).status_code == 204
        assert row(found)["id"] == "msg_1"
        assert post(found.url + "/tocsin", resigned("msg_7", late)).status_code == 204
        told = row(found)
        assert (told["type"], told["data"]["seq"]) == ("signal.recorded", 4)
        assert told["gap"] == {"subject": "community:child-safety", "first": 2, "last": 3, "after": 10}
        _, err = found.stop()
        assert "#2 to #3 did not arrive" in err
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    with listening(*words) as found:
        assert post(found.url + "/tocsin", live("msg_1")).status_code == 200
        assert found.stop()[0] == ""


def row(found: Listening) -> dict[str, Any]:
    return dict(json.loads(found.out.readline()))


def resigned(message_id: str, content: bytes) -> tuple[dict[str, str], bytes]:
    return SIGNER.headers(message_id, int(live()[0]["webhook-timestamp"]), content), content


@pytest.mark.parametrize(
    "words", [(), ("--secret", SECRET), ("--key", WHSEC[:20]), ("--key", f"whsk_{SECRET}")]
)
def test_without_a_key_that_is_one_it_does_not_begin(tmp_path: Path, words: tuple[str, ...]) -> None:
    terminal = Terminal(tmp_path)
    found = terminal.run("webhook", "listen", "--port", "0", *words, code=2)
    assert "TOCSIN_WEBHOOK_SECRET" in found.stderr
    assert SECRET not in found.output
    assert terminal.error("webhook", "listen", "--port", "0", *words, code=2)["error"] == "not-ready"


def test_a_journal_that_is_none_is_named_and_kept(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("my notes, which are no database " * 40)
    words = ("webhook", "listen", "--port", "0", "--secret", WHSEC, "--journal", foreign)
    assert "cannot be read as a journal" in Terminal(tmp_path).run(*words, code=2).stderr
    assert foreign.read_text().startswith("my notes")


def test_nothing_that_is_said_moves_the_terminal() -> None:
    data = live()[1].replace(b"community:child-safety", b"board\\u001b[2J")
    with listening("--secret", WHSEC) as found:
        assert post(found.url, resigned("msg_1", data)).status_code == 204
        assert "board?[2J" in found.out.readline()
        found.stop()


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda one: str(one.language))
def test_a_receiver_to_begin_with_is_printed(tmp_path: Path, snippet: Any) -> None:
    terminal = Terminal(tmp_path)
    assert terminal.run("webhook", "snippet", snippet.language).stdout == snippet.text
    shown = terminal.row("webhook", "snippet", snippet.language)
    assert (shown["file"], shown["run"], shown["text"]) == (snippet.file, snippet.run, snippet.text)
