"""The commands about witnessing: which logs this hub cosigns, its keys for it, and what is held against logs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from tocsin.cli.console import emit, examples, json_option, load_settings, opened
from tocsin.errors import Misconfigured, Refused
from tocsin.witnessing.service import PATH, LogView, Witness, open_witness
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.notes import ML_DSA_44_COSIGNER, NoteVerifier, b64encode
from tocsin_schemas.tlog_witness import parse_submission

KINDS: Final = {True: "ml-dsa-44", False: "ed25519"}


class Vkey(click.ParamType[NoteVerifier]):
    """The public key of a log, as signed-note writes it."""

    name = "VKEY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> NoteVerifier:
        """Read it."""
        try:
            return NoteVerifier.parse(str(value))
        except Refused as error:
            self.fail(f"not a verifier key: {error.reason}", param, ctx)


@click.group()
def witness() -> None:
    """Witness the logs of others: cosign what continues all that was seen before (C2SP tlog-witness)."""


@witness.command("key", epilog=examples("tocsin-hub witness key"))
@json_option
def witness_key() -> None:
    """Print this hub's witness keys, as lines of a log policy that others can use as they are.

    The Ed25519 key is for those whose software knows no other; ML-DSA-44 withstands quantum computers.
    """
    with _witness() as (service, url):
        keys = [(KINDS[key.kind == ML_DSA_44_COSIGNER], key.vkey) for key in service.keys]
        name = service.name
    host = name.removesuffix(PATH)
    emit(
        {"name": name, "url": url, "vkeys": dict(keys)},
        *(f"witness {host}/{kind} {vkey} {url}" for kind, vkey in keys),
        f"group {host} any {' '.join(f'{host}/{kind}' for kind, _ in keys)}",
    )


@witness.command(
    "add-log", epilog=examples("tocsin-hub witness add-log 'hub.example/log+530d903a+AekyeRrm…'")
)
@click.argument("vkey", type=Vkey())
@json_option
def witness_add(vkey: NoteVerifier) -> None:
    """Watch a log, given its verifier key (`tocsin-hub log key` prints a hub's); or trust one more key of it.

    Ask its operator for the key by another channel: everything rests on that.
    """
    with _witness() as (service, _):
        view = service.add_log(vkey)
    emit(_log(view), f"Watching {view.origin} ({len(view.vkeys)} key{'s' * (len(view.vkeys) > 1)})")


@witness.command("remove-log")
@click.argument("origin")
@json_option
def witness_remove(origin: str) -> None:
    """Watch a log no longer.

    What was cosigned stays remembered, so that adding it again cannot make this hub cosign a fork.
    """
    with _witness() as (service, _):
        service.remove_log(origin)
    emit({"origin": origin, "watched": False}, f"{origin} is no longer watched")


@witness.command("list")
@json_option
def witness_list() -> None:
    """List the logs: what was cosigned last, when, and how much is held against each."""
    with _witness() as (service, _):
        views = service.logs()
    lines = [
        f"{view.origin}  size {view.size}  "
        + (f"cosigned {rfc3339(view.cosigned_at)}" if view.cosigned_at is not None else "never cosigned")
        + ("" if view.vkeys else "  no longer watched")
        + (f"  FORKED ({view.forks}): `tocsin-hub witness evidence`" if view.forks else "")
        + (f"  {view.unproven} unproven" if view.unproven else "")
        for view in views
    ]
    emit([_log(view) for view in views], *(lines or ["No logs yet: `tocsin-hub witness add-log --help`"]))


@witness.command("evidence", epilog=examples("tocsin-hub witness evidence --output evidence/"))
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each pair of checkpoints into this folder.",
)
@json_option
def witness_evidence(output: Path | None) -> None:
    """Show what is held against logs: checkpoints they signed that this hub refused to cosign.

    `fork`: two checkpoints of one size with different roots; anybody can verify that the log signed both. `unproven`:
    nobody has shown that it continues what was cosigned, which may be the fault of whoever sent it.
    """
    with _witness() as (service, _):
        found = service.evidence()
    shown: list[dict[str, Any]] = []
    for number, item in enumerate(found, 1):
        refused = parse_submission(item.request).note.render()
        stem = f"{number:03d}-{item.kind}-{item.size}"
        pair = {"refused": refused} | ({} if item.held is None else {"cosigned": item.held})
        if output is not None:
            _write(output, {f"{stem}.{name}.txt": note for name, note in pair.items()})
        shown.append(
            {
                "origin": item.origin,
                "kind": item.kind,
                "size": item.size,
                "kept_at": rfc3339(item.kept_at),
                **{name: note.decode() for name, note in pair.items()},
            }
        )
    lines = [
        f"{item['kept_at']}  {item['kind']:<8} {item['origin']} at size {item['size']}" for item in shown
    ]
    if output is not None and shown:
        lines.append(f"Written to {output}")
    emit(shown, *(lines or ["Nothing is held against any log."]))


@contextmanager
def _witness() -> Iterator[tuple[Witness, str]]:
    """The witness, and the address it is reached under."""
    from tocsin import keys
    from tocsin_schemas.checkpoint import log_origin

    settings = load_settings()
    with opened(settings) as database:
        own = log_origin(settings.issuer, sandbox=settings.sandbox)
        yield open_witness(settings, database, keys.ensure(settings), own), settings.issuer + PATH


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise Misconfigured(
            f"the folder cannot be written: {error.strerror}", "name another with --output"
        ) from None


def _log(view: LogView) -> dict[str, Any]:
    return {
        "origin": view.origin,
        "vkeys": list(view.vkeys),
        "watched": bool(view.vkeys),
        "size": view.size,
        "root": b64encode(view.root),
        "cosigned_at": None if view.cosigned_at is None else rfc3339(view.cosigned_at),
        "forks": view.forks,
        "unproven": view.unproven,
    }
