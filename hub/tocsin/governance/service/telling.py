"""What a record of the board's chain is told as: what was decided, which members stand elsewhere, which keys changed.

What is told follows from the state before and after the record, so nothing that a record brings about is left out. All
of it is published anyway: it names the log entry where it can be read.
"""

from collections.abc import Iterator, Mapping
from typing import Final, get_args

from tocsin.outbox import Happening
from tocsin_schemas.board import BoardState
from tocsin_schemas.governance import DecisionBody, Record
from tocsin_schemas.notifications import EventType
from tocsin_schemas.vocabulary import MemberState

_MEMBER_STATES: Final = frozenset(get_args(MemberState))
_APPEALS: Final = frozenset({"appeal.uphold", "appeal.dismiss"})


def happenings(
    before: BoardState | None, record: Record, after: BoardState, log_seq: int, ids: Mapping[str, int]
) -> Iterator[Happening]:
    """What to tell of a record, which is the log entry `log_seq`; `ids` goes from a member's issuer to its id."""

    def told(kind: EventType, status: str | None = None, issuer: str | None = None) -> Happening:
        about = None if issuer is None else ids.get(issuer)
        return Happening(kind, None, log_seq, log_seq, status=status, about_id=about)

    if isinstance(record.body, DecisionBody):
        decided = record.body
        yield told("decision.recorded", decided.result, decided.decision.subject)
        if decided.decision.type in _APPEALS:
            yield told("appeal.decided", decided.result)
    for issuer, member in after.members.items():
        was = None if before is None else before.members.get(issuer)
        if was is member:
            continue
        stood = None if was is None else was.state
        if member.state != stood and not _MEMBER_STATES.isdisjoint({member.state, stood}):
            yield told("member.state_changed", member.state, issuer)
        held = {} if was is None else was.keys
        revoked = {kid for kid, key in member.keys.items() if key.revoked_at is not None}
        if any(kid not in held or held[kid].revoked_at is None for kid in revoked):
            yield told("key.revoked", None, issuer)
        if held and member.keys.keys() - held.keys() - revoked:
            yield told("key.rotating", None, issuer)
    if before is not None and after.hub_keys != before.hub_keys:
        yield told("key.rotating")
