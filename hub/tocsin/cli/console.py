"""What the commands share: settings, the database, output for people or as JSON, errors that say what to do next."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click
from pydantic import ValidationError

from tocsin.config import Settings
from tocsin.db import Clock, Database, system_clock
from tocsin.errors import Misconfigured, Refused
from tocsin_schemas.ledger import instant
from tocsin_schemas.problems import REGISTRY

_JSON: Final = "tocsin.json"
# The registry advises those who call over HTTP; an operator has other means.
_LISTS: Final = {
    "board": "`tocsin-hub console list` shows the people, `tocsin-hub board show` the board that there is",
    "console": "`tocsin-hub console list` shows who there is",
}
"""What shows what there is, for the commands of a group; for the others it is members and communities."""
_ADVICE: Final = {
    "claim-invalid": "`--help` shows what is expected",
    "decision-required": "the board decides that, in the console; a hub for trials is a sandbox (TOCSIN_SANDBOX=true)",
    "board-absent": "`tocsin-hub board bootstrap` begins to found one; a sandbox (TOCSIN_SANDBOX) never has one",
}
_Command = TypeVar("_Command", bound=Callable[..., Any])


def json_option(command: _Command) -> _Command:
    """`--json`: print one JSON document, errors included."""

    def remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        context.find_root().meta[_JSON] = value

    option = click.option(
        "--json", is_flag=True, expose_value=False, is_eager=True, callback=remember, help="Print JSON."
    )
    return option(command)


def examples(*lines: str) -> str:
    """The end of a command's help: examples, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def emit(document: Any, *lines: str) -> None:
    """Print `document` where JSON was asked for, else the lines."""
    if wants_json():
        click.echo(json.dumps(document))
    else:
        for line in lines:
            click.echo(line)


def wants_json() -> bool:
    """Whether this command was given `--json`."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().meta.get(_JSON))


class Failed(click.ClickException):
    """What went wrong, the problem code if it has one, and what to do next. The exit code is 1."""

    def __init__(self, message: str, advice: str, code: str = "misconfigured", field: str = "") -> None:
        super().__init__(message)
        # Click shows it when the command's context is gone.
        self.as_json = wants_json()
        self.document = {"code": code, "field": field, "detail": message, "help": advice}

    def show(self, file: Any = None) -> None:
        """Print it to stderr."""
        if self.as_json:
            click.echo(json.dumps({"error": self.document}), file=file, err=True)
            return
        where = f"{self.document['field']}: " if self.document["field"] else ""
        click.echo(f"Error: {where}{self.message}", file=file, err=True)
        click.echo(f"Next:  {self.document['help']}", file=file, err=True)


class Commands(click.Group):
    """A group whose commands fail with advice, never with a traceback of something foreseen."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from sqlalchemy.exc import OperationalError

        try:
            return super().invoke(ctx)
        except Refused as error:
            problem = REGISTRY[error.code]
            advice = _ADVICE.get(error.code, problem.help)
            if error.code in {"conflict", "not-found"}:
                members = "`tocsin-hub member list` and `tocsin-hub community list` show what there is"
                advice = _LISTS.get(ctx.invoked_subcommand or "", members)
            raise Failed(error.reason or problem.title, advice, error.code, error.field) from None
        except Misconfigured as error:
            raise Failed(error.what, error.advice) from None
        except OperationalError:
            raise Failed(
                "the database does not answer",
                "check TOCSIN_DATABASE_URL, and that the server runs; `tocsin-hub check` tries each part",
                "unavailable",
            ) from None


def load_settings() -> Settings:
    """The settings of the environment.

    Raises:
        Misconfigured: naming each variable that does not fit, without its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = [
            f"{'TOCSIN_' + str(item['loc'][0]).upper() if item['loc'] else 'settings'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise Misconfigured("; ".join(wrong), "docs/operator-guide.md describes every setting") from None


@contextmanager
def opened(settings: Settings, *, clock: Clock = system_clock) -> Iterator[Database]:
    """The hub's database with this version's schema; an empty SQLite file gets it at once.

    Raises:
        Misconfigured: when the schema is another.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database(), clock=clock, read_only=settings.read_only)
    try:
        require_schema(database)
        yield database
    finally:
        database.dispose()


def require_schema(database: Database) -> None:
    """See that the database has this version's schema.

    Raises:
        Misconfigured: when it has not, and is not an empty SQLite file.
    """
    from tocsin import migrations

    if migrations.at_head(database):
        return
    if database.dialect == "sqlite" and migrations.current(database) is None and not database.read_only:
        migrations.upgrade(database)
        return
    raise Misconfigured("the database does not have this version's schema", "run `tocsin-hub migrate`")


class Instant(click.ParamType[int]):
    """A point in time, RFC 3339 with Z, as Unix seconds."""

    name = "RFC3339"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        try:
            return instant(str(value))
        except ValueError:
            self.fail("write it like 2026-11-22T12:00:00Z", param, ctx)
