"""A real browser for pages: the system's Chromium, which tests drive."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium: install your system's package, on Debian apt-get install chromium"
)


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Start it, with more flags of its command line; end it afterwards."""
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *as_root, *flags], timeout=0)
        yield browser
        browser.close()
