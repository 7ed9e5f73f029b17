"""The real Chromium of the page tests."""

import shutil
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright


def chromium() -> str:
    """The system's Chromium; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("No Chromium on this machine: apt-get install chromium.")


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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=quiet)
        try:
            yield browser
        finally:
            browser.close()
