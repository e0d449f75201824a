"""`python -m tests.benchmarks [--only NAME]`: run benchmarks, print one JSON object a line.

A run of all of them also writes the figures into docs/benchmarks.md.
"""

import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click

from tests.benchmarks import (
    delivering,
    following,
    ingest,
    publishing,
    reading,
    snapshots,
    streaming,
    suspending,
)
from tests.benchmarks.figures import Figure

PAGE: Final = Path(__file__).parents[2] / "docs" / "benchmarks.md"
DATABASES: Final = ("sqlite", "postgres")
BENCHMARKS: Final[Mapping[str, tuple[Callable[[], Iterator[Figure]], ...]]] = {
    "ingest-sqlite": (partial(ingest.ingest, "sqlite"),),
    "ingest-postgres": (partial(ingest.ingest, "postgres"),),
    "ingest-growth": tuple(partial(ingest.growth, dialect) for dialect in DATABASES),
    "feed-segments": (streaming.feed_segments,),
    "feed-rows": tuple(partial(streaming.feed_rows, dialect) for dialect in DATABASES),
    "feed-memory": (streaming.feed_memory,),
    "follow": (partial(following.follow, "sqlite"),),
    "indicator-view": tuple(partial(reading.indicator_view, dialect) for dialect in DATABASES),
    "publish-growth": tuple(partial(publishing.publish_growth, dialect) for dialect in DATABASES),
    "snapshot-size": (snapshots.snapshot_size,),
    "webhook-throughput": tuple(partial(delivering.webhook_throughput, dialect) for dialect in DATABASES),
    "webhook-escalation-p99": tuple(
        partial(delivering.webhook_escalation_p99, dialect) for dialect in DATABASES
    ),
    "webhook-growth": tuple(partial(delivering.webhook_growth, dialect) for dialect in DATABASES),
    "suspend-latency": tuple(partial(suspending.suspend_latency, dialect) for dialect in DATABASES),
}


@click.command()
@click.option(
    "--only", type=click.Choice(tuple(BENCHMARKS)), help="Run one of them; the page stays as it is."
)
def main(only: str | None) -> None:
    """Measure, each figure beside its floor."""
    figures = []
    for name in (only,) if only else BENCHMARKS:
        for benchmark in BENCHMARKS[name]:
            for figure in benchmark():
                click.echo(figure.line())
                figures.append(figure)
    if only is None:
        _write(figures)


def _write(figures: list[Figure]) -> None:
    """Put the figures of a whole run between the marks of the page."""
    day, machine = datetime.now(UTC).date().isoformat(), f"{os.cpu_count()} cores ({platform.machine()})"
    lines = [
        f"`make bench`, {day}: {machine}, Python {platform.python_version()}; clients, hub and database share them.",
        "",
        "| name | database | value | floor | unit | ratio | n |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| `{f.name}` | {f.database} | {f.value:,.4g} | {f.floor:,.4g} | {f.unit} | **{f.ratio:.4g}** | {f.n:,} |"
            for f in figures
        ),
    ]
    text = "\n".join(("<!-- figures -->", *lines, "<!-- /figures -->"))
    page = re.sub(r"<!-- figures -->.*<!-- /figures -->", lambda _: text, PAGE.read_text(), flags=re.DOTALL)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
