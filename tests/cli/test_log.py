"""`tocsin-hub log`: the key that others verify with, and bringing back what a restored database lost."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.running import Run, tocsin_hub
from tests.ledger.logs import append
from tests.support.state import contents
from tocsin import keys
from tocsin.cli.console import load_settings
from tocsin.db import Database
from tocsin.ledger import service
from tocsin.objects import Object
from tocsin_schemas.checkpoint import open_checkpoint, sign_checkpoint
from tocsin_schemas.notes import NoteVerifier


@contextmanager
def opened() -> Iterator[service.Ledger]:
    settings = load_settings()
    database = Database(settings.database())
    yield service.open_ledger(settings, database, keys.load(settings))
    database.dispose()


def test_the_printed_key_verifies_the_checkpoint(run: Run, environment: Path) -> None:
    run("migrate")
    assert run("run-job", "ledger.publish").stdout == "ledger.publish: 0 done\n"
    key = json.loads(run("log", "key", "--json").stdout)
    assert run("log", "key").stdout == key["vkey"] + "\n"
    verifier = NoteVerifier.parse(key["vkey"])
    with opened() as ledger:
        note = ledger.objects.read("checkpoint")
    assert note is not None
    assert open_checkpoint(note, verifier).checkpoint.origin == key["origin"] == verifier.name


def test_where_nothing_is_missing_nothing_is_brought_back(run: Run, environment: Path) -> None:
    run("migrate")
    run("run-job", "ledger.publish")
    assert run("log", "recover", "--yes").stdout == "Nothing is missing\n"
    assert json.loads(run("log", "recover", "--yes", "--json").stdout) == {"recovered": 0}


def test_every_command_that_could_record_refuses_an_older_database(
    run: Run, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_ISSUER", "https://hub.example")
    run("migrate")
    with opened() as ledger:
        append(ledger.database, 1)
        shown = sign_checkpoint(ledger.origin, 9, bytes(32), ledger.signer)
        ledger.objects.write(Object("checkpoint", shown, "text/plain", "brief"))
        before = contents(ledger.database)
        for command in (["serve", "--port", "0"], ["work"], ["run-job", "signals.expire"]):
            result = tocsin_hub(*command, code=1)
            assert "older than the published log" in result.output
            assert "tocsin-hub log recover" in result.output
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        result = tocsin_hub("log", "recover", code=1)
        assert "stay lost" in result.output
        result = tocsin_hub("log", "recover", "--yes", code=1)
        assert "Next:" in result.output
        assert contents(ledger.database) == before
        assert ledger.objects.read("checkpoint") == shown
