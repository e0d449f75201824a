"""Match hashes against the mirror: exact for digests, within a Hamming distance for PDQ. Nothing leaves the machine.

A hit comes with the indicator's standing as it is now. Indicators that are disputed, quarantined or expired are left
out unless asked for: acting on them is not safe by default.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tocsin_client.config import NotReady
from tocsin_client.mirror import Mirror
from tocsin_client.statements import StatementRow
from tocsin_schemas import envelope, signals
from tocsin_schemas.feed import Directory
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import Policy
from tocsin_schemas.signals import Report
from tocsin_schemas.vocabulary import Band, Status, Tlp

if TYPE_CHECKING:
    from tocsin_client.pdq import PdqIndex

MAX_DISTANCE: Final = 31
LEFT_OUT: Final[frozenset[Status]] = frozenset({"disputed", "quarantined", "expired"})
NEEDS_HASH: Final = NotReady(
    "Comparing PDQ hashes needs more packages", "Install them: pip install 'tocsin[hash]'."
)
_TLP_ORDER: Final[tuple[Tlp, ...]] = ("clear", "green", "amber", "amber+strict", "red")


@dataclass(frozen=True, slots=True)
class Hit:
    """A reported indicator that fits.

    `distance` is in bits, 0 for an exact match; `labels` and `authors` are those of the live reports, sorted; `tlp` the
    strictest of them; `expires_at` (Unix seconds) when the last of them ends; `statements` their ids.
    """

    indicator: Indicator
    distance: int
    status: Status
    rules: tuple[str, ...]
    labels: tuple[str, ...]
    tlp: Tlp
    reporters: Band
    disputes: int
    authors: tuple[str, ...]
    expires_at: int
    statements: tuple[str, ...]


class Matcher:
    """Answers from one mirror as it stands when the matcher is made.

    `distance` (0-31) is the farthest PDQ match; `include_disputed` keeps what is disputed, quarantined or expired.
    """

    def __init__(
        self, mirror: Mirror, *, distance: int = MAX_DISTANCE, include_disputed: bool = False
    ) -> None:
        if not 0 <= distance <= MAX_DISTANCE:
            raise ValueError(f"distance is 0 to {MAX_DISTANCE}")
        self._mirror = mirror
        self._distance = distance
        self._left_out = frozenset[Status]() if include_disputed else LEFT_OUT
        self._directory: Directory = mirror.store.directory()
        self._policy: Policy = mirror.store.policy()
        self._pdq: tuple[list[bytes], PdqIndex] | None = None

    def find(self, queries: Iterable[Indicator]) -> list[Hit]:
        """The hits of one thing's hashes, nearest first, each indicator once.

        Raises:
            NotReady: when a PDQ hash is asked for without the extra `tocsin[hash]`.
        """
        nearest: dict[Indicator, int] = {}
        for indicator, distance in self._candidates(queries):
            nearest[indicator] = min(distance, nearest.get(indicator, distance))
        return [
            hit
            for indicator, distance in sorted(nearest.items(), key=lambda item: (item[1], item[0]))
            if (hit := self._hit(indicator, distance)) is not None
        ]

    def _candidates(self, queries: Iterable[Indicator]) -> Iterator[tuple[Indicator, int]]:
        for query in queries:
            if query.type == "pdq":
                values, index = self._pdq_index()
                yield from (
                    (Indicator("pdq", values[at]), distance)
                    for at, distance in index.within(query.value, self._distance)
                )
            else:
                yield query, 0

    def _pdq_index(self) -> "tuple[list[bytes], PdqIndex]":
        if self._pdq is None:
            try:
                from tocsin_client.pdq import PdqIndex
            except ImportError:
                raise NEEDS_HASH from None
            values = self._mirror.store.values("pdq")
            self._pdq = (values, PdqIndex(values))
        return self._pdq

    def _hit(self, indicator: Indicator, distance: int) -> Hit | None:
        rows = self._mirror.store.about(indicator)
        standing = self._mirror.fold(rows, self._directory, self._policy)
        live = [row for row in rows if row.id in standing.live]
        if not live or standing.status in self._left_out:
            return None
        reports = [(row, report) for row in live if (report := _report(row)) is not None]
        return Hit(
            indicator=indicator,
            distance=distance,
            status=standing.status,
            rules=tuple(reason.rule for reason in standing.reasons),
            labels=tuple(sorted({label for _, report in reports for label in report.labels})),
            tlp=_strictest([report.tlp for _, report in reports]),
            reporters=standing.reporters,
            disputes=standing.disputes,
            authors=tuple(sorted({row.author for row, _ in reports})),
            expires_at=max(row.expires_at for row in live),
            statements=tuple(row.id.hex() for row, _ in reports),
        )


def _report(row: StatementRow) -> Report | None:
    """The report a stored statement makes; None for other kinds, and for a report counted as a sighting."""
    if row.kind != "report":
        return None
    event = signals.parse(envelope.payload_of(row.jws)).event
    return event if isinstance(event, Report) else None


def _strictest(found: Sequence[Tlp]) -> Tlp:
    return max(found, key=_TLP_ORDER.index, default="red")
