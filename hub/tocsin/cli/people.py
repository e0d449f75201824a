"""The commands about people of the console: links, roles, locks. For the operator, and for the first sign-in of all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from tocsin.cli.console import emit, examples, json_option, load_settings, opened
from tocsin_schemas.ledger import rfc3339

if TYPE_CHECKING:
    from tocsin.accounts.service import Accounts

_ROLES: Final = click.Choice(["vetter", "operator", "auditor", "org_admin", "org_analyst"])


@click.group()
def console() -> None:
    """Look after the people who sign in to the console."""


@console.command(
    epilog=examples(
        "tocsin-hub console link ada --role operator",
        "tocsin-hub console link grace --role org_admin --organisation https://pixel.example",
    )
)
@click.argument("handle")
@click.option("--role", "roles", type=_ROLES, multiple=True, help="A role to give. May be given again.")
@click.option("--organisation", help="The member for which an org_ role is given, by its issuer.")
@json_option
def link(handle: str, roles: tuple[str, ...], organisation: str | None) -> None:
    """Make a one-time link with which HANDLE can make a passkey and sign in; it is printed this once.

    Makes the person when there is none. The link is good for 15 minutes, and ends any older one of theirs.
    """
    with _accounts() as accounts:
        made = accounts.invite(handle, roles, organisation)
    until = rfc3339(made.expires_at)
    emit(
        {"handle": made.handle, "url": made.url, "expires_at": until},
        made.url,
        f"Give it to {made.handle} alone. It is good once, and until {until}.",
    )


@console.command("list")
@json_option
def list_people() -> None:
    """List everybody: handle, roles, passkeys, and whether they are locked."""
    from tocsin.accounts.service.directory import everyone

    with _accounts() as accounts:
        found = everyone(accounts.context)
    emit(
        [
            {
                "handle": item.handle,
                "roles": [{"role": role, "organisation": issuer or None} for role, issuer in item.grants],
                "passkeys": item.passkeys,
                "locked": item.locked,
            }
            for item in found
        ],
        *(
            f"{item.handle:<32} {'locked ' if item.locked else ''}{item.passkeys} passkeys  "
            + ", ".join(f"{role} of {issuer}" if issuer else role for role, issuer in item.grants)
            for item in found
        ),
    )


@console.command("role", epilog=examples("tocsin-hub console role ada auditor --revoke"))
@click.argument("handle")
@click.argument("role", type=_ROLES)
@click.option("--organisation", help="The member for which an org_ role is given, by its issuer.")
@click.option("--revoke", is_flag=True, help="Take it away.")
@json_option
def change_role(handle: str, role: str, organisation: str | None, revoke: bool) -> None:
    """Give HANDLE a role, or take it away; it counts from their next click."""
    from tocsin.accounts.service import directory

    with _accounts() as accounts:
        (directory.revoke if revoke else directory.grant)(accounts.context, handle, role, organisation)
    emit(
        {"handle": handle, "role": role, "organisation": organisation, "given": not revoke},
        f"{handle} {'no longer is' if revoke else 'is now'} {role}",
    )


@console.command(
    "lock", epilog=examples("tocsin-hub console lock mallory", "tocsin-hub console lock ada --undo")
)
@click.argument("handle")
@click.option("--undo", is_flag=True, help="Let them in again.")
@json_option
def lock_person(handle: str, undo: bool) -> None:
    """Keep HANDLE out from this moment on: sessions end, links and passkeys do not open the door."""
    from tocsin.accounts.service import directory

    with _accounts() as accounts:
        directory.lock(accounts.context, handle, locked=not undo)
    emit(
        {"handle": handle, "locked": not undo}, f"{handle} {'may sign in again' if undo else 'is locked out'}"
    )


@contextmanager
def _accounts() -> Iterator["Accounts"]:
    from tocsin import keys
    from tocsin.accounts.service import open_accounts

    settings = load_settings()
    with opened(settings) as database:
        yield open_accounts(settings, database, keys.ensure(settings))
