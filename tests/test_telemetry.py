"""Log lines: JSON, one a line, and never the words of a caller."""

import json
import logging
from collections.abc import Iterator

import pytest

from tocsin import telemetry

SECRET = "someone@pasted.example"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, ours, server = logging.getLogger(), logging.getLogger("tocsin"), logging.getLogger("uvicorn.error")
    before = list(root.handlers), root.level, ours.level, list(server.filters)
    yield
    root.handlers[:], server.filters[:] = before[0], before[3]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.captureWarnings(False)


def test_our_lines_are_json_with_our_fields(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.setup_logging("info")
    telemetry.request_id.set(None)
    logging.getLogger("tocsin.jobs").info("job done", extra={"job": "signals.expire", "count": 7})
    logging.getLogger("tocsin.jobs").debug("too quiet")
    token = telemetry.request_id.set("req_1")
    logging.getLogger("tocsin").warning("here")
    telemetry.request_id.reset(token)
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first.pop("at").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "tocsin.jobs",
        "event": "job done",
        "job": "signals.expire",
        "count": 7,
    }
    assert (second["level"], second["request_id"]) == ("warning", "req_1")


def test_libraries_are_quiet_and_their_arguments_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.setup_logging("debug")
    for library in ("authlib", "sqlalchemy.engine.Engine", "uvicorn.error", "tocsinlike"):
        logging.getLogger(library).debug("token %s", SECRET)
        logging.getLogger(library).info("token %s", SECRET)
        logging.getLogger(library).warning("refused %s", SECRET, extra={"sent": SECRET})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["refused %s"] * 4
    assert SECRET not in json.dumps(lines)


def test_an_exception_is_its_type_and_its_frames(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.setup_logging("info")
    try:
        try:
            raise KeyError(SECRET)
        except KeyError:
            raise ValueError(SECRET) from None
    except ValueError:
        logging.getLogger("tocsin").exception("failed")
    line = capsys.readouterr().err
    found = json.loads(line)["exception"]
    assert found[0] == "builtins.ValueError"
    assert "builtins.KeyError" not in found
    assert found[1].endswith("test_an_exception_is_its_type_and_its_frames")
    assert SECRET not in line


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    assert telemetry.describe(first) == ["builtins.ValueError", "builtins.KeyError"]


def test_the_server_does_not_repeat_what_the_hub_has_logged(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.setup_logging("info")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=ValueError(SECRET))
    logging.getLogger("uvicorn.error").error("Cannot start")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["Cannot start"]
