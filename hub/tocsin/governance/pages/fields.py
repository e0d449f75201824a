"""The fields of the board's forms: their kinds, what fits each, and what is said of what does not.

What somebody typed comes back in a form once it fits its field: a choice of the list, a day, an origin, a digest, a
thumbprint. Of lines, those come back that fit.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from tocsin.accounts.rules import HANDLE
from tocsin.errors import Refused
from tocsin_schemas.decisions import COMMUNITY_PATTERN
from tocsin_schemas.ledger import instant
from tocsin_schemas.signals import ISSUER_PATTERN
from tocsin_schemas.vocabulary import SCOPE_WORDS

Kind = Literal["choice", "date", "instant", "digest", "origin", "slug", "lines", "check", "handle", "key"]
MAX_LINES: Final = 8
"""As many keys as a decision names (`tocsin_schemas.decisions.EnrolKeys`)."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ORIGIN: Final = re.compile(ISSUER_PATTERN)
_SLUG: Final = re.compile(COMMUNITY_PATTERN)
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_TICKED: Final = "on"


class Option(NamedTuple):
    """A choice: what is sent, what is shown, and the heading it stands under."""

    value: str
    label: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a form."""

    name: str
    kind: Kind
    label: str
    hint: str = ""
    options: tuple[Option, ...] = ()
    required: bool = True
    value: str = ""


EXPECTED: Final[Mapping[Kind, str]] = {
    "choice": "choose one of the list",
    "date": "give a date",
    "instant": "give a date and a time",
    "digest": "give a SHA-256: 64 characters, 0 to 9 and a to f",
    "origin": "give an https origin in lower case, without a path, as in https://hub.example.com",
    "slug": "give a name of a to z, 0 to 9 and -, which begins with a letter or digit; 63 characters at most",
    "lines": f"give one to {MAX_LINES} thumbprints, one a line, each of 43 letters, digits, - and _",
    "check": "tick it, or leave it",
    "handle": "give a handle: 2 to 32 of a to z, 0 to 9 and -, beginning with a letter",
    "key": "choose from the list",
}
"""What fits a field of each kind, in words."""
RESERVED: Final = f"no community can be called {' or '.join(sorted(SCOPE_WORDS))}"


def day(text: str, field: str) -> int:
    """A day as the instant it begins in UTC (Unix seconds).

    Raises:
        Refused: `claim-invalid`.
    """
    return _instant(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else "", field, EXPECTED["date"])


def moment(text: str, field: str) -> int:
    """A day and a time in UTC, to the minute or the second, in Unix seconds.

    Raises:
        Refused: `claim-invalid`.
    """
    found = _INSTANT.fullmatch(text)
    whole = "" if found is None else f"{text}Z" if found[1] else f"{text}:00Z"
    return _instant(whole, field, EXPECTED["instant"])


def fits(kind: Kind, text: str, options: Iterable[Option] = ()) -> bool:
    """Whether a field of that kind can hold `text`; an empty one holds nothing."""
    if kind == "choice":
        return any(option.value == text for option in options)
    return _FITS[kind](text)


def misfits(entries: Iterable[Entry], sent: Mapping[str, str]) -> dict[str, Refused]:
    """Of the fields of a form those that were left out, or that do not fit, each with what is expected."""
    found = {}
    for entry in entries:
        text = sent.get(entry.name, "")
        if not text.strip() and entry.kind != "check":
            if entry.required:
                found[entry.name] = Refused("claim-missing", entry.name, EXPECTED[entry.kind])
        elif entry.name in sent and not fits(entry.kind, _typed(entry, text), entry.options):
            code = "request-invalid" if entry.kind in {"choice", "check", "key"} else "claim-invalid"
            reason = RESERVED if entry.kind == "slug" and text in SCOPE_WORDS else EXPECTED[entry.kind]
            found[entry.name] = Refused(code, entry.name, reason)
    return found


def kept(entry: Entry, sent: Mapping[str, str]) -> Entry:
    """A field with what was sent for it, as far as that fits."""
    text = sent.get(entry.name, "")
    if entry.kind == "lines":
        good = [line for line in text.split() if _THUMBPRINT.fullmatch(line)]
        return replace(entry, value="\n".join(good[:MAX_LINES]))
    return replace(entry, value=text if fits(entry.kind, text, entry.options) else "")


def _typed(entry: Entry, text: str) -> str:
    return text.strip() if entry.kind == "handle" else text


def _instant(text: str, field: str, expected: str) -> int:
    try:
        return instant(text)
    except ValueError:
        raise Refused("claim-invalid", field, expected) from None


def _is(read: Callable[[str, str], int]) -> Callable[[str], bool]:
    def tried(text: str) -> bool:
        try:
            read(text, "")
        except Refused:
            return False
        return True

    return tried


def _lines(text: str) -> bool:
    lines = text.split()
    return 0 < len(lines) <= MAX_LINES and all(_THUMBPRINT.fullmatch(line) for line in lines)


_FITS: Final[Mapping[Kind, Callable[[str], bool]]] = {
    "date": _is(day),
    "instant": _is(moment),
    "digest": lambda text: _DIGEST.fullmatch(text) is not None,
    "origin": lambda text: _ORIGIN.fullmatch(text) is not None,
    "slug": lambda text: _SLUG.fullmatch(text) is not None and text not in SCOPE_WORDS,
    "lines": _lines,
    "check": _TICKED.__eq__,
    "handle": lambda text: HANDLE.fullmatch(text) is not None,
    "key": _TICKED.__eq__,
}
