"""`python -m tests.benchmarks [--only NAME]`: run benchmarks, print one JSON object a line."""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import click

from tests.benchmarks import ingest, reading
from tests.benchmarks.figures import Figure

DATABASES = ("sqlite", "postgres")
BENCHMARKS: Mapping[str, tuple[Callable[[], Iterator[Figure]], ...]] = {
    "ingest-sqlite": (partial(ingest.ingest, "sqlite"),),
    "ingest-postgres": (partial(ingest.ingest, "postgres"),),
    "ingest-growth": tuple(partial(ingest.growth, dialect) for dialect in DATABASES),
    "first-pull": tuple(partial(reading.first_pull, dialect) for dialect in DATABASES),
    "indicator-view": tuple(partial(reading.indicator_view, dialect) for dialect in DATABASES),
}


@click.command()
@click.option("--only", type=click.Choice(tuple(BENCHMARKS)), help="Run one of them.")
def main(only: str | None) -> None:
    """Measure, each figure beside its floor."""
    for name in (only,) if only else BENCHMARKS:
        for benchmark in BENCHMARKS[name]:
            for figure in benchmark():
                click.echo(figure.line())
                sys.stdout.flush()


if __name__ == "__main__":
    main()
