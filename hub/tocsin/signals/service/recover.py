"""Tombstones for entries of the log whose statements were lost with the database."""

from tocsin.db import UnitOfWork
from tocsin.errors import Misconfigured
from tocsin.ledger import service as ledger
from tocsin.signals.service.context import Context
from tocsin.signals.store import admission
from tocsin_schemas.ledger import Entry
from tocsin_schemas.vocabulary import SCOPE_WORDS


def recover(context: Context, log: ledger.Ledger) -> int:
    """Bring back what the published log has and the database has not; the number of entries.

    Their records say `gone: erased`: what they committed to is lost. Nobody is their author any more.

    Raises:
        Misconfigured: as `ledger.recover`, and when a lost entry is of a community that the database does not know.
    """

    def bury(uow: UnitOfWork, first: int, entries: list[Entry]) -> None:
        communities = context.members.communities(uow)
        # The board's records are no statements; the next start takes them from their copies beside the log. Seals
        # of its proceedings have no copies, and neither have the rows that they were of.
        missing = {entry.community for entry in entries} - communities.keys() - SCOPE_WORDS
        if missing:
            raise Misconfigured(
                f"{len(missing)} of the communities in the published log are not in the database",
                f"add them first: tocsin-hub community add {min(missing)}",
            )
        statements: list[tuple[object, ...]] = [
            (
                first + at, communities[entry.community].id, None, entry.kind, None, None, None, None, None,
                entry.recorded_at, entry.recorded_at, entry.recorded_at, None, "expired", None, None,
                "erased", uow.now,
            )
            for at, entry in enumerate(entries)
            if entry.community not in SCOPE_WORDS
        ]  # fmt: skip
        admission.record(uow, statements, [], [])

    return ledger.recover(log, bury)
