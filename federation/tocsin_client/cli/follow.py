"""`tocsin follow`, `status` and `verify`: the mirror."""

import os
import threading
from collections.abc import Mapping
from typing import Any, Final

import click

from tocsin_client.audit import audit
from tocsin_client.cli.console import Console, command, community_option
from tocsin_client.client import Client
from tocsin_client.config import Profile
from tocsin_client.http import HubError, HubUnreachable
from tocsin_client.log import PASSING, LogUnverified
from tocsin_client.mirror import Mirror, Step, VerificationFailed
from tocsin_client.statements import foldable
from tocsin_schemas import indicators
from tocsin_schemas.ledger import rfc3339

RETRIED: Final = frozenset({429, 500, 502, 503, 504})


@command("follow")
@click.option("--once", is_flag=True, help="One step to the end of the feed, then stop (the default).")
@click.option(
    "--watch",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="Step again as soon as there is something new, at the latest after so many seconds, for ever.",
)
@click.option("--keep-going", is_flag=True, help="Note records that do not verify as refused, and follow on.")
@community_option
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, help="Processes that verify."
)
def follow(
    console: Console, once: bool, watch: int | None, keep_going: bool, community: str | None, jobs: int
) -> None:
    r"""Mirror a community: fetch what is new, verify all of it, drop what has expired.

    Verified are the log's checkpoint, that every record is in the log and none was left out, and every commitment and
    signature. Can be stopped at any moment; the next run goes on where the last stored records end.

    \b
    Examples:
      tocsin follow
      tocsin follow --watch 30
    """
    if once and watch is not None:
        raise click.UsageError("--once or --watch")
    profile = console.home.load()
    slug = community or profile.community
    pause = threading.Event()
    with console.client(profile) as client, console.mirror(profile, slug, create=True) as mirror:
        while True:
            try:
                _step(console, client, mirror, keep_going=keep_going, jobs=jobs)
                if watch is None:
                    return
                cursor = mirror.store.cursor
                if client.await_record(slug, None if cursor < 0 else cursor, watch):
                    # A record is given at once; the checkpoint that covers it takes up to a second more.
                    pause.wait(1)
            except (HubError, LogUnverified) as error:
                if watch is None or not _may_pass(error):
                    raise
                console.note(f"{_what(error)}; the next try is in {watch} s.")
                pause.wait(watch)


def _may_pass(error: HubError | LogUnverified) -> bool:
    if isinstance(error, LogUnverified):
        return error.code in PASSING
    return isinstance(error, HubUnreachable) or error.status in RETRIED


def _what(error: HubError | LogUnverified) -> str:
    return error.reason if isinstance(error, LogUnverified) else error.detail


def _step(console: Console, client: Client, mirror: Mirror, *, keep_going: bool, jobs: int) -> None:
    before = mirror.store.cursor
    recorded = client.me().log_size
    with console.progress("following", max(0, recorded - 1 - before)) as advance:
        seen = before

        def on_page(step: Step) -> None:
            nonlocal seen
            advance(step.cursor - seen)
            seen = step.cursor

        step = mirror.follow(client, keep_going=keep_going, workers=jobs, at_least=recorded, on_page=on_page)
    for failure in step.refused:
        console.note(f"refused: {failure}")
    console.refused += len(step.refused)
    data = {
        "cursor": step.cursor,
        "stored": step.stored,
        "absent": step.absent,
        "retracted": step.retracted,
        "expired": step.expired,
        "refused": len(step.refused),
    }
    console.result(
        data,
        f"Up to entry {step.cursor}: {step.stored:,} verified and stored, {step.retracted:,} retracted,"
        f" {step.expired:,} expired, {step.absent:,} gone or withheld, {len(step.refused):,} refused.",
    )


@command("status")
@click.argument("indicator", required=False)
@community_option
def status(console: Console, indicator: str | None, community: str | None) -> None:
    r"""What the mirror holds; or where one INDICATOR stands, why, and who said what about it.

    \b
    Examples:
      tocsin status
      tocsin status sha256:… --json
    """
    profile = console.home.load()
    with console.mirror(profile, community or profile.community) as mirror:
        if indicator is None:
            _whole(console, profile, mirror)
        else:
            _one(console, mirror, indicator)


def _whole(console: Console, profile: Profile, mirror: Mirror) -> None:
    store = mirror.store
    counts = store.counts()
    standings = mirror.tally()
    data = {
        "hub": store.hub,
        "community": store.community,
        "issuer": profile.issuer,
        "cursor": store.cursor,
        "stepped_at": rfc3339(store.stepped_at),
        "records": counts,
        "indicators": standings,
        "refused": [{"seq": item.seq, "code": item.code} for item in store.refusals()],
    }
    console.result(
        data,
        "\n".join(
            [
                f"{store.community} of {store.hub}, up to entry {store.cursor}, followed {rfc3339(store.stepped_at)}",
                _table("records", counts),
                _table("indicators", standings),
            ]
        ),
    )


def _one(console: Console, mirror: Mirror, text: str) -> None:
    rows = mirror.store.about(indicators.parse(text))
    directory, policy = mirror.store.directory(), mirror.store.policy()
    standing = mirror.fold(rows, directory, policy)
    statements = [
        {
            "statement": row.id.hex(),
            "seq": row.seq,
            "kind": row.kind,
            "author": row.author,
            "basis": row.basis,
            "recorded_at": rfc3339(row.recorded_at),
            "expires_at": rfc3339(row.expires_at),
            "counts": taken.counts,
        }
        for row, taken in zip(rows, foldable(rows, directory), strict=True)
        if row.id in standing.live
    ]
    rules = {reason.rule: [item.hex() for item in reason.statements] for reason in standing.reasons}
    data = {
        "status": standing.status,
        "rules": rules,
        "reporters": standing.reporters,
        "disputes": standing.disputes,
        "statements": statements,
    }
    lines = [
        f"{standing.status} ({', '.join(rules)}), reporters {standing.reporters}, disputes {standing.disputes}"
    ]
    lines += [
        f"  {item['kind']} by {item['author']}, until {item['expires_at']}"
        f"{'' if item['counts'] else ' (does not count)'}\n    statement {item['statement']}"
        for item in statements
    ]
    console.result(data, "\n".join(lines))


@command("verify")
@community_option
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, help="Processes that verify."
)
def verify(console: Console, community: str | None, jobs: int) -> None:
    """Verify the whole mirror again, offline: every signature, every commitment, every column."""
    profile = console.home.load()
    with console.mirror(profile, community or profile.community) as mirror:
        total = sum(n for name, n in mirror.store.counts().items() if name.startswith("statement:"))
        with console.progress("verifying", total) as advance:
            found = audit(mirror, workers=jobs, on_progress=advance)
    for failure in found.failures:
        console.note(f"does not verify: {failure}")
    data: dict[str, Any] = {
        "statements": found.statements,
        "hub_events": found.hub_events,
        "failures": [{"seq": item.seq, "code": item.code, "field": item.field} for item in found.failures],
        "indicators": found.standings,
    }
    console.result(
        data,
        f"{found.statements:,} statements and {found.hub_events:,} events of the hub:"
        f" {len(found.failures):,} do not verify.\n{_table('indicators', found.standings)}",
    )
    if found.failures:
        raise VerificationFailed(found.failures[0])


def _table(title: str, counts: Mapping[str, int]) -> str:
    lines = [f"  {name:<24}{count:>12,}" for name, count in sorted(counts.items())]
    return "\n".join([f"{title}:", *(lines or ["  none"])])


COMMANDS: Final = (follow, status, verify)
