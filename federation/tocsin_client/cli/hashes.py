"""`tocsin hash` and `tocsin match`: work on files where they lie."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from tocsin_client.cli.console import Console, command, community_option
from tocsin_client.hashing import NOTES, Hashed, hash_files
from tocsin_client.match import MAX_DISTANCE, Hit, Matcher
from tocsin_schemas import indicators
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.ledger import rfc3339

CSV_COLUMNS: Final = ("indicators", "pdq_quality", "file", "note")
STALE_SECONDS: Final = 3600
FILES: Final = click.Path(path_type=Path)
jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, help="Processes that hash files."
)


@command("hash")
@click.argument("files", nargs=-1, required=True, type=FILES)
@click.option("--csv", "as_csv", is_flag=True, help="A report file for `tocsin submit`, as CSV.")
@jobs_option
def hash_command(console: Console, files: Sequence[Path], as_csv: bool, jobs: int) -> None:
    r"""Hash files here: PDQ with quality for pictures; MD5, SHA-1 and SHA-256 for any file. Nothing is sent.

    \b
    Examples:
      tocsin hash photo.jpg
      tocsin hash --csv found/* > reports.csv
    """
    if as_csv and not console.as_json:
        click.echo(_csv_line(CSV_COLUMNS))
    for hashed in hash_all(console, files, jobs):
        names = [str(item) for item in hashed.media]
        console.refused += hashed.note is not None
        if as_csv and not console.as_json:
            if names:
                click.echo(_csv_line((" ".join(names), hashed.quality, hashed.path, hashed.note)))
            else:
                console.note(f"{hashed.path}: {NOTES[hashed.note or 'file-unreadable']}")
            continue
        data: dict[str, Any] = {"file": str(hashed.path)}
        if names:
            data["indicators"] = names
        if hashed.quality is not None:
            data["pdq_quality"] = hashed.quality
        if hashed.note is not None:
            data["note"] = hashed.note
        console.result(data, "\n".join(_lines(hashed, names)))


@command("match")
@click.argument("files", nargs=-1, type=FILES)
@click.option(
    "--hash", "hashes", multiple=True, metavar="TYPE:VALUE", help="A hash instead of a file; repeatable."
)
@click.option(
    "--distance",
    type=click.IntRange(0, MAX_DISTANCE),
    default=MAX_DISTANCE,
    show_default=True,
    help="PDQ bits apart.",
)
@click.option(
    "--include-disputed", is_flag=True, help="Show hits that are disputed, quarantined or expired too."
)
@community_option
@jobs_option
def match(
    console: Console,
    files: Sequence[Path],
    hashes: Sequence[str],
    distance: int,
    include_disputed: bool,
    community: str | None,
    jobs: int,
) -> None:
    r"""Compare files or hashes with the mirror, offline: exact digests, and PDQ within 31 bits.

    \b
    Examples:
      tocsin match upload.jpg
      tocsin match --hash md5:d41d8cd98f00b204e9800998ecf8427e --json
    """
    if not files and not hashes:
        raise click.UsageError("files or --hash")
    given = [indicators.parse(text, f"--hash {place}") for place, text in enumerate(hashes, start=1)]
    profile = console.home.load()
    with console.mirror(profile, community or profile.community) as mirror:
        age = mirror.now - mirror.store.stepped_at
        if age > STALE_SECONDS:
            console.note(f"The mirror is {age // 3600} h old: run `tocsin follow`.")
        matcher = Matcher(mirror, distance=distance, include_disputed=include_disputed)
        quality = mirror.store.policy().min_pdq_quality
        for indicator in given:
            _show(console, str(indicator), {"hash": str(indicator)}, matcher.find([indicator]))
        for hashed in hash_all(console, files, jobs):
            data: dict[str, Any] = {"file": str(hashed.path)}
            if hashed.note is not None:
                console.refused += 1
                data["note"] = hashed.note
                console.note(f"{hashed.path}: {NOTES[hashed.note]}")
            if hashed.sha256 is not None:
                _show(console, str(hashed.path), data, matcher.find(_queries(hashed, quality)))
            elif console.as_json:
                console.result(data, "")


def hash_all(console: Console, files: Sequence[Path], jobs: int) -> Iterator[Hashed]:
    """Hash files with a progress bar, in worker processes where there is more than a handful."""
    with console.progress("hashing", len(files)) as advance:
        yield from hash_files(files, workers=min(jobs, 1 + len(files) // 4), on_progress=advance)


def _queries(hashed: Hashed, min_quality: int) -> list[Indicator]:
    """What to look for: a PDQ of low quality matches everything flat, so it is left out."""
    usable = hashed.quality is not None and hashed.quality >= min_quality
    return [item for item in hashed.media + hashed.artefact if item.type != "pdq" or usable]


def _show(console: Console, name: str, data: dict[str, Any], hits: Sequence[Hit]) -> None:
    count = "no match" if not hits else f"{len(hits)} hit" + "s" * (len(hits) != 1)
    lines = [f"{name}: {count}"] + [
        f"  {hit.status} at distance {hit.distance}, reporters {hit.reporters}, disputes {hit.disputes},"
        f" until {rfc3339(hit.expires_at)}, TLP:{hit.tlp.upper()}, {' '.join(hit.labels)}\n    {hit.indicator}"
        for hit in hits
    ]
    console.result(data | {"hits": [_hit(hit) for hit in hits]}, "\n".join(lines))


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "indicator": str(hit.indicator),
        "distance": hit.distance,
        "status": hit.status,
        "rules": list(hit.rules),
        "labels": list(hit.labels),
        "tlp": hit.tlp,
        "reporters": hit.reporters,
        "disputes": hit.disputes,
        "authors": list(hit.authors),
        "expires_at": rfc3339(hit.expires_at),
        "statements": list(hit.statements),
    }


def _lines(hashed: Hashed, names: Iterable[str]) -> Iterator[str]:
    yield str(hashed.path)
    for name in names:
        yield f"  {name}" + (f"  quality {hashed.quality}" if name.startswith("pdq:") else "")
    if hashed.note is not None:
        yield f"  {NOTES[hashed.note]}"


def _csv_line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["" if cell is None else cell for cell in cells])
    return line.getvalue()


COMMANDS: Final = (hash_command, match)
