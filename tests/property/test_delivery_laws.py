"""Laws of trying again and of the breaker, whatever happens in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin.delivery import rules
from tocsin.delivery.rules import Health

instants = st.integers(1_700_000_000, 1_900_000_000)
draws = st.floats(0, 1, exclude_max=True)
asked = st.one_of(st.none(), st.integers(0, 10**8))
happenings = st.lists(
    st.tuples(st.booleans(), st.integers(0, 200_000), st.integers(0, 30_000), asked), max_size=40
)


@given(st.integers(1, rules.ATTEMPTS - 1), instants, asked, draws)
def test_a_wait_is_its_own_a_fifth_sooner_or_later_and_at_most_twice(
    attempt: int, at: int, wish: int | None, draw: float
) -> None:
    base = rules.SCHEDULE[attempt]
    wait = rules.next_attempt_at(attempt, at, wish, draw) - at
    assert round(0.8 * base) <= wait <= (round(1.2 * base) if wish is None else 2 * base)
    if wish is not None:
        assert wait >= base


@given(instants, asked, st.lists(draws, min_size=9, max_size=9))
def test_ten_attempts_and_never_more_than_twice_the_schedule(
    at: int, wish: int | None, drawn: list[float]
) -> None:
    now, attempt = at, 1
    while rules.judge(500, attempt, frozenset()) == "retry":
        now = rules.next_attempt_at(attempt, now, wish, drawn[attempt - 1])
        attempt += 1
    assert attempt == rules.ATTEMPTS
    assert 0.79 * sum(rules.SCHEDULE) <= now - at <= 2 * sum(rules.SCHEDULE)


@given(happenings)
def test_the_breaker(happened: list[tuple[bool, int, int, int | None]]) -> None:
    """It rests for five minutes at most; a success closes it; nothing but failures in a row opens it, or a wish."""
    health, now, row = Health(), 1_700_000_000, 0
    for accepted, passed, latency, wish in happened:
        now += passed
        health = (
            rules.succeeded(health, now, latency) if accepted else rules.failed(health, now, latency, wish)
        )
        row = 0 if accepted else row + 1
        state = rules.breaker(health.failures, health.breaker_until, now)
        assert health.failures == row
        assert (health.failing_since is None) == (row == 0)
        assert health.breaker_until is None or health.breaker_until - now <= rules.LONGEST_BREAK
        assert state == "closed" if accepted else state != "half-open"
        assert row < rules.BREAKS_AFTER or state == "open"
        later = now + rules.LONGEST_BREAK
        assert rules.breaker(health.failures, health.breaker_until, later) != "open"
        if rules.exhausted(health):
            assert row >= 2
            assert health.failing_since is not None
            assert now - health.failing_since >= rules.EXHAUSTED_AFTER
        assert 0 <= health.latency_ms <= 30_000


@given(st.text(max_size=70), instants)
def test_no_answer_breaks_the_courier(text: str, now: int) -> None:
    wish = rules.retry_after(text, now)
    assert wish is None or wish >= 0
