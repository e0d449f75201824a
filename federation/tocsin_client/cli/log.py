"""`tocsin log`: what the hub's public log proves, and what it does not."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import click

from tocsin_client.cli.console import Console, command, community_option
from tocsin_client.cli.log_access import (
    age_of_copy,
    checkpoint_data,
    headline,
    hub_option,
    offline_option,
    opened,
    policy_in,
)
from tocsin_client.cli.proofs import check, prove
from tocsin_client.http import HubError, HubUnreachable
from tocsin_client.log import Log, LogUnverified, View
from tocsin_client.log_audit import LogAudit, audit_log
from tocsin_client.log_source import open_source
from tocsin_client.mirror import Mirror
from tocsin_client.mirror_store import MirrorStore
from tocsin_client.monitor import Look, Vantage, look, witnessed
from tocsin_schemas.tlog_policy import LogPolicy

_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)
EVERY: Final = 30


@click.group("log")
def log() -> None:
    r"""Check the hub's public log for yourself: that it only ever grew, and showed everybody the same.

    \b
    The log has one entry for everything the hub recorded, without values. Its checkpoint is a signed promise:
    so many entries, this root. `follow` accepts nothing else; these commands let you look closer.
      tocsin log verify        read all of it, and hold your mirror against it
      tocsin log prove SEQ     a proof for somebody else that an entry is in it
      tocsin log check FILE    such a proof, or evidence, without any network
      tocsin log monitor       keep comparing with what others were shown
      tocsin log trust         whose signatures you believe
    """


@command("verify")
@offline_option
@hub_option
@community_option
def verify(console: Console, offline: str | None, hub: str | None, community: str | None) -> None:
    r"""Read the whole log, and hold your mirror against it.

    \b
    It shows that
      - the log continues what you saw of it before, entry for entry;
      - every record you hold is in it, as it was logged;
      - every entry of your community reached you: as a record, as a tombstone, or openly withheld.
    `tocsin verify` checks the signatures and commitments of what you hold; together they are everything.

    \b
    Examples:
      tocsin log verify
      tocsin log verify --offline /mnt/copy-of-the-log
      tocsin log verify --hub https://hub.example        (as a stranger: the log alone)
    """
    with ExitStack() as stack:
        found = stack.enter_context(opened(console, hub, offline))
        view = found.latest()
        mirror: Mirror | None = None
        if hub is None:
            profile = console.home.load()
            slug = community or profile.community
            if console.home.mirror_file(profile.hub, slug).exists():
                mirror = stack.enter_context(console.mirror(profile, slug))
        if mirror is not None and (note := mirror.store.checkpoint) is not None:
            found.demand_continuation(view, note, "your mirror, before")
        with console.progress("verifying", view.size) as advance:
            audit = audit_log(view, None if mirror is None else mirror.store, on_progress=advance)
        for failure in audit.failures:
            console.note(f"does not fit: {failure}")
        _say_audit(console, view, audit, None if mirror is None else mirror.store)
    if audit.failures:
        first = audit.failures[0]
        raise LogUnverified(first.code, f"{len(audit.failures)} in all; the first: {first}")


def _say_audit(console: Console, view: View, audit: LogAudit, mirror: MirrorStore | None) -> None:
    data: dict[str, Any] = checkpoint_data(view) | {"entries": audit.entries}
    lines = [headline(view), f"{audit.entries:,} entries lead to its root."]
    if (age := age_of_copy(view)) is not None:
        lines.insert(1, age)
    if mirror is None:
        lines.append("There is no mirror to hold against it.")
    else:
        data["mirror"] = {
            "community": mirror.community,
            "cursor": mirror.cursor,
            **{
                name: getattr(audit, name)
                for name in ("ours", "held", "absent", "refused", "ahead", "beyond")
            },
            "failures": [{"seq": item.seq, "code": item.code} for item in audit.failures],
        }
        lines.append(
            f"{mirror.community}: {audit.ours:,} entries, of which you hold {audit.held:,}; {audit.absent:,} are gone"
            f" or withheld, {audit.refused:,} were refused, {audit.ahead:,} are newer than your mirror;"
            f" {len(audit.failures):,} do not fit."
        )
        if audit.beyond:
            lines.append(f"{audit.beyond:,} that your mirror accounts for are newer than the copy.")
    console.result(data, "\n".join(lines))


@command("monitor")
@click.option("--peer", "peers", multiple=True, metavar="FOLDER|URL",
              help="A copy of the log, or what another follower keeps of it. Repeatable.")  # fmt: skip
@click.option("--witness", "witnesses", multiple=True, metavar="URL",
              help="A witness's monitoring address. Repeatable; those of your policy are asked anyway.")  # fmt: skip
@click.option("--every", type=click.IntRange(1), default=EVERY, show_default=True, metavar="SECONDS")
@click.option("--once", is_flag=True, help="One look, then stop.")
@hub_option
def monitor(
    console: Console,
    peers: tuple[str, ...],
    witnesses: tuple[str, ...],
    every: int,
    once: bool,
    hub: str | None,
) -> None:
    r"""Keep watching the log, from several places, and raise an alarm when it contradicts itself.

    \b
    The first look reads the whole log, every later one what is new; each compares with what the others were shown.
    When the log shows two people different things, or less than it had signed, this stops with exit code 3 and keeps
    both checkpoints as evidence.

    \b
    Examples:
      tocsin log monitor --once
      tocsin log monitor --peer https://mirror.example/log --witness https://witness.example
    """
    pause = threading.Event()
    with ExitStack() as stack:
        found = stack.enter_context(opened(console, hub))
        others = [Vantage(stack.enter_context(open_source(place))) for place in peers]
        known = [witness.url for witness in found.policy().witnesses.values() if witness.url]
        others += [
            witnessed(stack.enter_context(open_source(place)), found.origin)
            for place in dict.fromkeys((*known, *witnesses))
        ]
        seen = 0
        while True:
            try:
                done = look(found, others, seen)
            except HubError as error:
                if once or not isinstance(error, HubUnreachable):
                    raise
                console.note(f"{error.detail}; the next look is in {every} s.")
            else:
                seen = done.view.size
                _say_look(console, done)
            if once:
                return
            pause.wait(every)


def _say_look(console: Console, done: Look) -> None:
    data = checkpoint_data(done.view) | {
        "read": done.read,
        "new": done.new,
        "others": [sight._asdict() for sight in done.sights],
    }
    lines = [f"{headline(done.view)} {done.read:,} entries read, {done.new:,} of them new."]
    lines += [
        f"  {sight.name}: {sight.state}" + ("" if sight.size is None else f", at {sight.size:,} entries")
        for sight in done.sights
    ]
    console.result(data, "\n".join(lines))


@command("trust")
@click.option("--policy", type=_FILE, help="Believe this tlog-policy from now on.")
@click.option("--served", is_flag=True, help="Believe the policy that the hub serves now.")
@hub_option
def trust(console: Console, policy: Path | None, served: bool, hub: str | None) -> None:
    r"""Show or replace the policy that says whose checkpoints you believe (C2SP tlog-policy).

    \b
    The first time, the hub's own is pinned; from then on it changes only by this command. Compare the log's key with
    the hub's operator by another channel: whoever holds it could otherwise show you a log of your own.

    \b
    Examples:
      tocsin log trust
      tocsin log trust --policy from-the-operator.policy
    """
    if policy is not None and served:
        raise click.UsageError("--policy or --served")
    with opened(console, hub) as found:
        if policy is not None:
            found.pin(policy_in(policy))
        elif served:
            found.pin(found.served_policy())
        pinned = found.policy()
        same = None if policy is not None or served else _served(found) == pinned
        evidence = [str(folder) for folder in found.store.evidence()]
    text = pinned.render().decode("utf-8", "replace")
    if same is False:
        console.note(
            "The hub serves another policy now. `--served` takes it over, if you know why it changed."
        )
    for folder in evidence:
        console.note(f"There is evidence against this log in {folder}.")
    console.result({"policy": text, "served_is_the_same": same, "evidence": evidence}, text.rstrip("\n"))


def _served(found: Log) -> LogPolicy | None:
    try:
        return found.served_policy()
    except LogUnverified:
        return None


for _command in (verify, prove, check, monitor, trust):
    log.add_command(_command)

COMMANDS: Final = (log,)
