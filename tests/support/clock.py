"""A clock that stands still until it is told to move."""

from tocsin_schemas.ledger import instant

START = instant("2026-11-22T12:00:00Z")


class MovableClock:
    """Unix seconds, as every use case is given them. `advance` may go back, too."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: int) -> int:
        self.now += seconds
        return self.now
