"""How often a member may name a target: each is looked up, and sent a verification, wherever it is.

Without it a member could have the hub call others at its own pace. Each process counts for itself.
"""

from collections import defaultdict, deque
from threading import Lock
from typing import Final

from tocsin.errors import Refused

MOST_TARGETS: Final = 10
WINDOW_SECONDS: Final = 60


class Pace:
    """When members have named targets, within the last minute."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._named: defaultdict[int, deque[int]] = defaultdict(deque)

    def take(self, org_id: int, now: int) -> None:
        """Count one target of a member's at `now` (Unix seconds).

        Raises:
            Refused: `rate-limited` when it has named as many in the last minute as it may.
        """
        with self._lock:
            named = self._named[org_id]
            while named and named[0] <= now - WINDOW_SECONDS:
                named.popleft()
            if len(named) >= MOST_TARGETS:
                wait = named[0] + WINDOW_SECONDS - now
                raise Refused(
                    "rate-limited", "delivery", f"{MOST_TARGETS} targets a minute at most", retry_after=wait
                )
            named.append(now)
