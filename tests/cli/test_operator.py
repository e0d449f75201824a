"""`tocsin-hub` as an operator uses it, on both databases."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from tests.cli.running import Run, tocsin_hub
from tests.support.clock import START
from tests.support.hub import LiveHub, command
from tests.support.state import contents
from tocsin.cli import main
from tocsin.db import Database
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.vocabulary import SCOPES

PIXEL = "https://pixel.example"


def public(folder: Path, name: str = "pixel") -> tuple[SigningKey, str]:
    key = SigningKey.generate()
    file = folder / f"{name}.pub.jwk"
    file.write_text(json.dumps(key.public.jwk()))
    return key, str(file)


def listed(run: Run) -> dict[str, Any]:
    return {member["issuer"]: member for member in json.loads(run("member", "list", "--json").stdout)}


def test_one_command_admits_a_member_whole(run: Run, environment: Path) -> None:
    run("community", "add", "child-safety")
    key, file = public(environment)
    result = run(
        *("member", "add", "--issuer", PIXEL, "--class", "platform", "--control-group", "Aurora Holding"),
        *("--key", file, "--community", "child-safety:rw", "--cap", "500"),
    )
    member = listed(run)[PIXEL]
    (client,) = member["clients"]
    assert client["client_id"] in result.stdout
    assert client["scopes"] == sorted(SCOPES)
    assert [found["kid"] for found in member["keys"]] == [key.public.kid]
    assert member["communities"] == {"child-safety": "rw"}
    assert (member["state"], member["signals_per_hour"]) == ("active", 500)
    assert member["control_group"].startswith("cg_")
    for shown in (PIXEL, client["client_id"], key.public.kid, "child-safety rw", "active since"):
        assert shown in run("member", "list").stdout


def test_the_owners_name_is_kept_nowhere(run: Run, database_url: str) -> None:
    run("member", "add", "--issuer", PIXEL, "--class", "platform", "--control-group", "Aurora Holding")
    database = Database(database_url)
    assert "urora" not in repr(contents(database))
    database.dispose()


def test_a_member_is_looked_after(run: Run, environment: Path) -> None:
    run("community", "add", "ncii")
    run("member", "add", "--issuer", PIXEL, "--class", "hotline", "--scope", "signals:read")
    assert json.loads(run("member", "suspend", PIXEL, "--json").stdout) == {
        "issuer": PIXEL,
        "state": "suspended",
    }
    assert "is active" in run("member", "reinstate", PIXEL).stdout
    assert json.loads(run("member", "cap", PIXEL, "9", "--json").stdout)["signals_per_hour"] == 9
    assert json.loads(run("member", "cap", PIXEL, "default", "--json").stdout)["signals_per_hour"] is None
    key, file = public(environment)
    added = json.loads(
        run("key", "add", PIXEL, "--key", file, "--not-before", "2026-11-22T12:00:00Z", "--json").stdout
    )
    assert added["not_before"] == "2026-11-22T12:00:00Z"
    assert added["not_after"] == "2027-11-22T12:00:00Z"
    run("key", "revoke", "--kid", key.public.kid)
    client = json.loads(run("client", "add", PIXEL, "--scope", "signals:read", "--json").stdout)["client_id"]
    run("client", "revoke", client)
    run("community", "grant", "ncii", PIXEL, "r")
    member = listed(run)[PIXEL]
    assert member["keys"][0]["revoked_at"] is not None
    assert [found["revoked"] for found in member["clients"] if found["client_id"] == client] == [True]
    assert member["communities"] == {"ncii": "r"}
    assert "(revoked)" in run("member", "list").stdout
    run("community", "grant", "ncii", PIXEL, "none")
    assert listed(run)[PIXEL]["communities"] == {"ncii": "none"}
    assert json.loads(run("community", "list", "--json").stdout) == ["ncii"]


def test_lists_of_nothing_say_how_to_begin(run: Run) -> None:
    assert "member add --help" in run("member", "list").stdout
    assert "community add" in run("community", "list").stdout
    assert "key add" in run("member", "add", "--issuer", PIXEL, "--class", "observer").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        (("member", "add", "--issuer", "pixel.example", "--class", "platform"), "claim-invalid", "issuer"),
        (
            ("member", "add", "--issuer", PIXEL, "--class", "platform", "--community", "x"),
            "not-found",
            "community",
        ),
        (("member", "suspend", PIXEL), "not-found", "issuer"),
        (("key", "revoke", "--kid", "-h-nobody"), "not-found", "kid"),
        (("client", "revoke", "cl_x"), "not-found", "client_id"),
        (("community", "add", "Child Safety"), "claim-invalid", "community"),
        (("run-job", "signals.nothing"), "not-found", "name"),
    ],
)
def test_a_refusal_says_why_and_what_next(
    run: Run, arguments: tuple[str, ...], code: str, field: str
) -> None:
    result = run(*arguments, code=1)
    assert result.stderr.startswith(f"Error: {field}: ")
    assert "\nNext:  " in result.stderr
    assert result.stdout == ""
    error = json.loads(run(*arguments, "--json", code=1).stderr)["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert error["help"]


def test_keys_are_read_with_care(run: Run, environment: Path) -> None:
    run("member", "add", "--issuer", PIXEL, "--class", "platform")
    secret = SigningKey.generate()
    file = environment / "key.jwk"
    file.write_text(json.dumps(secret.jwk()))
    result = run("key", "add", PIXEL, "--key", str(file), code=1)
    assert "this is a private key" in result.stderr
    assert secret.jwk()["d"] not in result.output
    for text in ("", "[]", "not JSON"):
        file.write_text(text)
        assert "tocsin keys show" in run("key", "add", PIXEL, "--key", str(file), code=2).stderr
    piped = CliRunner().invoke(
        main, ["key", "add", PIXEL, "--key", "-"], input=json.dumps(secret.public.jwk())
    )
    assert piped.exit_code == 0, piped.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("member", "cap", PIXEL, "many"),
        ("member", "add", "--issuer", PIXEL, "--class", "ministry"),
        ("member", "add", "--issuer", PIXEL, "--class", "platform", "--community", "x:all"),
        ("key", "add", PIXEL, "--key", "no-such-file"),
        ("run-job", "members.forget", "--now", "yesterday"),
        ("serve", "--port", "99999"),
    ],
)
def test_what_is_spelled_wrong_is_shown_with_the_right_spelling(
    environment: Path, arguments: tuple[str, ...]
) -> None:
    result = tocsin_hub(*arguments, code=2)
    assert "Usage: " in result.stderr


def test_every_command_explains_itself() -> None:
    def walk(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, found in group.commands.items():
            if hasattr(found, "commands"):
                yield from walk(found, (*path, name))
            else:
                yield (*path, name)

    seen = list(walk(main, ()))
    assert len(seen) >= 18
    for path in seen:
        shown = CliRunner().invoke(main, [*path, "--help"])
        assert shown.exit_code == 0
        assert shown.output.count("\n") > 4
    assert "tocsin-hub serve" in tocsin_hub("--help").stdout
    assert "0.1.0" in tocsin_hub("--version").stdout


def findings(result: Result) -> dict[str, bool]:
    return {item["part"]: item["ok"] for item in json.loads(result.stdout)}


def test_check_tries_each_part(
    environment: Path, bare_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE_URL", bare_database_url)
    first = findings(tocsin_hub("check", "--json", code=1))
    assert (first["settings"], first["keys"]) == (True, False)
    assert not first.get("schema", False)
    assert "Next: run `tocsin-hub migrate`" in tocsin_hub("check", code=1).stdout
    migrated = json.loads(tocsin_hub("migrate", "--json").stdout)
    assert migrated["before"] is None
    assert json.loads(tocsin_hub("migrate", "--json").stdout)["before"] == migrated["after"]
    assert set(findings(tocsin_hub("check", "--json")).items()) == {
        (part, True) for part in ("settings", "keys", "database", "schema", "clock", "log", "board")
    }
    (tmp_path / "data" / "keys" / "token.jwk").chmod(0o644)
    assert findings(tocsin_hub("check", "--json", code=1))["keys"] is False


def test_check_notices_a_clock_that_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("migrate")
    monkeypatch.setattr("tocsin.cli.check.system_clock", lambda: START - 10 * 365 * 86_400)
    result = run("check", code=1)
    assert "synchronise it" in result.stdout


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@127.0.0.1:1/x", "sqlite:////nonexistent/folder/x.db"]
)
def test_a_database_out_of_reach_is_said_without_its_url(
    environment: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE_URL", url)
    assert findings(tocsin_hub("check", "--json", code=1))["database"] is False
    for arguments in (("member", "list"), ("migrate",), ("community", "add", "x")):
        result = tocsin_hub(*arguments, code=1)
        assert "the database does not answer" in result.stderr
        assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("ISSUER", "http://hub.example", "issuer must be https"),
        ("PORT", "http", "TOCSIN_PORT"),
        ("LOG_LEVEL", "loud", "TOCSIN_LOG_LEVEL"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    environment: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, shown: str
) -> None:
    monkeypatch.setenv(f"TOCSIN_{name}", value)
    result = tocsin_hub("member", "list", code=1)
    assert shown in result.stderr
    assert shown in tocsin_hub("check", code=1).stdout


def test_only_an_empty_sqlite_file_gets_its_schema_unasked(
    environment: Path, bare_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE_URL", bare_database_url)
    if bare_database_url.startswith("sqlite"):
        tocsin_hub("community", "add", "child-safety")
        return
    result = tocsin_hub("community", "add", "child-safety", code=1)
    assert "run `tocsin-hub migrate`" in result.stderr
    assert "migrate" in tocsin_hub("serve", "--port", "0", code=1).stderr


def test_a_schema_of_another_version_is_left_alone(run: Run, database_url: str) -> None:
    database = Database(database_url)
    with database.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.dispose()
    assert "run `tocsin-hub migrate`" in run("member", "list", code=1).stderr
    assert "another version" in run("migrate", code=1).stderr


def test_jobs_run_by_hand(run: Run) -> None:
    assert json.loads(run("run-job", "members.forget", "--json").stdout) == {
        "job": "members.forget",
        "done": 0,
    }
    assert "0 done" in run("run-job", "members.forget", "--now", "2030-01-01T00:00:00Z").stdout


def test_the_hub_does_not_listen_to_the_world_without_an_address(run: Run) -> None:
    assert "TOCSIN_ISSUER" in run("serve", "--host", "0.0.0.0", "--port", "0", code=1).stderr


def test_a_port_that_is_taken_is_said(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        # The listener above is not ours to share: it was bound without SO_REUSEPORT.
        assert "--port" in run("serve", "--port", port, code=1).stderr


def test_a_real_server_serves_and_ends_when_asked(installed_hub: LiveHub) -> None:
    party = installed_hub.party("pixel")
    assert installed_hub.issuer.startswith("http://127.0.0.1:")
    assert party.sdk().me().issuer == party.issuer
    for line in installed_hub.log.read_text().splitlines():
        assert json.loads(line)["logger"].startswith("tocsin")
    assert installed_hub.stop() == 0
    with pytest.raises(httpx2.ConnectError):
        installed_hub.http.get("/healthz")
    before = installed_hub.issuer
    installed_hub.start()
    assert installed_hub.issuer == before
    assert party.sdk().me().issuer == party.issuer


def test_a_worker_works_until_told_to_end(run: Run, environment: Path) -> None:
    run("migrate")
    process = subprocess.Popen(
        [command(), "work", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"working": True}
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
