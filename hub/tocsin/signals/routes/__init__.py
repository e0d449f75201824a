"""Signals over HTTP: submit, follow, look at one indicator, and know who you are here."""

from typing import Final

from fastapi import APIRouter

from tocsin.signals.routes import feed, receipts, snapshots, submission, views
from tocsin_schemas.feed import DryRun, Gone, Live, Receipt, Withheld
from tocsin_schemas.snapshots import SnapshotView

# Each part names its whole paths: the access log shows the template of the innermost router.
router = APIRouter()
for part in (submission, receipts, feed, snapshots, views):
    router.include_router(part.router)

SCHEMAS: Final = (Receipt, DryRun, Live, Gone, Withheld, SnapshotView)
"""Models that stand in bodies the framework does not see, for the OpenAPI document."""
