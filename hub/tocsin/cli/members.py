"""The commands about members, their keys, clients and communities."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, get_args

import click

from tocsin.cli.console import Instant, emit, examples, json_option, load_settings, opened
from tocsin.members.service import ClientView, Members, MemberView, NewKey
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.jwk import PublicKey, public_key
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import SCOPES, MemberClass

RIGHTS: Final = {"r": (True, False), "w": (False, True), "rw": (True, True), "none": (False, False)}


class JwkFile(click.ParamType[PublicKey]):
    """A file with a public JWK; `-` reads it from standard input."""

    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PublicKey:
        """Read it."""
        try:
            with click.open_file(value) as file:
                found = json.load(file)
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict):
            self.fail("not a file with a JWK; `tocsin keys show` prints one", param, ctx)
        return public_key(found)


class Grant(click.ParamType[tuple[str, tuple[bool, bool]]]):
    """A community and rights in it, like `child-safety:rw`; without rights, both."""

    name = "COMMUNITY[:r|w|rw]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[bool, bool]]:
        """Read it."""
        slug, _, rights = value.partition(":")
        if (rights or "rw") not in RIGHTS:
            self.fail("write it like child-safety:rw, with r, w or rw", param, ctx)
        return slug, RIGHTS[rights or "rw"]


@click.group()
def member() -> None:
    """Admit members, list them, suspend and reinstate them.

    What changes a member works in a sandbox (TOCSIN_SANDBOX=true); on a hub with a board the board decides it.
    """


@member.command(
    "add",
    epilog=examples(
        "tocsin-hub member add --issuer https://pixel.example --class platform \\",
        '    --control-group "Aurora Holding" --key pixel.pub.jwk --community child-safety:rw',
    ),
)
@click.option("--issuer", required=True, help="The member's https origin: its name here and in its signals.")
@click.option(
    "--class",
    "member_class",
    type=click.Choice(get_args(MemberClass)),
    required=True,
    help="Its kind.",
)
@click.option(
    "--control-group", help="Its ultimate owner, by name or by cg_ id; without it, the member itself."
)
@click.option(
    "--key", "keys", type=JwkFile(), multiple=True, help="A public key, as JWK. May be given again."
)
@click.option(
    "--community", "grants", type=Grant(), multiple=True, help="Where it takes part. May be given again."
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="Its client's scopes; default all of its class.",
)
@click.option("--cap", type=click.IntRange(0), help="Signals an hour; default the policy's.")
@json_option
def member_add(  # one argument an option
    issuer: str,
    member_class: str,
    control_group: str | None,
    keys: tuple[PublicKey, ...],
    grants: tuple[tuple[str, tuple[bool, bool]], ...],
    scopes: tuple[str, ...],
    cap: int | None,
) -> None:
    """Admit a member: owner, keys, one OAuth client and communities, all or nothing.

    Members of one control group are one voice. The owner's name is not kept: only an id derived from it.
    """
    with _members() as service:
        view = service.add_member(
            issuer,
            member_class,
            control_group=control_group,
            keys=[NewKey(key) for key in keys],
            grants=dict(grants),
            scopes=scopes or None,
            signals_per_hour=cap,
        )
        hub = service.hub
    client = view.clients[0]
    advice = (
        [f"It can now do:  tocsin login --hub {hub} --issuer {issuer} --client-id {client.client_id}"]
        if keys
        else [f"It has no key yet:  tocsin-hub key add {issuer} --key FILE"]
    )
    emit(_member(view), f"Admitted {issuer} ({view.org.group})", f"client_id  {client.client_id}", *advice)


@member.command("list")
@json_option
def member_list() -> None:
    """List members with their state, keys, clients and communities."""
    with _members() as service:
        views = service.list_members()
    lines: list[str] = []
    for view in views:
        org = view.org
        lines.append(
            f"{org.issuer}  {org.member_class}  {org.state} since {rfc3339(org.state_since)}  {org.group}"
        )
        lines += [f"    key        {_key_line(key)}" for key in view.keys]
        lines += [f"    client     {_client_line(client)}" for client in view.clients]
        lines += [f"    community  {slug} {_rights(read, write)}" for slug, read, write in view.communities]
    emit([_member(view) for view in views], *(lines or ["No members yet: `tocsin-hub member add --help`"]))


@member.command("suspend")
@click.argument("issuer")
@json_option
def member_suspend(issuer: str) -> None:
    """Suspend a member at once: its tokens do nothing but say who it is, and its statements are withheld."""
    with _members() as service:
        org = service.suspend(issuer)
    emit({"issuer": org.issuer, "state": org.state}, f"{org.issuer} is {org.state}")


@member.command("reinstate")
@click.argument("issuer")
@json_option
def member_reinstate(issuer: str) -> None:
    """Let a suspended member in again."""
    with _members() as service:
        org = service.reinstate(issuer)
    emit({"issuer": org.issuer, "state": org.state}, f"{org.issuer} is {org.state}")


@member.command("cap")
@click.argument("issuer")
@click.argument("signals_per_hour", metavar="NUMBER|default")
@json_option
def member_cap(issuer: str, signals_per_hour: str) -> None:
    """Set how many signals an hour a member may submit; `default` gives it the policy's cap again."""
    if signals_per_hour != "default" and not (signals_per_hour.isascii() and signals_per_hour.isdigit()):
        raise click.BadParameter("a number of signals an hour, or default", param_hint="NUMBER|default")
    with _members() as service:
        org = service.set_cap(issuer, None if signals_per_hour == "default" else int(signals_per_hour))
    cap = "the policy's" if org.signals_per_hour is None else f"{org.signals_per_hour} signals an hour"
    emit({"issuer": org.issuer, "signals_per_hour": org.signals_per_hour}, f"{org.issuer}: {cap}")


@click.group()
def key() -> None:
    """Register members' keys, and revoke them.

    In a sandbox. On a hub with a board members do both themselves (`tocsin keys`), and the board revokes by ballot.
    """


@key.command(
    "add",
    epilog=examples(
        "tocsin-hub key add https://pixel.example --key new.pub.jwk --not-before 2027-01-01T00:00:00Z"
    ),
)
@click.argument("issuer")
@click.option("--key", "public", type=JwkFile(), required=True, help="The public key, as JWK.")
@click.option("--not-before", type=Instant(), help="In force from then on; default now.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="In force for so long."
)
@json_option
def key_add(issuer: str, public: PublicKey, not_before: int | None, days: int) -> None:
    """Register one more public key of a member: for signals, and for signing in.

    The keys it has stay in force until they end or are revoked, so that a member can change over.
    """
    with _members() as service:
        added = service.add_key(issuer, NewKey(public, not_before, days * DAY))
    emit(_key(added), f"Registered {_key_line(added)}")


@key.command("revoke")
@click.option("--kid", required=True, help="The key's id, as `member list` shows it.")
@json_option
def key_revoke(kid: str) -> None:
    """Revoke a key at once and for good: for signals, for signing in, and for tokens it obtained."""
    # An option and no argument, because one thumbprint in 64 begins with a dash.
    with _members() as service:
        service.revoke_key(kid)
    emit({"kid": kid, "revoked": True}, "Revoked")


@click.group()
def client() -> None:
    """Give members OAuth clients, and revoke them."""


@client.command("add", epilog=examples("tocsin-hub client add https://pixel.example --scope signals:read"))
@click.argument("issuer")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What it may do; default all of its class.",
)
@json_option
def client_add(issuer: str, scopes: tuple[str, ...]) -> None:
    """Give a member one more OAuth client, say one that can only read."""
    with _members() as service:
        added = service.add_client(issuer, scopes or None)
    emit(_client(added), f"client_id  {added.client_id}")


@client.command("revoke")
@click.argument("client_id")
@json_option
def client_revoke(client_id: str) -> None:
    """Revoke a client at once and for good; its tokens are refused from now on."""
    with _members() as service:
        service.revoke_client(client_id)
    emit({"client_id": client_id, "revoked": True}, "Revoked")


@click.group()
def community() -> None:
    """Open communities, and say who takes part.

    What changes one works in a sandbox (TOCSIN_SANDBOX=true); on a hub with a board the board decides it.
    """


@community.command("add")
@click.argument("slug")
@json_option
def community_add(slug: str) -> None:
    """Open a community, like child-safety."""
    with _members() as service:
        added = service.add_community(slug)
        audience = service.audience(slug)
    emit({"community": added.slug, "audience": audience}, f"Opened {added.slug}")


@community.command("list")
@json_option
def community_list() -> None:
    """List the communities."""
    with _members() as service:
        slugs = [item.slug for item in service.list_communities()]
    emit(slugs, *(slugs or ["No communities yet: `tocsin-hub community add child-safety`"]))


@community.command("grant")
@click.argument("slug")
@click.argument("issuer")
@click.argument("rights", type=click.Choice(tuple(RIGHTS)))
@json_option
def community_grant(slug: str, issuer: str, rights: str) -> None:
    """Say what a member may do in a community: r, w, rw, or none.

    A member without rights stays in the directory: what it signed before must still be verified.
    """
    may_read, may_write = RIGHTS[rights]
    with _members() as service:
        service.grant(issuer, slug, may_read=may_read, may_write=may_write)
    emit({"community": slug, "issuer": issuer, "rights": rights}, f"{issuer} in {slug}: {rights}")


@contextmanager
def _members() -> Iterator[Members]:
    settings = load_settings()
    with opened(settings) as database:
        yield Members(database, settings)


def _member(view: MemberView) -> dict[str, Any]:
    org = view.org
    return {
        "issuer": org.issuer,
        "class": org.member_class,
        "control_group": org.group,
        "state": org.state,
        "since": rfc3339(org.state_since),
        "signals_per_hour": org.signals_per_hour,
        "keys": [_key(item) for item in view.keys],
        "clients": [_client(item) for item in view.clients],
        "communities": {slug: _rights(read, write) for slug, read, write in view.communities},
    }


def _key(item: AuthorKey) -> dict[str, Any]:
    return {
        "kid": item.public.kid,
        "alg": item.public.alg,
        "not_before": rfc3339(item.not_before),
        "not_after": rfc3339(item.not_after),
        "revoked_at": None if item.revoked_at is None else rfc3339(item.revoked_at),
    }


def _client(item: ClientView) -> dict[str, Any]:
    return {"client_id": item.client_id, "scopes": sorted(item.scopes), "revoked": item.revoked}


def _key_line(item: AuthorKey) -> str:
    end = (
        f"until {rfc3339(item.not_after)}"
        if item.revoked_at is None
        else f"revoked {rfc3339(item.revoked_at)}"
    )
    return f"{item.public.kid} {item.public.alg} from {rfc3339(item.not_before)} {end}"


def _client_line(item: ClientView) -> str:
    return f"{item.client_id} {' '.join(sorted(item.scopes))}{' (revoked)' if item.revoked else ''}"


def _rights(read: bool, write: bool) -> str:
    return next(name for name, pair in RIGHTS.items() if pair == (read, write))
