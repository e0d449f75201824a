"""`tocsin board`: what a hub's board decided, checked to the last signature, and a seat's own vote."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import click

from tocsin_client.board.verify import BoardUnverified
from tocsin_client.cli import emergency, motions, proposing
from tocsin_client.cli.board_access import board_of, demand_decided, digest, replayed, told_data
from tocsin_client.cli.console import Console, command
from tocsin_client.cli.log_access import age_of_copy, checkpoint_data, headline, hub_option
from tocsin_client.clock import system_clock
from tocsin_schemas.board import BoardState
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.roster import WITHOUT_PANEL

_FOLDER: Final = click.Path(path_type=Path, file_okay=False)
_COPY: Final = click.Path(path_type=Path, file_okay=False, exists=True)
GRACE: Final = 3600
"""Seconds that a hub may take to record what the calendar says."""

_offline_option: Final = click.option("--offline", type=_COPY, help="Read a copy that `--save` made.")


@click.group("board")
def board() -> None:
    r"""Check what the board decided, and vote if you hold a seat.

    The board's records are public and need no membership. Nothing of them is believed: everything is replayed from
    the founding roster, each ballot's signature included, and held against the hub's log.

    \b
      tocsin board verify        replay everything, one sentence a record
      tocsin board show          what it adds up to: seats, members, communities, policy
      tocsin board motions       what the board has before it

    A seat needs no login, only the Ed25519 key that the roster names for it, and the hub's address:

    \b
      tocsin board types         what can be proposed; `roster`: the next roster, to edit
      tocsin board propose       put something before the board; `admit`: an applicant
      tocsin board endorse       find another seat's motion worth the board's time
      tocsin board declare       say whether you have a conflict of interest in it
      tocsin board remark        take part in its discussion
      tocsin board withdraw      take back your own
      tocsin board vote          sign a ballot
      tocsin board emergency     suspend a member at once: two duty officers
    """


@command("verify")
@click.option(
    "--genesis",
    callback=digest,
    metavar="HASH",
    help="Believe the board that begins with this record; by default the one pinned at the first look.",
)
@_offline_option
@click.option("--save", type=_FOLDER, help="Keep all that was read in this folder.")
@hub_option
def verify(
    console: Console, genesis: bytes | None, offline: Path | None, save: Path | None, hub: str | None
) -> None:
    r"""Replay every decision from the genesis, and hold each against the log. One sentence a record.

    \b
    It shows that
      - every ballot was signed by a seat of the roster of its time, and every count is right;
      - every step was one that the rules allow;
      - every record is in the log, as it was logged, and no record is left out;
      - no record is dated by a clock that was ahead;
      - what the board has before it (motions, endorsements, ballots, applications) is as it was when it was logged.

    \b
    Examples:
      tocsin board verify
      tocsin board verify --hub https://hub.example --genesis HASH      (as a stranger)
      tocsin board verify --save copy
      tocsin board verify --offline copy
    """
    if offline is not None and save is not None:
        raise click.UsageError("--offline or --save")
    with board_of(console, hub, offline, save) as (log, files):
        view, found = replayed(console, log, files, genesis)
    if (age := age_of_copy(view)) is not None:
        console.note(age)
    for data in told_data(found):
        console.result(data, f"{data['record']:>4}  {data['at']}  {data['says']}")
    for misfit in found.wrong:
        console.note(f"does not fit: {misfit}")
    if found.wrong:
        raise BoardUnverified(found)
    state = found.state
    if state is None:
        return
    overdue = [due.rule for due in state.due(system_clock() - GRACE)] if offline is None else []
    for rule in overdue:
        console.note(f"The hub should have recorded by now: {rule}. Ask its operator.")
    summary = {
        "verified": True,
        "records": len(found.told),
        "seals": found.seals,
        "genesis": state.genesis.hex(),
        "tip": state.tip.hex(),
    }
    console.result(
        summary | {"overdue": overdue} | checkpoint_data(view),
        f"{headline(view)}\n{_counted(len(found.told), 'record')} verified, from the genesis"
        f" {state.genesis.hex()}.\n{_counted(found.seals, 'seal')} of what leads to them verified.",
    )


@command("show")
@_offline_option
@hub_option
def show(console: Console, offline: Path | None, hub: str | None) -> None:
    r"""Show what the decisions add up to, verified first: the board's seats, members, communities and policy.

    \b
    Examples:
      tocsin board show
      tocsin board show --hub https://hub.example --json
    """
    with board_of(console, hub, offline) as (log, files):
        _, found = replayed(console, log, files)
    state = demand_decided(console, found)
    if state is not None:
        console.result(_data(state), "\n".join(_lines(state)))


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _data(state: BoardState) -> dict[str, Any]:
    return {
        "genesis": state.genesis.hex(),
        "records": state.size,
        "roster": state.roster.model_dump(mode="json", exclude_none=True),
        "members": [
            {
                "issuer": member.issuer,
                "class": member.member_class,
                "control_group": member.control_group,
                "state": member.state,
                "since": rfc3339(member.since),
                "keys": sorted(kid for kid, key in member.keys.items() if key.revoked_at is None),
                "communities": {
                    slug: {"read": read, "write": write} for slug, (read, write) in member.communities.items()
                },
            }
            for member in state.members.values()
        ],
        "communities": sorted(state.communities),
        "policy": state.policy.model_dump(mode="json"),
    }


def _lines(state: BoardState) -> list[str]:
    roster = state.roster
    lines = [f"Roster {roster.version}, until {rfc3339(roster.expires_at)}:"]
    for seat in (*roster.seats, *roster.panel):
        what = [seat.seat_class, *(["chair"] if seat.chair else []), *(["on duty"] if seat.duty else [])]
        sent = f" for {seat.issuer}" if seat.issuer else ""
        who = f"{seat.handle}{sent}, until {seat.term_ends}" if seat.seated else "vacant"
        lines.append(f"  {seat.seat:<4} {' '.join(what):<28} {who}")
    if not roster.has_panel:
        lines.append(WITHOUT_PANEL)
    states = Counter(member.state for member in state.members.values())
    lines.append(f"Members: {', '.join(f'{count} {name}' for name, count in states.items()) or 'none yet'}")
    lines += [
        f"  {member.issuer}  {member.state} since {rfc3339(member.since)}"
        for member in state.members.values()
    ]
    lines.append(f"Communities: {', '.join(sorted(state.communities)) or 'none yet'}")
    lines.append(f"Policy: version {state.policy.version}")
    return lines


for _command in (verify, show, *proposing.COMMANDS, *motions.COMMANDS, *emergency.COMMANDS):
    board.add_command(_command)

COMMANDS: Final = (board,)
