"""Calls into a feature that must not take others with them: what one fails on is looked for by halves.

Each call runs under a savepoint, so nothing stays of one that failed. An error of the database itself goes through:
it is nobody's fault, and the whole turn is tried again.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from tocsin.db import UnitOfWork

logger = logging.getLogger(__name__)

MOST_FAILS: Final = 32
"""How often a feature may fail in one turn before what is left is not looked at more closely."""

_T = TypeVar("_T")
_R = TypeVar("_R")


class Failed(NamedTuple):
    """In place of a result that there is none of."""


def isolated(
    uow: UnitOfWork,
    work: Callable[[Sequence[_T]], Sequence[_R]],
    some: Sequence[_T],
    doing: str,
    receiver: Callable[[_T], object],
) -> list[_R | Failed]:
    """What `work` returns for each of `some`, in order, whatever it fails on.

    Where it fails, the log says what it was `doing`, and for which `receiver`.
    """
    results: dict[int, _R | Failed] = {}
    left, fails = [(0, list(some))] if some else [], 0
    while left:
        first, part = left.pop()
        try:
            with uow.conn.begin_nested():
                results |= zip(range(first, first + len(part)), work(part), strict=True)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # a boundary: whatever a feature does wrong, the others are served
            fails += 1
            half = len(part) // 2
            if half and fails < MOST_FAILS:
                left += [(first + half, part[half:]), (first, part[:half])]
                continue
            said = {"receiver": receiver(part[0]), "items": len(part)}
            logger.exception("%s failed in the hub itself", doing, extra=said)
            results |= dict.fromkeys(range(first, first + len(part)), Failed())
    return [results[place] for place in range(len(some))]
