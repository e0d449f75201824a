"""Report files: one report a line, as CSV with a header or as NDJSON objects with the same names.

`COLUMNS` lists what a line may hold. Lists are separated by spaces in CSV and may be lists in NDJSON; an empty cell
falls back to the defaults. Every line is read on its own, so a bad one costs only itself: it becomes a `BadRow` with
line, column and code. No message repeats a value, nor an unknown column's name, which may be a value of a file without
a header.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, Literal

from pydantic import ValidationError

from tocsin_schemas import indicators, signals
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.ledger import instant
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Report

COLUMNS: Final[dict[str, str]] = {
    "indicators": "one or more hashes of one thing, type:value",
    "pdq_quality": "0-100, beside a pdq indicator",
    "basis": "how you came to your judgement",
    "labels": "one or more codes of a label pack, namespace@version:code",
    "tlp": "how far it may travel (TLP 2.0)",
    "valid_for": "how long it stands: 12h, 90d, 8w, 2y",
    "valid_until": "instead of valid_for: RFC 3339 in UTC",
    "observed_at": "when you met it: RFC 3339 in UTC",
    "detection_context": "media: where you met it",
    "ai_origin": "media: what is known of its making",
    "origin_evidence": "media: how that is known",
    "generator_family": "media: what kind of generator made it",
    "reviewers": "account: how many people reviewed it",
    "conduct": "account: what it did",
    "relevance": "account: child_safety, ncii or both",
    "action": "account: what you did to it",
    "attempts": "account: how often, as a bucket",
    "minor_suspected": "account: true when its owner may be a minor",
    "artefact_kind": "artefact: what kind of model file it is",
    "source_restriction": "the licensed list it comes from",
    "evidence": "salted digests of evidence you hold",
    "file": "for your own eyes: never sent",
    "note": "for your own eyes: never sent",
}
"""Column names and what they hold."""

PRIVATE: Final = frozenset({"file", "note"})
FALLBACKS: Final[Mapping[str, str]] = {
    "tlp": "amber",
    "valid_for": "180d",
    "ai_origin": "unknown",
    "origin_evidence": "none",
    "reviewers": "0",
}
"""What stands for a column that neither the line nor the caller fills."""

MAX_LINE_BYTES: Final = 64 * 1024
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([hdwy])")
_SECONDS: Final = {"h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_MEDIA: Final = ("ai_origin", "origin_evidence", "detection_context", "generator_family")
_ACCOUNT: Final = ("conduct", "relevance", "action", "attempts")
_COLUMN_OF: Final = {"kind": "artefact_kind"}

Format = Literal["csv", "ndjson"]
Fields = Mapping[str, str]
"""Column name to its text; lists are separated by spaces."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line's columns, not yet a report."""

    line: int
    fields: Fields


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no report: where, which column, and why; never the value."""

    line: int
    code: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A report ready to sign."""

    indicators: tuple[Indicator, ...]
    report: Report
    observed_at: int | None


def read_rows(file: IO[bytes], form: Format) -> Iterator[Row | BadRow]:
    """The lines of a report file, streamed.

    Raises:
        Refused: `request-invalid` when a CSV's header is not made of known columns.
    """
    lines = _lines(file)
    if form == "ndjson":
        for number, raw in lines:
            if isinstance(raw, BadRow):
                yield raw
            elif raw.strip():
                yield _ndjson_row(number, raw)
        return
    header: list[str] | None = None
    for number, raw in lines:
        if isinstance(raw, BadRow):
            yield raw
            continue
        if not raw.strip():
            continue
        text = raw.decode("utf-8-sig" if header is None else "utf-8", "replace")
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error:
            yield BadRow(number, "request-invalid", "", "not a line of CSV")
            continue
        if header is None:
            header = _header(cells)
        elif len(cells) != len(header):
            yield BadRow(
                number, "request-invalid", "", f"{len(cells)} cells, and the header has {len(header)}"
            )
        else:
            yield Row(number, {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()})


def draft(fields: Fields, now: int, defaults: Fields | None = None) -> Draft:
    """Make a report of columns; `defaults` fill what is missing, then `FALLBACKS`. `now` is Unix seconds.

    Raises:
        Refused: with the column as its field.
    """
    given = {name: text.strip() for name, text in fields.items() if text.strip() and name not in PRIVATE}
    offered = {name: text for name, text in (defaults or {}).items() if text}
    # The two ways to say how long are one choice: a line's own way outdoes the other's default.
    for source in (given, offered):
        if "valid_until" in source or "valid_for" in source:
            ends = {name: text for name, text in source.items() if name in {"valid_for", "valid_until"}}
            break
    else:
        ends = {"valid_for": FALLBACKS["valid_for"]}
    cells = {**FALLBACKS, **offered, **given}
    for name in ("valid_for", "valid_until"):
        cells.pop(name, None)
    found = _indicators(cells)
    return Draft(found, _report(cells, found, _valid_until(ends, now)), _moment(cells, "observed_at"))


def _indicators(cells: Fields) -> tuple[Indicator, ...]:
    texts = cells.get("indicators", "").split()
    if not texts:
        raise Refused("claim-missing", "indicators", "required")
    if len(texts) > signals.MAX_ALIASES:
        raise Refused("claim-invalid", "indicators", f"at most {signals.MAX_ALIASES} hashes of one thing")
    return tuple(indicators.parse(text, "indicators") for text in texts)


def _report(cells: Fields, found: tuple[Indicator, ...], valid_until: int) -> Report:
    family = found[0].family
    body: dict[str, Any] = {
        "basis": cells.get("basis"),
        "labels": cells.get("labels", "").split() or None,
        "tlp": cells["tlp"],
        "valid_until": valid_until,
    }
    body |= {name: cells[name] for name in ("source_restriction",) if name in cells}
    if "evidence" in cells:
        body["evidence"] = cells["evidence"].split()
    if family == "media":
        body["media"] = {name: cells[name] for name in _MEDIA if name in cells}
        if "pdq_quality" in cells:
            body["media"]["pdq_quality"] = _number(cells, "pdq_quality")
    elif family == "account":
        body["account"] = {name: cells[name] for name in _ACCOUNT if name in cells}
        body["account"]["reviewers"] = _number(cells, "reviewers")
        if "minor_suspected" in cells:
            body["account"]["minor_suspected"] = _truth(cells, "minor_suspected")
    elif "artefact_kind" in cells:
        body["artefact"] = {"kind": cells["artefact_kind"]}
    try:
        return Report.model_validate({name: value for name, value in body.items() if value is not None})
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> Refused:
    """The first thing that does not fit, by its column."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    names = [part for part in first["loc"] if isinstance(part, str)]
    column = _COLUMN_OF.get(names[-1], names[-1])
    if first["type"] == "missing":
        return Refused("claim-missing", column, "required")
    return Refused("claim-invalid", column, f"not acceptable here ({first['type']})")


def _valid_until(ends: Fields, now: int) -> int:
    if len(ends) == 2:
        raise Refused("claim-invalid", "valid_for", "give valid_for or valid_until, not both")
    moment = _moment(ends, "valid_until")
    if moment is not None:
        return moment
    match = _DURATION.fullmatch(ends["valid_for"])
    if match is None:
        raise Refused("claim-invalid", "valid_for", "a number with h, d, w or y: 12h, 90d, 8w, 2y")
    return now + int(match[1]) * _SECONDS[match[2]]


def _moment(cells: Fields, name: str) -> int | None:
    if name not in cells:
        return None
    try:
        return instant(cells[name])
    except ValueError:
        raise Refused(
            "claim-invalid", name, "RFC 3339 in UTC with whole seconds: 2026-11-22T12:00:00Z"
        ) from None


def _number(cells: Fields, name: str) -> int:
    text = cells[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise Refused("claim-invalid", name, "a whole number")
    return int(text)


def _truth(cells: Fields, name: str) -> bool:
    if cells[name] not in {"true", "false"}:
        raise Refused("claim-invalid", name, "true or false")
    return cells[name] == "true"


def _header(cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    for place, name in enumerate(header, start=1):
        if name not in COLUMNS:
            raise Refused("request-invalid", f"column {place}", "the header names a column that is not known")
    if len(set(header)) != len(header):
        raise Refused("request-invalid", "header", "the header names a column twice")
    return header


def _ndjson_row(number: int, raw: bytes) -> Row | BadRow:
    try:
        found = signals.load_object(raw.strip(), "")
        if found.keys() - COLUMNS.keys():
            raise Refused("claim-unknown", "", "a member is not a known column")
        return Row(number, {name: _text(name, value) for name, value in found.items() if value is not None})
    except Refused as refused:
        return BadRow(number, refused.code, refused.field, refused.reason)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(
        isinstance(item, str) and not re.search(r"\s", item) for item in value
    ):
        return " ".join(value)
    raise Refused("claim-invalid", name, "a string, a whole number, true, false or a list of words")


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | BadRow]]:
    """Numbered lines without their ends; one that is too long is skipped to its end."""
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE_BYTES)
            yield number, BadRow(number, "payload-too-large", "", f"longer than {MAX_LINE_BYTES} bytes")
        else:
            yield number, raw.rstrip(b"\r\n")
