"""A real Chromium for the browser tests, and pages that fail a test by themselves.

Without a browser, or another program that they need, these tests skip and say how to get it; with
``FLOWVIZ_REQUIRE_BROWSER=1`` (set by ``.ci/run``) they fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.live_page import LivePages, watched

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-gpu",
]
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def program(*names: str, advice: str) -> str:
    """Where the first of these programs is that is installed; the test ends if none is."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        message = f"no {names[0]} found: {advice}"
        if os.environ.get("FLOWVIZ_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def chromium_program() -> str:
    """Where Chromium is."""
    advice = "`apt-get install chromium`, for example, to run the browser tests"
    return program(*BROWSERS, advice=advice)


@pytest.fixture(scope="session")
def chromium(chromium_program: str) -> Iterator[Browser]:  # noqa: F821
    """One headless Chromium for the session."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def proxy_program() -> str:
    """Where configurable-http-proxy is, JupyterHub's proxy."""
    return program(
        "configurable-http-proxy",
        advice="`npm install -g configurable-http-proxy` to run the tests behind a proxy",
    )


@pytest.fixture
def open_page(chromium) -> Iterator[Callable[..., Page]]:  # noqa: F821
    """``open_page(width=, height=, **context)``: a new page in a context of its own.

    At teardown the test fails if any such page logged an error, threw, or had a request fail.
    """
    contexts, problems = [], []

    def open_(width: int = 1280, height: int = 900, **options: object) -> Page:  # noqa: F821
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        return watched(context.new_page(), problems)

    yield open_
    for context in contexts:
        context.close()
    assert not problems, "the page reported:\n" + "\n".join(problems)


@pytest.fixture(scope="session")
def live_pages(chromium, voila_server) -> Iterator[LivePages]:
    """The pages that stay open for the session."""
    pages = LivePages(chromium, voila_server)
    yield pages
    pages.close()


@pytest.fixture
def put(live_pages) -> Iterator[Callable[..., Page]]:  # noqa: F821
    """``put(code, *, query=, width=, height=, theme=, **context)``: a page that shows a widget.

    ``code`` is as in a notebook's cell: what its last line makes (a widget, a panel, a dashboard)
    is put into the place of the dashboard, in a page and a kernel that earlier tests have used.
    That takes a second or two where a page of its own takes ten. Modules stay imported; names,
    widgets, jobs, the page's storage, its address (``?query``), scroll and focus are new. Further
    options (``device_scale_factor=2``) are the browser context's: each kind has its own page.

    The page is drawn and settled when it is returned; ``page.sent`` lists what it has sent to the
    kernel since. A page that was closed, left, or whose kernel is gone is replaced. At teardown
    the test fails if the page logged an error, threw, or had a request fail, unless the test took
    that out of ``page.problems``.

    One page at a time: what a test put there earlier is gone. A test of the page's own life
    (loading, reloading, a killed kernel, two views of one kernel) uses ``open_page``.
    """
    used = []

    def put_(code: str, **options: Any) -> Page:  # noqa: F821
        page = live_pages.show(code, **options)
        if page not in used:
            used.append(page)
        return page

    yield put_
    for page in used:
        if not page.is_closed():
            page.wait_for_timeout(50)  # what it reported last is heard
    problems = [problem for page in used for problem in page.problems]
    assert not problems, "the page reported:\n" + "\n".join(problems)


@pytest.fixture
def dashboard(put) -> Callable[..., Page]:  # noqa: F821
    """``dashboard(query, *, width=, height=, theme=, **context)``: the dashboard at a link.

    As a new visitor finds it at ``?query``, but in a page that stays open: see :func:`put`.
    """

    def open_(query: str = "", **options: Any) -> Page:  # noqa: F821
        code = f"from flowviz.dashboard import Dashboard\nDashboard({query!r})"
        return put(code, query=query, **options)

    return open_


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where tests leave their pictures for a person to look at (ignored by git)."""
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS
