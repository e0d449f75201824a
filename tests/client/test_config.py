import json
import stat
from pathlib import Path

import platformdirs
import pytest

from tocsin_client.config import Home, NotReady, Profile, load_key, new_key

PROFILE = Profile(
    hub="https://hub.example",
    issuer="https://pixel.example",
    client_id="https://pixel.example",
    key=Path("/keys/one.jwk"),
    community="child-safety",
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_is_the_platforms_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TOCSIN_HOME", raising=False)
    assert Home.locate() == Home(
        platformdirs.user_config_path("tocsin"), platformdirs.user_data_path("tocsin")
    )
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path / "env"))
    assert Home.locate() == Home(tmp_path / "env", tmp_path / "env")
    assert Home.locate(tmp_path / "given").config == tmp_path / "given"


def test_a_profile_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    home = Home.locate(tmp_path / "home")
    home.save(PROFILE)
    assert home.load() == PROFILE
    assert (mode(home.profile_file), mode(home.config)) == (0o600, 0o700)
    changed = PROFILE.model_copy(update={"community": "ncii"})
    home.save(changed)
    assert home.load() == changed
    assert [path.name for path in home.config.iterdir()] == ["config.json"]


@pytest.mark.parametrize("content", [None, "{", '{"hub":"x"}', '{"more":1}'])
def test_without_a_profile_the_next_step_is_login(tmp_path: Path, content: str | None) -> None:
    home = Home.locate(tmp_path)
    if content is not None:
        home.profile_file.write_text(content)
    with pytest.raises(NotReady) as caught:
        home.load()
    assert "tocsin login" in caught.value.next


def test_each_hub_and_community_has_its_own_mirror(tmp_path: Path) -> None:
    home = Home.locate(tmp_path)
    hubs = ["https://a.example", "https://a.example:8443", "http://127.0.0.1:80"]
    names = {home.mirror_file(hub, slug) for hub in hubs for slug in ("x", "y")}
    assert len(names) == 6
    assert {path.parent for path in names} == {tmp_path / "mirrors"}


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_new_key_is_kept_for_its_owner_only(tmp_path: Path, alg: str) -> None:
    key, path = new_key(alg, None, tmp_path / "keys")  # type: ignore[arg-type]  # parametrised words
    assert path == tmp_path / "keys" / f"{key.public.kid}.jwk"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert load_key(path).public == key.public
    assert Home.locate(tmp_path).only_key() == path


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.jwk"
    key, _ = new_key("Ed25519", path, tmp_path)
    with pytest.raises(NotReady, match="exists"):
        new_key("Ed25519", path, tmp_path)
    assert load_key(path).public == key.public


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    _, path = new_key("Ed25519", None, tmp_path)
    path.chmod(0o640)
    with pytest.raises(NotReady) as caught:
        load_key(path)
    assert caught.value.next.startswith("Run `chmod 600")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"kty":"oct","k":"x"}', b"\xff"])
def test_a_file_that_is_no_key_is_not_used(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.jwk"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(NotReady, match="no private"):
        load_key(path)


def test_a_public_key_is_not_a_private_one(tmp_path: Path) -> None:
    key, path = new_key("Ed25519", None, tmp_path)
    path.write_text(json.dumps(key.public.jwk()))
    with pytest.raises(NotReady, match="no private"):
        load_key(path)


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotReady) as caught:
        load_key(tmp_path / "none.jwk")
    assert "tocsin keys new" in caught.value.next


def test_the_only_key_must_be_the_only_one(tmp_path: Path) -> None:
    home = Home.locate(tmp_path)
    with pytest.raises(NotReady, match="no key"):
        home.only_key()
    new_key("Ed25519", None, home.keys)
    new_key("Ed25519", None, home.keys)
    with pytest.raises(NotReady, match="2 keys"):
        home.only_key()
