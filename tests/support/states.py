"""Putting a member into any state, as a decision of the board would: straight in the database."""

from sqlalchemy import text

from tests.support.hub import Hub, LiveHub
from tocsin_schemas.membership import EFFECTS
from tocsin_schemas.vocabulary import MemberState

STATES: tuple[MemberState, ...] = tuple(EFFECTS)


def put(hub: Hub | LiveHub, issuer: str, state: MemberState, *, activated: bool | None = None) -> int:
    """Let a member be in a state from now on; since when. A provisional one was never active, unless said otherwise."""
    known = state != "provisional" if activated is None else activated
    with hub.database.transaction() as uow:
        changed = uow.conn.execute(
            text(
                "UPDATE organisation SET state = :state, state_since = :now,"
                " trial_since = CASE WHEN :known THEN NULL ELSE :now END WHERE issuer = :issuer"
            ),
            {"state": state, "now": uow.now, "known": known, "issuer": issuer},
        )
        assert changed.rowcount == 1
        return uow.now
