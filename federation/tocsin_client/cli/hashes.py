"""`tocsin hash` and `tocsin match`: work on files where they lie."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tocsin_client.cli.console import Console, command, community_option
from tocsin_client.clock import system_clock
from tocsin_client.config import NotReady, Profile
from tocsin_client.hashing import NOTES, Hashed, hash_files
from tocsin_client.match import MAX_DISTANCE, NEEDS_HASH, Hit, Matcher
from tocsin_schemas import indicators
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.ledger import instant, rfc3339
from tocsin_schemas.policy import Policy

if TYPE_CHECKING:
    from tocsin_client.snapshot_match import Found

Shown = tuple[dict[str, Any], str]
"""A hit as JSON, and as text."""

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
@click.option(
    "--snapshot", "in_snapshot", is_flag=True, help="Compare with what `tocsin snapshot get` fetched instead."
)
@community_option
@jobs_option
def match(
    console: Console,
    files: Sequence[Path],
    hashes: Sequence[str],
    distance: int,
    include_disputed: bool,
    in_snapshot: bool,
    community: str | None,
    jobs: int,
) -> None:
    r"""Compare files or hashes with the mirror, offline: exact digests, and PDQ within 31 bits.

    \b
    Examples:
      tocsin match upload.jpg
      tocsin match --hash md5:d41d8cd98f00b204e9800998ecf8427e --json
      tocsin match --snapshot upload.jpg
    """
    if not files and not hashes:
        raise click.UsageError("files or --hash")
    given = [indicators.parse(text, f"--hash {place}") for place, text in enumerate(hashes, start=1)]
    profile = console.home.load()
    slug = community or profile.community
    if in_snapshot:
        if include_disputed:
            raise click.UsageError("--snapshot or --include-disputed")
        _match_snapshot(console, profile, slug, given, files, distance, jobs)
        return
    with console.mirror(profile, slug) as mirror:
        _note_age(console, "mirror", mirror.now - mirror.store.stepped_at, "tocsin follow")
        matcher = Matcher(mirror, distance=distance, include_disputed=include_disputed)
        quality = mirror.store.policy().min_pdq_quality

        def find(queries: Sequence[Indicator]) -> list[Shown]:
            return [_hit(hit) for hit in matcher.find(queries)]

        _match_all(console, given, files, jobs, quality, find)


def _match_snapshot(
    console: Console,
    profile: Profile,
    community: str,
    given: Sequence[Indicator],
    files: Sequence[Path],
    distance: int,
    jobs: int,
) -> None:
    try:
        from tocsin_client.snapshot_match import SnapshotMatcher
    except ImportError:
        raise NEEDS_HASH from None
    matcher = SnapshotMatcher(console.home.data, profile.hub, community, distance=distance)
    held = matcher.kinds()
    if not held:
        raise NotReady(
            "There is no snapshot on this machine", "Fetch some: `tocsin snapshot get pdq md5 sha256`."
        )
    for kind in held:
        age = system_clock() - instant(matcher.held(kind).manifest.at)
        _note_age(console, f"snapshot of {kind}", age, f"tocsin snapshot get {kind}")

    def find(queries: Sequence[Indicator]) -> list[Shown]:
        return [_found(found) for found in matcher.find(query for query in queries if query.type in held)]

    _match_all(console, given, files, jobs, Policy().min_pdq_quality, find)


def _match_all(
    console: Console,
    given: Sequence[Indicator],
    files: Sequence[Path],
    jobs: int,
    quality: int,
    find: Callable[[Sequence[Indicator]], list[Shown]],
) -> None:
    for indicator in given:
        _show(console, str(indicator), {"hash": str(indicator)}, find([indicator]))
    for hashed in hash_all(console, files, jobs):
        data: dict[str, Any] = {"file": str(hashed.path)}
        if hashed.note is not None:
            console.refused += 1
            data["note"] = hashed.note
            console.note(f"{hashed.path}: {NOTES[hashed.note]}")
        if hashed.sha256 is not None:
            _show(console, str(hashed.path), data, find(_queries(hashed, quality)))
        elif console.as_json:
            console.result(data, "")


def _note_age(console: Console, what: str, seconds: int, refresh: str) -> None:
    if seconds > STALE_SECONDS:
        console.note(f"The {what} is {seconds // 3600} h old: run `{refresh}`.")


def hash_all(console: Console, files: Sequence[Path], jobs: int) -> Iterator[Hashed]:
    """Hash files with a progress bar, in worker processes where there is more than a handful."""
    with console.progress("hashing", len(files)) as advance:
        yield from hash_files(files, workers=min(jobs, 1 + len(files) // 4), on_progress=advance)


def _queries(hashed: Hashed, min_quality: int) -> list[Indicator]:
    """What to look for: a PDQ of low quality matches everything flat, so it is left out."""
    usable = hashed.quality is not None and hashed.quality >= min_quality
    return [item for item in hashed.media + hashed.artefact if item.type != "pdq" or usable]


def _show(console: Console, name: str, data: dict[str, Any], hits: Sequence[Shown]) -> None:
    count = "no match" if not hits else f"{len(hits)} hit" + "s" * (len(hits) != 1)
    lines = [f"{name}: {count}"] + [f"  {text}\n    {row['indicator']}" for row, text in hits]
    console.result(data | {"hits": [row for row, _ in hits]}, "\n".join(lines))


def _hit(hit: Hit) -> Shown:
    row = {
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
    text = (
        f"{hit.status} at distance {hit.distance}, reporters {hit.reporters}, disputes {hit.disputes},"
        f" until {rfc3339(hit.expires_at)}, TLP:{hit.tlp.upper()}, {' '.join(hit.labels)}"
    )
    return row, text


def _found(found: "Found") -> Shown:
    row = {"indicator": str(found.indicator), "distance": found.distance, "version": found.version}
    return row, f"in version {found.version} of the snapshot, at distance {found.distance}"


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
