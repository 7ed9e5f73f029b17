"""The real Chromium of the page tests."""

import atexit
import shutil
from contextlib import contextmanager
from functools import cache

import pytest
from playwright.sync_api import Playwright, expect, sync_playwright

# A busy machine draws late; what is not there after this is missing.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str:
    """The system's Chromium; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("No Chromium on this machine: apt-get install chromium.")


@cache
def playwright() -> Playwright:
    """One for the process: a second one refuses to start."""
    running = sync_playwright().start()
    atexit.register(running.stop)
    return running


@contextmanager
def launched():
    """A headless browser that stays off the network."""
    quiet = [
        "--no-sandbox",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    browser = playwright().chromium.launch(executable_path=chromium(), args=quiet)
    try:
        yield browser
    finally:
        browser.close()
