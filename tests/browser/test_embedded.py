"""The dashboard in a course page: a frame on another site, in a browser that refuses it cookies."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.browser.conftest import FLAGS
from tests.browser.live_page import watched
from tests.conftest import Server

PATIENCE = 60_000
OPEN = ".fv-panel:not(.fv-away)"


class CoursePages(BaseHTTPRequestHandler):
    """``/?frame=ADDRESS`` shows it in a frame; every page offers a cookie to whoever takes it."""

    def do_GET(self) -> None:
        frames = parse_qs(urlsplit(self.path).query).get("frame", [])
        shown = "".join(
            f'<iframe title="flowviz" src="{escape(address)}" allow="clipboard-write" '
            '  style="width: 100%; height: 690px"></iframe>'
            for address in frames
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", "offered=1; SameSite=None; Secure")
        self.end_headers()
        self.wfile.write(f"<!doctype html><title>Course</title>{shown}".encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def course() -> Iterator[str]:
    """The origin of the course's site: 127.0.0.1, where the dashboard is at localhost."""
    site = ThreadingHTTPServer(("127.0.0.1", 0), CoursePages)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_port}"
    site.shutdown()
    site.server_close()


@pytest.fixture(scope="module")
def server(course: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose pages the course may show."""
    folder = tmp_path_factory.mktemp("embedded")
    server = Server(cwd=folder, env={"FLOWVIZ_FRAME_ANCESTORS": course})
    yield server
    server.stop()
    assert not re.findall(r"^\d{3} .*", server.log(), re.MULTILINE), "something was refused"


@pytest.fixture
def tab(chromium: Any, chromium_program: str, course: str, tmp_path: Path) -> Iterator[Any]:
    """A tab of a browser that refuses third-party cookies."""
    profile = tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    refusing = {"profile": {"block_third_party_cookies": True, "cookie_controls_mode": 1}}
    (profile / "Default/Preferences").write_text(json.dumps(refusing))
    context = chromium.browser_type.launch_persistent_context(
        profile,
        executable_path=chromium_program,
        args=FLAGS,
        viewport={"width": 1280, "height": 720},
    )
    context.grant_permissions(["clipboard-read"], origin=course)
    tab = watched(context.new_page(), [])
    embed(tab, course, f"http://localhost:{urlsplit(course).port}/")
    tab.frame_locator("iframe").locator("title").wait_for(state="attached")
    assert tab.evaluate("document.cookie") == "offered=1", "this browser keeps no cookies at all"
    assert tab.frames[-1].evaluate("document.cookie") == "", "it keeps third-party cookies"
    yield tab
    assert {one["domain"] for one in context.cookies()} == {"127.0.0.1"}
    context.close()
    assert not tab.problems, "the page reported:\n" + "\n".join(tab.problems)


def embed(tab: Any, course: str, address: str) -> Any:
    """Go to the course's page with this in its frame; returns the frame's locator."""
    tab.goto(f"{course}/?{urlencode({'frame': address})}", wait_until="commit")
    return tab.frame_locator("iframe")


def test_the_dashboard_and_a_lesson_work_without_any_cookie(
    server: Server, course: str, tab: Any
) -> None:
    frame = embed(tab, course, server.address(query="panel=jacobian_volume"))
    frame.locator(f"{OPEN} .fv-stage-pixels").first.wait_for(timeout=PATIENCE)

    frame.locator(OPEN).get_by_role("slider", name="Layers").first.press("ArrowRight")
    where = tab.frames[-1]
    where.wait_for_function("/[?&]layers=/.test(location.search)", timeout=PATIENCE)
    frame.locator(f"{OPEN} .fv-more-button").click()
    frame.get_by_role("menuitem", name="Copy link").click()
    frame.get_by_text("Copied").wait_for()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert "layers=" in copied and "token" not in copied

    # A page that is loaded again comes back, and so does its state.
    layers = parse_qs(urlsplit(where.url).query)["layers"]
    where.evaluate("location.reload()")
    frame.locator(f"{OPEN} .fv-stage-pixels").first.wait_for(timeout=PATIENCE)
    where.wait_for_function("/[?&]layers=/.test(location.search)", timeout=PATIENCE)
    assert parse_qs(urlsplit(where.url).query)["layers"] == layers

    # By keys: where a frame of another site has just gone on, a click may still miss it.
    frame.get_by_role("link", name="Lessons").press("Enter")
    frame.get_by_role("link", name="Layers add").press("Enter")
    frame.locator(".fv-panel .fv-stage-pixels").first.wait_for(timeout=PATIENCE)
    tab.evaluate("history.back()")
    frame.get_by_role("heading", name="Lessons").wait_for()


def test_who_types_the_token_into_the_frame_gets_in(server: Server, course: str, tab: Any) -> None:
    frame = embed(tab, course, f"{server.origin}/lessons")
    for given, then in (("wrong", frame.get_by_role("alert")), (server.url, frame.locator("ol"))):
        frame.get_by_label("Token").fill(given)
        frame.get_by_role("button", name="Open the page").press("Enter")
        then.wait_for()
    assert "Layers add" in frame.locator("ol").inner_text()
    assert all("Blocked autofocusing" in problem for problem in tab.problems)
    tab.problems.clear()


def test_no_other_site_may_show_the_dashboard(voila_server: Server, course: str, tab: Any) -> None:
    with tab.expect_console_message(lambda said: "frame-ancestors 'self'" in said.text):
        frame = embed(tab, course, voila_server.address("/lessons"))
    assert frame.get_by_role("heading", name="Lessons").count() == 0
    tab.problems.clear()


def test_a_password_is_not_asked_for_where_it_could_let_nobody_in(
    start_flowviz: Any, course: str, tab: Any
) -> None:
    options = ("serve", "--host", "localhost", "--password", "open sesame")
    server = start_flowviz(*options, env={"FLOWVIZ_FRAME_ANCESTORS": course})
    frame = embed(tab, course, f"{server.origin}/lessons")
    link = frame.get_by_role("link", name="Open it in a tab of its own")
    assert link.get_attribute("target") == "_blank"
    assert link.evaluate("link => link.href") == f"{server.origin}/lessons"
    assert frame.get_by_label("Password").count() == 0
    tab.problems[:] = [said for said in tab.problems if "Blocked autofocusing" not in said]
