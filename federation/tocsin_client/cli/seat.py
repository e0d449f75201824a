"""What the commands of a seat at work share: its key, the verified state, its signature under a ballot."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from tocsin_client.board.seat_acts import SeatDesk
from tocsin_client.board.voting import Paper, changed, paper_for, seat_with, send_ballot, sign_paper
from tocsin_client.cli.board_access import board_of, demand_decided, replayed
from tocsin_client.cli.console import Console
from tocsin_client.cli.log_access import whereabouts
from tocsin_client.clock import system_clock
from tocsin_client.config import NotReady, load_key
from tocsin_client.http import Transport
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Decision
from tocsin_schemas.explained import in_words
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.roster import Seat
from tocsin_schemas.vocabulary import Choice

SKEW: Final = 60
"""Seconds that a hub's clock may be ahead of this machine's when a ballot opens; as much as an act may be."""
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_ID: Final = re.compile(r"[a-z]{2}_[0-9a-f]{32}")


class AtTable(NamedTuple):
    """A seat's holder at work: the verified state, a connection to the hub, the seat's key."""

    state: BoardState
    transport: Transport
    key: SigningKey

    @property
    def seat(self) -> Seat:
        """The seat that the roster in force gives the key.

        Raises:
            Refused: `ballot-credential-unknown` when it gives it none.
        """
        return seat_with((self.state.roster,), self.key.public.kid)

    @property
    def desk(self) -> SeatDesk:
        """What the seat signs beside ballots."""
        return SeatDesk(self.transport, self.seat.seat, self.key, system_clock())


@contextmanager
def at_table(console: Console, hub: str | None, key_file: Path) -> Iterator[AtTable]:
    """A seat's holder at work; the board's records are replayed first.

    Raises:
        NotReady: without a key or a board.
        BoardUnverified: when a record does not fit.
    """
    key = load_key(key_file)
    with board_of(console, hub) as (log, files):
        state = demand_decided(console, replayed(console, log, files)[1])
    if state is None:
        raise NotReady("This hub has no board yet", "Ask its operator.")
    address, ca = whereabouts(console, hub)
    with Transport(address, ca_file=ca) as transport:
        yield AtTable(state, transport, key)


def an_id(_context: click.Context, _param: click.Parameter, text: str) -> str:
    """The id of a motion or an application; it becomes a part of an address."""
    if not _ID.fullmatch(text):
        raise click.BadParameter("an id")
    return text


def key_option(function: Any) -> Any:
    """`--key`, the seat's."""
    return click.option(
        "--key", "key_file", type=_FILE, required=True, help="Your seat's private key (Ed25519)."
    )(function)


def read_paper(console: Console, at: AtTable, decision: Decision) -> Paper:
    """The paper that a seat is to sign, shown in words made on this machine.

    Raises:
        Refused: as `paper_for`.
    """
    now = system_clock()
    opened = max(now, min(decision.issued_at, now + SKEW))
    paper = paper_for(at.state, decision, at.key.public.kid, opened)
    console.note(f"Shall the board {in_words(decision)}?")
    for line in changed(at.state, decision):
        console.note(f"  {line}")
    console.note(f"Digest {paper.digest.hex()}, open until {rfc3339(decision.expires_at)}.")
    return paper


def cast(at: AtTable, motion: str, paper: Paper, choice: Choice, *, yes: bool) -> dict[str, Any]:
    """Sign a paper, once its voter has agreed, and cast it: what was signed, and what came of it.

    Raises:
        click.Abort: when the voter does not agree.
        HubError: with the problem's code.
    """
    if not yes:
        click.confirm(f"Seat {paper.seat.seat} votes {choice}. Sign", abort=True, err=True)
    standing = send_ballot(at.transport, motion, sign_paper(paper, choice, at.key, system_clock()))
    return {
        "motion": motion,
        "seat": paper.seat.seat,
        "choice": choice,
        "digest": paper.digest.hex(),
        "result": standing.get("result"),
        "record": standing.get("record"),
    }


def say(console: Console, motion: dict[str, Any], done: str) -> None:
    """Where a motion stands after an act of the seat."""
    data = {name: motion.get(name) for name in ("id", "type", "text", "state")}
    console.result(data, f"{data['id']}  {done}; it is now in the state {data['state']}: {data['text']}")
