"""`tocsin board propose|admit|types|roster`: what a seat puts before the board, and what there is to be put."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import click

from tocsin_client.cli.board_access import board_of, demand_decided, replayed
from tocsin_client.cli.console import Console, command
from tocsin_client.cli.log_access import hub_option
from tocsin_client.cli.seat import an_id, at_table, key_option, say
from tocsin_client.config import NotReady
from tocsin_schemas.board import BoardState
from tocsin_schemas.changes import changes
from tocsin_schemas.decisions import PARAMS, SUBJECTS
from tocsin_schemas.problems import Refused
from tocsin_schemas.proposals import ELSEWHERE, NOTICED, in_short, read_params, read_subject, said
from tocsin_schemas.tally import RULES
from tocsin_schemas.vocabulary import DECISION_TYPES, DecisionType

SCHEMA: Final = "schemas/v1/board-decision.schema.json"
_INSTEAD: Final[Mapping[DecisionType, str]] = {
    "member.admit": "`tocsin board admit APPLICATION`",
    "member.emergency_suspend": "`tocsin board emergency ISSUER`",
    "appeal.uphold": "`tocsin member appeal NUMBER`, by the member",
    "appeal.dismiss": "`tocsin member appeal NUMBER`, by the member",
}
_WHOLE: Final[Mapping[str, str]] = {"policy.set": "policy", "roster.set": "roster"}
"""Kinds that say one thing alone, which need not be named in the JSON again."""
_LIST: Final = "\n".join(
    ["\b", "Types, whom they are about, and what they say ([…] may be left out):"]
    + [f"  {in_short(kind)}" for kind in DECISION_TYPES if kind not in ELSEWHERE]
    + ["`tocsin board types TYPE` says more of each."]
)


@command("types")
@click.argument("kind", metavar="[TYPE]", required=False, type=click.Choice(DECISION_TYPES))
def types(console: Console, kind: str | None) -> None:
    r"""List what can be put before the board: each type, whom it is about, what it says, and what it takes to pass.

    With --json, what a type says is a JSON Schema. The whole decision's is schemas/v1/board-decision.schema.json.

    \b
    Examples:
      tocsin board types
      tocsin board types member.suspend
    """
    for one in DECISION_TYPES if kind is None else (cast(DecisionType, kind),):
        data: dict[str, Any] = {"type": one, "subject": SUBJECTS[one], "rule": RULES[one]}
        data |= {"params": PARAMS[one].model_json_schema(), "instead": _INSTEAD.get(one)}
        lines = [f"{in_short(one)}  ({RULES[one].replace('_', ' ')})"]
        lines += [
            f"  {part.name:<16} {part.what}{', may be left out' if part.optional else ''}"
            for part in said(one)
        ]
        lines += [f"  Not proposed: {_INSTEAD[one]}."] if one in _INSTEAD else []
        console.result(data, "\n".join(lines))


@command("roster")
@hub_option
def roster(console: Console, hub: str | None) -> None:
    r"""Print the roster in force as the next one, verified first: a file to edit and propose.

    \b
    Example:
      tocsin board roster --hub https://hub.example > roster.json
      tocsin board propose roster.set --file roster.json --key seat.jwk --hub https://hub.example
    """
    with board_of(console, hub) as (log, files):
        state = demand_decided(console, replayed(console, log, files)[1])
    if state is not None:
        after = state.roster.model_copy(update={"version": state.roster.version + 1})
        data = after.model_dump(mode="json", exclude_none=True)
        console.result(data, json.dumps(data, indent=2))


@command("propose", epilog=_LIST)
@click.argument("kind", metavar="TYPE", type=click.Choice(DECISION_TYPES))
@click.argument("subject", required=False, default="")
@click.option("--params", metavar="JSON", help="What the type says beside its subject.")
@click.option(
    "--file", "source", type=click.File("r"), metavar="FILE", help="The same, in a file (- for stdin)."
)
@key_option
@hub_option
def propose(
    console: Console,
    kind: str,
    subject: str,
    params: str | None,
    source: Any,
    key_file: Path,
    hub: str | None,
) -> None:
    r"""Propose a motion of TYPE about SUBJECT. Two other seats endorse it before it is discussed.

    A policy names the values that are to change; the others stay as they are. A roster is proposed whole:
    `tocsin board roster` prints the one in force.

    \b
    Examples:
      tocsin board propose community.open child-safety --key seat.jwk --hub https://hub.example
      tocsin board propose member.expel https://pixel.example --key seat.jwk --hub https://hub.example
      tocsin board propose policy.set --params '{"quorum": 4}' --key seat.jwk --hub https://hub.example
      tocsin board propose roster.set --file roster.json --key seat.jwk --hub https://hub.example
    """
    what = cast(DecisionType, kind)
    if what in ELSEWHERE:
        raise NotReady(f"{what} is not proposed: {ELSEWHERE[what]}", f"It is {_INSTEAD[what]}.")
    if params is not None and source is not None:
        raise click.UsageError("--params or --file")
    given = _object(what, params if source is None else source.read())
    try:
        about = read_subject(what, subject)
    except Refused as error:
        _misfit(what, error)
    with at_table(console, hub, key_file) as at:
        whole = _completed(what, given, at.state)
        try:
            read = read_params(what, _told(what, whole))
        except Refused as error:
            _misfit(what, error)
        for name, before, after in changes(at.state.policy, at.state.roster, read):
            console.note(f"  {name}: {before or 'nothing'} -> {after or 'nothing'}")
        say(console, at.desk.propose(what, about, whole), "proposed")


@command("admit")
@click.argument("application", callback=an_id)
@key_option
@hub_option
def admit(console: Console, application: str, key_file: Path, hub: str | None) -> None:
    r"""Propose to admit an applicant, by the application's id, once its vetting is complete.

    \b
    Example:
      tocsin board admit APPLICATION --key seat.jwk --hub https://hub.example
    """
    with at_table(console, hub, key_file) as at:
        say(console, at.desk.propose_admission(application), "proposed")


def _object(kind: DecisionType, text: str | None) -> dict[str, Any]:
    try:
        found = json.loads("{}" if text is None else text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotReady("What the type says is not a JSON object", _see(kind))
    return found


def _completed(kind: DecisionType, given: dict[str, Any], state: BoardState) -> dict[str, Any]:
    """What a kind says, as it says it; a policy with the values in force where others were not given."""
    name = _WHOLE.get(kind)
    if name is None or not given:
        return given
    inner = given[name] if given.keys() == {name} else given
    if kind == "policy.set" and isinstance(inner, dict):
        now = state.policy.model_dump(mode="json")
        inner = {**now, "version": state.policy.version + 1, **inner}
    return {name: inner}


def _told(kind: DecisionType, given: dict[str, Any]) -> dict[str, Any]:
    """With the notice that the hub gives where none is said."""
    return {NOTICED: 0, **given} if any(part.name == NOTICED for part in said(kind)) else given


def _misfit(kind: DecisionType, error: Refused) -> NoReturn:
    raise NotReady(f"{error.field}: {error.reason}", _see(kind)) from None


def _see(kind: DecisionType) -> str:
    return f"`tocsin board types {kind}` lists what it says; its JSON Schema is {SCHEMA}."


COMMANDS: Final = (types, propose, roster, admit)
