"""`tocsin webhook listen` and `tocsin webhook snippet`: a receiver on this machine, and one to begin your own with."""

from dataclasses import asdict
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from tocsin_client.cli.console import Console, command
from tocsin_client.config import NotReady
from tocsin_client.snippets import SNIPPETS
from tocsin_client.webhook_journal import Journal
from tocsin_client.webhooks import Event, Receiver
from tocsin_client.webhooks_http import LOOPBACK, WebhookServer
from tocsin_schemas.problems import Refused

_PORT: Final = 8400


@command("listen")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0 takes a free one."
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="WHSEC",
    envvar="TOCSIN_WEBHOOK_SECRET",
    help="The endpoint's secret, whsec_… Repeatable; better set TOCSIN_WEBHOOK_SECRET, which others cannot see.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="WHPK",
    envvar="TOCSIN_WEBHOOK_KEY",
    help="The endpoint's public key, whpk_… Repeatable.",
)
@click.option(
    "--journal",
    "journal_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Remember in this file what was handled; else in memory.",
)
@click.option(
    "--public-url",
    metavar="URL",
    help="The address under which the hub reaches this: only its path is served.",
)
def listen(
    console: Console,
    port: int,
    secrets: tuple[str, ...],
    keys: tuple[str, ...],
    journal_file: Path | None,
    public_url: str | None,
) -> None:
    r"""Receive webhooks on this machine, verify them, and print each event once.

    \b
    It listens on the loopback interface, without TLS: lead a public https address to it, by a
    proxy or a tunnel. The challenge of `tocsin webhook activate` is answered.

    \b
    Example:
      TOCSIN_WEBHOOK_SECRET=whsec_… tocsin webhook listen --port 8400
    """
    with Journal(journal_file) as journal:
        try:
            receiver = Receiver(*secrets, *keys, journal=journal)
        except Refused as refused:
            raise NotReady(
                f"What there is to verify with does not fit: {refused.reason}",
                "Set TOCSIN_WEBHOOK_SECRET to the secret that the hub showed once, or pass --key.",
            ) from None
        path = urlsplit(public_url).path or "/" if public_url else ""
        with WebhookServer(receiver, lambda event: _show(console, event), port, path) as server:
            console.note(f"Listening on http://{LOOPBACK}:{server.server_port}{path}; Ctrl-C stops it.")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                console.note("Stopped.")


@command("snippet")
@click.argument("language", type=click.Choice([one.language for one in SNIPPETS]))
def snippet(console: Console, language: str) -> None:
    r"""Print a receiver to begin your own with: a whole program that verifies, and answers the challenge.

    \b
    Example:
      tocsin webhook snippet node > receiver.mjs
    """
    (found,) = (one for one in SNIPPETS if one.language == language)
    console.result(asdict(found), found.text.rstrip("\n"))


def _show(console: Console, event: Event) -> None:
    told, gap = event.told, event.gap
    place = f"  {told.subject} #{told.seq}" if told else ""
    data = {"id": event.id, "type": event.type, "timestamp": event.timestamp, "data": dict(event.data)}
    missing = {} if gap is None else {"gap": gap._asdict()}
    console.result(data | missing, _plain(f"{event.timestamp}  {event.type}{place}  {event.id}"))
    if gap is not None:
        console.note(
            _plain(f"gap: {gap.subject} #{gap.first} to #{gap.last} did not arrive; `tocsin follow` pulls.")
        )


def _plain(text: str) -> str:
    """Text that does nothing to a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


COMMANDS: Final = (listen, snippet)
