"""`tocsin board motions|vote|endorse|declare|remark|withdraw`: a seat at work on a motion, with its Ed25519 key."""

from pathlib import Path
from typing import Final, cast, get_args

import click

from tocsin_client.board.seat_acts import open_motions
from tocsin_client.board.voting import ask_paper
from tocsin_client.cli import seat
from tocsin_client.cli.board_access import digest
from tocsin_client.cli.console import Console, command
from tocsin_client.cli.log_access import hub_option, whereabouts
from tocsin_client.cli.seat import an_id, at_table, key_option, say
from tocsin_client.http import Transport
from tocsin_schemas.vocabulary import Choice, RemarkStance, RemarkTopic


@command("motions")
@hub_option
def motions(console: Console, hub: str | None) -> None:
    r"""List the motions that are open, the nearest deadline first, as the hub tells them.

    An emergency that waits for its second signature is not among them: it is told to nobody before it holds.

    \b
    Example:
      tocsin board motions --hub https://hub.example
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
      tocsin board vote MOTION yes --key seat.jwk --hub https://hub.example
    """
    chosen = cast(Choice, choice)
    with at_table(console, hub, key_file) as at:
        paper = seat.read_paper(console, at, ask_paper(at.transport, motion, chosen))
        done = seat.cast(at, motion, paper, chosen, yes=yes)
    text = f"Seat {done['seat']} has voted {choice}."
    if done["result"] is not None:
        text += f" The ballot is closed: {done['result']}, record {done['record']}."
    console.result(done, text)


@command("endorse")
@click.argument("motion", callback=an_id)
@key_option
@hub_option
def endorse(console: Console, motion: str, key_file: Path, hub: str | None) -> None:
    r"""Endorse another seat's motion: it is worth the board's time. That is no vote.

    \b
    Example:
      tocsin board endorse MOTION --key seat.jwk --hub https://hub.example
    """
    with at_table(console, hub, key_file) as at:
        say(console, at.desk.endorse(motion), "endorsed")


@command("declare")
@click.argument("motion", callback=an_id)
@click.option("--conflict/--no-conflict", required=True, help="Whether you have a conflict of interest.")
@key_option
@hub_option
def declare(console: Console, motion: str, conflict: bool, key_file: Path, hub: str | None) -> None:
    r"""Declare that you have, or have not, a conflict of interest in a motion. With one you have no vote on it.

    \b
    Example:
      tocsin board declare MOTION --conflict --key seat.jwk --hub https://hub.example
    """
    with at_table(console, hub, key_file) as at:
        say(console, at.desk.declare(motion, conflict=conflict), "declared")


@command("remark")
@click.argument("motion", callback=an_id)
@click.option("--stance", type=click.Choice(get_args(RemarkStance)), required=True, help="What you think.")
@click.option("--topic", type=click.Choice(get_args(RemarkTopic)), required=True, help="Of what.")
@click.option("--document", callback=digest, metavar="SHA256", help="A document that you keep elsewhere.")
@key_option
@hub_option
def remark(
    console: Console,
    motion: str,
    stance: str,
    topic: str,
    document: bytes | None,
    key_file: Path,
    hub: str | None,
) -> None:
    r"""Add a coded remark to the discussion of a motion. The other seats read it; it counts for nothing.

    \b
    Example:
      tocsin board remark MOTION --stance concern --topic evidence --key seat.jwk --hub https://hub.example
    """
    with at_table(console, hub, key_file) as at:
        told = at.desk.remark(motion, stance, topic, None if document is None else document.hex())
        say(console, told, "remarked on")


@command("withdraw")
@click.argument("motion", callback=an_id)
@key_option
@hub_option
def withdraw(console: Console, motion: str, key_file: Path, hub: str | None) -> None:
    r"""Take back a motion that your seat has proposed, until its ballot opens.

    \b
    Example:
      tocsin board withdraw MOTION --key seat.jwk --hub https://hub.example
    """
    with at_table(console, hub, key_file) as at:
        say(console, at.desk.withdraw(motion), "withdrawn")


COMMANDS: Final = (motions, endorse, declare, remark, withdraw, vote)
