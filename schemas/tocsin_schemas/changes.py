"""What a new policy or roster changes in the one in force: for whoever votes, in a browser or with a key kept offline.

Every difference is named. A seat is told whole, with the thumbprints of all its keys, since a key is a vote.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tocsin_schemas.decisions import Params, SetPolicy, SetRoster
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import Policy
from tocsin_schemas.roster import Roster, Seat

_KINDS: Final = {"webauthn": "passkey", "ed25519": "kept offline"}


class Change(NamedTuple):
    """One difference: a value of the policy or the roster, or a seat, by its name; None where there was, or is, none.

    Numbers of the policy are in the units of the chain.
    """

    name: str
    before: str | None
    after: str | None


def changes(policy: Policy, roster: Roster, params: Params) -> tuple[Change, ...]:
    """What a decision changes in the policy and the roster that stand before it; nothing for most kinds."""
    match params:
        case SetPolicy() as said:
            return policy_changes(policy, said.policy)
        case SetRoster() as said:
            return _changed(_of_roster(roster), _of_roster(said.roster))
    return ()


def policy_changes(before: Policy, after: Policy) -> tuple[Change, ...]:
    """The values that differ."""
    return _changed(_of_policy(before), _of_policy(after))


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def _of_policy(policy: Policy) -> dict[str, str]:
    return {
        name: (", ".join(said) or "none") if isinstance(said, list) else str(said)
        for name, said in policy.model_dump(mode="json").items()
    }


def _of_roster(roster: Roster) -> dict[str, str]:
    said = {
        name: str(value) for name, value in roster.model_dump(mode="json", exclude={"seats", "panel"}).items()
    }
    said["expires_at"] = rfc3339(roster.expires_at)
    return said | {seat.seat: _of_seat(seat) for seat in (*roster.seats, *roster.panel)}


def _of_seat(seat: Seat) -> str:
    words = [seat.seat_class, *(["chair"] if seat.chair else []), *(["on duty"] if seat.duty else [])]
    if not seat.seated:
        return f"{' '.join(words)}, vacant"
    sent = "" if seat.issuer is None else f", sent by {seat.issuer} (owner {seat.control_group})"
    keys = ", ".join(
        f"{credential.jwk['kid']} ({_KINDS[credential.kind]})" for credential in seat.credentials
    )
    return f"{' '.join(words)}, {seat.handle} until {seat.term_ends}{sent}, keys {keys}"
