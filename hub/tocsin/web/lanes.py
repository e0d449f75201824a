"""Where what waits for the database is run: reading has a few threads of its own.

More threads than there are cores take turns at the interpreter and answer nobody sooner; and a thread that waits to
write would keep those from reading who only want to be told that there is nothing new.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request

READERS: Final = 4

_T = TypeVar("_T")


def reading_lane() -> CapacityLimiter:
    """The threads of one hub that only read, for `app.state.readers`."""
    return CapacityLimiter(READERS)


async def in_reading_lane(request: Request, work: Callable[..., _T], *given: Any, **named: Any) -> _T:
    """Run in a thread what reads the database and never writes; what it returns or raises."""
    return await to_thread.run_sync(partial(work, *given, **named), limiter=request.app.state.readers)
