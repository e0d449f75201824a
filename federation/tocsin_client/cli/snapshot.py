"""`tocsin snapshot`: the live set of a type as files to match against."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from tocsin_client.cli.console import Console, command, community_option
from tocsin_client.cli.log_access import believed
from tocsin_client.config import Profile
from tocsin_client.log import Log
from tocsin_client.match import NEEDS_HASH
from tocsin_client.trust import Trust
from tocsin_schemas.indicators import INDICATOR_TYPES, Indicator

if TYPE_CHECKING:
    from tocsin_client.snapshot.keys import Keys
    from tocsin_client.snapshots import SnapshotStore
    from tocsin_schemas.snapshots import Manifest

_KIND: Final = click.Choice(INDICATOR_TYPES)


@click.group("snapshot")
def snapshot() -> None:
    r"""Everything of a type that is reported and not disputed, as files to match against, a few bytes a hash.

    \b
      tocsin snapshot get pdq md5      fetch and verify; later only what has changed
      tocsin snapshot verify           check again what lies here, offline
      tocsin snapshot diff md5         what has changed at the hub since
      tocsin match --snapshot FILES    compare with it
    A mirror (`tocsin follow`) knows who said what, and why; a snapshot is quicker to have, and smaller.
    """


@command("get")
@click.argument("kinds", nargs=-1, required=True, type=_KIND, metavar="TYPE…")
@click.option("--whole", is_flag=True, help="Fetch every file that is not here, and no delta.")
@community_option
def get(console: Console, kinds: Sequence[str], whole: bool, community: str | None) -> None:
    r"""Fetch the newest snapshot of each TYPE, by its changes where that is shorter, and verify it.

    The hub must have signed it, and its log must have it. Stopped, it goes on with the files that are missing.

    \b
    Examples:
      tocsin snapshot get pdq
      tocsin snapshot get md5 sha1 sha256 --json
    """
    with _numpy():
        from tocsin_client import snapshots
    profile = console.home.load()
    slug = community or profile.community
    with console.client(profile) as client:
        log = Log(client.log, console.log_store(profile.hub), profile.hub)
        for kind in kinds:
            store = _store(console, profile, slug, kind)
            total = sum(file.bytes for file in client.snapshot(slug, kind).manifest.shards)
            with console.progress(f"fetching {kind}", total) as advance:
                done = snapshots.get(client, log, store, whole=whole, on_bytes=advance)
            manifest = done.manifest
            data = _data(manifest) | {"way": done.way, "fetched": done.fetched, "folder": str(store.folder)}
            way = {"same": "nothing new", "delta": "by its changes", "whole": "whole"}[done.way]
            console.result(data, f"{_line(manifest)}: {way}, {done.fetched:,} bytes fetched.")


@command("verify")
@click.argument("kinds", nargs=-1, type=_KIND, metavar="[TYPE]…")
@community_option
def verify(console: Console, kinds: Sequence[str], community: str | None) -> None:
    r"""Check again what lies on this machine: every file, the hub's signature, and the proof that the log has it.

    Offline, where there is a mirror of the community; without one, the hub is asked for its key.

    \b
    Examples:
      tocsin snapshot verify
      tocsin snapshot verify pdq --json
    """
    with _numpy():
        from tocsin_client import snapshots
    profile = console.home.load()
    slug = community or profile.community
    stores = [_store(console, profile, slug, kind) for kind in kinds or INDICATOR_TYPES]
    wanted = [store for store in stores if kinds or store.kept() is not None]
    if not wanted:
        stores[0].demand()
    trust = _trust(console, profile, slug)
    policy = believed(console, None, None)
    for store in wanted:
        manifest = store.demand().manifest
        with console.progress(f"verifying {store.kind}", manifest.count) as advance:
            snapshots.verify(store, trust, policy, on_keys=advance)
        console.result(_data(manifest), f"{_line(manifest)}: signed, logged and whole.")


@command("diff")
@click.argument("kind", type=_KIND, metavar="TYPE")
@click.option("--list", "listed", is_flag=True, help="Every indicator that goes (-) or comes (+).")
@community_option
def diff(console: Console, kind: str, listed: bool, community: str | None) -> None:
    r"""What the hub's newest snapshot would change in the one that lies here; nothing is changed.

    \b
    Examples:
      tocsin snapshot diff md5
      tocsin snapshot diff md5 --list --json
    """
    with _numpy():
        from tocsin_client import snapshots
    profile = console.home.load()
    slug = community or profile.community
    with console.client(profile) as client:
        log = Log(client.log, console.log_store(profile.hub), profile.hub)
        found = snapshots.difference(client, log, _store(console, profile, slug, kind))
    if found is None:
        console.result(
            {"type": kind, "delta": False}, "The hub keeps no changes from the version that lies here."
        )
        return
    data = _data(found.manifest) | {
        "delta": True,
        "since": found.since,
        "removed": len(found.removed),
        "added": len(found.added),
    }
    change = f"{len(found.removed):,} go, {len(found.added):,} come"
    console.result(data, f"{_line(found.manifest)}; since version {found.since}: {change}.")
    if listed:
        _list(console, kind, "-", found.removed)
        _list(console, kind, "+", found.added)


def _list(console: Console, kind: str, sign: str, keys: "Keys") -> None:
    for row in keys:
        indicator = str(Indicator(kind, row.tobytes()))
        console.result({"change": sign, "indicator": indicator}, f"{sign} {indicator}")


def _store(console: Console, profile: Profile, community: str, kind: str) -> "SnapshotStore":
    from tocsin_client.snapshots import SnapshotStore

    return SnapshotStore.of(console.home.data, profile.hub, community, kind)


def _trust(console: Console, profile: Profile, community: str) -> Trust:
    """The hub's keys: from the mirror where there is one, else from the hub."""
    if console.home.mirror_file(profile.hub, community).exists():
        with console.mirror(profile, community) as mirror:
            return Trust.of(mirror.store.directory())
    with console.client(profile) as client:
        return Trust.of(client.directory(community))


def _data(manifest: "Manifest") -> dict[str, Any]:
    return manifest.model_dump(include={"community", "type", "version", "at", "count"})


def _line(manifest: "Manifest") -> str:
    return f"{manifest.type}, version {manifest.version} of {manifest.at}: {manifest.count:,} indicators"


@contextmanager
def _numpy() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise NEEDS_HASH from None


for _command in (get, verify, diff):
    snapshot.add_command(_command)

COMMANDS: Final = (snapshot,)
