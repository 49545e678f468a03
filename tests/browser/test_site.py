"""The static site behind a plain file server: its panels are alive, and nothing else is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flowviz.serving import site
from tests.browser.test_accessible import AXE
from tests.browser.test_page import OpenPage, states_of
from tests.conftest import Server
from tests.serving.test_site import small_lesson

VIOLATIONS = """async () => (await axe.run(document, { iframes: false })).violations
  .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join()}`)"""
FITS = "document.documentElement.scrollWidth <= innerWidth"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a plain file server shows a small site, below a path of its own."""
    root: Path = tmp_path_factory.mktemp("web")
    made = small_lesson(tmp_path_factory.mktemp("lesson"))
    pages = ["trajectories-3", "jacobian_volume-4"]
    site.write(root / "courses" / "flows", pages=pages, lessons=[made], say=lambda line: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/courses/flows/"
    server.shutdown()
    server.server_close()


def test_a_visitor_trains_a_panel_and_reads_a_lesson(address: str, open_page: Any) -> None:
    page = open_page(1280, 720)
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "blob:" not in r.url else None)
    page.goto(address)
    page.get_by_role("link", name="One planar layer").click()
    page.locator(".fv-run-train").click()
    page.wait_for_function("flowviz.run?.get('step') >= 20", timeout=30_000)
    here = page.get_by_role("navigation", name="Pages").locator("[aria-current=page]")
    assert here.inner_text() == "One planar layer"
    page.get_by_role("link", name="All panels and lessons").click()
    page.get_by_role("link", name="A small").click()
    frame = page.frame_locator("iframe")
    frame.locator(".fv-stage-pixels").first.wait_for()
    frame.locator(".fv-run-train").click()
    inner = next(one for one in page.frames if one.url.endswith("-panel-1.html"))
    inner.wait_for_function("flowviz.run?.get('step') >= 20", timeout=30_000)
    assert all(url.startswith((address, "data:")) for url in asked), asked


def test_the_dashboards_server_has_them_too_under_a_policy_of_their_own(
    voila_server: Server, open_page: OpenPage
) -> None:
    others = voila_server.kernels()
    page = open_page(1280, 720)
    page.goto(voila_server.address("/pages/trajectories.html"))
    page.locator(".fv-run-train").wait_for(timeout=120_000)  # it comes by itself
    kind = page.evaluate("flowviz.ready.then((live) => live.engine.kind)")
    assert kind == "wasm", "the policy forbids it"
    page.evaluate("flowviz.clock.act((p) => { p.pause(); p.seek(p.last); })")
    before = states_of(page, "paths")
    box = page.locator(".fv-stage-handle").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] + 60, steps=4)
    page.mouse.up()
    moved = states_of(page, "paths") - before
    assert (abs(moved).max(axis=1) > 0.1).all(), "the point is carried through every layer"
    trained = page.evaluate("flowviz.run.get('step')")
    page.locator(".fv-run-train").click()
    deadline = time.monotonic() + 30  # what waits in the page itself would need eval
    while page.evaluate("flowviz.run.get('step')") < trained + 20:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    assert set(voila_server.kernels()) <= set(others)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_site(address: str, theme: str, open_page: Any) -> None:
    page = open_page(color_scheme=theme)
    for name in ("index", "01_small", "trajectories-3"):
        page.goto(f"{address}{name}.html")
        page.locator("h1").wait_for()
        page.evaluate(AXE)
        for width, height in ((1280, 720), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(VIOLATIONS) == [], (name, width)
            assert page.evaluate(FITS), (name, width)
            assert page.evaluate("document.documentElement.dataset.fvTheme") == theme
