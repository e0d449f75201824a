"""The forms that search the board's records and the log's entries: what can be chosen, what was, and what does not fit.

What was typed comes back only once it fits: a day, an https origin, the name of a community that there is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request

from tocsin.errors import Refused
from tocsin.governance.pages import words
from tocsin.governance.service import searching
from tocsin.ledger.service.searching import Wanted as WantedEntries
from tocsin.members.service import Members
from tocsin_schemas.signals import ISSUER_PATTERN
from tocsin_schemas.vocabulary import ENTRY_KINDS, SCOPE_WORDS

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_ISSUER: Final = re.compile(ISSUER_PATTERN)
MAX_ISSUER: Final = 300
_CHOOSE: Final = "Choose one of the list"
_WHY: Final[Mapping[str, str]] = {
    "kind": _CHOOSE,
    "community": _CHOOSE,
    "subject": "An https origin in lower case, or the name of a community of this hub",
    "day": "A day that there is, as in 2026-01-31",
}
RECORDS: Final[Mapping[str, str]] = {
    "genesis": "The founding",
    **{word: f"Decision: {titled.title}" for word, titled in words.DECISIONS.items()},
    "member": "A member's own act",
    "clock": "The calendar's",
    "hub": "A key of the hub",
}
"""The kinds of records in words."""
words.demand_words(RECORDS, searching.KINDS)
_Wanted = TypeVar("_Wanted", searching.Wanted, WantedEntries)


@dataclass(frozen=True, slots=True)
class Read(Generic[_Wanted]):
    """A form that was read: what can be chosen for a field, what fits, why the rest does not, and what it looks for."""

    choices: Mapping[str, Mapping[str, str]]
    given: Mapping[str, str]
    wrongs: Mapping[str, str]
    wanted: _Wanted

    @property
    def active(self) -> bool:
        """Whether anything is looked for."""
        return bool(self.given)

    def query(self, before: int | None = None) -> str:
        """The same search as the end of an address, below a number if that is given."""
        fields = {**self.given, **({} if before is None else {"before": str(before)})}
        return f"?{urlencode(fields)}" if fields else ""

    def demand(self) -> None:
        """See that all of it fits.

        Raises:
            Refused: `request-invalid`.
        """
        for name, why in self.wrongs.items():
            raise Refused("request-invalid", name, why)


def read_records(request: Request) -> Read[searching.Wanted]:
    """The search of records that a request asks for."""
    given, wrongs = _read(request, {"kind": RECORDS}, ("subject",))
    subject = given.get("subject")
    wanted = searching.Wanted(given.get("kind"), subject, _day(given))
    return Read({"kind": RECORDS}, given, wrongs, wanted)


def read_entries(request: Request, *, blank: bool = False) -> Read[WantedEntries]:
    """The search of entries that a request asks for, or the `blank` form."""
    choices = {
        "kind": {kind: kind for kind in ENTRY_KINDS},
        "community": {
            **{slug: slug for slug in _communities(request)},
            **{word: f"{word} (no community: entries of the board)" for word in sorted(SCOPE_WORDS)},
        },
    }
    given, wrongs = ({}, {}) if blank else _read(request, choices, ())
    wanted = WantedEntries(given.get("kind"), given.get("community"), _day(given))
    return Read(choices, given, wrongs, wanted)


def _read(
    request: Request, choices: Mapping[str, Mapping[str, str]], typed: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, str]]:
    given: dict[str, str] = {}
    wrongs: dict[str, str] = {}
    for name in (*choices, *typed, "day"):
        value = request.query_params.get(name, "").strip()
        if name == "subject":
            value = value.removesuffix("/")
        if not value:
            continue
        if name in choices:
            fits = value in choices[name]
        elif name == "day":
            fits = _is_day(value)
        else:
            fits = value in _communities(request) or _is_issuer(value)
        if fits:
            given[name] = value
        else:
            wrongs[name] = _WHY[name]
    return given, wrongs


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_issuer(text: str) -> bool:
    return len(text) <= MAX_ISSUER and _ISSUER.fullmatch(text) is not None


def _day(given: Mapping[str, str]) -> int | None:
    """Days since 1970-01-01."""
    return date.fromisoformat(given["day"]).toordinal() - _EPOCH if "day" in given else None


def _communities(request: Request) -> list[str]:
    members: Members = request.app.state.members
    return sorted(community.slug for community in members.list_communities())
