"""What tests of admission say about: a signal, what the hub knows, and the decision."""

from typing import Any

from tests.signals.material import (
    RETRACTION,
    md5,
    report,
)
from tocsin.signals import rules
from tocsin.signals.rules import Known, admit
from tocsin_schemas import signals
from tocsin_schemas.fold import Statement
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Event, Signal

NOW = 1_795_305_600
POLICY = Policy()
DIGEST = b"\xdd" * 32
OPEN = Known("cg_own", may_write=True)
TOKEN = Indicator("email", b"\x01" + bytes(4) + b"\x07" * 32)
LONG = NOW + 9 * 365 * DAY


def signal(event: Event, about: Any = None, **claims: Any) -> Signal:
    """A signal of pixel's, issued now."""
    stated = {
        "iss": "https://pixel.example",
        "aud": "https://hub.example/communities/child-safety",
        "iat": NOW,
        "jti": b"\x02" * 16,
        **claims,
    }
    return signals.parse(signals.compose(event, [md5(1)] if about is None else about, **stated))


def statement(n: int, **changes: Any) -> Statement:
    """A live report by a control group of its own."""
    stated: dict[str, Any] = {
        "id": bytes([n]) * 32,
        "kind": "report",
        "author": f"https://m{n}.example",
        "group": f"cg_{n}",
        "iat": NOW - 60,
        "expires_at": NOW + DAY,
        "basis": "human_reviewed",
    }
    return Statement(**{**stated, **changes})


def own_report(n: int, **changes: Any) -> Statement:
    """A live report of pixel's own."""
    return statement(100 + n, author="https://pixel.example", group="cg_own", **changes)


def decide(said: Signal, known: Known = OPEN, policy: Policy = POLICY, now: int = NOW) -> rules.Decision:
    return admit(said, DIGEST, policy, known, now)


def code(decision: rules.Decision) -> str:
    """The code of a refusal; the name of any other decision."""
    return decision.code if isinstance(decision, Refused) else type(decision).__name__


REPORT = report(NOW + DAY)
RETRACT: dict[str, Any] = {"event": RETRACTION, "about": b"\x09" * 32}
REPORTED = OPEN._replace(statements=(statement(1),))
