"""The real Chromium of the page tests."""

import atexit
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

# A busy machine draws late; what is not there after this is missing.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
SIZE = {"width": 1440, "height": 900}
WINDOW_READY_MS = 3_000


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


QUIET = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser that stays off the network."""
    browser = playwright().chromium.launch(executable_path=chromium(), args=QUIET)
    try:
        yield browser
    finally:
        browser.close()


def window(browser: Browser) -> BrowserContext:
    """An open window with an empty cache, for what is timed: a new one is busy with the scripts of its address bar."""
    context = browser.new_context(viewport=SIZE)
    context.new_page().wait_for_timeout(WINDOW_READY_MS)
    return context


class Visits:
    """Pages for one test after another, in a window of a profile on disk. There a browser keeps what it has fetched and
    compiled, Plotly above all, which took most of the time of a test that opens a page; and no window is made anew.
    Logins and what pages store are forgotten between tests; what was fetched is not, for no address of a panel or of
    surroundings comes again: keys of deleted rows are never given to others.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._profile = TemporaryDirectory(ignore_cleanup_errors=True)
        self._kept = playwright().chromium.launch_persistent_context(
            self._profile.name, executable_path=chromium(), args=QUIET, viewport=SIZE
        )
        self._window = self._kept.pages[0]
        self._visitors: set[str | None] = set()

    def page(self, session: str | None, viewport: dict[str, int] = SIZE, color_scheme: str = "light") -> Page | None:
        """A page for who is logged in by the cookie `session`; None where this test has another visitor already."""
        if self._visitors - {session}:
            return None
        self._visitors = {session}
        if session:
            self._kept.add_cookies([{"name": "sessionid", "value": session, "url": self._address}])
        page = self._kept.new_page()
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=color_scheme)
        return page

    def forget(self) -> None:
        """Close all pages, log everybody out, and empty what pages store."""
        for page in self._kept.pages:
            if page != self._window:
                page.close()
        talk = self._kept.new_cdp_session(self._window)
        talk.send("Storage.clearDataForOrigin", {"origin": self._address, "storageTypes": "local_storage"})
        talk.detach()
        self._kept.clear_cookies()
        self._visitors = set()

    def end(self) -> None:
        self._kept.close()
        self._profile.cleanup()
