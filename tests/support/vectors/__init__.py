"""Test vectors for implementations in any language: what must be accepted, what must be refused, and with which code.

Everything is built from fixed keys and written by hand beside its expected outcome: nothing here asks the code under
test what the answer is. `tests/schemas/test_vectors.py` does, and compares.
"""

from collections.abc import Callable
from typing import Any, Final

from tests.support.vectors import (
    bad_claims,
    bad_envelopes,
    folds,
    good,
    governance,
    heads,
    hub,
    keys,
    log,
    notifications,
    points,
    quorums,
    snapshots,
    subjects,
    trees,
    webhooks,
)

DOCUMENTS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "keys": keys.document,
    "signals-accepted": good.document,
    "signals-refused": lambda: {
        "says": "Each token must be refused with `code`, and `field` names where. Verified against keys.json.",
        "vectors": [*bad_envelopes.vectors(), *bad_claims.vectors()],
    },
    "hub-events": hub.document,
    "indicators": subjects.document,
    "governance": governance.document,
    "signatures": points.document,
    "fold": folds.document,
    "log": log.document,
    "snapshot": snapshots.document,
    "trees": trees.document,
    "notes": heads.notes_document,
    "checkpoints": heads.checkpoints_document,
    "log-policies": quorums.policies_document,
    "log-proofs": quorums.proofs_document,
    "webhooks": webhooks.document,
    "notifications": notifications.document,
}
"""File name below schemas/vectors/ to what makes its content."""
