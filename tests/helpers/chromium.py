"""Chromium without a window, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, Playwright's own, or Google's; without one the test is skipped."""
    installed = next((path for path in map(shutil.which, NAMES) if path), None)
    # As root there is no sandbox; nothing but our own pages is opened.
    ways = [{"executable_path": installed}] if installed else [{}, {"channel": "chrome"}]
    with sync_playwright() as playwright:
        for way in ways:
            try:
                opened = playwright.chromium.launch(args=["--no-sandbox"], **way)
                break
            except Error:
                continue
        else:
            reason = (
                "no Chromium: apt-get install chromium, or .venv/bin/playwright install chromium"
            )
            # The gate installs it, so that nothing is skipped there.
            (pytest.fail if os.environ.get("DEPTHJAX_NEEDS_BROWSER") else pytest.skip)(reason)
        yield opened
        opened.close()
