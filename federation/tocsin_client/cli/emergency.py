"""`tocsin board emergency`: two duty officers stop a member at once, each with a key that stays on its machine."""

from pathlib import Path
from typing import Any, Final

import click

from tocsin_client.board.voting import ask_paper
from tocsin_client.cli.console import Console, command
from tocsin_client.cli.log_access import hub_option
from tocsin_client.cli.seat import at_table, cast, key_option, read_paper
from tocsin_client.clock import system_clock
from tocsin_client.http import HubError
from tocsin_schemas.board import BoardState, MemberStanding
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.problems import Refused

KIND: Final = "member.emergency_suspend"


@command("emergency")
@click.argument("issuer")
@key_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@hub_option
def emergency(console: Console, issuer: str, key_file: Path, yes: bool, hub: str | None) -> None:
    r"""Suspend the member ISSUER at once, as a duty officer. It takes two of you, each with this same command.

    You see what it would stop, and are asked; then the paper is put before the duty officers, or the one that another
    has begun is found. You see its digest, and are asked again before you sign. With the second signature the member
    is suspended, by default for 72 hours, and the board votes meanwhile on whether it stays so. Against it, sign the
    paper with `tocsin board vote MOTION no`. Nobody else sees it before it holds: tell the second officer yourself.

    \b
    Example:
      tocsin board emergency https://pixel.example --key seat.jwk --hub https://hub.example
    """
    with at_table(console, hub, key_file) as at:
        if not at.seat.duty:
            raise Refused("role-missing", "seat", "only a duty officer may")
        member = at.state.members.get(issuer)
        if member is None:
            raise Refused("subject-unknown", "issuer", "not a member")
        stops = _stops(at.state, member)
        for line in _lines(stops):
            console.note(line)
        if not yes:
            click.confirm("Put it before the duty officers", abort=True, err=True)
        motion = str(at.desk.begin_emergency(issuer).get("id"))
        decision = ask_paper(at.transport, motion, "yes")
        if (decision.type, decision.subject) != (KIND, issuer):
            raise HubError("answer-invalid", "the hub's paper is not about this emergency")
        done = cast(at, motion, read_paper(console, at, decision), "yes", yes=yes)
    text = f"Seat {done['seat']} has signed {motion}."
    if done["result"] is None:
        text += " Nothing is stopped yet: a second duty officer signs with this same command."
    elif done["result"] == "passes":
        text += (
            f" {issuer} is suspended, record {done['record']}. The board votes on it: `tocsin board motions`."
        )
    else:
        text += f" The ballot is closed: {done['result']}, record {done['record']}."
    console.result(done | {"issuer": issuer, "stops": stops}, text)


def _stops(state: BoardState, member: MemberStanding) -> dict[str, Any]:
    """What suspending a member would stop, as far as the records say."""
    now = system_clock()
    return {
        "issuer": member.issuer,
        "state": member.state,
        "since": rfc3339(member.since),
        "hours": state.policy.emergency // 3600,
        "seats": [seat.seat for seat in state.roster.seats if seat.issuer == member.issuer],
        "keys": sum(
            key.revoked_at is None and key.not_before <= now < key.not_after for key in member.keys.values()
        ),
        "communities": sorted(member.communities),
    }


def _lines(stops: dict[str, Any]) -> list[str]:
    return [
        f"Suspend {stops['issuer']} at once, for {stops['hours']} hours at most. By the board's records:",
        f"  It is now                               {stops['state']} since {stops['since']}",
        f"  Seats that fall silent, and are counted {', '.join(stops['seats']) or 'none'}",
        f"  Keys dead at once                       {stops['keys']}",
        f"  Communities it leaves silent            {', '.join(stops['communities']) or 'none'}",
    ]


COMMANDS: Final = (emergency,)
