"""A founded board, its chain and the hub's log in memory, for whoever verifies them; all of it can be made to lie.

board.decide("member.admit", "https://pixel.example", params)     a passed decision with everybody's ballot, recorded
board.log(body)                                                    any record, right or wrong, logged as hubs do
board.step("mo_1", b"rows")                                        a case changed: it is sealed, and the seal logged
board.rows["mo_1"] = b"other rows"                                 a case is edited by hand: `board.publish()` shows it
board.files["records"]                                             what is published; change it as you like
board.write(folder)                                                a copy as `tocsin board verify --save` makes one
It is the source of the board's files; its log is `board.tlog`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.client.simulated_log import SimulatedLog, built
from tests.support.authenticator import Authenticator
from tocsin_client.board.reading import board_in, log_in
from tocsin_client.board.webauthn import WebAuthn
from tocsin_schemas import chain, ledger
from tocsin_schemas.ballots import closes_at
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import (
    Assertion,
    Ballot,
    Decision,
    Params,
    ballot_challenge,
    decision_digest,
    sign_ballot,
)
from tocsin_schemas.docket import Seal, seal_bytes, state_digest
from tocsin_schemas.electorate import (
    recusals_at_opening,
)
from tocsin_schemas.governance import (
    NO_RECORD,
    Body,
    DecisionBody,
    Genesis,
    PublishedRecord,
    Record,
    entry_kind,
    make_record,
    record_bytes,
    record_digest,
)
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import Entry
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential, Roster, Seat, canonical
from tocsin_schemas.tally import RULES, Result
from tocsin_schemas.vocabulary import BOARD, DOCKET, PROCEEDING, Choice, DecisionType, SeatClass

HUB = "https://hub.example"
CLASSES: tuple[SeatClass, ...] = ("independent", "platform", "vendor")
HANDLES = ("ada", "bela", "cleo")


class Sealed(NamedTuple):
    """A seal as the hub keeps it: of which case, with its salt."""

    case: str
    salt: bytes
    seal: Seal


class Chair:
    """Who sits in one seat: with a passkey, or with an Ed25519 key kept offline."""

    def __init__(self, number: int, *, passkey: bool) -> None:
        self.name = f"s{number}"
        self.passkey = Authenticator() if passkey else None
        self.key = SigningKey.generate()

    def credential(self) -> Credential:
        if self.passkey is not None:
            return Credential(id=self.passkey.id, kind="webauthn", jwk=self.passkey.jwk)
        return Credential(id=self.key.public.kid, kind="ed25519", jwk=self.key.public.jwk())

    def vote(self, decision: Decision, choice: Choice, at: int, roster: Roster) -> Ballot:
        digest = decision_digest(decision)
        if self.passkey is None:
            return sign_ballot(digest, choice, self.name, self.key, at)
        said = self.passkey.get(ballot_challenge(digest, choice), roster.rp_id, roster.origin)
        return Ballot(
            seat=self.name,
            choice=choice,
            credential=self.passkey.id,
            cast_at=at,
            assertion=Assertion(**said),
        )


class SimulatedBoard:
    """Three seats: an independent in the chair with a passkey, a platform and a vendor with keys kept offline."""

    def __init__(self, clock: Callable[[], int], hub: str = HUB) -> None:
        self.name = hub
        self._clock = clock
        self.tlog = SimulatedLog(lambda: hub, clock)
        self.chairs = [Chair(number, passkey=number == 1) for number in (1, 2, 3)]
        self.published: list[PublishedRecord] = []
        self.rows: dict[str, bytes] = {}
        self.sealed: list[Sealed] = []
        self.state: BoardState | None = None
        self.files: dict[str, bytes | None] = {}
        self._decided = 0
        self.log(Genesis(roster=self.roster(), policy=Policy()))

    def roster(self, version: int = 1) -> Roster:
        seats = [
            Seat(
                seat=chair.name,
                seat_class=seat_class,
                chair=seat_class == "independent",
                duty=True,
                handle=handle,
                issuer=None if seat_class == "independent" else f"https://{handle}.example",
                control_group=None if seat_class == "independent" else f"cg_{handle:a<16}",
                term_ends="2029-01-01",
                credentials=[chair.credential()],
            )
            for chair, seat_class, handle in zip(self.chairs, CLASSES, HANDLES, strict=True)
        ]
        return Roster(
            version=version,
            rp_id=urlsplit(self.name).hostname or "",
            origin=self.name,
            seats=seats,
            panel=[],
            expires_at=self._clock() + 730 * DAY,
        )

    def decision(self, kind: DecisionType, subject: str, params: Params) -> Decision:
        """A decision whose ballot opens now."""
        state, now = self._stand(), self._clock()
        self._decided += 1
        return Decision(
            type=kind,
            seq=self._decided,
            prev=state.tip.hex(),
            roster_version=state.roster.version,
            threshold=RULES[kind],
            subject=subject,
            params=params,
            recused=list(recusals_at_opening(state, kind, subject, params, now)),
            issued_at=now,
            expires_at=closes_at(state, RULES[kind], kind, subject, now),
        )

    def voted(
        self, decision: Decision, choices: Mapping[str, Choice] | None = None, result: Result = "passes"
    ) -> DecisionBody:
        """The decision with its ballots; everybody says yes unless told otherwise."""
        recused = {recusal.seat for recusal in decision.recused}
        ballots = [
            chair.vote(decision, (choices or {}).get(chair.name, "yes"), self._clock(), self._stand().roster)
            for chair in self.chairs
            if chair.name not in recused
        ]
        return DecisionBody(decision=decision, ballots=ballots, recusals=decision.recused, result=result)

    def decide(self, kind: DecisionType, subject: str, params: Params, **how: Any) -> Record:
        """A decision with everybody's ballot, recorded."""
        return self.log(self.voted(self.decision(kind, subject, params), **how))

    def log(self, body: Body, *, right: bool = True) -> Record:
        """Append a record to the chain and to the log; one that is not `right` is logged all the same."""
        tip = NO_RECORD if not self.published else record_digest(self.published[-1].record)
        record = make_record(body, seq=len(self.published), prev=tip, at=self._clock())
        if right:
            self.state = chain.apply(self.state, record, WebAuthn())
        try:
            kind = entry_kind(record)
        except Refused:
            kind = "member-state"
        nonce = ledger.new_nonce()
        self.published.append(PublishedRecord(log_seq=len(self.tlog.leaves), r=nonce.hex(), record=record))
        commitment = ledger.commit(nonce, record_bytes(record))
        self.tlog.leaves.append(Entry(BOARD, kind, record.at, commitment).encode())
        self.publish()
        return record

    def step(self, case: str, rows: bytes) -> int:
        """A case changes: its new state is sealed in the log; the leaf index of that entry."""
        place, nonce, salt = len(self.tlog.leaves), ledger.new_nonce(), ledger.new_nonce()
        before = [held.seal.log_seq for held in self.sealed if held.case == case]
        replaces = before[-1] if before else None
        state = state_digest(salt, rows)
        commitment = ledger.commit(nonce, seal_bytes(state, replaces))
        self.tlog.leaves.append(Entry(DOCKET, PROCEEDING, self._clock(), commitment).encode())
        self.rows[case] = rows
        seal = Seal(log_seq=place, r=nonce.hex(), state=state.hex(), replaces=replaces)
        self.sealed.append(Sealed(case, salt, seal))
        self.publish()
        return place

    def seals(self) -> list[Seal]:
        """The seals as they are published: that of a case's newest state is made from its rows as they are."""
        newest = {held.case: held for held in self.sealed}
        return [
            held.seal
            if newest[held.case] is not held
            else held.seal.model_copy(update={"state": state_digest(held.salt, self.rows[held.case]).hex()})
            for held in self.sealed
        ]

    def chatter(self, count: int) -> None:
        """Entries of a community, which are none of the board's business."""
        for _ in range(count):
            entry = Entry("child-safety", "report", self._clock(), ledger.new_nonce())
            self.tlog.leaves.append(entry.encode())

    def publish(self) -> None:
        """What is served now."""
        self.files = {
            "genesis": record_bytes(self.published[0].record),
            "records": lines(self.published),
            "roster": canonical(self._stand().roster),
            "docket": lines(self.seals()),
        }

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def write(self, folder: Path) -> Path:
        for name, raw in self.files.items():
            put(board_in(folder) / name, raw)
        for path in ("policy", "checkpoint", *built(tuple(self.tlog.leaves))[1]):
            put(log_in(folder) / path, self.tlog.read(path))
        return folder

    def _stand(self) -> BoardState:
        assert self.state is not None
        return self.state


def lines(items: Sequence[PublishedRecord | Seal]) -> bytes:
    return b"".join(canonical(item) + b"\n" for item in items)


def put(path: Path, raw: bytes | None) -> None:
    if raw is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
