"""`check_hub` sees what it is there to see: each damage on purpose is found."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import text

from tests.signals.material import RETRACTION, Voice, md5, report, sha256
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tocsin.db import Database, UnitOfWork
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

ZEROS = bytes(32)
EVENT = (
    "type, community_id, first_seq, last_seq, count, free_count, labels, free_labels,"
    " lane, webhooks, streams, created_at"
)
DAMAGES: list[tuple[str, dict[str, Any]]] = [
    ("UPDATE ledger_head SET size = size + 1", {}),
    ("DELETE FROM entry WHERE seq = 1", {}),
    ("UPDATE entry SET seq = 99 WHERE seq = 5", {}),
    ("UPDATE entry SET commitment = :zeros WHERE seq = 0", {"zeros": ZEROS}),
    ("UPDATE entry SET kind = 'dispute' WHERE seq = 0", {}),
    ("UPDATE entry SET community = 'ncii' WHERE seq = 0", {}),
    ("UPDATE entry SET recorded_at = recorded_at + 1 WHERE seq = 2", {}),
    ("DELETE FROM statement WHERE seq = 0", {}),
    ("UPDATE statement SET nonce = :zeros WHERE seq = 0", {"zeros": ZEROS}),
    ("UPDATE statement SET digest = :zeros WHERE seq = 0", {"zeros": ZEROS}),
    ("UPDATE statement SET jti = :zeros WHERE seq = 0", {"zeros": ZEROS[:16]}),
    ("UPDATE statement SET author_id = 99 WHERE seq = 0", {}),
    ("UPDATE statement SET author_id = 2 WHERE seq = 0", {}),
    ("UPDATE statement SET community_id = 99 WHERE seq = 0", {}),
    ("UPDATE statement SET basis = 'classifier' WHERE seq = 0", {}),
    ("UPDATE statement SET toe = toe - 1 WHERE seq = 0", {}),
    ("UPDATE statement SET expires_at = expires_at + 100000000 WHERE seq = 0", {}),
    ("UPDATE statement SET kind = 'outcome' WHERE seq = 0", {}),
    ("UPDATE statement SET jws = (SELECT jws FROM statement WHERE seq = 1) WHERE seq = 0", {}),
    (
        "UPDATE statement SET gone = 'retracted', gone_at = 2000000000, jws = NULL, nonce = NULL WHERE seq = 0",
        {},
    ),
    ("UPDATE statement SET gone_at = 1 WHERE seq = 2", {}),
    ("UPDATE statement SET digest = :zeros WHERE seq = 2", {"zeros": ZEROS}),
    ("UPDATE statement SET gone = 'expired' WHERE seq = 2", {}),
    ("DELETE FROM observation WHERE seq = 0", {}),
    ("UPDATE observation SET decides = NOT decides WHERE seq = 0", {}),
    ("INSERT INTO observation (indicator_id, decides, seq) VALUES (99999, true, 0)", {}),
    ("INSERT INTO observation (indicator_id, decides, seq) SELECT max(id), true, 99 FROM indicator", {}),
    ("INSERT INTO observation (indicator_id, decides, seq) SELECT min(id), true, 2 FROM indicator", {}),
    ("INSERT INTO indicator (id, community_id, type, value) VALUES (9999, 1, 'md5', :v)", {"v": ZEROS[:16]}),
    ("UPDATE indicator SET value = :v WHERE type = 'md5'", {"v": ZEROS[:16]}),
    ("UPDATE indicator SET community_id = 7 WHERE type = 'md5'", {}),
    ("DELETE FROM outbox_event WHERE type = 'signal.recorded'", {}),
    ("DELETE FROM outbox_event WHERE type = 'signal.retracted'", {}),
    ("DELETE FROM outbox_event WHERE type = 'signal.expired'", {}),
    (f"INSERT INTO outbox_event ({EVENT}) SELECT {EVENT} FROM outbox_event", {}),
    ("UPDATE outbox_event SET last_seq = last_seq + 50 WHERE type = 'signal.recorded'", {}),
    ("DELETE FROM expiry_day", {}),
    ("UPDATE expiry_day SET day = day + 1", {}),
    ("UPDATE delivery SET seq = 99", {}),
    ("UPDATE indicator_view SET seq = 99", {}),
    ("UPDATE member_key SET public = :v", {"v": bytes(range(32))}),
    ("UPDATE member_key SET not_before = not_before + 100000000, not_after = not_after + 100000000", {}),
    ("UPDATE member_key SET revoked_at = 1", {}),
]


@pytest.fixture
def storied(hub: Hub) -> Hub:
    """A hub with a bit of everything: reports, a retraction, an expiry entered for its day, reads."""
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.say(report(hub.clock() + 9 * DAY), [md5(1), sha256(1)])
    frame.say(report(hub.clock() + 9 * DAY), md5(1))
    receipt = pixel.say(report(hub.clock() + 9 * DAY), md5(2))
    pixel.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    pixel.say(report(hub.clock() + DAY), md5(3))
    frame.feed()
    frame.view(md5(1))
    for _ in range(2):
        hub.clock.advance(DAY)
        hub.run_job("signals.expire")
    return hub


@pytest.mark.usefixtures("unmeasured")
def test_every_damage_is_found(storied: Hub) -> None:
    hub = storied
    assert check_hub(hub.database, hub.settings) == 6
    unseen = []
    for damage, values in DAMAGES:
        if not found(hub, damage, values):
            unseen.append(damage)
        assert check_hub(hub.database, hub.settings) == 6, "the damage is undone"
    assert unseen == []


class Undo(Exception):
    """Ends a transaction without a trace."""


class Within(Database):
    """Reads happen inside a transaction that is open."""

    def __init__(self, database: Database, uow: UnitOfWork) -> None:
        super().__init__(database.url, clock=database.clock)
        self._uow = uow

    @contextmanager
    def snapshot(self) -> Iterator[UnitOfWork]:
        yield self._uow


def found(hub: Hub, damage: str, values: dict[str, Any]) -> bool:
    """Whether the check fails on a damaged database, which is put right again."""
    seen = False
    with suppress(Undo), hub.database.transaction() as uow:
        assert uow.conn.execute(text(damage), values).rowcount, damage
        within = Within(hub.database, uow)
        try:
            check_hub(within, hub.settings)
        except (AssertionError, Refused, KeyError):
            seen = True
        within.dispose()
        raise Undo
    return seen
