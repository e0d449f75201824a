"""The board's chain at this hub: the state that its records lead to, and the one way to add to them.

- Who appends holds the lock of the log's head, so of two at once the second sees what the first has written: the chain
  cannot fork.
- A record is applied before it is written: what the pure rules of `tocsin_schemas.chain` refuse never becomes a row.
- One transaction holds the record, its log entry, the policy in force, the rows of members that follow from it, and
  what others are told of it.
- The state is replayed from the records, every signature verified, and remembered as long as they are the same.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, get_args

from tocsin import outbox
from tocsin.config import Settings
from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.service.dating import Dating
from tocsin.governance.service.telling import happenings
from tocsin.governance.store import records as store
from tocsin.governance.store.cases import Case
from tocsin.governance.store.records import Kept
from tocsin.ledger import service as ledger
from tocsin.members.service import Members, Wanted, WantedHubKey, WantedKey, WantedMember, reconcile
from tocsin_client.board.webauthn import WebAuthn
from tocsin_schemas import chain
from tocsin_schemas.ballots import Verifier
from tocsin_schemas.board import BoardState, MemberStanding
from tocsin_schemas.governance import (
    NO_RECORD,
    Body,
    DecisionBody,
    Genesis,
    Record,
    entry_kind,
    make_record,
    parse_record,
    record_bytes,
    record_digest,
)
from tocsin_schemas.hub_acts import hub_public_key
from tocsin_schemas.jwk import public_key
from tocsin_schemas.ledger import Entry, commit, new_nonce
from tocsin_schemas.policy import Policy
from tocsin_schemas.roster import canonical
from tocsin_schemas.vocabulary import BOARD, MemberState

_MEMBER_STATES: Final = frozenset(get_args(MemberState))
GONE: Final[MemberState] = "withdrawn"
"""What the row of a former member says that is an applicant again, or was not taken."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A record that was just written, and the log entry it is."""

    record: Record
    log_seq: int


class Chain:
    """The board's records at one hub; one for a process, shared by its threads. A sandbox has none."""

    def __init__(self, members: Members, settings: Settings, verifier: Verifier) -> None:
        self.members = members
        self.sandbox = settings.sandbox
        self.issuer = settings.issuer
        self.verifier = verifier
        self.proven: dict[int, bytes] = {}
        """Hashes of the board's log entries that were verified in the published tree, by leaf index."""
        self.docketed: set[int] = set()
        """Those of them that seal proceedings: a row that is gone is still known here."""
        self.searched = 0
        """How far the published log was searched for such entries, when no row said that there were any."""
        self.dating = Dating()
        """Which records are dated ahead, and how far the log was read for it."""
        self.stood: Mapping[Case, object] = {}
        """The open cases that were last found as they were sealed: their rows, seals and entries (`proceedings`)."""
        self.sealed: dict[Case, int] = {}
        """The newest seal of each case that was seen in force: an older one does not come back in its place."""
        self.listing = threading.Lock()
        self.listed: tuple[object, bytes] | None = None
        """The public list of seals behind what it is as of; `listing` is held by whoever makes it."""
        self._lock = threading.Lock()
        self._known: BoardState | None = None

    def founded(self, uow: UnitOfWork) -> bool:
        """Whether there is a board."""
        return not self.sandbox and store.count(uow) > 0

    def state(self, uow: UnitOfWork) -> BoardState:
        """What the records say.

        Raises:
            Refused: `board-absent` in a sandbox and before the board is founded; else with the code of the first
                record that does not follow, which only another hand can have brought about.
        """
        found = None if self.sandbox else self._replayed(uow)
        if found is None:
            raise Refused("board-absent", "", "there is no board whose records could be read")
        return found

    def lock(self, uow: UnitOfWork) -> BoardState:
        """The same; until this transaction ends, nobody else can append.

        Raises:
            Refused: as `state`.
        """
        ledger.locked_size(uow)
        return self.state(uow)

    def time(self, uow: UnitOfWork, state: BoardState, body: Body | None = None) -> int:
        """What time it is on the chain (Unix seconds): clocks of several processes differ, and a request reads its own
        before it has the lock, but no record is older than the one before it, or than what it says itself.
        """
        said = (
            [body.decision.issued_at, *(b.cast_at for b in body.ballots)]
            if isinstance(body, DecisionBody)
            else []
        )
        return max(uow.now, state.at, *said)

    def append(self, uow: UnitOfWork, body: Body) -> Record:
        """Write one more record that says `body`, made now, and everything that follows from it.

        Raises:
            Refused: as `state` and as `tocsin_schemas.chain.apply`; nothing is written then.
        """
        return self.enter(uow, body).record

    def enter(self, uow: UnitOfWork, body: Body) -> Appended:
        """The same; with the log entry that the record is."""
        log_seq = ledger.locked_size(uow)
        return self._write(uow, self.state(uow), body, log_seq)

    def found(self, uow: UnitOfWork, genesis: Genesis) -> Record:
        """Write the first record.

        Raises:
            Refused: `board-absent` in a sandbox; `conflict` when there is a board, or there are members that no board
                has admitted; as `tocsin_schemas.chain.apply`.
        """
        if self.sandbox:
            raise Refused("board-absent", "", "a sandbox has no board")
        log_seq = ledger.locked_size(uow)
        if store.count(uow):
            raise Refused("conflict", "board", "is founded already")
        if self.members.orgs(uow) or self.members.communities(uow):
            raise Refused("conflict", "board", "there are members or communities that no board has admitted")
        return self._write(uow, None, genesis, log_seq).record

    def policy_in_force(self, uow: UnitOfWork) -> Policy:
        """The policy that the board has set; the default one in a sandbox and before the board is founded."""
        document = None if self.sandbox else store.policy(uow)
        return Policy() if document is None else _policy(document)

    def forget(self) -> None:
        """Replay from the first record the next time: the rows were repaired."""
        with self._lock:
            self._known = None

    def _write(self, uow: UnitOfWork, before: BoardState | None, body: Body, log_seq: int) -> Appended:
        size, tip = (0, NO_RECORD) if before is None else (before.size, before.tip)
        at = uow.now if before is None else self.time(uow, before, body)
        record = make_record(body, seq=size, prev=tip, at=at)
        state = chain.apply(before, record, self.verifier)
        raw, nonce = record_bytes(record), new_nonce()
        entry = Entry(BOARD, entry_kind(record), record.at, commit(nonce, raw))
        ledger.append(uow, log_seq, [entry])
        store.add(uow, Kept(size, log_seq, record_digest(record), raw, nonce))
        document = canonical(state.policy)
        if store.policy(uow) != document:
            store.set_policy(uow, document)
        reconcile(uow, wanted(state))
        ids = {org.issuer: org.id for org in self.members.orgs(uow).values()}
        outbox.publish(uow, list(happenings(before, record, state, log_seq, ids)))
        return Appended(record, log_seq)

    def _replayed(self, uow: UnitOfWork) -> BoardState | None:
        newest = store.newest(uow)
        known = self._known
        if newest is None:
            return None
        if known is not None and (known.size - 1, known.tip) == newest:
            return known
        with self._lock:
            known = self._known
            if known is not None and store.digest_at(uow, known.size - 1) != known.tip:
                known = None
            for row in store.kept(uow, 0 if known is None else known.size):
                known = chain.apply(known, parse_record(row.raw), self.verifier)
            self._known = known
        return known


def open_chain(members: Members, settings: Settings) -> Chain:
    """The chain of the hub that the settings describe."""
    return Chain(members, settings, WebAuthn())


def wanted(state: BoardState) -> Wanted:
    """What the rows of members have to say."""
    hub_keys = tuple(
        WantedHubKey(name, hub_public_key(key.jwk), key.not_before, key.not_after)
        for name, held in state.hub_keys.items()
        for key in held
    )
    return Wanted(tuple(_member(member) for member in state.members.values()), state.communities, hub_keys)


def _member(member: MemberStanding) -> WantedMember:
    state = next((name for name in get_args(MemberState) if name == member.state), None)
    keys = tuple(
        WantedKey(public_key(key.jwk), key.not_before, key.not_after, key.revoked_at)
        for key in member.keys.values()
    )
    return WantedMember(
        issuer=member.issuer,
        member_class=member.member_class,
        group=member.control_group,
        state=GONE if state is None else state,
        since=member.since,
        keys=keys,
        rights=member.communities,
        trial_since=None if member.activated else member.admitted_at,
        present=state is not None,
    )


@lru_cache(maxsize=8)
def _policy(document: bytes) -> Policy:
    return Policy.model_validate_json(document)
