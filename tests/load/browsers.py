"""Real browsers that visit while a class is on: what they see, each in a process of its own."""

from __future__ import annotations

import select
import shutil
import subprocess
import sys
import time
from contextlib import suppress

from playwright.sync_api import Page, TimeoutError, sync_playwright

from tests.browser.conftest import BROWSERS, FLAGS
from tests.browser.shown import STAGE
from tests.conftest import Server

PAUSE = 3.0
"""Seconds between two visits."""
PATIENCE = 60_000
"""Milliseconds after which a picture is missed."""


class Browsers:
    """So many browsers, which come again and again until the class is over.

    Args:
        server: what they visit.
        count: how many there are.
    """

    def __init__(self, server: Server, count: int) -> None:
        self._server, self._count = server, count
        self.told: list[str] = []
        """What each of them saw, in words, once the class is over."""

    def __enter__(self) -> Browsers:
        command = [sys.executable, "-m", __name__, self._server.address()]
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(self._count)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            with suppress(OSError):
                process.stdin.close()
        self.told = [process.stdout.read().strip() for process in self._processes]
        for process in self._processes:
            process.wait(timeout=120)


def first_picture(page: Page, address: str) -> float:
    """Seconds from asking for the page until its stage has drawn."""
    start = time.monotonic()
    page.goto(address, wait_until="commit", timeout=PATIENCE)
    page.wait_for_selector(f"{STAGE} .fv-stage-pixels", timeout=PATIENCE)
    return time.monotonic() - start


def _visit(address: str) -> None:
    """Come again and again until standard input ends, and print the times."""
    seen: list[str] = []
    executable = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        page = browser.new_page()
        while not select.select([sys.stdin], [], [], PAUSE)[0]:
            try:
                seen.append(f"{first_picture(page, address):.1f} s")
            except TimeoutError:
                says = " ".join(page.inner_text("body").split())
                seen.append(f"none after {PATIENCE / 1000:g} s, but “{says[:300]}”")
        browser.close()
    print("a browser's first pictures: " + ", ".join(seen))


if __name__ == "__main__":
    _visit(sys.argv[1])
