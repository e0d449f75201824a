"""The partner guide is true: its receivers are the ones that are tested, its examples verify and are received."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.client.posting import CHALLENGE, WHSEC, challenge, live
from tests.docs.pages import ROOT, fences
from tocsin.delivery.rules import SCHEDULE
from tocsin_client.snippets import SNIPPETS
from tocsin_schemas.notifications import EventNotification, parse_notification

PAGE = ROOT / "docs" / "partner-guide.md"
HIGHLIGHTED = {"python": "python", "node": "javascript", "java": "java", "perl": "perl"}

pytestmark = pytest.mark.check


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda one: str(one.language))
def test_a_receiver_on_the_page_is_the_one_that_is_tested(snippet: Any) -> None:
    shown = [fence.code for fence in fences(PAGE, HIGHLIGHTED[snippet.language])]
    assert snippet.text in shown


def test_the_body_shown_is_one_that_a_hub_writes() -> None:
    (shown,) = fences(PAGE, "json")
    found = parse_notification(shown.code.encode())
    assert isinstance(found, EventNotification)
    assert found.model_dump(exclude_none=True, mode="json") == json.loads(shown.code)


def test_the_dependency_shown_receives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {}
    for fence in fences(PAGE, "python"):
        exec(compile(fence.code, str(fence), "exec"), scope)
    receiving: Callable[[str, Path], FastAPI] = scope["receiving"]
    with TestClient(receiving(WHSEC, tmp_path / "journal.sqlite3")) as client:
        for status in (204, 200):
            headers, content = live("msg_1")
            assert client.post("/tocsin", content=content, headers=headers).status_code == status
        headers, content = challenge(at=int(time.time()))
        assert client.post("/tocsin", content=content, headers=headers).json() == {"challenge": CHALLENGE}
    assert capsys.readouterr().out == "signal.recorded msg_1\n"


def test_the_waits_shown_are_those_of_delivery() -> None:
    (shown,) = re.findall(r"tries again: after ([^|]*), a fifth", PAGE.read_text())
    units = {"s": 1, "min": 60, "h": 3600}
    waits = [int(number) * units[unit] for number, unit in re.findall(r"(\d+) (s|min|h)", shown)]
    assert waits == list(SCHEDULE[1:])
