"""What each kind of decision is about and says, for whoever moves one: as a list, and in words where it does not fit.

All of it is read from the models of `tocsin_schemas.decisions`, so it says what they say.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from tocsin_schemas.decisions import PARAMS, SUBJECTS, Params, fits_subject
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import DecisionType

ELSEWHERE: Final[Mapping[DecisionType, str]] = {
    "member.admit": "an application is what moves an admission",
    "member.emergency_suspend": "duty officers move it, without a discussion",
    "appeal.uphold": "an appeal is what moves it",
    "appeal.dismiss": "an appeal is what moves it",
}
"""The kinds of decision that are not proposed like others, and why."""
NOTICED: Final = "noticed_at"
"""Whoever leaves it out gives the notice by proposing."""

_PATTERNS: Final = {
    r"^[0-9a-f]{64}$": "a SHA-256 in 64 lower-case hexadecimal digits",
    r"^[A-Za-z0-9_-]{43}$": "the thumbprint of a key",
    r"^[a-z0-9][a-z0-9-]{0,62}$": "the name of a community",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "a day, as 2028-01-01",
}
_LATEST: Final = 253_402_300_799
"""The largest instant: whole numbers up to it are Unix seconds."""


class Said(NamedTuple):
    """One thing that a kind of decision says: its name, what it is, and whether it may be left out."""

    name: str
    what: str
    optional: bool


def said(kind: DecisionType) -> tuple[Said, ...]:
    """What a kind of decision says beside its subject."""
    schema = PARAMS[kind].model_json_schema()
    needed = set(schema.get("required", [])) - {NOTICED}
    models = schema.get("$defs", {})
    return tuple(
        Said(name, _what(part, models), name not in needed)
        for name, part in schema.get("properties", {}).items()
    )


def in_short(kind: DecisionType) -> str:
    """A kind of decision in a line: its name, its subject, and the names of what it says."""
    names = [f"[{one.name}]" if one.optional else one.name for one in said(kind)]
    return " ".join([kind, SUBJECTS[kind], *(["{" + ", ".join(names) + "}"] if names else [])])


def read_subject(kind: DecisionType, subject: str) -> str:
    """Whom or what a decision of that kind is about; where only one word fits, nothing need be given.

    Raises:
        Refused: `claim-invalid`.
    """
    fixed = SUBJECTS[kind] if fits_subject(kind, SUBJECTS[kind]) else ""
    if not fits_subject(kind, subject or fixed):
        raise Refused("claim-invalid", "subject", f"{kind} is about {_ABOUT.get(SUBJECTS[kind], fixed)}")
    return subject or fixed


def read_params(kind: DecisionType, given: Mapping[str, Any]) -> Params:
    """What a kind of decision says beside its subject; `given` holds what JSON can.

    Raises:
        Refused: `claim-invalid` with the field that does not fit, and in words what would.
    """
    try:
        return PARAMS[kind].model_validate_json(json.dumps(given))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        # An unknown member's name is the caller's own word: leave it out.
        path = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        place = ".".join(["params", *(str(part) for part in path)])
        raise Refused("claim-invalid", place, _wrong(kind, first["type"], first.get("ctx", {}))) from None


_ABOUT: Final = {
    "ISSUER": "a member or a peer: an https origin",
    "COMMUNITY": "a community: a name in lower case",
    "decision:NUMBER": "a decision, by its number",
}


def _what(schema: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    match schema:
        case {"$ref": where}:
            return f"an object of {', '.join(models[where.rpartition('/')[2]]['properties'])}"
        case {"enum": words}:
            return f"one of {', '.join(words)}"
        case {"pattern": pattern}:
            return _PATTERNS.get(pattern, "an https origin" if "http" in pattern else "a name")
        case {"type": "array", "items": items}:
            return f"a list, each {_what(items, models)}"
        case {"type": "integer", "maximum": maximum} if maximum == _LATEST:
            return "a time in Unix seconds"
        case {"type": "boolean"}:
            return "true or false"
    return "a whole number"


def _wrong(kind: DecisionType, error: str, context: Mapping[str, Any]) -> str:
    words = {
        "missing": f"missing: {kind} says it",
        "extra_forbidden": f"{kind} says nothing of another name here",
        "literal_error": f"one of {context.get('expected')}",
        "string_pattern_mismatch": _PATTERNS.get(str(context.get("pattern")), "not in its form"),
        "bool_type": "true or false",
        "greater_than_equal": f"at least {context.get('ge')}",
        "less_than_equal": f"at most {context.get('le')}",
        "less_than": f"less than {context.get('lt')}",
        "too_short": f"at least {context.get('min_length')} of them",
        "too_long": f"at most {context.get('max_length')} of them",
        "string_too_long": f"at most {context.get('max_length')} characters",
    }
    if error in words:
        return words[error]
    return _TYPES.get(error.partition("_")[0], f"not what {kind} says")


_TYPES: Final = {
    "int": "a whole number",
    "string": "a string",
    "list": "a list",
    "frozen": "a list",
    "model": "an object",
    "dict": "an object",
}
