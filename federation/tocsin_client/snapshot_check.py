"""What a hub says of a snapshot, verified without any of its files.

A snapshot is believed by these steps; docs/member-guide.md uses the same numbers. `SnapshotUnverified` has the code.

1. It is of the community and type that was asked for.                                        `snapshot-mismatch`
2. The hub has signed the event about it, for this community.                                 codes of the envelope
3. The event names this manifest, by its digest.                                              `snapshot-mismatch`
4. The event is in the log: its entry opens with `r` to the signed bytes, and a proof leads
   from the entry to a checkpoint that the pinned policy accepts.    `snapshot-mismatch`, codes of the log
5. It is not older than the one held, and not another one of the same version.                `snapshot-mismatch`
6. Each shard is the file that the manifest names, and decodes.        `snapshot-mismatch` `snapshot-malformed`
7. All keys together are as many as the manifest says, ascending, and have its digest.        `snapshot-mismatch`

Steps 1-3 are `check_view`, 4 is `check_logged`, 5 to 7 are in `tocsin_client.snapshots`. This module does without
NumPy.
"""

from pydantic import BaseModel, ConfigDict

from tocsin_client.trust import Trust
from tocsin_schemas import hub_events, ledger, merkle
from tocsin_schemas.indicators import VALUE_BYTES
from tocsin_schemas.problems import Refused
from tocsin_schemas.snapshots import Manifest, SnapshotView
from tocsin_schemas.tlog_policy import LogPolicy
from tocsin_schemas.tlog_proof import Proof


class SnapshotUnverified(Exception):
    """A snapshot is not what it should be: the code of the step, and why; never a value."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Kept(BaseModel):
    """What lies beside the shards: the hub's answer, and the log's entry about it with its proof (C2SP tlog-proof)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    view: SnapshotView
    entry: str
    proof: str

    @property
    def manifest(self) -> Manifest:
        """What the snapshot is made of."""
        return self.view.manifest


def check_view(view: SnapshotView, trust: Trust, kind: str) -> None:
    """Steps 1-3 for an answer about the community of `trust`.

    Raises:
        SnapshotUnverified: for the first that fails.
    """
    manifest = view.manifest
    # 1. What was asked for.
    if (manifest.community, manifest.type, manifest.width) != (trust.community, kind, VALUE_BYTES[kind]):
        raise mismatch("it is of another community, type or width")
    # 2. Signed by the hub, for this community.
    try:
        claims = hub_events.verify_hub_event(view.jws.encode("ascii", "replace"), trust.hub_keys).claims
    except Refused as refused:
        raise SnapshotUnverified(refused.code, f"the hub's event: {refused.reason}") from None
    if claims.aud != trust.audience:
        raise mismatch("the hub's event is for another community")
    # 3. About this manifest.
    said = hub_events.Snapshot(
        type=manifest.type,
        version=manifest.version,
        count=manifest.count,
        log_size=manifest.log_size,
        manifest=manifest.digest(),
    )
    if claims.event != said:
        raise mismatch("the hub's event is about another manifest")


def check_logged(kept: Kept, policy: LogPolicy, now: int) -> None:
    """Step 4, from what is held.

    Raises:
        SnapshotUnverified: when the event is not proved to be in the log.
    """
    view = kept.view
    try:
        entry = ledger.Entry.decode(kept.entry.encode())
        if (entry.kind, entry.community) != ("snapshot", view.manifest.community):
            raise mismatch("the log's entry is about something else")
        if not ledger.opens(entry.commitment, bytes.fromhex(view.r), view.jws.encode("ascii", "replace")):
            raise mismatch("the log's entry commits to another event")
        proof = Proof.decode(kept.proof.encode())
        if proof.index != view.seq:
            raise mismatch("the proof is of another entry")
        proof.verify(merkle.leaf_hash(kept.entry.encode()), policy, now)
    except Refused as refused:
        raise SnapshotUnverified(refused.code, f"the log's proof: {refused.reason}") from None


def mismatch(reason: str) -> SnapshotUnverified:
    """That something is not what was signed."""
    return SnapshotUnverified("snapshot-mismatch", reason)
