"""Entries of the board that are dated later than an entry behind them, found as the log is read once."""

import pytest

from tocsin_schemas.log_times import SKEW, DatedAhead
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import load_object

NOW = 1_700_000_000


def read(*entries: tuple[bool, int]) -> dict[int, int]:
    """What is found in a log of entries: whether each is the board's, and its time from NOW on."""
    ahead = DatedAhead()
    for seq, (boards, at) in enumerate(entries):
        if boards:
            ahead.board(seq, NOW + at)
        else:
            ahead.later(NOW + at)
    return {seq: at - NOW for seq, at in ahead.found.items()}


def test_a_log_in_the_order_of_its_times_shows_nothing() -> None:
    assert read((False, 0), (True, 1), (False, 1), (True, 5), (False, 100)) == {}


def test_clocks_may_differ_by_a_minute() -> None:
    assert read((True, SKEW), (False, 0), (True, 0)) == {}
    assert read((True, SKEW + 1), (False, 0)) == {0: 0}


def test_each_is_named_once_with_the_first_entry_that_shows_it() -> None:
    entries = ((True, 0), (True, 5000), (False, 4000), (True, 9000), (False, 100), (False, 50), (True, 110))
    assert read(*entries) == {1: 4000, 3: 100}


def test_entries_of_the_board_show_each_other() -> None:
    assert read((True, 500), (True, 0), (False, 0)) == {0: 0}


def test_only_what_is_dated_before_the_floor_can_show_anything() -> None:
    ahead = DatedAhead()
    assert ahead.floor is None
    ahead.board(0, NOW)
    ahead.board(1, NOW + 1000)
    assert ahead.floor == NOW + 1000 - SKEW
    ahead.later(NOW)
    assert ahead.floor == NOW - SKEW
    ahead.later(NOW - SKEW - 1)
    assert ahead.floor is None


@pytest.mark.parametrize("depth", [200, 300, 400])
def test_json_that_is_deeper_than_it_would_be_written_is_read(depth: int) -> None:
    assert load_object(b'{"x":' + b"[" * depth + b"]" * depth + b"}", "payload").keys() == {"x"}


def test_json_that_is_deeper_than_it_can_be_read_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        load_object(b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}", "payload")
    assert caught.value.code == "json-invalid"
