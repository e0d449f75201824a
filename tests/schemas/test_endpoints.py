"""What is asked about endpoints: closed, and one thing at a time."""

from typing import Any

import pytest
from pydantic import ValidationError

from tocsin_schemas.endpoints import CHOOSABLE, EndpointChange, NewEndpoint, Replay
from tocsin_schemas.notifications import ENDPOINT_EVENTS, EVENT_TYPES

FIRST, LAST = (f"msg_{digit * 32}" for digit in "12")
AT = "2026-11-22T12:00:00Z"


@pytest.mark.parametrize(
    "said",
    [
        {"message": FIRST},
        {"first": FIRST},
        {"first": FIRST, "last": LAST},
        {"since": AT},
        {"since_disabled": True},
    ],
)
def test_a_replay_names_one_way(said: dict[str, Any]) -> None:
    assert Replay.model_validate(said).model_dump(exclude_none=True) == said


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"last": LAST},
        {"message": FIRST, "last": LAST},
        {"message": FIRST, "since": AT},
        {"first": FIRST, "since_disabled": True},
        {"since_disabled": False},
        {"since": "2026-11-22"},
        {"message": "msg_1"},
        {"message": FIRST, "more": 1},
    ],
)
def test_a_replay_of_any_other_shape_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Replay.model_validate(said)


def test_an_endpoint_asks_for_what_is_not_about_itself() -> None:
    assert set(CHOOSABLE) == set(EVENT_TYPES) - ENDPOINT_EVENTS


def test_what_is_left_out_is_everything_or_nothing() -> None:
    made = NewEndpoint(url="https://pixel.example/")
    assert (made.types, made.communities, made.labels) == ([], [], [])
    assert (made.detail, made.severity) == ("thin", "info")
    assert EndpointChange().model_dump(exclude_none=True) == {}
