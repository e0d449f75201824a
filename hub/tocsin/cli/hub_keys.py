"""The commands about the hub's own keys."""

from typing import Final, TextIO, get_args

import click

from tocsin import keys
from tocsin.cli.console import emit, examples, json_option, load_settings, opened
from tocsin.errors import Misconfigured
from tocsin.governance.service.hub_keys import rotate
from tocsin.keys import KEYS, Key
from tocsin.signals.service.context import open_context
from tocsin_schemas.akp import AkpKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import HubKeyName

NAMES: Final[tuple[HubKeyName, ...]] = get_args(HubKeyName)
OVERLAP_DAYS: Final = 7


_AGAIN: Final = {
    "delivery": "start every process of the hub again at once: with the old key alone none sends what another sealed",
    "ssf_es": "wait ten minutes, in which receivers fetch the new key; then start every process of the hub again",
    "ssf_rs": "wait ten minutes, in which receivers fetch the new key; then start every process of the hub again",
}


@click.group("hub-key")
def hub_key() -> None:
    """Look at the hub's own keys, and change them."""


@hub_key.command("list")
@json_option
def listed() -> None:
    """List the public halves: what each key signs, and its thumbprint."""
    held = keys.load(load_settings())
    shown = {name: {"alg": KEYS[name], "kid": _kid(getattr(held, name))} for name in KEYS}
    if held.delivery_before is not None:
        shown[keys.DELIVERY_BEFORE] = {"alg": KEYS[keys.DELIVERY], "kid": _kid(held.delivery_before.key)}
    emit(shown, *(f"{name:<15} {item['alg']:<10} {item['kid']}" for name, item in shown.items()))


def _kid(key: Key) -> str:
    return key.kid if isinstance(key, AkpKey) else key.public.kid


@hub_key.command(
    "rotate",
    epilog=examples("tocsin-hub hub-key rotate events", "tocsin-hub hub-key rotate delivery --overlap 14"),
)
@click.argument("name", type=click.Choice(NAMES))
@click.option(
    "--overlap", type=click.IntRange(1, 30), default=OVERLAP_DAYS, help="Days in which both keys hold."
)
@click.option(
    "--new",
    type=click.File(),
    help="The new private JWK, where the old one comes from the settings and not from the data directory.",
)
@json_option
def rotated(name: HubKeyName, overlap: int, new: TextIO | None) -> None:
    """Put a new key in the place of an old one, and record it in the board's chain.

    `events` signs what the hub says itself, `token` access tokens, `ssf_es` and `ssf_rs` the events of streams; the
    secrets of endpoints come from `delivery`. Both keys hold until the overlap is over: start every process of the hub
    again before that. The log's key is the log's name for good, and a witness key changes with the policies of those
    who trust it; docs/operator-guide.md says how.
    """
    settings = load_settings()
    given = getattr(settings, f"{name}_key") is not None or getattr(settings, f"{name}_key_file") is not None
    if given != (new is not None):
        raise click.UsageError(
            "the key comes from the settings: give the new one with --new"
            if given
            else "the hub keeps this key itself and makes the new one: leave --new out"
        )
    if name == keys.DELIVERY and keys.load(settings).delivery_before is not None:
        raise Misconfigured(
            "the delivery key before this one is still needed",
            "wait until it has ended; what it sealed is sealed anew then by `tocsin-hub run-job streams.reseal`",
        )
    with opened(settings):
        context = open_context(settings)
    try:
        coming = keys.coming(settings, name, None if new is None else new.read())
        going = getattr(keys.load(settings), name)
        done = rotate(context.board, context.database, name, going, coming, overlap * DAY)
    finally:
        context.database.dispose()
    keys.adopt(settings, name)
    until = rfc3339(done.retires_at)
    setting = f"TOCSIN_{name.upper()}"
    kept = ", the old one in TOCSIN_DELIVERY_BEFORE_KEY_FILE or TOCSIN_DELIVERY_BEFORE_KEY,"
    next_step = (
        f"put the new key where {setting}_KEY_FILE or {setting}_KEY has the old one"
        f"{kept if name == keys.DELIVERY else ','} and "
        if given
        else ""
    )
    emit(
        {"name": name, "kid": done.kid, "before": done.before, "retires_at": until, "record": done.record},
        f"The {name} key is now {done.kid}; {done.before} holds until {until}",
        f"Next: {next_step}{_AGAIN.get(name, 'start every process of the hub again before that')}",
    )
