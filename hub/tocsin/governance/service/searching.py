"""Searching the chain's records by kind, by whom or what they are about, and by day: the newest first.

Records are few beside entries of the log, and each is read whole: `LOOKED_AT` of them at most, and whoever asks goes on
below. Their times never go back, so that the records of a day are found by halving.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.history import Change, change_of, published_as
from tocsin.governance.store import records as store
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.governance import PublishedRecord
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import DECISION_TYPES

KINDS: Final = ("genesis", *DECISION_TYPES, "member", "clock", "hub")
"""What a record may be searched by: the kind of its body, of a decision what is decided."""
LOOKED_AT: Final = 2_000
_READ_AT_ONCE: Final = 200


class Wanted(NamedTuple):
    """What a record must be; None stands for anything. `day` counts from 1970-01-01, UTC.

    `subject` is a member's issuer or a community: what was decided about it, what it did, what the calendar said of it,
    and what it was given a part in.
    """

    kind: str | None = None
    subject: str | None = None
    day: int | None = None


class Matches(NamedTuple):
    """Records that were found, the newest first, of those from `first` on and below `end` that were looked at.

    To go on, ask below `older`; None when there is nothing more to look at.
    """

    found: Sequence[Change]
    first: int
    end: int
    older: int | None


def search(chamber: Chamber, wanted: Wanted, count: int, before: int | None = None) -> Matches:
    """The newest `count` records that are what is wanted, below number `before` if that is given.

    There are none in a hub without a board.
    """
    with chamber.database.snapshot() as uow:
        first, end = _reach(chamber, uow, wanted, before)
        low = max(first, end - LOOKED_AT)
        found: list[store.Kept] = []
        for row in _matching(uow, wanted, low, end):
            if len(found) == count:
                older = found[-1].seq
                return Matches([change_of(one) for one in found], older, end, older)
            found.append(row)
    return Matches([change_of(one) for one in found], low, end, low if low > first else None)


def every(chamber: Chamber, wanted: Wanted) -> Iterator[PublishedRecord]:
    """All of them as they are published, the newest first."""
    with chamber.database.snapshot() as uow:
        first, end = _reach(chamber, uow, wanted, None)
        found = list(_matching(uow, wanted, first, end))
    yield from map(published_as, found)


def _reach(chamber: Chamber, uow: UnitOfWork, wanted: Wanted, before: int | None) -> tuple[int, int]:
    """The numbers between which such records can be: the first, and the end."""
    size = store.count(uow) if chamber.chain.founded(uow) else 0
    end = size if before is None else min(before, size)
    if wanted.day is None:
        return 0, end

    def at(seq: int) -> int:
        (row,) = store.below(uow, seq, seq + 1, 1)
        return int(_said(row)["at"])

    low, high = (bisect_left(range(size), day * DAY, key=at) for day in (wanted.day, wanted.day + 1))
    return min(low, end), min(high, end)


def _matching(uow: UnitOfWork, wanted: Wanted, first: int, end: int) -> Iterator[store.Kept]:
    while end > first:
        rows = store.below(uow, first, end, _READ_AT_ONCE)
        for row in rows:
            record = _said(row)
            if _is_of(record, wanted.kind) and _is_about(record, wanted.subject):
                yield row
        end = rows[-1].seq


def _said(row: store.Kept) -> dict[str, Any]:
    """What a record says. It was checked when it was replayed, so that it is enough to look into it here.

    Raises:
        Refused: `record-malformed` for a row that another hand has just changed.
    """
    try:
        said: dict[str, Any] = json.loads(row.raw)
    except ValueError:
        raise Refused("record-malformed", "record", "not a record of the chain") from None
    return said


def _is_of(record: Mapping[str, Any], kind: str | None) -> bool:
    return kind is None or kind == (
        record["body"]["decision"]["type"] if record["kind"] == "decision" else record["kind"]
    )


def _is_about(record: Mapping[str, Any], subject: str | None) -> bool:
    if subject is None:
        return True
    body = record["body"]
    match record["kind"]:
        case "decision":
            params = body["decision"]["params"]
            given = [grant["community"] for grant in params.get("communities", ())]
            return subject in (body["decision"]["subject"], params.get("community"), *given)
        case "member":
            return bool(subject == json.loads(payload_of(body["jws"].encode()))["iss"])
        case "clock":
            return bool(subject == body["issuer"])
    return False
