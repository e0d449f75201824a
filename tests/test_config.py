"""Settings refuse what cannot work, and say what to write instead."""

from ipaddress import ip_network
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


@pytest.mark.parametrize(
    "name",
    [
        *("database_url", "token_key", "events_key", "log_key", "witness_key", "witness_pq_key"),
        *("s3_secret_access_key", "ssf_es_key", "ssf_rs_key"),
    ],
)
def test_a_secret_is_given_once(name: str, tmp_path: Path) -> None:
    given = {name: SecretStr("x"), f"{name}_file": tmp_path / "secret"}
    with pytest.raises(ValidationError, match=f"set {name} or {name}_file, not both"):
        Settings.model_validate(given)


def test_the_database_is_named_by_a_file_by_a_value_or_by_default(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://db.example/tocsin\n")
    assert Settings(database_url_file=tmp_path / "url").database() == "postgresql://db.example/tocsin"
    assert Settings(database_url=SecretStr("sqlite:///x.db")).database() == "sqlite:///x.db"
    assert Settings(data_dir=tmp_path).database() == f"sqlite:///{tmp_path}/tocsin.db"


def test_the_secret_of_the_object_store_likewise(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    assert Settings(s3_secret_access_key_file=tmp_path / "secret").s3_secret() == "from a file"
    assert Settings(s3_secret_access_key=SecretStr("given")).s3_secret() == "given"
    assert Settings().s3_secret() is None


def test_the_stores_lie_in_the_data_directory_unless_told_otherwise(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert (settings.log_location(), settings.feed_location()) == (f"{tmp_path}/log", f"{tmp_path}/feed")
    elsewhere = Settings(log_store="s3://bucket/log", feed_store="/srv/feed")
    assert (elsewhere.log_location(), elsewhere.feed_location()) == ("s3://bucket/log", "/srv/feed")


@pytest.mark.parametrize("feed", ["/srv/log", "/srv/log/feed", "/srv/log/"])
def test_what_is_private_does_not_lie_among_what_is_public(feed: str) -> None:
    with pytest.raises(ValidationError, match="cannot lie in there"):
        Settings(log_store="/srv/log", feed_store=feed)
    assert Settings(log_store="/srv/log", feed_store="/srv/log-of-feeds").feed_location()


@pytest.mark.parametrize("endpoint", ["http://store.example", "store.example", "ftp://store.example"])
def test_an_object_store_is_reached_by_https(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="plain http is for loopback"):
        Settings(s3_endpoint=endpoint)
    assert Settings(s3_endpoint="http://127.0.0.1:9000").s3_endpoint


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # what the test is about


def test_what_members_may_have_called_is_a_list() -> None:
    assert Settings().allowed_subnets() == Settings().allowed_ports() == ()
    settings = Settings(egress_allow_subnets="127.0.0.0/8, ::1/128,", egress_ports=" 8443,9443 ")
    assert settings.allowed_subnets() == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert settings.allowed_ports() == (8443, 9443)


@pytest.mark.parametrize("subnets", ["127.0.0.1/8", "localhost", "10.0.0.0/33", "127.0.0.0/8;::1"])
def test_a_network_that_is_none_is_refused(subnets: str) -> None:
    with pytest.raises(ValidationError, match="egress_allow_subnets must be networks"):
        Settings(egress_allow_subnets=subnets)


@pytest.mark.parametrize("ports", ["0", "65536", "https", "8443;9443", "-1", "\u0664\u0664\u0663"])
def test_a_port_that_is_none_is_refused(ports: str) -> None:
    with pytest.raises(ValidationError, match="egress_ports must be numbers"):
        Settings(egress_ports=ports)
