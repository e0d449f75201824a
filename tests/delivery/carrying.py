"""Receivers with a table of addresses of their own, and a sender for them: delivery alone, without what is above it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from operator import mul
from typing import Literal, NamedTuple

from sqlalchemy import text

from tocsin.db import Database, UnitOfWork
from tocsin.delivery.service import Claim, Courier, End, Making, NewItem, enqueue, open_receiver
from tocsin.delivery.store.reading import Item
from tocsin.egress import Egress, Guard, Outbound
from tocsin.members import store as members
from tocsin.signing import Call

LOOPBACK = ip_network("127.0.0.0/8")


def egress() -> Egress:
    """A door that lets out to this machine."""
    return Egress(guard=Guard(allow_subnets=[LOOPBACK]))


class Written(NamedTuple):
    """What makes a request whose only signature is its number, doubled."""

    target: str
    message_id: str
    seq: int

    def call(self, _now: int) -> Call:
        return mul, (2, self.seq)

    def request(self, signed: int) -> Outbound:
        return Outbound(
            "POST",
            self.target,
            4096,
            body=b'{"seq":%d,"signed":%d}' % (self.seq, signed),
            media_type="application/json",
            headers={"webhook-id": self.message_id},
            cut=True,
        )


@dataclass
class Carrier:
    """A feature whose messages are their own numbers: `targets` says where each receiver is."""

    kind: Literal["webhook", "stream"] = "webhook"
    final: frozenset[int] = frozenset({410})
    targets: dict[int, str] = field(default_factory=dict)
    nothing_left: set[int] = field(default_factory=set)
    """Messages of which there is nothing to send any more."""
    ends: list[End] = field(default_factory=list)
    worn: list[int] = field(default_factory=list)
    when_worn: Callable[[UnitOfWork, int], object] = lambda _uow, _id: None
    when_settled: Callable[[UnitOfWork, Sequence[End]], object] = lambda _uow, _ends: None

    def compose(self, uow: UnitOfWork, claims: Sequence[Claim]) -> Sequence[Making | None]:
        return [
            None
            if claim.message_id in self.nothing_left
            else Written(self.targets[claim.receiver_id], f"msg_{claim.message_id}", claim.seq)
            for claim in claims
        ]

    def settle(self, uow: UnitOfWork, ends: Sequence[End]) -> None:
        self.ends += ends
        self.when_settled(uow, ends)

    def exhausted(self, uow: UnitOfWork, receiver_ids: Sequence[int]) -> None:
        self.worn += receiver_ids
        for receiver_id in receiver_ids:
            self.when_worn(uow, receiver_id)


def organisation(uow: UnitOfWork, number: int = 1) -> int:
    """A member to whom receivers belong; its id."""
    group = f"cg_{number:016d}"
    members.add_control_group(uow, group)
    issuer = f"https://member-{number}.example"
    values = {"issuer": issuer, "member_class": "platform", "control_group_id": group, "state": "active"}
    members.add_organisation(uow, values)
    found = members.organisation_by_issuer(uow, issuer)
    assert found is not None
    return found.id


class Post:
    """A database with receivers, and a courier."""

    def __init__(self, database: Database, *, door: Egress | None = None) -> None:
        self.database = database
        self.door = door or egress()
        self.carrier = Carrier()
        self.courier = Courier(database, self.door, [self.carrier])
        with database.transaction() as uow:
            self.member = organisation(uow)
        self._made = 0

    def receiver(self, target: str) -> int:
        """A new receiver at that address."""
        self._made += 1
        with self.database.transaction() as uow:
            receiver_id = open_receiver(uow, "webhook", f"ep_{self._made}", self.member)
        self.carrier.targets[receiver_id] = target
        return receiver_id

    def queue(self, receiver_id: int, messages: Sequence[int], lane: int = 1) -> None:
        """Queue these messages, numbered in their order."""
        with self.database.transaction() as uow:
            enqueue(uow, [NewItem(receiver_id, lane, message, seq) for seq, message in enumerate(messages)])

    def items(self, receiver_id: int) -> dict[int, Item]:
        """Each message of a receiver and what has become of it."""
        with self.database.snapshot() as uow:
            rows = uow.conn.execute(
                text(
                    "SELECT id, receiver_id, lane, message_id, seq, state, attempts, next_at, created_at, ended_at,"
                    " status, failure FROM delivery_item WHERE receiver_id = :id ORDER BY message_id"
                ),
                {"id": receiver_id},
            )
            return {row.message_id: Item._make(row) for row in rows}

    def states(self, receiver_id: int) -> dict[int, str]:
        """Each message of a receiver and its state."""
        return {message: item.state for message, item in self.items(receiver_id).items()}

    def attempts(self, receiver_id: int) -> list[tuple[int, int, int | None, str | None]]:
        """(message, number, status, failure) of each attempt, the first one first."""
        with self.database.snapshot() as uow:
            rows = uow.conn.execute(
                text(
                    "SELECT i.message_id, a.number, a.status, a.failure FROM delivery_attempt a"
                    " JOIN delivery_item i ON i.id = a.item_id WHERE a.receiver_id = :id ORDER BY a.id"
                ),
                {"id": receiver_id},
            )
            return [(row[0], row[1], row[2], row[3]) for row in rows]

    def row(self, table: str, receiver_id: int) -> dict[str, object]:
        """A row of delivery_receiver, or of delivery_queue's second lane."""
        where = "id = :id" if table == "delivery_receiver" else "receiver_id = :id AND lane = 1"
        with self.database.snapshot() as uow:
            found = uow.conn.execute(text(f"SELECT * FROM {table} WHERE {where}"), {"id": receiver_id})
            return dict(found.mappings().one())
