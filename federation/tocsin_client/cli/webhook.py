"""`tocsin webhook`: endpoints at a hub, what they were sent, and a receiver to try them with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, get_args

import click

from tocsin_client.cli import webhook_listen
from tocsin_client.cli.console import Console, command
from tocsin_client.config import NotReady
from tocsin_client.endpoints import Endpoints
from tocsin_schemas.endpoints import (
    CHOOSABLE,
    AttemptView,
    DeliveryState,
    DeliveryView,
    EndpointView,
    Failure,
)
from tocsin_schemas.notifications import DETAILS, SEVERITIES
from tocsin_schemas.vocabulary import LABELS

SHOWN: Final = 50
FILTERS: Final = (
    ("--type", "types", click.Choice(CHOOSABLE), "What it is told of."),
    ("--community", "communities", str, "The community it is told about."),
    ("--label", "labels", click.Choice(sorted(LABELS)), "The label it is told about."),
)


@click.group("webhook")
def webhook() -> None:
    r"""Have a hub tell you within seconds: endpoints, what they were sent, and a receiver to try them with.

    \b
      tocsin webhook add URL        make an endpoint; its secret is shown this once
      tocsin webhook listen         receive on this machine, verify and print
      tocsin webhook activate ID    once your receiver is there: have it answer the challenge
      tocsin webhook log ID         what it was sent, and how that ended
      tocsin webhook replay ID …    send it again
    """


def _wanted(function: Any) -> Any:
    """What an endpoint asks for."""
    for flag, name, kind, text in reversed(FILTERS):
        function = click.option(
            flag, name, type=kind, multiple=True, help=f"{text} Repeatable; without it, everything."
        )(function)
    function = click.option("--severity", type=click.Choice(SEVERITIES), help="The least that is sent.")(
        function
    )
    return click.option(
        "--detail", type=click.Choice(DETAILS), help="`full` puts the signals themselves into the body."
    )(function)


_endpoint: Final = click.argument("endpoint", metavar="ID")
_limit: Final = click.option(
    "--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="How many, the newest first."
)


@command("add")
@click.argument("url")
@_wanted
def add(console: Console, url: str, **wanted: Any) -> None:
    r"""Make an endpoint at URL. Its secret is shown this once: keep it, or its public key.

    \b
    Example:
      tocsin webhook add https://pixel.example/hook --type signal.retracted --type indicator.corroborated
    """
    with _endpoints(console) as endpoints:
        made = endpoints.add(url, **_given(wanted))
    console.result(
        made.model_dump(exclude_none=True),
        f"{made.id}\nsecret      {made.secret}\npublic key  {made.public_key}",
    )
    console.note(
        "Either verifies every request; the secret is not shown again. Then: tocsin webhook activate "
        + made.id
    )


@command("list")
def listed(console: Console) -> None:
    """List your endpoints."""
    with _endpoints(console) as endpoints:
        found = endpoints.list()
    for one in found:
        console.result(one.model_dump(exclude_none=True), _line(one))
    if not found:
        console.note("No endpoint yet: tocsin webhook add URL")


@command("show")
@_endpoint
def show(console: Console, endpoint: str) -> None:
    """Show an endpoint: what it asks for, and how sending to it goes."""
    with _endpoints(console) as endpoints:
        _show(console, endpoints.show(endpoint))


@command("activate")
@_endpoint
def activate(console: Console, endpoint: str) -> None:
    """Have an endpoint answer its challenge. Its receiver must be there now, and know the secret."""
    with _endpoints(console) as endpoints:
        _show(console, endpoints.activate(endpoint))


@command("change")
@_endpoint
@click.option("--url", help="Another address; it has to answer a challenge before anything else goes there.")
@_wanted
@click.option(
    "--every",
    "every",
    type=click.Choice([name for _, name, _, _ in FILTERS]),
    multiple=True,
    help="Take a filter away. Repeatable.",
)
def change(console: Console, endpoint: str, url: str | None, every: tuple[str, ...], **wanted: Any) -> None:
    r"""Change an endpoint; what is not named stays.

    \b
    Example:
      tocsin webhook change ep_… --severity urgent --every types
    """
    asked = _given(wanted) | {name: [] for name in every} | ({} if url is None else {"url": url})
    if not asked:
        raise NotReady("There is nothing to change.", "Name what is to be different: see --help.")
    with _endpoints(console) as endpoints:
        _show(console, endpoints.change(endpoint, **asked))


@command("rotate")
@_endpoint
@click.option(
    "--again", is_flag=True, help="Also within a day of the last rotation: ends the oldest secret now."
)
def rotate(console: Console, endpoint: str, again: bool) -> None:
    """Give an endpoint new secrets, shown this once. Those before sign too for a day."""
    with _endpoints(console) as endpoints:
        made = endpoints.rotate(endpoint, again=again)
    console.result(
        made.model_dump(exclude_none=True), f"secret      {made.secret}\npublic key  {made.public_key}"
    )
    console.note(f"Both old and new verify until {made.overlap_until}; change your receiver by then.")


@command("test")
@_endpoint
def test(console: Console, endpoint: str) -> None:
    """Send a test message. `tocsin webhook log` shows what became of it."""
    with _endpoints(console) as endpoints:
        message = endpoints.test(endpoint)
    console.result({"message": message}, f"Queued {message}")


@command("log")
@_endpoint
@click.option("--state", type=click.Choice(get_args(DeliveryState)), help="Only messages in this state.")
@click.option("--message", metavar="MSG", help="Every try of this message.")
@click.option("--attempts", "every_try", is_flag=True, help="Every try instead of every message.")
@_limit
def log(  # one argument an option
    console: Console,
    endpoint: str,
    state: DeliveryState | None,
    message: str | None,
    every_try: bool,
    limit: int,
) -> None:
    """Show what an endpoint was sent, and how it ended."""
    with _endpoints(console) as endpoints:
        if every_try or message is not None:
            _attempts(console, endpoints.attempts(endpoint, message=message), limit)
        else:
            _deliveries(console, endpoints.deliveries(endpoint, state=state), limit)


@command("dead")
@_endpoint
@_limit
def dead(console: Console, endpoint: str, limit: int) -> None:
    """Show the dead letters of an endpoint: what was given up after every try."""
    with _endpoints(console) as endpoints:
        _deliveries(console, endpoints.deliveries(endpoint, state="dead"), limit)


@command("replay")
@_endpoint
@click.option("--message", metavar="MSG", help="This message.")
@click.option("--first", metavar="MSG", help="From this message on.")
@click.option("--last", metavar="MSG", help="With --first: up to this one.")
@click.option("--since", metavar="TIME", help="Since then, in RFC 3339: 2026-11-22T12:00:00Z.")
@click.option(
    "--since-disabled", is_flag=True, help="All that was kept back while the hub did not send to it."
)
def replay(console: Console, endpoint: str, since_disabled: bool, **wanted: str | None) -> None:
    r"""Send messages again, under the same ids: a receiver that remembers ids sees what it has had.

    \b
    Examples:
      tocsin webhook replay ep_… --since 2026-11-22T12:00:00Z
      tocsin webhook replay ep_… --since-disabled
    """
    asked: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if since_disabled:
        asked["since_disabled"] = True
    with _endpoints(console) as endpoints:
        done = endpoints.replay(endpoint, **asked)
    console.result(done.model_dump(exclude_none=True), f"{done.queued:,} queued")
    if done.next is not None:
        console.note(f"There are more: tocsin webhook replay {endpoint} --first {done.next}")


@command("pause")
@_endpoint
def pause(console: Console, endpoint: str) -> None:
    """Keep everything back for an endpoint until it is resumed."""
    with _endpoints(console) as endpoints:
        _show(console, endpoints.change(endpoint, state="paused"))


@command("resume")
@_endpoint
def resume(console: Console, endpoint: str) -> None:
    """Send to a paused endpoint again, what was kept back first."""
    with _endpoints(console) as endpoints:
        _show(console, endpoints.change(endpoint, state="active"))


@command("remove")
@_endpoint
def remove(console: Console, endpoint: str) -> None:
    """Remove an endpoint, with its log and all that waits for it."""
    with _endpoints(console) as endpoints:
        endpoints.remove(endpoint)
    console.result({"removed": endpoint}, "Removed")


@contextmanager
def _endpoints(console: Console) -> Iterator[Endpoints]:
    with console.client(console.home.load()) as client:
        yield client.endpoints


def _given(wanted: dict[str, Any]) -> dict[str, Any]:
    """What was named on the command line."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in wanted.items() if value
    }


def _show(console: Console, one: EndpointView) -> None:
    lists: dict[str, Sequence[str]] = {
        "types": one.types,
        "communities": one.communities,
        "labels": one.labels,
    }
    asked = "; ".join(f"{name}: {', '.join(values) or 'every one'}" for name, values in lists.items())
    console.result(
        one.model_dump(exclude_none=True),
        f"{_line(one)}\n{asked}; from {one.severity} on; {one.detail} bodies",
    )
    if one.state == "disabled":
        console.note("The hub has stopped sending to it. Mend it, activate it, then replay --since-disabled.")


def _line(one: EndpointView) -> str:
    state = one.state if one.reason is None else f"{one.state} ({one.reason})"
    speed = "" if one.p50_ms is None else f", p50 {one.p50_ms} ms, p99 {one.p99_ms} ms"
    ends = "" if one.rotate_by is None else f", the secret ends {one.rotate_by}: rotate it"
    return f"{one.id}  {state}  {one.url}  {one.backlog} waiting, {one.held} held{speed}{ends}"


def _deliveries(console: Console, found: Iterator[DeliveryView], limit: int) -> None:
    for one in islice(found, limit):
        text = f"{one.queued_at}  {one.message}  {one.type}  {one.subject} #{one.seq}  {one.state}"
        console.result(
            one.model_dump(exclude_none=True),
            f"{text}  {_end(one.status, one.failure)}  {one.attempts} tries",
        )


def _attempts(console: Console, found: Iterator[AttemptView], limit: int) -> None:
    for one in islice(found, limit):
        text = f"{one.at}  {one.message}  try {one.number}  {_end(one.status, one.failure)}"
        console.result(one.model_dump(exclude_none=True), f"{text}  {one.duration_ms} ms")


def _end(status: int | None, failure: Failure | None) -> str:
    return str(status) if status is not None else failure or "-"


for _command in (
    add, listed, show, activate, change, rotate, test, log, dead, replay, pause, resume, remove,
    *webhook_listen.COMMANDS,
):  # fmt: skip
    webhook.add_command(_command)

COMMANDS: Final = (webhook,)
