"""Settings refuse what cannot work, and say what to write instead."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from tocsin.config import Settings


@pytest.mark.parametrize(
    ("issuer", "advice"),
    [
        ("https://hub.example/", "with no path"),
        ("https://hub.example/v1", "with no path"),
        ("https://hub.example?x=1", "with no path"),
        ("hub.example", "with no path"),
        ("http://hub.example", "plain http is for loopback hosts only"),
    ],
)
def test_an_issuer_is_an_https_base_url(issuer: str, advice: str) -> None:
    with pytest.raises(ValidationError, match=advice):
        Settings(issuer=issuer)


@pytest.mark.parametrize(
    "issuer", ["https://hub.example", "https://hub.example:8443", "http://127.0.0.1:8000"]
)
def test_https_anywhere_and_http_on_loopback_will_do(issuer: str) -> None:
    assert Settings(issuer=issuer).issuer == issuer


@pytest.mark.parametrize("name", ["database_url", "token_key", "events_key"])
def test_a_secret_is_given_once(name: str, tmp_path: Path) -> None:
    given = {name: SecretStr("x"), f"{name}_file": tmp_path / "secret"}
    with pytest.raises(ValidationError, match=f"set {name} or {name}_file, not both"):
        Settings.model_validate(given)


def test_the_database_is_named_by_a_file_by_a_value_or_by_default(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://db.example/tocsin\n")
    assert Settings(database_url_file=tmp_path / "url").database() == "postgresql://db.example/tocsin"
    assert Settings(database_url=SecretStr("sqlite:///x.db")).database() == "sqlite:///x.db"
    assert Settings(data_dir=tmp_path).database() == f"sqlite:///{tmp_path}/tocsin.db"


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # what the test is about
