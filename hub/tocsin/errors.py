"""What the hub refuses, in domain words.

    Refused         a caller asked for something it cannot have; the registry in tocsin_schemas.problems says the rest
    Misconfigured   the operator must change something before the hub can work

Neither message ever repeats a value.
"""

from tocsin_schemas.problems import Refused

__all__ = ["Misconfigured", "Refused"]


class Misconfigured(Exception):
    """The hub cannot work as it is set up: what is wrong, and in `advice` what the operator can do next."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
