"""How the `tocsin log` commands come to a log, and how they speak of a checkpoint."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click

from tocsin_client.cli.console import Console
from tocsin_client.config import NotReady
from tocsin_client.http import Transport, base_url
from tocsin_client.log import Log, View
from tocsin_client.log_copy import LogCopy
from tocsin_client.log_source import HttpLog, open_source
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.tlog_policy import LogPolicy, parse_policy

NAME_A_HUB: Final = (
    "Name the hub with --hub URL. A client that has logged in need not:"
    " `tocsin login --hub URL --issuer URL --client-id ID`."
)
NAME_BOTH: Final = (
    "Name the hub with --hub URL and your organisation with --issuer URL. A client that has logged in need not:"
    " `tocsin login --hub URL --issuer URL --client-id ID`."
)
BRIEF: Final = 10.0
"""Seconds that a hub is waited for when it is asked about a copy of its log."""


def hub_option(function: Any) -> Any:
    """`--hub`, for another one than the profile's."""
    return click.option(
        "--hub", metavar="URL", help="The hub; by default your profile's. No membership is needed."
    )(function)


def offline_option(function: Any) -> Any:
    """`--offline`, for a copy of the log."""
    return click.option(
        "--offline",
        metavar="FOLDER|URL",
        help="Read a copy of the log there. The hub is asked only whether an older copy is a part of what you saw."
        " Cosignatures may be of any age.",
    )(function)


def whereabouts(console: Console, hub: str | None) -> tuple[str, Path | None]:
    """The address of the hub to look at, and its private CA: of the one named, or the profile's."""
    if hub is not None:
        return base_url(hub), None
    profile = console.home.load(NAME_A_HUB)
    return profile.hub, profile.ca


@contextmanager
def opened(console: Console, hub: str | None, offline: str | None = None) -> Iterator[Log]:
    """The log to look at: the profile's hub's or another's, there or in a copy."""
    address, ca = whereabouts(console, hub)
    store = console.log_store(address)
    with ExitStack() as stack:
        if offline is None:
            transport = stack.enter_context(Transport(address, ca_file=ca))
            yield Log(HttpLog(transport), store, address)
            return
        # It may well be out of reach, and the copy does without.
        once = stack.enter_context(Transport(address, ca_file=ca, retries=0, timeout=BRIEF))
        if store.policy() is None:
            raise NotReady(
                "Nothing says yet whose copy to believe",
                f"Compare the log's key in the copy's log/policy with one you trust, then pin it: "
                f"`tocsin log trust --policy FOLDER/log/policy --hub {address}`.",
            )
        yield LogCopy(stack.enter_context(open_source(offline, ca)), store, address, HttpLog(once))


def policy_in(file: Path) -> LogPolicy:
    """The tlog-policy in a file."""
    return parse_policy(file.read_bytes())


def believed(console: Console, policy: Path | None, hub: str | None) -> LogPolicy:
    """The policy in a file, or the one pinned for a hub.

    Raises:
        NotReady: when there is neither.
    """
    if policy is not None:
        return policy_in(policy)
    address = console.home.load(NAME_A_HUB).hub if hub is None else base_url(hub)
    pinned = console.log_store(address).policy()
    if pinned is None:
        raise NotReady("No policy is pinned on this machine", "Name one with --policy FILE.")
    return pinned


def checkpoint_data(view: View) -> dict[str, Any]:
    """A view's checkpoint, for `--json`."""
    return {
        "origin": view.checkpoint.origin,
        "sandbox": view.sandbox,
        "size": view.size,
        "root": view.checkpoint.root.hex(),
        "cosigned": [{"name": item.name, "at": rfc3339(item.time)} for item in view.cosigned],
        "older": None if view.older is None else {"than": view.older.size, "prefix_shown": view.older.shown},
    }


def headline(view: View) -> str:
    """A view's checkpoint in one line."""
    names = sorted({item.name for item in view.cosigned})
    cosigned = f", cosigned by {', '.join(names)}" if names else ", cosigned by nobody"
    sandbox = " A sandbox: no board decides there." if view.sandbox else ""
    return f"{view.checkpoint.origin}: {view.size:,} entries{cosigned}.{sandbox}"


def age_of_copy(view: View) -> str | None:
    """What an older copy is to what was seen of the log; None for one that is up to date."""
    if view.older is None:
        return None
    known = view.older.size
    text = f"An older copy, {known - view.size:,} entries shorter than the {known:,} that you saw before"
    if view.older.shown:
        return f"{text}, and a prefix of them."
    return f"{text}; not shown to be a prefix of them, as neither the hub nor the copy gave the tiles for it."
