"""The commands about delivery: stopping an endpoint or a stream for good reason, and allowing it again."""

from typing import Final

import click

from tocsin.cli.console import emit, examples, json_option, load_settings, opened

STREAM: Final = "st_"


@click.group()
def delivery() -> None:
    """Stop endpoints and streams, and allow them again."""


@delivery.command("stop", epilog=examples("tocsin-hub delivery stop ep_6921d0c53f…"))
@click.argument("receiver")
@json_option
def delivery_stop(receiver: str) -> None:
    """Send nothing more to an endpoint (ep_…) or on a stream (st_…), whoever owns it; its owner is told.

    What is for it is kept, for 30 days at most. Only `tocsin-hub delivery allow` lets its owner begin again.
    """
    issuer = _act(receiver, stopped=True)
    emit({"receiver": receiver, "issuer": issuer, "stopped": True}, f"Stopped {receiver} of {issuer}")


@delivery.command("allow", epilog=examples("tocsin-hub delivery allow ep_6921d0c53f…"))
@click.argument("receiver")
@json_option
def delivery_allow(receiver: str) -> None:
    """Let the owner of what was stopped begin again: an endpoint answers its challenge, a stream is enabled."""
    issuer = _act(receiver, stopped=False)
    emit({"receiver": receiver, "issuer": issuer, "stopped": False}, f"Allowed {receiver} of {issuer}")


def _act(receiver: str, *, stopped: bool) -> str:
    """Do it; the issuer of the member whose it is."""
    from tocsin.members.service import Members
    from tocsin.streams.service import stopping as streams
    from tocsin.webhooks.service import stopping as endpoints

    settings = load_settings()
    with opened(settings) as database:
        of = streams if receiver.startswith(STREAM) else endpoints
        owner = (of.stop if stopped else of.allow)(database, receiver)
        with database.snapshot() as uow:
            return Members(database, settings).orgs(uow)[owner].issuer
