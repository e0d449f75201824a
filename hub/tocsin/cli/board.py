"""The commands about the board: founding it, looking at it, and what a changed policy would do.

None of them decides anything: the board does, in the console or with keys kept offline (`tocsin board vote`).
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tocsin.cli.console import emit, examples, json_option, load_settings, opened, wants_json
from tocsin_schemas.ledger import rfc3339

if TYPE_CHECKING:
    from tocsin.accounts.service import Accounts
    from tocsin.db import Database
    from tocsin.governance.service.chain import Chain
    from tocsin.governance.service.founding import Gathering

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True)


@click.group()
def board() -> None:
    """Found the board of this hub, and see where it stands."""


@board.command(
    "bootstrap",
    epilog=examples(
        "tocsin-hub board bootstrap seats.json", "tocsin-hub board bootstrap --example > seats.json"
    ),
)
@click.argument("seats", type=_FILE, required=False)
@click.option("--example", is_flag=True, help="Print such a file, for three seats, and do nothing.")
@json_option
def bootstrap(seats: Path | None, example: bool) -> None:
    """Name the seats of the board in a file; everybody who sits there gets a one-time link to make a passkey.

    A seat with a `key` votes with that Ed25519 key, kept offline (`tocsin keys new`). The links are good for 15
    minutes: run this again for new ones, for those who have no passkey yet. Then `tocsin-hub board found`.
    """
    from tocsin.governance.service import founding

    if example or seats is None:
        click.echo(json.dumps(EXAMPLE, indent=2))
        return
    with click.open_file(str(seats), "rb") as file, _opened() as (chain, database, accounts):
        links = founding.begin(chain, database, accounts, file.read())
        told = founding.gathering(chain, database, accounts)
    emit(
        {
            "links": [
                {"handle": link.handle, "url": link.url, "expires_at": rfc3339(link.expires_at)}
                for link in links
            ],
            "gathering": _gathering(told),
        },
        *(f"{link.handle:<16} {link.url}" for link in links),
        *([] if told is None else _warnings(told.has_panel)),
        "Give each link to its person alone: it is good once, for 15 minutes. Then run `tocsin-hub board found`."
        if links
        else "Everybody has a key. Run `tocsin-hub board found`.",
    )


@board.command("found")
@json_option
def found() -> None:
    """Write the first record, once every seat has a key, and print the genesis hash.

    Everybody who is to trust this board pins that hash: publish it independently of this hub.
    """
    from tocsin.governance.service import founding
    from tocsin_schemas.governance import record_digest

    with _opened() as (chain, database, accounts):
        genesis = record_digest(founding.found(chain, database, accounts)).hex()
    emit({"genesis": genesis}, f"The board is founded. Its genesis hash:  {genesis}")


@board.command("show")
@json_option
def show() -> None:
    """Show where the board stands: its seats, its records, its members."""
    from tocsin.governance.service import founding, reading
    from tocsin_schemas.roster import Roster

    with _opened() as (chain, database, accounts):
        told = founding.gathering(chain, database, accounts)
        if told is not None:
            emit({"founded": False, "gathering": _gathering(told)}, *_gathering_lines(told))
            return
        view = reading.view(chain, database)
        roster = json.loads(reading.roster(chain, database))
    warnings = _warnings(Roster.model_validate(roster).has_panel)
    document: dict[str, Any] = {
        "founded": True,
        **view.model_dump(mode="json"),
        "roster": roster,
        "warnings": warnings,
    }
    emit(
        document,
        f"{view.records} records; the newest was made {view.at}",
        f"genesis  {view.genesis}",
        f"tip      {view.tip}",
        f"policy version {view.policy.version}, roster version {view.roster_version}:",
        *(
            f"  {seat['seat']:<4} {seat['seat_class']:<12} {seat.get('handle', 'vacant')}"
            for seat in [*roster["seats"], *roster["panel"]]
        ),
        *warnings,
        f"{len(view.members)} members:",
        *(f"  {member.issuer} {member.state} since {member.since}" for member in view.members),
    )


@click.group()
def policy() -> None:
    """See the policy in force, and what another one would do."""


@policy.command("show")
@json_option
def policy_show() -> None:
    """Print the policy in force. The board changes it by a decision."""
    with _opened() as (chain, database, _), database.snapshot() as uow:
        said = chain.policy_in_force(uow).model_dump(mode="json")
    emit(said, *(f"{name:<22} {value}" for name, value in said.items()))


@policy.command(
    "simulate",
    epilog=examples("tocsin-hub policy simulate changed.json", "tocsin-hub policy simulate - --json"),
)
@click.argument("file", type=_FILE)
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How far to look back."
)
@json_option
def simulate(file: Path, days: int) -> None:
    """See what the policy in FILE would do to what was recorded in the last days; nothing is changed.

    The file holds the values that are to change, as JSON; all others stay as they are.
    """
    from tocsin.signals.service.context import open_context
    from tocsin.signals.service.simulate import changed_policy, simulate

    settings = load_settings()
    with opened(settings):
        context = open_context(settings)
    try:
        with click.open_file(str(file), "rb") as source:
            after = changed_policy(context, source.read())
        with click.progressbar(
            length=1000, label="indicators", file=sys.stderr, hidden=wants_json() or not sys.stderr.isatty()
        ) as bar:
            found = simulate(
                context, after, days=days, on_progress=lambda share: bar.update(int(share * 1000) - bar.pos)
            )
    finally:
        context.database.dispose()
    emit(found.document(), *found.lines())


@contextmanager
def _opened() -> "Iterator[tuple[Chain, Database, Accounts]]":
    from tocsin import keys
    from tocsin.accounts.service import open_accounts
    from tocsin.governance.service.chain import open_chain
    from tocsin.members.service import Members

    settings = load_settings()
    with opened(settings) as database:
        accounts = open_accounts(settings, database, keys.ensure(settings))
        yield open_chain(Members(database, settings), settings), database, accounts


def _gathering(told: "Gathering | None") -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "passkeys": dict(told.passkeys),
        "waiting": list(told.waiting),
        "warnings": _warnings(told.has_panel),
    }


def _warnings(has_panel: bool) -> list[str]:
    from tocsin_schemas.roster import WITHOUT_PANEL

    return [] if has_panel else [WITHOUT_PANEL]


def _gathering_lines(told: "Gathering") -> list[str]:
    said = {None: "keeps its key offline", 0: "has no passkey yet"}
    return [
        "The board is not founded yet. Its seats:",
        *(
            f"  {seat.seat:<4} {seat.seat_class:<12} {seat.handle:<16}"
            f" {said.get(told.passkeys[seat.handle], 'has a passkey')}"
            for seat in told.founding.everyone()
        ),
        *_warnings(told.has_panel),
    ]


EXAMPLE: Final[dict[str, list[dict[str, Any]]]] = {
    "seats": [
        {
            "seat": "s1", "seat_class": "independent", "handle": "ada", "chair": True, "duty": True,
            "term_ends": "2028-01-01",
        },
        {
            "seat": "s2", "seat_class": "platform", "handle": "grace", "duty": True, "term_ends": "2028-01-01",
            "issuer": "https://pixel.example", "control_group": "Aurora Holding",
        },
        {
            "seat": "s3", "seat_class": "vendor", "handle": "alan", "duty": True, "term_ends": "2028-01-01",
            "issuer": "https://model.example",
        },
    ]
}  # fmt: skip
