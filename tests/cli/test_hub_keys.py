"""`tocsin-hub hub-key` as an operator uses it."""

import json
from pathlib import Path

import pytest

from tests.cli.running import Run
from tocsin import keys
from tocsin.cli.console import load_settings
from tocsin.db import system_clock
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY


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
    assert "start every process of the hub again before that" in run("hub-key", "rotate", "token").stdout
    assert "start every process of the hub again at once" in run("hub-key", "rotate", "delivery").stdout
    assert "wait ten minutes" in run("hub-key", "rotate", "ssf_es").stdout


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


@pytest.mark.parametrize("name", ["ssf_es", "ssf_rs"])
def test_keys_of_streams_are_changed_like_the_others(run: Run, name: str) -> None:
    keys.ensure(load_settings())
    before = kid(name)
    done = json.loads(run("hub-key", "rotate", name, "--json").stdout)
    assert (done["before"], done["kid"]) == (before, kid(name))
    assert done["kid"] != before
    assert not (load_settings().data_dir / keys.DIRECTORY / "delivery_before.jwk").exists()


def test_the_old_delivery_key_is_kept_and_only_one_of_them(run: Run) -> None:
    keys.ensure(load_settings())
    before = kid("delivery")
    done = json.loads(run("hub-key", "rotate", "delivery", "--overlap", "14", "--json").stdout)
    assert (done["before"], done["kid"]) == (before, kid("delivery"))
    kept = keys.load(load_settings()).delivery_before
    assert kept is not None
    assert kept.key.public.kid == before
    assert kept.file is not None
    assert kept.file.stat().st_mode & 0o077 == 0
    refused = run("hub-key", "rotate", "delivery", code=1).stderr
    assert "still needed" in refused
    assert "tocsin-hub run-job streams.reseal" in refused
    assert kid("delivery") == done["kid"]
    assert json.loads(run("hub-key", "list", "--json").stdout)["delivery_before"]["kid"] == before
    aside = kept.file.rename(kept.file.with_suffix(".aside"))
    assert "still holds, and is not there" in run("check", code=1).stdout
    aside.rename(kept.file)
    assert "still holds" not in run("check").stdout
    # The commands that run a hub find both, and do without the old one when it has ended.
    assert run("run-job", "streams.reseal").exit_code == 0
    assert kept.file.exists()
    later = run("run-job", "streams.reseal", "--now", rfc3339(system_clock() + 15 * DAY))
    assert later.exit_code == 0
    assert not kept.file.exists()


def test_a_delivery_key_from_the_settings_stays_there_beside_the_new_one(
    run: Run, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, coming = SigningKey.generate(), SigningKey.generate()
    new = environment / "new.jwk"
    new.write_text(json.dumps(coming.jwk()))
    monkeypatch.setenv("TOCSIN_DELIVERY_KEY", json.dumps(old.jwk()))
    keys.ensure(load_settings())
    said = run("hub-key", "rotate", "delivery", "--new", str(new)).stdout
    assert "TOCSIN_DELIVERY_BEFORE_KEY_FILE or TOCSIN_DELIVERY_BEFORE_KEY" in said
    monkeypatch.setenv("TOCSIN_DELIVERY_KEY", json.dumps(coming.jwk()))
    missing = run("run-job", "streams.reseal", code=1).stderr
    assert "the delivery key before the one in hand still holds, and is not there" in missing
    monkeypatch.setenv("TOCSIN_DELIVERY_BEFORE_KEY", json.dumps(old.jwk()))
    run("run-job", "streams.reseal")
    kept = keys.load(load_settings()).delivery_before
    assert kept is not None
    assert (kept.key.public.kid, kept.file) == (old.public.kid, None)


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
