"""`tocsin keys list|rotate|revoke|prove`: the keys that a hub knows, changed with a key and not with a form."""

import json
from pathlib import Path
from typing import Final

import click

from tocsin_client.board.acts import KEY_LIFE, Acts
from tocsin_client.board.applying import offer
from tocsin_client.cli.console import Console, command
from tocsin_client.cli.log_access import NAME_BOTH
from tocsin_client.client import Client
from tocsin_client.clock import system_clock
from tocsin_client.config import NotReady, Profile, load_key, new_key
from tocsin_client.http import HubError, base_url
from tocsin_client.submit import Author
from tocsin_schemas.feed import MemberKey
from tocsin_schemas.jwk import KeyAlg
from tocsin_schemas.ledger import instant, rfc3339
from tocsin_schemas.policy import DAY

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
SOON: Final = 30 * DAY
"""Seconds before its end from which a key is worth a reminder."""
LONGEST: Final = 400
"""Days that a hub lets a key hold."""

life_option: Final = click.option(
    "--days",
    type=click.IntRange(1, LONGEST),
    default=KEY_LIFE // DAY,
    show_default=True,
    help="How long the key holds.",
)


@command("list")
def keys_list(console: Console) -> None:
    r"""List the keys of your organisation that the hub knows, and when each ends.

    \b
    Example:
      tocsin keys list
    """
    profile = console.home.load()
    mine = load_key(profile.key).public.kid
    now = system_clock()
    with console.client(profile) as client:
        known = _known(client, profile)
    for key in known:
        kid, state = key.public().kid, _state(key, now)
        data = {"kid": kid, "alg": key.public().alg, "state": state, "not_after": key.not_after}
        here = ", the one of this machine" if kid == mine else ""
        console.result(data | {"here": kid == mine}, f"{kid}  {state}, until {key.not_after}{here}")
        if kid == mine and state == "in force" and instant(key.not_after) < now + SOON:
            console.note("This machine's key ends soon. Change it now: `tocsin keys rotate`.")


@command("rotate")
@click.option("--alg", type=click.Choice(["Ed25519", "ES256"]), default="Ed25519", show_default=True)
@click.option("--new", "made", type=_FILE, help="A key that exists already; without it one is made.")
@click.option("--out", type=_FILE, help="Where to keep the new key; by default in your keys folder.")
@life_option
def keys_rotate(console: Console, alg: KeyAlg, made: Path | None, out: Path | None, days: int) -> None:
    r"""Register a new key, signed by the one in use, and use it from now on.

    No operator is needed: the old key vouches for the new one, which signs for itself. The old one stays in force until
    its end, so that other machines can follow one by one; then revoke it.

    \b
    Examples:
      tocsin keys rotate
      tocsin keys revoke --kid OLD_KID
    """
    if made is not None and out is not None:
        raise click.UsageError("--new or --out")
    profile = console.home.load()
    old = load_key(profile.key)
    key, path = new_key(alg, out, console.home.keys) if made is None else (load_key(made), made.absolute())
    try:
        with console.client(profile) as client:
            item = Acts(client.transport, client.author).add_key(key, days * DAY)
    except HubError:
        console.note(f"The hub has not registered it. The new key is in {path}: try again with --new.")
        raise
    changed = profile.model_copy(update={"key": path.absolute()})
    with Client(profile.hub, Author(profile.issuer, key), profile.client_id, ca_file=profile.ca) as client:
        client.me()
    console.home.save(changed)
    console.note(
        f"The old key still holds. When no machine uses it: tocsin keys revoke --kid {old.public.kid}"
    )
    console.result(
        {"kid": key.public.kid, "path": str(path), "record": item.record.seq, "old": old.public.kid},
        f"{key.public.kid} is registered (record {item.record.seq}) and in use, kept in {path}.",
    )


@command("revoke")
@click.option("--kid", required=True, help="The key's thumbprint, as `tocsin keys list` shows it.")
@click.option("--key", "key_file", type=_FILE, help="Sign with this key instead of the profile's.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def keys_revoke(console: Console, kid: str, key_file: Path | None, yes: bool) -> None:
    r"""Revoke one of your organisation's keys at once.

    Any key in force may sign this, the one to be revoked as well. Nothing that it signs is accepted any more. If it was
    your last one, only the board can let you register another.

    \b
    Example:
      tocsin keys revoke --kid KID
    """
    # An option and no argument, because one thumbprint in 64 begins with a dash.
    profile = console.home.load()
    key = load_key(key_file or profile.key)
    if kid == load_key(profile.key).public.kid and not yes:
        click.confirm("This is the key that this machine uses. Revoke it", abort=True, err=True)
    with console.client(profile) as client:
        item = Acts(client.transport, Author(profile.issuer, key)).revoke_key(kid)
    revoked = rfc3339(item.record.at)
    console.result(
        {"kid": kid, "revoked_at": revoked, "record": item.record.seq},
        f"{kid} is revoked since {revoked} (record {item.record.seq}).",
    )


@command("prove")
@click.option("--hub", metavar="URL", help="The hub; by default your profile's.")
@click.option("--issuer", metavar="URL", help="Your organisation; by default your profile's.")
@click.option(
    "--key", "key_file", type=_FILE, help="The private key; by default the only one in your keys folder."
)
def keys_prove(console: Console, hub: str | None, issuer: str | None, key_file: Path | None) -> None:
    r"""Print a key with its proof of possession, as the application form takes it: one line of JSON.

    \b
    Example:
      tocsin keys prove --hub https://hub.example --issuer https://pixel.example
    """
    profile = console.home.load(NAME_BOTH) if hub is None or issuer is None else None
    address = base_url(hub) if hub is not None else profile.hub if profile is not None else ""
    who = issuer if issuer is not None else profile.issuer if profile is not None else ""
    author = Author(who, load_key(key_file or console.home.only_key()))
    click.echo(json.dumps(offer(author, address)))


def _known(client: Client, profile: Profile) -> list[MemberKey]:
    directory = client.directory(profile.community)
    for member in directory.members:
        if member.issuer == profile.issuer:
            return member.keys
    raise NotReady("The hub lists no keys of yours in that community", "Run `tocsin login …` again.")


def _state(key: MemberKey, now: int) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if now >= instant(key.not_after):
        return "ended"
    return "in force" if now >= instant(key.not_before) else "not yet in force"


KEY_COMMANDS: Final[tuple[click.Command, ...]] = (keys_list, keys_rotate, keys_revoke, keys_prove)
