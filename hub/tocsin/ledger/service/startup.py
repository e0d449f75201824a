"""What must be true before a hub records anything: nobody has seen a log of ours that the database does not know."""

from tocsin.errors import Misconfigured
from tocsin.ledger.service.context import Ledger
from tocsin.ledger.service.publishing import cosigned, write_again
from tocsin.ledger.service.read import published
from tocsin.ledger.service.shown import require_ours, shown


def start(ledger: Ledger) -> None:
    """Compare the database with the stored checkpoint, and with what the witnesses have seen that can be reached.

    A database restored from a backup is older than the log that the world has seen: recording would give numbers away
    a second time, and publishing would fork the log.

    Raises:
        Misconfigured: saying what is wrong and what to do; nothing was changed.
    """
    try:
        seen = shown(ledger)
    except OSError:
        raise Misconfigured(
            "the log's store does not answer",
            "check TOCSIN_LOG_STORE, its rights, and the server if it is one",
        ) from None
    standing = published(ledger)
    require_ours(seen, standing)
    if standing is None or ledger.database.read_only:
        return
    if seen is None or seen.tree.size < standing.size:
        write_again(ledger, seen, standing)  # what the proofs for the witnesses are made of
    # Asking them to cosign is how to learn what they have seen (tlog-witness answers 409 with its size).
    cosigned(ledger, standing, everyone=True)
    for alarm in ledger.witnesses.alarms():
        raise Misconfigured(alarm.what, alarm.advice)
