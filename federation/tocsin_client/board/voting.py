"""A seat's vote with a key kept offline: the paper from the hub, the meaning from the chain that was verified here.

The hub is believed in nothing. A paper counts only if its decision stands on a record of the verified chain, under its
roster and by the rule of its kind; the digest and the words that the voter reads are made from the decision itself.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import ValidationError

from tocsin_client.board.seat_acts import MOTIONS
from tocsin_client.http import Call, HubError, Transport
from tocsin_schemas.board import BoardState
from tocsin_schemas.changes import changes
from tocsin_schemas.decisions import (
    Ballot,
    Decision,
    decision_digest,
    sign_ballot,
)
from tocsin_schemas.electorate import barred_in, rosters_asked
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Roster, Seat
from tocsin_schemas.vocabulary import Choice


class Paper(NamedTuple):
    """What is voted on, and by which seat."""

    decision: Decision
    digest: bytes
    seat: Seat


def ask_paper(transport: Transport, motion: str, choice: Choice) -> Decision:
    """The decision that a motion's ballot is about.

    Raises:
        HubError: with the problem's code, or `answer-invalid` when the answer is no ballot paper.
    """
    path = f"{MOTIONS}/{motion}/paper"
    reply = transport.request(Call("GET", path, params={"choice": choice}))
    said = reply.json()
    try:
        return Decision.model_validate(said.get("decision") if isinstance(said, dict) else None)
    except ValidationError:
        raise HubError("answer-invalid", "the hub's answer is no ballot paper", status=reply.status) from None


def paper_for(state: BoardState, decision: Decision, kid: str, now: int) -> Paper:
    """The paper of the seat that votes with key `kid`, checked against the chain.

    Raises:
        Refused: when the decision does not stand on this chain, its time is over, or no seat has this key.
    """
    if bytes.fromhex(decision.prev) not in state.digests:
        raise Refused("decision-prev-unknown", "decision.prev", "it does not stand on a record of the chain")
    if decision.roster_version != state.roster.version:
        raise Refused("roster-mismatch", "decision.roster_version", "it is not for the roster in force")
    if not decision.issued_at <= now < decision.expires_at:
        raise Refused("ballot-late", "decision.expires_at", "the ballot is not open")
    rosters = rosters_asked(state, decision)
    seat = seat_with(rosters, kid)
    holding = [roster for roster in rosters if seat_in(roster, kid) is not None]
    if all(seat.seat in barred_in(state, roster, decision.recused) for roster in holding):
        raise Refused("ballot-recused", "decision.recused", "your seat is recused")
    return Paper(decision, decision_digest(decision), seat)


def seat_with(rosters: Iterable[Roster], kid: str) -> Seat:
    """The seat that one of these rosters gives the offline key `kid`.

    Raises:
        Refused: `ballot-credential-unknown` when none does.
    """
    for roster in rosters:
        if (seat := seat_in(roster, kid)) is not None:
            return seat
    raise Refused("ballot-credential-unknown", "key", "no seat of the roster votes with this key")


def seat_in(roster: Roster, kid: str) -> Seat | None:
    """The seat that votes with the offline key `kid`, if one does."""
    for seat in (*roster.seats, *roster.panel):
        if (credential := seat.credential(kid)) is not None and credential.kind == "ed25519":
            return seat
    return None


def changed(state: BoardState, decision: Decision) -> list[str]:
    """What a new policy or roster changes in the one in force, a line each; nothing for other decisions."""
    return [
        f"{name}: {before or 'nothing'} -> {after or 'nothing'}"
        for name, before, after in changes(state.policy, state.roster, decision.params)
    ]


def sign_paper(paper: Paper, choice: Choice, key: SigningKey, now: int) -> Ballot:
    """The signed ballot."""
    return sign_ballot(paper.digest, choice, paper.seat.seat, key, now)


def send_ballot(transport: Transport, motion: str, ballot: Ballot) -> dict[str, Any]:
    """Cast it; where the motion stands then, as the hub says.

    Raises:
        HubError: with the problem's code.
    """
    call = Call(
        "POST",
        f"{MOTIONS}/{motion}/ballots",
        headers={"Content-Type": "application/json"},
        body=ballot.model_dump_json(exclude_none=True).encode(),
    )
    said = transport.request(call).json()
    return said if isinstance(said, dict) else {}
