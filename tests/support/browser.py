"""A real browser for tests of pages: Chromium as the system has it, driven by Playwright. Nothing is downloaded."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

ENV = "TOCSIN_TEST_CHROMIUM"
PATIENCE_MS = 20_000
NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    "the tests of pages need Chromium: `apt-get install chromium` on Debian and Ubuntu, or name another one's"
    f" executable in {ENV}"
)


def chromium() -> str | None:
    """The path of the browser, if there is one."""
    return os.environ.get(ENV) or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def running() -> Iterator[Browser]:
    """The browser, for the length of the block; without one the test is left out, and says what to install."""
    path = chromium()
    if path is None:
        pytest.skip(MISSING)
    expect.set_options(timeout=PATIENCE_MS)
    # Chromium has no sandbox for root, as which CI may run; it sees pages of our own alone.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser
        finally:
            browser.close()
