"""A feed's lines from rows, as `tocsin_schemas.feed` defines them."""

from collections.abc import Iterable

from tocsin.signals.service.sight import Sight
from tocsin.signals.store.reading import FeedRow
from tocsin_schemas.ledger import rfc3339


def lines(rows: Iterable[FeedRow], now: int, sight: Sight) -> bytes:
    """One record a line, for a reader with this sight."""
    return b"".join([line(row, now, sight) for row in rows])


def shown(row: FeedRow, now: int) -> bool:
    """Whether a reader is given the signal itself, unless it is hidden from its sight."""
    return row.gone is None and row.quarantine is None and (row.expires_at is None or row.expires_at > now)


def line(row: FeedRow, now: int, sight: Sight) -> bytes:
    """One feed record, and a newline.

    The parts are numbers, hexadecimal and base64url: nothing in them needs escaping.
    """
    if row.gone is not None:
        return b'{"seq":%d,"gone":"%s"}\n' % (row.seq, row.gone.encode())
    if row.expires_at is not None and row.expires_at <= now:
        return b'{"seq":%d,"gone":"expired"}\n' % row.seq
    if row.quarantine is not None:
        return b'{"seq":%d,"withheld":"quarantine"}\n' % row.seq
    if (hidden := sight.hides(row)) is not None:
        return b'{"seq":%d,"withheld":"%s"}\n' % (row.seq, hidden.encode())
    expires = b"" if row.expires_at is None else b'"expires_at":"%s",' % rfc3339(row.expires_at).encode()
    return b'{"seq":%d,"recorded_at":"%s",%s"r":"%s","jws":"%s"}\n' % (
        row.seq,
        rfc3339(row.recorded_at).encode(),
        expires,
        (row.nonce or b"").hex().encode(),
        row.jws or b"",
    )
