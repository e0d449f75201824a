"""`tocsin board propose|endorse|declare|vote`: a seat at work, with an Ed25519 key that stays on this machine."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_args

import click

from tocsin_client.board.seat_acts import SeatDesk, open_motions
from tocsin_client.board.voting import ask_paper, changed, paper_for, seat_with, send_ballot, sign_paper
from tocsin_client.cli.board_access import board_of, demand_decided, replayed
from tocsin_client.cli.console import Console, command
from tocsin_client.cli.log_access import hub_option, whereabouts
from tocsin_client.clock import system_clock
from tocsin_client.config import NotReady, load_key
from tocsin_client.http import Transport
from tocsin_schemas.board import BoardState
from tocsin_schemas.explained import in_words
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.vocabulary import DECISION_TYPES, Choice

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_ID: Final = re.compile(r"[a-z]{2}_[0-9a-f]{32}")


class AtTable(NamedTuple):
    """A seat's holder at work: the verified state, a connection to the hub, the seat's key."""

    state: BoardState
    transport: Transport
    key: SigningKey

    @property
    def desk(self) -> SeatDesk:
        """What the seat signs beside ballots."""
        seat = seat_with((self.state.roster,), self.key.public.kid)
        return SeatDesk(self.transport, seat.seat, self.key, system_clock())


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


@command("motions")
@hub_option
def motions(console: Console, hub: str | None) -> None:
    r"""List the motions that are open, the nearest deadline first, as the hub tells them.

    \b
    Example:
      tocsin board motions
    """
    address, ca = whereabouts(console, hub)
    with Transport(address, ca_file=ca) as transport:
        for line in open_motions(transport):
            words = (str(line.get(name, "")) for name in ("id", "state", "until", "text"))
            console.result(line, "  ".join(words))


@command("vote")
@click.argument("motion", callback=an_id)
@click.argument("choice", type=click.Choice(get_args(Choice)))
@key_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@hub_option
def vote(console: Console, motion: str, choice: str, key_file: Path, yes: bool, hub: str | None) -> None:
    r"""Vote on MOTION: yes, no or abstain. You see what you sign, and are asked, before anything is signed.

    The board's records are replayed first. What you read, and the digest, are made on this machine from the decision
    itself, not from what the hub says about it. Compare the digest with the one on the motion's page.

    \b
    Example:
      tocsin board vote MOTION yes --key seat.jwk
    """
    chosen = cast(Choice, choice)
    with _at_table(console, hub, key_file) as at:
        decision = ask_paper(at.transport, motion, chosen)
        paper = paper_for(at.state, decision, at.key.public.kid, system_clock())
        console.note(f"Shall the board {in_words(decision)}?")
        for line in changed(at.state, decision):
            console.note(f"  {line}")
        console.note(f"Digest {paper.digest.hex()}, open until {rfc3339(decision.expires_at)}.")
        if not yes:
            click.confirm(f"Seat {paper.seat.seat} votes {choice}. Sign", abort=True, err=True)
        standing = send_ballot(at.transport, motion, sign_paper(paper, chosen, at.key, system_clock()))
    answer = {"motion": motion, "seat": paper.seat.seat, "choice": choice, "digest": paper.digest.hex()}
    text = f"Seat {paper.seat.seat} has voted {choice}."
    if (result := standing.get("result")) is not None:
        text += f" The ballot is closed: {result}, record {standing.get('record')}."
    console.result(answer | {"result": result, "record": standing.get("record")}, text)


@command("propose")
@click.argument("kind", metavar="TYPE", type=click.Choice(DECISION_TYPES))
@click.argument("subject")
@click.option("--params", default="{}", metavar="JSON", help="What the type says beside its subject.")
@key_option
@hub_option
def propose(console: Console, kind: str, subject: str, params: str, key_file: Path, hub: str | None) -> None:
    r"""Propose a motion. Two other seats endorse it before it is discussed.

    \b
    Examples:
      tocsin board propose community.open child-safety --key seat.jwk
      tocsin board propose member.sanction https://pixel.example --params '{"noticed_at": 1795305600}' --key seat.jwk
    """
    try:
        said = json.loads(params)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise NotReady("--params is not a JSON object", "See PROTOCOL.md for what each type says.")
    with _at_table(console, hub, key_file) as at:
        _say(console, at.desk.propose(kind, subject, said), "proposed")


@command("admit")
@click.argument("application", callback=an_id)
@key_option
@hub_option
def admit(console: Console, application: str, key_file: Path, hub: str | None) -> None:
    r"""Propose to admit an applicant, by the application's id, once its vetting is complete.

    \b
    Example:
      tocsin board admit APPLICATION --key seat.jwk
    """
    with _at_table(console, hub, key_file) as at:
        _say(console, at.desk.propose_admission(application), "proposed")


@command("endorse")
@click.argument("motion", callback=an_id)
@key_option
@hub_option
def endorse(console: Console, motion: str, key_file: Path, hub: str | None) -> None:
    r"""Endorse another seat's motion: it is worth the board's time. That is no vote.

    \b
    Example:
      tocsin board endorse MOTION --key seat.jwk
    """
    with _at_table(console, hub, key_file) as at:
        _say(console, at.desk.endorse(motion), "endorsed")


@command("declare")
@click.argument("motion", callback=an_id)
@click.option("--conflict/--no-conflict", required=True, help="Whether you have a conflict of interest.")
@key_option
@hub_option
def declare(console: Console, motion: str, conflict: bool, key_file: Path, hub: str | None) -> None:
    r"""Declare that you have, or have not, a conflict of interest in a motion. With one you have no vote on it.

    \b
    Example:
      tocsin board declare MOTION --conflict --key seat.jwk
    """
    with _at_table(console, hub, key_file) as at:
        _say(console, at.desk.declare(motion, conflict=conflict), "declared")


@contextmanager
def _at_table(console: Console, hub: str | None, key_file: Path) -> Iterator[AtTable]:
    key = load_key(key_file)
    with board_of(console, hub) as (log, files):
        state = demand_decided(console, replayed(console, log, files)[1])
    if state is None:
        raise NotReady("This hub has no board yet", "Ask its operator.")
    address, ca = whereabouts(console, hub)
    with Transport(address, ca_file=ca) as transport:
        yield AtTable(state, transport, key)


def _say(console: Console, motion: dict[str, Any], done: str) -> None:
    data = {name: motion.get(name) for name in ("id", "type", "text", "state")}
    console.result(data, f"{data['id']}  {done}; it is now in the state {data['state']}: {data['text']}")


COMMANDS: Final = (motions, propose, admit, endorse, declare, vote)
