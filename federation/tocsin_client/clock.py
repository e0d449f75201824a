"""The client's clock: Unix seconds from the system, and whatever a test puts in its place."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives the time as Unix seconds."""


def system_clock() -> int:
    """Now, in Unix seconds."""
    return int(time.time())
