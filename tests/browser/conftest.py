"""A real Chromium for the browser tests, and pages that fail a test by themselves.

Without a browser these tests skip and say how to get one; with ``FLOWVIZ_REQUIRE_BROWSER=1``
(set by ``.ci/run``) they fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:  # noqa: F821
    """One headless Chromium for the session."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        message = (
            "no Chromium found: install one to run the browser tests, "
            "for example with `apt-get install chromium`"
        )
        if os.environ.get("FLOWVIZ_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium) -> Iterator[Callable[..., Page]]:  # noqa: F821
    """``open_page(width=, height=, **context)``: a new page in a context of its own.

    At teardown the test fails if any such page logged an error, threw, or had a request fail.
    """
    contexts, problems = [], []

    def open_(width: int = 1280, height: int = 900, **options: object) -> Page:  # noqa: F821
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda m: problems.append(f"console: {m.text}") if m.type == "error" else None,
        )
        page.on("pageerror", lambda e: problems.append(f"uncaught: {e}"))
        page.on(
            "requestfailed",
            # A request that the page itself cancelled by closing is no failure.
            lambda r: (
                problems.append(f"failed: {r.url} {r.failure}")
                if "ERR_ABORTED" not in (r.failure or "")
                else None
            ),
        )
        page.on(
            "response",
            lambda r: problems.append(f"{r.status}: {r.url}") if r.status >= 400 else None,
        )
        page.problems = problems  # type: ignore[attr-defined]
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not problems, "the page reported:\n" + "\n".join(problems)


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where tests leave their pictures for a person to look at (ignored by git)."""
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS
