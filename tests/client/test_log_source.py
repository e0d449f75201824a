"""Where a log is read from: a hub, another web server, a folder."""

from pathlib import Path

import pytest

from tests.client.webserver import Answer, serving
from tocsin_client.http import HubError
from tocsin_client.log_source import FolderLog, open_source
from tocsin_schemas.problems import Refused


def test_a_url_is_the_logs_prefix() -> None:
    with serving(lambda asked: Answer(200, asked.path.encode())) as web:
        for prefix in ("/log", "/logs/hub/", ""):
            with open_source(web.url + prefix) as source:
                assert source.read("tile/0/000") == f"{prefix.rstrip('/')}/tile/0/000".encode()
                assert source.name == web.url


def test_caches_are_told_to_ask_again_for_what_changes() -> None:
    with serving(lambda asked: Answer(200, b"x")) as web, open_source(web.url + "/log") as source:
        source.read("checkpoint")
        source.read("tile/0/000")
        assert [asked.headers.get("cache-control") for asked in web.asked] == ["no-cache", None]


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_none(status: int) -> None:
    with serving(lambda asked: Answer(status)) as web, open_source(web.url) as source:
        assert source.read("tile/0/000") is None


@pytest.mark.parametrize("status", [400, 403, 302])
def test_what_is_refused_is_an_error(status: int) -> None:
    answer = Answer(status, headers={"Location": "/elsewhere"} if status == 302 else {})
    with serving(lambda asked: answer) as web, open_source(web.url) as source:
        with pytest.raises(HubError):
            source.read("tile/0/000")


@pytest.mark.parametrize("url", ["http://mirror.example/log", "https://user@mirror.example/log"])
def test_what_could_be_overheard_or_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="request-invalid"), open_source(url):
        pass


def test_everything_else_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"x")
    with open_source(str(tmp_path)) as source:
        assert isinstance(source, FolderLog)
        assert source.read("checkpoint") == b"x"
        assert source.read("policy") is None
