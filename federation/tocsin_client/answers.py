"""Reading what a hub answers: bytes of another shape than this version knows are the hub's fault."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from tocsin_client.http import HubError

Answered = TypeVar("Answered")


def read(reader: Callable[[bytes], Answered], raw: bytes) -> Answered:
    """What the hub's bytes say.

    Raises:
        HubError: `answer-invalid`.
    """
    try:
        return reader(raw)
    except ValidationError:
        raise HubError("answer-invalid", "the hub's answer does not fit this version of the client") from None
