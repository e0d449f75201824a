"""The hub's own keys: made once, kept from others, or given by the operator."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tocsin import keys
from tocsin.config import Settings
from tocsin.errors import Misconfigured
from tocsin_schemas.akp import AkpKey
from tocsin_schemas.jwk import SigningKey


def settings(folder: Path, **changes: Any) -> Settings:
    return Settings(data_dir=folder / "data", **changes)


def test_keys_are_made_once_and_for_this_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The suite gives every hub one RSA key: here it is made.
    monkeypatch.delenv("TOCSIN_SSF_RS_KEY_FILE")
    made = keys.ensure(settings(tmp_path))
    assert (made.token.public.alg, made.events.public.alg) == ("ES256", "Ed25519")
    assert (made.log.public.alg, made.witness.public.alg) == ("Ed25519", "Ed25519")
    again = keys.ensure(settings(tmp_path))
    loaded = keys.load(settings(tmp_path))
    assert made.token.public == again.token.public == loaded.token.public
    assert made.events.public == again.events.public == loaded.events.public
    assert made.witness_pq.kid == again.witness_pq.kid == loaded.witness_pq.kid
    assert made.ssf_rs.public == again.ssf_rs.public == loaded.ssf_rs.public
    # One key for one thing.
    own = (made.token, made.events, made.log, made.witness, made.console, made.delivery, made.ssf_es)
    assert len({key.public.kid for key in own}) == 7
    folder = tmp_path / "data" / "keys"
    assert sorted(file.name for file in folder.iterdir()) == [
        "console.jwk",
        "delivery.jwk",
        "events.jwk",
        "log.jwk",
        "ssf_es.jwk",
        "ssf_rs.jwk",
        "token.jwk",
        "witness.jwk",
        "witness_pq.jwk",
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_of_two_that_make_keys_at_once_both_get_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keys.ensure(settings(tmp_path))
    # The second had looked before the first was done.
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    assert keys.ensure(settings(tmp_path)).token.public == first.token.public
    # All but the one that the suite gives.
    assert len(list((tmp_path / "data" / "keys").iterdir())) == len(keys.KEYS) - 1


def test_missing_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        keys.load(settings(tmp_path))
    assert caught.value.what == "the hub has no token key"
    assert "tocsin-hub migrate" in caught.value.advice


@pytest.mark.parametrize(
    ("path", "mode"), [("keys/token.jwk", 0o640), ("keys/events.jwk", 0o604), ("keys", 0o750)]
)
def test_keys_that_others_may_read_are_refused(tmp_path: Path, path: str, mode: int) -> None:
    keys.ensure(settings(tmp_path))
    (tmp_path / "data" / path).chmod(mode)
    with pytest.raises(Misconfigured, match="can be read by others"):
        keys.load(settings(tmp_path))


TOKEN, EVENTS = SigningKey.generate("ES256"), SigningKey.generate()
COSIGNER = AkpKey.generate()


def test_keys_may_be_given(tmp_path: Path) -> None:
    file = tmp_path / "events.jwk"
    file.write_text(json.dumps(EVENTS.jwk()))
    others = {
        name: SecretStr(json.dumps(SigningKey.generate().jwk()))
        for name in ("log_key", "witness_key", "console_key", "delivery_key")
    }
    given = settings(
        tmp_path,
        token_key=SecretStr(json.dumps(TOKEN.jwk())),
        events_key_file=file,
        witness_pq_key=SecretStr(json.dumps(COSIGNER.jwk())),
        ssf_es_key=SecretStr(json.dumps(TOKEN.jwk())),
        **others,
    )
    made = keys.ensure(given)
    assert (made.token.public, made.events.public) == (TOKEN.public, EVENTS.public)
    assert made.witness_pq.public == COSIGNER.public
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        json.dumps(TOKEN.public.jwk()),
        json.dumps(EVENTS.jwk()),
        json.dumps(COSIGNER.jwk()),
        json.dumps({"kty": "oct", "k": "eA"}),
    ],
)
def test_what_is_no_private_key_of_the_right_kind_is_refused_without_an_echo(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "token.jwk"
    file.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        keys.ensure(settings(tmp_path, token_key_file=file, events_key=SecretStr(json.dumps(EVENTS.jwk()))))
    assert caught.value.what == "the token key is not a private JWK for ES256"
    assert EVENTS.jwk()["d"] not in str(caught.value.args) + caught.value.advice


@pytest.mark.parametrize("text", ["", "[]", "7", json.dumps(EVENTS.jwk())])
def test_what_is_no_post_quantum_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured, match="the witness_pq key is not a private JWK for ML-DSA-44"):
        keys.ensure(settings(tmp_path, witness_pq_key=SecretStr(text)))


@pytest.mark.parametrize("text", ["", "[]", "7", json.dumps(TOKEN.jwk()), json.dumps(COSIGNER.jwk())])
def test_what_is_no_rsa_key_is_refused(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_SSF_RS_KEY_FILE")
    with pytest.raises(Misconfigured, match="the ssf_rs key is not a private JWK for RS256"):
        keys.ensure(settings(tmp_path, ssf_rs_key=SecretStr(text)))


def test_a_key_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        keys.load(settings(tmp_path, token_key_file=tmp_path / "nothing"))


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(Misconfigured, match="cannot be written"):
        keys.ensure(settings(tmp_path))
    with pytest.raises(Misconfigured):
        keys.load(settings(tmp_path))
