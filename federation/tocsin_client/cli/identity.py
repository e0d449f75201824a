"""`tocsin keys` and `tocsin login`: who this machine speaks for."""

import json
from pathlib import Path
from typing import Final

import click

from tocsin_client.cli.console import Console, command
from tocsin_client.cli.log_access import policy_in
from tocsin_client.cli.rotation import KEY_COMMANDS
from tocsin_client.config import NotReady, Profile, load_key, new_key
from tocsin_client.http import base_url
from tocsin_client.log import Log
from tocsin_schemas.feed import Me
from tocsin_schemas.jwk import KeyAlg

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("keys")
def keys() -> None:
    """Make, show and change your signing keys. The private part never leaves this machine."""


@command("new")
@click.option("--alg", type=click.Choice(["Ed25519", "ES256"]), default="Ed25519", show_default=True)
@click.option(
    "--out", type=_FILE, help="Where to keep it; by default in your keys folder, named by its thumbprint."
)
def keys_new(console: Console, alg: KeyAlg, out: Path | None) -> None:
    r"""Make a key, and print its public part.

    \b
    Example:
      tocsin keys new > public.jwk
    """
    key, path = new_key(alg, out, console.home.keys)
    console.note(f"Private key kept in {path}. Its public part is all that anybody else needs.")
    jwk = key.public.jwk()
    console.result({"path": str(path), "jwk": jwk}, json.dumps(jwk, indent=2))


@command("show")
@click.argument("file", type=_FILE, required=False)
def keys_show(console: Console, file: Path | None) -> None:
    """Print the public part of a key (of the only one, without FILE)."""
    path = file or console.home.only_key()
    jwk = load_key(path).public.jwk()
    console.result({"path": str(path), "jwk": jwk}, json.dumps(jwk, indent=2))


for _command in (keys_new, keys_show, *KEY_COMMANDS):
    keys.add_command(_command)


@command("login")
@click.option("--hub", required=True, metavar="URL", help="The hub's base URL.")
@click.option("--issuer", required=True, metavar="URL", help="Your organisation's issuer URL, as registered.")
@click.option(
    "--client-id", required=True, metavar="ID", help="Your OAuth client, as the hub's operator named it."
)
@click.option("--key", type=_FILE, help="Your private key; by default the only one in your keys folder.")
@click.option("--community", metavar="SLUG", help="The community you work in; by default your only one.")
@click.option("--ca", type=_FILE, help="The certificate of a private CA that the hub uses.")
@click.option(
    "--log-policy",
    type=_FILE,
    help="Whose checkpoints to believe (a tlog-policy); by default what the hub serves now.",
)
def login(
    console: Console,
    hub: str,
    issuer: str,
    client_id: str,
    key: Path | None,
    community: str | None,
    ca: Path | None,
    log_policy: Path | None,
) -> None:
    r"""Check your key against a hub, and remember both.

    \b
    Example:
      tocsin login --hub https://hub.example --issuer https://pixel.example --client-id cl_… --community child-safety
    """
    profile = Profile(
        hub=base_url(hub),
        issuer=issuer,
        client_id=client_id,
        key=(key or console.home.only_key()).absolute(),
        community=community or "",
        ca=None if ca is None else ca.absolute(),
    )
    with console.client(profile) as client:
        me = client.me()
        log = Log(client.log, console.log_store(profile.hub), profile.hub)
        if log_policy is not None:
            log.pin(policy_in(log_policy))
        keys_of_log = [known.verifier.vkey for known in log.policy().logs]
    if me.issuer != issuer:
        raise NotReady(
            "The hub knows this client as another member", "Check --issuer, --client-id and --key."
        )
    profile = profile.model_copy(update={"community": _chosen(me, community)})
    console.home.save(profile)
    answer = {"hub": profile.hub, "issuer": me.issuer, "community": profile.community, "state": me.state}
    console.result(
        answer | {"scopes": me.scopes, "signals_left": me.signals_left, "log": keys_of_log},
        f"Logged in to {profile.hub} as {me.issuer} ({me.state}), community {profile.community};"
        f" {me.signals_left:,} of {me.signals_per_hour:,} signals are left in this hour.\n"
        f"Its log's key, to compare with its operator: {' '.join(keys_of_log)}",
    )


def _chosen(me: Me, community: str | None) -> str:
    names = [view.community for view in me.communities]
    if community in names:
        return str(community)
    if community is None and len(names) == 1:
        return names[0]
    if not names:
        raise NotReady("You belong to no community of this hub yet", "Ask its operator for access.")
    what = "You belong to several communities" if community is None else "You do not belong to that community"
    raise NotReady(what, f"Choose one with --community: {', '.join(names)}.")


COMMANDS: Final = (keys, login)
