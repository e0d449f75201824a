"""The process that signs: what it returns is what the calls return, and whoever depends on it never waits for it."""

import asyncio
import gc
import logging
import os
import signal
import time
import warnings
from collections.abc import Awaitable, Callable
from io import BytesIO
from operator import floordiv, mul

import pytest

from tocsin import signing
from tocsin.signing import Call, Signing
from tocsin_schemas.webhooks import Signer

PATIENCE = 30


def run(work: Callable[[Signing], Awaitable[None]]) -> None:
    async def whole() -> None:
        made = Signing()
        try:
            await work(made)
        finally:
            made.stop()

    asyncio.run(whole())


async def ready(made: Signing) -> int:
    """Wait until the process answers; its number."""
    ends = time.monotonic() + PATIENCE
    while (found := await made.all([(os.getpid, ())])) is None:
        assert time.monotonic() < ends, "it does not start"
        await asyncio.sleep(0.02)
    return int(found[0])


def test_signatures_made_there_are_the_same(caplog: pytest.LogCaptureFixture) -> None:
    signers = [Signer([bytes([n]) * 32], [bytes([n]) * 32]) for n in range(3)]
    calls: list[Call] = [
        (Signer.headers, (signers[n % 3], f"msg_{n}", 1_795_000_000, b"{}" * n)) for n in range(100)
    ]

    async def work(made: Signing) -> None:
        assert await made.all(calls) is None, "nobody waits until it has started"
        assert await ready(made) != os.getpid()
        several = await asyncio.gather(*(made.all(calls[n:]) for n in range(80, 100)))
        assert several == [[function(*given) for function, given in calls[n:]] for n in range(80, 100)]

    with caplog.at_level(logging.WARNING):
        run(work)
    assert caplog.records == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_one_that_dies_or_hangs_is_not_waited_for(
    how: signal.Signals, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(signing, "RESTART_SECONDS", 0)
    monkeypatch.setattr(signing, "PATIENCE_SECONDS", PATIENCE)

    async def work(made: Signing) -> None:
        first = await ready(made)
        large: list[Call] = [(len, (bytes(1_000_000),))]
        assert await made.all(large) == [1_000_000]
        monkeypatch.setattr(signing, "PATIENCE_SECONDS", 0.5)
        os.kill(first, how)
        begun = time.monotonic()
        assert await asyncio.gather(*(made.all(large) for _ in range(5))) == [None] * 5
        assert time.monotonic() - begun < PATIENCE / 2
        assert await ready(made) != first, "another one takes its place"
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)

    with caplog.at_level(logging.WARNING, logger="tocsin"):
        run(work)
    assert ("hangs" if how == signal.SIGSTOP else "died") in caplog.text


def test_a_call_that_fails_ends_it_and_no_other_is_started_at_once() -> None:
    async def work(made: Signing) -> None:
        await ready(made)
        assert await made.all([(floordiv, (1, 0))]) is None
        assert await made.all([(mul, (2, 3))]) is None

    run(work)


def test_one_that_is_being_started_when_the_loop_ends_is_ended_too() -> None:
    async def work(made: Signing) -> None:
        assert await made.all([(mul, (2, 3))]) is None
        await asyncio.sleep(0)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run(work)
        gc.collect()
    left = [str(each.message) for each in warned]
    assert not [each for each in left if "subprocess" in each or "socket" in each]


def test_it_serves_until_nobody_asks() -> None:
    asked: list[list[Call]] = [[], [(mul, (2, 3)), (len, ("four",))]]
    written = BytesIO()
    signing.serve(BytesIO(b"".join(map(signing._framed, asked))), written)
    assert written.getvalue() == signing._framed([]) + signing._framed([6, 4])
