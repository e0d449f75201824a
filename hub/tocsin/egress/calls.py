"""Calls to addresses of members that wait for an answer: so few in one process that its threads are left to others."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from tocsin.errors import Refused

MOST_CALLS: Final = 8
MOST_OF_ONE: Final = 2
"""Of one member, so that slow hosts of its own take the places of others neither."""
RETRY_SECONDS: Final = 5
"""When to come back."""


class Calls:
    """Who is being called right now."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_member: Counter[int] = Counter()

    @contextmanager
    def one(self, org_id: int) -> Iterator[None]:
        """Call an address of a member's, for as long as the block.

        Raises:
            Refused: `rate-limited` when calls of this member are under way, `unavailable` when too many are.
        """
        with self._lock:
            if self._by_member[org_id] >= MOST_OF_ONE:
                raise Refused(
                    "rate-limited", "", "your endpoints are being called already", retry_after=RETRY_SECONDS
                )
            if self._by_member.total() >= MOST_CALLS:
                raise Refused(
                    "unavailable", "", "too many endpoints are being called now", retry_after=RETRY_SECONDS
                )
            self._by_member[org_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._by_member[org_id] -= 1
                if not self._by_member[org_id]:
                    del self._by_member[org_id]
