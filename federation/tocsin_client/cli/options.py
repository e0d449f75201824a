"""The options that describe a report; they have the names and meanings of the columns of a report file."""

from collections.abc import Callable, Sequence
from typing import Any, Final, get_args

import click

from tocsin_client.rows import COLUMNS, Fields
from tocsin_schemas import vocabulary

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "basis": get_args(vocabulary.Basis),
    "tlp": get_args(vocabulary.Tlp),
    "detection_context": get_args(vocabulary.DetectionContext),
    "ai_origin": get_args(vocabulary.AiOrigin),
    "origin_evidence": get_args(vocabulary.OriginEvidence),
    "generator_family": get_args(vocabulary.GeneratorFamily),
    "conduct": get_args(vocabulary.Conduct),
    "relevance": get_args(vocabulary.Relevance),
    "action": get_args(vocabulary.ConsequentialAction),
    "attempts": get_args(vocabulary.CountBucket),
    "artefact_kind": get_args(vocabulary.ArtefactKind),
    "source_restriction": get_args(vocabulary.SourceRestriction),
}
"""Columns that hold one word of a closed list."""

_TEXTS: Final = {
    "valid_for": "DURATION",
    "valid_until": "TIME",
    "observed_at": "TIME",
    "pdq_quality": "0-100",
    "reviewers": "NUMBER",
}
_LISTS: Final = {"labels": ("--label", "PACK:CODE"), "evidence": ("--evidence", "DIGEST")}


def report_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add every option of a report; read them with `report_fields`."""
    help_of = {name: text[0].upper() + text[1:] + "." for name, text in COLUMNS.items()}
    for name, metavar in reversed(_TEXTS.items()):
        function = click.option(_flag(name), name, metavar=metavar, help=help_of[name])(function)
    function = click.option("--minor-suspected", is_flag=True, help=help_of["minor_suspected"])(function)
    for name, words in reversed(_WORDS.items()):
        function = click.option(_flag(name), name, type=click.Choice(words), help=help_of[name])(function)
    for name, (flag, metavar) in reversed(_LISTS.items()):
        function = click.option(
            flag, name, multiple=True, metavar=metavar, help=help_of[name] + " Repeatable."
        )(function)
    return function


def report_fields(values: dict[str, Any]) -> Fields:
    """Take the values of `report_options` out of a command's arguments, as columns."""
    fields: dict[str, str] = {}
    for name in (*_WORDS, *_TEXTS):
        if (text := values.pop(name)) is not None:
            fields[name] = text
    for name in _LISTS:
        chosen: Sequence[str] = values.pop(name)
        if chosen:
            fields[name] = " ".join(chosen)
    if values.pop("minor_suspected"):
        fields["minor_suspected"] = "true"
    return fields


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
