"""Rare looks for cyclic garbage, a plugin of the suite: they took a seventh of a test's processor time.

A process of the suite holds some ten thousand tests and every module there is; with the thresholds that Python begins
with, each full look walks all of that, and every few tests one is due. What the collection of the tests leaves behind
stays to the end and is left out of all looks after it. What a test forgets to close is still found, a little later.
"""

import gc
from typing import Final

THRESHOLDS: Final = (20_000, 20, 50)

gc.set_threshold(*THRESHOLDS)


def pytest_collection_finish() -> None:
    """In each worker, when the tests are known."""
    gc.collect()
    gc.freeze()
