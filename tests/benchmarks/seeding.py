"""Signals in quantity: signed ones for the front door, and rows for tables that must be large already."""

import secrets
import time
from collections.abc import Sequence

from tests.support.parties import Party
from tocsin.db import UnitOfWork
from tocsin.signals.store import admission as store
from tocsin.signals.store.tables import ALIASES_PER_STATEMENT
from tocsin_client.submit import new_jti
from tocsin_schemas import envelope, signals
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import Media, Report

COMMUNITY = "child-safety"


def signed_reports(party: Party, hub: str, count: int) -> list[bytes]:
    """`count` individually signed reports of different PDQ hashes, fresh enough to submit now."""
    return [report(party, hub, secrets.token_bytes(32)) for _ in range(count)]


def report(party: Party, hub: str, value: bytes) -> bytes:
    """One signed report of a PDQ hash."""
    now = int(time.time())
    event = Report(
        basis="human_confirmed",
        labels=["test@1:benign_a"],
        tlp="amber",
        valid_until=now + 90 * DAY,
        media=Media(ai_origin="unknown", origin_evidence="none", detection_context="upload", pdq_quality=90),
    )
    payload = signals.compose(
        event,
        [Indicator("pdq", value)],
        iss=party.issuer,
        aud=f"{hub}/communities/{COMMUNITY}",
        iat=now,
        jti=new_jti(),
    )
    return envelope.sign(payload, party.key)


def seed_batch(
    uow: UnitOfWork, author_id: int, first: int, tokens: Sequence[bytes], nonces: Sequence[bytes]
) -> None:
    """Write statements, indicators and observations for `tokens`, as submission writes them."""
    community_id = 1
    statements: list[tuple[object, ...]] = []
    indicators: list[tuple[int, int, str, bytes]] = []
    for seq, (token, nonce) in enumerate(zip(tokens, nonces, strict=True), first):
        statements.append(
            (
                seq, community_id, author_id, "report", new_jti(), secrets.token_bytes(32), token, nonce,
                "human_confirmed", uow.now, uow.now, uow.now, uow.now + 89 * DAY, "candidate", None, False,
                None, None,
            )
        )  # fmt: skip
        indicators.append((seq * ALIASES_PER_STATEMENT, community_id, "pdq", secrets.token_bytes(32)))
    observations = [(seq * ALIASES_PER_STATEMENT, True, seq) for seq in range(first, first + len(tokens))]
    store.record(uow, statements, indicators, observations)
