"""The watch over a member that came back from a suspension (trust.md §1): everybody is told, for as long as it lasts.

It takes no right away. What it is for is that those who read the member, sponsor beside it or vote on it look twice.
"""

from typing import Final

from tocsin_schemas.board import MemberStanding
from tocsin_schemas.membership import State

_BACK: Final[frozenset[State]] = frozenset({"provisional", "active", "restricted"})


def watched_until(member: MemberStanding, at: int) -> int | None:
    """Until when a member is watched (Unix seconds); None when it is not, at `at`."""
    until = member.watch_until
    return until if until is not None and at < until and member.state in _BACK else None
