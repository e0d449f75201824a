"""Signals over HTTP: submit, follow, look at one indicator, and know who you are here."""

from typing import Final

from tocsin.signals.routes import feed, receipts, snapshots, submission, views
from tocsin.web.routing import together
from tocsin_schemas.feed import DryRun, Gone, Live, Receipt, Withheld
from tocsin_schemas.snapshots import SnapshotView

router: Final = together(feed.router, submission.router, receipts.router, snapshots.router, views.router)

SCHEMAS: Final = (Receipt, DryRun, Live, Gone, Withheld, SnapshotView)
"""Models that stand in bodies the framework does not see, for the OpenAPI document."""
