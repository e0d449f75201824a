"""The board's proceedings held against the log: each step of them leaves an entry that nobody can take back.

What leads to a decision, motions with their endorsements, declarations and ballots, applications with their checks, is
kept in rows that are not public. A *case* is all rows of one motion or application. Whenever a case changes, the hub
*seals* it: an entry of the log under the scope word `docket` commits to the digest of the case's new state and to the
entry that it replaces. The digest is salted, and says nothing to whoever has not the rows. The seals are published;
that of a case's newest state is computed from the rows as they are when they are asked for, so rows that another hand
has changed no longer open their entry, and rows that were removed leave an entry that nothing opens.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from tocsin_schemas.ledger import Entry, opens
from tocsin_schemas.signals import Closed, Digest, dump_object
from tocsin_schemas.vocabulary import DOCKET, PROCEEDING

SEAL_CONTEXT: Final = b"tocsin/docket-seal/v1\n"
STATE_CONTEXT: Final = b"tocsin/docket-state/v1\n"

Place = Annotated[int, Field(ge=0, le=2**53)]


class Seal(Closed):
    """A seal as it is published: of the log entry at leaf index `log_seq`, which the nonce `r` opens.

    `state` is the salted digest of a case's rows, `replaces` the leaf index of the seal of the same case before.
    """

    log_seq: Place
    r: Digest
    state: Digest
    replaces: Place | None = None


class Fault(NamedTuple):
    """What does not fit: the entry's leaf index, a code, and why."""

    log_seq: int
    code: str
    reason: str


def state_digest(salt: bytes, rows: bytes) -> bytes:
    """What stands for a case's rows, given in their one spelling: 32 bytes that say nothing without the salt."""
    return hashlib.sha256(STATE_CONTEXT + salt + rows).digest()


def seal_bytes(state: bytes, replaces: int | None) -> bytes:
    """What the log commits to."""
    said: dict[str, str | int] = {"state": state.hex()}
    if replaces is not None:
        said["replaces"] = replaces
    return SEAL_CONTEXT + dump_object(said)


def written_for(entry: Entry, nonce: bytes, state: bytes, replaces: int | None) -> bool:
    """Whether an entry of the log was written for the seal of a state."""
    scope = (entry.community, entry.kind)
    return scope == (DOCKET, PROCEEDING) and opens(entry.commitment, nonce, seal_bytes(state, replaces))


def opened(seal: Seal, entry: Entry) -> bool:
    """Whether an entry of the log is the one that was written for a seal."""
    return written_for(entry, bytes.fromhex(seal.r), bytes.fromhex(seal.state), seal.replaces)


def check(seals: Iterable[Seal], entries: Mapping[int, Entry]) -> list[Fault]:
    """Hold the seals that are published against all entries of the log under the word `docket`, by leaf index.

    A seal of an entry that the log seen does not reach yet is none of `entries`: leave it out.
    """
    faults: list[Fault] = []
    known: set[int] = set()
    replaced: set[int] = set()
    for seal in sorted(seals, key=lambda each: each.log_seq):
        entry = entries.get(seal.log_seq)
        if entry is None or seal.log_seq in known:
            faults.append(
                Fault(seal.log_seq, "seal-unlogged", "no entry of the log was written for this seal")
            )
            continue
        known.add(seal.log_seq)
        if not opened(seal, entry):
            reason = "the rows of a case are not those that were sealed"
            faults.append(Fault(seal.log_seq, "case-altered", reason))
        elif seal.replaces is not None and (seal.replaces not in known or seal.replaces in replaced):
            reason = "replaces no seal that stood"
            faults.append(Fault(seal.log_seq, "seal-out-of-order", reason))
        if seal.replaces is not None:
            replaced.add(seal.replaces)
    reason = "nothing opens this entry: the rows of a case, or its seal, were removed"
    faults += [Fault(seq, "case-missing", reason) for seq in entries if seq not in known]
    return sorted(faults)
