"""`tocsin-hub hub-key` as an operator uses it."""

import json
from pathlib import Path

import pytest

from tests.cli.running import Run
from tocsin import keys
from tocsin.cli.console import load_settings
from tocsin_schemas.jwk import SigningKey


def kid(name: str) -> str:
    return str(getattr(keys.load(load_settings()), name).public.kid)


def test_a_key_is_changed_and_the_old_one_is_gone(run: Run) -> None:
    keys.ensure(load_settings())
    listed = json.loads(run("hub-key", "list", "--json").stdout)
    assert listed["events"] == {"alg": "Ed25519", "kid": kid("events")}
    before = kid("events")
    done = json.loads(run("hub-key", "rotate", "events", "--overlap", "1", "--json").stdout)
    assert (done["before"], done["kid"]) == (before, kid("events"))
    assert kid("events") != before
    folder = load_settings().data_dir / keys.DIRECTORY
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.jwk" for name in keys.KEYS)
    assert "start every process of the hub again" in run("hub-key", "rotate", "token").stdout


def test_a_key_from_the_settings_is_changed_there(
    run: Run, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = SigningKey.generate(), environment / "new.jwk"
    new.write_text(json.dumps(SigningKey.generate().jwk()))
    monkeypatch.setenv("TOCSIN_EVENTS_KEY", json.dumps(old.jwk()))
    keys.ensure(load_settings())
    assert "give the new one with --new" in run("hub-key", "rotate", "events", code=2).stderr
    assert "leave --new out" in run("hub-key", "rotate", "token", "--new", str(new), code=2).stderr
    said = run("hub-key", "rotate", "events", "--new", str(new)).stdout
    assert "put the new key where TOCSIN_EVENTS_KEY_FILE or TOCSIN_EVENTS_KEY has the old one" in said
    assert kid("events") == old.public.kid


def test_a_new_key_of_another_kind_is_refused(
    run: Run, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = environment / "new.jwk"
    new.write_text(json.dumps(SigningKey.generate("ES256").jwk()))
    monkeypatch.setenv("TOCSIN_EVENTS_KEY", json.dumps(SigningKey.generate().jwk()))
    keys.ensure(load_settings())
    assert (
        "not a private JWK for Ed25519"
        in run("hub-key", "rotate", "events", "--new", str(new), code=1).stderr
    )
