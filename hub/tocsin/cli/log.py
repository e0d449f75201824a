"""The commands about this hub's own log: its key, publishing it, and bringing back what a restored database lost."""

import click

from tocsin.cli.console import emit, examples, json_option, load_settings, opened


@click.group()
def log() -> None:
    """This hub's own log: its public key, and what to do when its database was lost."""


@log.command("key", epilog=examples("tocsin-hub log key"))
@json_option
def log_key() -> None:
    """Print the log's public key (C2SP signed-note), which others verify its checkpoints with.

    Publish it where members and witnesses find it independently of this hub.
    """
    from tocsin import keys
    from tocsin_schemas.checkpoint import log_origin
    from tocsin_schemas.notes import ED25519, NoteVerifier

    settings = load_settings()
    origin = log_origin(settings.issuer, sandbox=settings.sandbox)
    vkey = NoteVerifier(origin, ED25519, keys.load(settings).log.public.raw).vkey
    emit({"origin": origin, "vkey": vkey}, vkey)


@log.command("recover", epilog=examples("tocsin-hub log recover", "tocsin-hub log recover --yes"))
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def log_recover(yes: bool) -> None:
    """Bring back entries that the published log has and the database has lost; last resort after a restore.

    First choice is always a newer backup, or the database's write-ahead log up to its end: those bring back the signals
    themselves. This brings back their places in the log, as tombstones, so that the hub can go on without a fork.
    Every entry is verified against the signed checkpoint. Stop every process of the hub before.
    """
    from tocsin import keys
    from tocsin.ledger.service import open_ledger
    from tocsin.signals.service.context import open_context
    from tocsin.signals.service.recover import recover

    settings = load_settings()
    with opened(settings):
        context = open_context(settings)
    try:
        if not yes:
            click.confirm("The signals behind the lost entries stay lost. Go on?", abort=True, err=True)
        done = recover(context, open_ledger(settings, context.database, keys.load(settings)))
    finally:
        context.database.dispose()
    emit({"recovered": done}, f"{done} entries are back" if done else "Nothing is missing")
