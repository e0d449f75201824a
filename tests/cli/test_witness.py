"""`tocsin-hub witness` as an operator uses it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.witnessing.logs import Log, request
from tocsin import keys
from tocsin.cli.console import load_settings
from tocsin.db import Database
from tocsin.witnessing.service import Witness, open_witness
from tocsin_schemas.checkpoint import open_checkpoint
from tocsin_schemas.tlog_policy import parse_policy


@pytest.fixture
def service(run: Run) -> Iterator[Witness]:
    """The witness that the commands are about."""
    settings = load_settings()
    database = Database(settings.database())
    yield open_witness(settings, database, keys.ensure(settings), "hub.example/log")
    database.dispose()


def test_the_keys_are_printed_as_lines_of_a_policy(run: Run, service: Witness) -> None:
    lines = run("witness", "key").stdout
    policy = parse_policy((lines + "quorum 127.0.0.1:8000\n").encode())
    assert [witness.url for witness in policy.witnesses.values()] == ["http://127.0.0.1:8000/witness"] * 2
    assert [witness.verifier for witness in policy.witnesses.values()] == list(service.keys)
    assert policy.satisfied(["127.0.0.1:8000/ed25519"])
    assert policy.satisfied(["127.0.0.1:8000/ml-dsa-44"])
    shown = json.loads(run("witness", "key", "--json").stdout)
    assert shown["vkeys"] == {
        "ed25519": service.keys[0].vkey,
        "ml-dsa-44": service.keys[1].vkey,
    }


def test_logs_are_added_listed_and_removed(run: Run, service: Witness) -> None:
    assert "No logs yet" in run("witness", "list").stdout
    log = Log()
    assert "Watching log.example/one (1 key)" in run("witness", "add-log", log.key.vkey).stdout
    service.submit(log.request(0, 9))
    assert "log.example/one  size 9  cosigned 20" in run("witness", "list").stdout
    assert "already" in run("witness", "add-log", log.key.vkey, code=1).stderr
    run("witness", "remove-log", log.origin)
    (view,) = json.loads(run("witness", "list", "--json").stdout)
    assert (view["origin"], view["watched"], view["size"], view["vkeys"]) == (log.origin, False, 9, [])
    assert "no longer watched" in run("witness", "list").stdout
    run("witness", "remove-log", log.origin, code=1)
    again = json.loads(run("witness", "add-log", log.key.vkey, "--json").stdout)
    assert (again["watched"], again["size"]) == (True, 9)


def test_what_is_no_key_is_refused_without_an_echo(run: Run) -> None:
    result = run("witness", "add-log", "hunter2", code=2)
    assert "not a verifier key" in result.stderr
    assert "hunter2" not in result.output


def test_evidence_is_shown_and_written_so_that_others_can_verify_it(
    run: Run, service: Witness, tmp_path: Path
) -> None:
    assert "Nothing is held" in run("witness", "evidence", "--output", "out").stdout
    log = Log()
    run("witness", "add-log", log.key.vkey)
    service.submit(log.request(0, 9))
    service.submit(request(0, [], log.forked(3).note(9)))
    assert "FORKED (1)" in run("witness", "list").stdout
    result = run("witness", "evidence", "--output", "out")
    assert "fork     log.example/one at size 9" in result.stdout
    held = open_checkpoint((tmp_path / "out" / "001-fork-9.cosigned.txt").read_bytes(), log.key, service.keys)
    refused = open_checkpoint((tmp_path / "out" / "001-fork-9.refused.txt").read_bytes(), log.key)
    assert (held.checkpoint.size, len(held.cosignatures)) == (9, 2)
    assert refused.checkpoint.size == 9
    assert refused.checkpoint.root != held.checkpoint.root
    (shown,) = json.loads(run("witness", "evidence", "--json").stdout)
    assert (shown["kind"], shown["refused"].encode()) == ("fork", refused.raw)
    (tmp_path / "file").write_text("")
    assert "cannot be written" in run("witness", "evidence", "--output", "file/x", code=1).stderr
