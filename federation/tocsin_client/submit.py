"""Compose, sign and submit signals.

Rules: what the hub would refuse by its schema is refused here before it is signed; a batch that broke off is sent again
with the very same tokens, so the hub answers with the same receipts; results come back in the order of the tokens, one
for each, and a bad line costs only itself.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tocsin_client.clock import Clock, system_clock
from tocsin_client.http import BrokeOff, Call, HubError, Transport
from tocsin_schemas import envelope, signals
from tocsin_schemas.feed import DryRun, Receipt
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import REGISTRY, Refused
from tocsin_schemas.signals import Event

SIGNALS_PATH: Final = "/v1/signals"
MAX_BATCH_LINES: Final = 10_000
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
BATCH_ATTEMPTS: Final = 4
"""How often a batch whose answer broke off is sent."""

Progress = Callable[[int], object]
"""Called with the number of items done since the last call."""
Wait = Literal["proof"]
"""What an answer may be made to wait for: that a checkpoint of the hub's log covers what was recorded."""


class Rejection(BaseModel):
    """The hub refused one line: an RFC 9457 problem with our members `code`, `field` and `help`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str
    status: int
    title: str = ""
    field: str = ""
    detail: str = ""
    help: str = ""
    instance: str = ""

    @property
    def next(self) -> str:
        """What the author can do about it."""
        return self.help or (REGISTRY[self.code].help if self.code in REGISTRY else "")


Result = Receipt | DryRun | Rejection


def new_jti() -> bytes:
    """16 bytes: the milliseconds of now (6 bytes), then 10 random ones, so that a hub's index grows at one end."""
    return (time.time_ns() // 1_000_000).to_bytes(6) + secrets.token_bytes(10)


class Author:
    """A member that signs: its issuer URL and one of its private keys. Times come from `clock`."""

    def __init__(self, issuer: str, key: SigningKey, *, clock: Clock = system_clock) -> None:
        self.issuer = issuer
        self.key = key
        self.clock = clock

    def sign(
        self,
        event: Event,
        subject: Sequence[Indicator] | bytes,
        *,
        audience: str,
        observed_at: int | None = None,
    ) -> bytes:
        """One signed signal, ready to submit.

        `subject` is one or more indicators of one thing, or for a retraction the 32-byte id of the statement;
        `audience` the community's URL; `observed_at` when the thing was met (Unix seconds; now, without it).

        Raises:
            Refused: when the signal does not fit the schema, with the field.
        """
        payload = signals.compose(
            event,
            subject,
            iss=self.issuer,
            aud=audience,
            iat=self.clock(),
            jti=new_jti(),
            toe=observed_at,
        )
        signals.parse(payload)
        return envelope.sign(payload, self.key)


def batches(
    tokens: Iterable[bytes], *, max_lines: int = MAX_BATCH_LINES, max_bytes: int = MAX_BATCH_BYTES
) -> Iterator[list[bytes]]:
    """Cut a stream of tokens into batches that the hub accepts.

    Raises:
        Refused: for a token that is not one line.
    """
    batch: list[bytes] = []
    size = 0
    for token in tokens:
        if not token or b"\n" in token:
            raise Refused("envelope-malformed", "", "a token is one line")
        if batch and (len(batch) == max_lines or size + len(token) + 1 > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(token)
        size += len(token) + 1
    if batch:
        yield batch


def submit(
    transport: Transport,
    authorize: Callable[[bool], str],
    tokens: Iterable[bytes],
    *,
    dry_run: bool = False,
    wait: Wait | None = None,
    max_lines: int = MAX_BATCH_LINES,
    on_progress: Progress | None = None,
) -> Iterator[Result]:
    """Submit tokens in batches of at most `max_lines`; yield one result each, in order.

    Tokens are taken as the batches need them, so they may be signed on the way. With `wait` "proof" each receipt has
    its proof, unless the hub's log was not published in time.

    Raises:
        HubError: when a whole batch is refused (its tokens were not processed: those after the last result).
        HubUnreachable: when there was no whole answer on any attempt; sending the same tokens again is safe.
    """
    for batch in batches(tokens, max_lines=max_lines):
        yield from _deliver(transport, authorize, batch, _params(dry_run, wait))
        if on_progress is not None:
            on_progress(len(batch))


def _params(dry_run: bool, wait: Wait | None) -> dict[str, str]:
    return ({"dry_run": "true"} if dry_run else {}) | ({} if wait is None else {"wait": wait})


def _deliver(
    transport: Transport, authorize: Callable[[bool], str], batch: list[bytes], params: dict[str, str]
) -> list[Result]:
    call = Call(
        "POST",
        SIGNALS_PATH,
        headers={"Content-Type": envelope.BATCH_MEDIA_TYPE, "Accept": "application/x-ndjson"},
        params=params,
        body=b"\n".join(batch) + b"\n",
        authorize=authorize,
    )
    broken = BrokeOff(
        "answer-cut-off",
        "fewer results than lines",
        help_text="Send the same lines again: nothing is counted twice.",
    )
    for _ in range(BATCH_ATTEMPTS):
        try:
            results = [read_result(line) for line in transport.lines(call)]
        except BrokeOff as error:
            broken = error
            continue
        if len(results) == len(batch):
            return results
        if len(results) > len(batch):
            raise HubError("answer-invalid", "more results than lines")
    raise broken


def read_result(line: bytes) -> Result:
    """One line of the hub's answer.

    Raises:
        HubError: `answer-invalid`.
    """
    try:
        found: Any = json.loads(line)
        if isinstance(found, dict) and "code" in found:
            return Rejection.model_validate(found)
        if isinstance(found, dict) and "dry_run" in found:
            return DryRun.model_validate(found)
        return Receipt.model_validate(found)
    except (ValueError, ValidationError):
        raise HubError("answer-invalid", "a result is neither a receipt nor a problem") from None
