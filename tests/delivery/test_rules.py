"""When to try again, when to leave alone, when to give up."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tocsin.delivery import rules
from tocsin.delivery.rules import Health

NOW = 1_795_348_800
FINAL = frozenset({410})


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    assert (rules.ATTEMPTS, sum(rules.SCHEDULE)) == (10, round(75.5847222 * 3600))


@pytest.mark.parametrize(
    ("status", "attempt", "verdict"),
    [
        (200, 1, "delivered"),
        (204, 10, "delivered"),
        (299, 11, "delivered"),
        (199, 1, "retry"),
        (300, 1, "retry"),
        (302, 9, "retry"),
        (410, 1, "dead"),
        (404, 1, "retry"),
        (500, 9, "retry"),
        (500, 10, "dead"),
        (500, 11, "dead"),
        (None, 1, "retry"),
        (None, 10, "dead"),
    ],
)
def test_only_a_2xx_is_success(status: int | None, attempt: int, verdict: str) -> None:
    assert rules.judge(status, attempt, FINAL) == verdict


@pytest.mark.parametrize(
    ("attempt", "asked", "draw", "wait"),
    [
        (1, None, 0.5, 5),
        (2, None, 0.0, 240),
        (2, None, 0.5, 300),
        (9, None, 0.0, 69_120),
        (1, 0, 0.0, 5),
        (1, 7, 0.0, 7),
        (1, 100, 0.9, 10),
        (2, 1, 0.99, 359),
        (2, 10**9, 0.0, 600),
    ],
)
def test_the_wait(attempt: int, asked: int | None, draw: float, wait: int) -> None:
    assert rules.next_attempt_at(attempt, NOW, asked, draw) == NOW + wait


def http_date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 0 ", 0),
        ("-1", None),
        ("1.5", None),
        ("١٢", None),
        ("9" * 40, rules.LONGEST_WAIT),
        ("9999999999", rules.LONGEST_WAIT),
        ("0000000000120", 120),
        (http_date(90), 90),
        (http_date(-90), 0),
        ("Fri, 31 Dec 2026 23:59:59", None),
        ("Fri, 99 Foo 2026", None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("soon", None),
    ],
)
def test_what_a_retry_after_asks_for(text: str | None, seconds: int | None) -> None:
    assert rules.retry_after(text, NOW) == seconds


def test_a_success_forgets_the_failures() -> None:
    health = rules.failed(rules.failed(Health(), NOW, 4), NOW + 5, 4)
    assert health == Health(2, NOW, NOW + 5, None, None, 1)
    assert rules.succeeded(health, NOW + 9, 101) == Health(0, None, NOW + 5, NOW + 9, None, 26)


def test_the_breaker_opens_after_five_and_stays_open_for_longer_each_time() -> None:
    health, rests = Health(), []
    for _ in range(14):
        health = rules.failed(health, NOW, 1)
        rests.append(None if health.breaker_until is None else health.breaker_until - NOW)
    assert rests == [None] * 4 + [10, 20, 40, 80, 160, 300, 300, 300, 300, 300]


@pytest.mark.parametrize(("asked", "rest"), [(0, None), (60, 60), (86_400, 300)])
def test_whoever_asks_to_be_left_alone_is(asked: int, rest: int | None) -> None:
    until = rules.failed(Health(), NOW, 1, asked).breaker_until
    assert until == (None if rest is None else NOW + rest)


def test_what_the_breaker_lets_through() -> None:
    assert rules.breaker(0, None, NOW) == "closed"
    assert rules.breaker(4, None, NOW) == "closed"
    assert rules.breaker(5, NOW + 1, NOW) == "open"
    assert rules.breaker(1, NOW + 1, NOW) == "open"
    assert rules.breaker(5, NOW, NOW) == "half-open"
    assert rules.breaker(5, None, NOW) == "half-open"


def test_five_days_of_nothing_but_failure() -> None:
    first = rules.failed(Health(), NOW, 1)
    assert not rules.exhausted(Health())
    assert not rules.exhausted(first)
    assert not rules.exhausted(rules.failed(first, NOW + rules.EXHAUSTED_AFTER - 1, 1))
    assert rules.exhausted(rules.failed(first, NOW + rules.EXHAUSTED_AFTER, 1))
    mended = rules.succeeded(first, NOW + 60, 1)
    assert not rules.exhausted(rules.failed(mended, NOW + rules.EXHAUSTED_AFTER, 1))


@pytest.mark.parametrize(
    ("latency", "items", "several"), [(0, 16, 1), (124, 16, 1), (125, 16, 4), (5000, 1, 1), (5000, 3, 3)]
)
def test_several_at_a_time_only_where_one_would_take_long(latency: int, items: int, several: int) -> None:
    assert rules.side_by_side(latency, items) == several
