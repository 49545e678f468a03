"""The static pages beside the dashboard: who gets them, when, and what they cost the server."""

from __future__ import annotations

import gzip
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import psutil
import pytest

from flowviz.serving import static_pages
from flowviz.serving.static_pages import StaticPages
from tests.conftest import Server
from tests.serving.test_login import Visitor
from tests.serving.test_pages import Reply, fetch
from tests.serving.test_security import WAYS
from tests.serving.test_site import Parsed

HOME = "/courses/flows/"
FIRST = "change_of_variables.html"
LAST = "05_the_ratio_travels.html"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(
        "serve",
        *("--host", "localhost", "--visitors", "1", "--grace", "1000", "--token", "opensesame"),
        *("--base-url", HOME),
        cwd=tmp_path_factory.mktemp("serve"),
    )
    yield running
    running.stop()


def writer(server: Server) -> psutil.Process | None:
    """The process that writes the pages."""
    children = psutil.Process(server.process.pid).children()
    return next((one for one in children if "site" in one.cmdline()), None)


def come(server: Server, path: str, **headers: str) -> Reply:
    """A page, as soon as it is there."""
    deadline = time.monotonic() + 120
    while (reply := fetch(server.address(path), **headers)).status == 202:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return reply


def test_one_that_is_to_come_says_so_and_asks_again(server):
    page = fetch(server.address(f"{HOME}pages/{LAST}"))
    assert page.status == 202 and page.headers["Cache-Control"] == "no-store"
    assert "This page is being written" in page.text
    assert f'<meta http-equiv="refresh" content="{static_pages.WAIT}">' in page.text


def test_they_come_to_all_who_have_the_token_and_nobody_else(server):
    assert (
        f"for any number of visitors: {server.origin}{HOME}pages/?token=opensesame" in server.log()
    )
    index = come(server, f"{HOME}pages/")
    assert index.status == 200 and "Normalizing flows you can touch" in index.text
    addresses = Parsed(index.text).addresses
    assert FIRST in addresses and LAST in addresses
    assert come(server, f"{HOME}pages").text == index.text
    assert come(server, f"/pages/{FIRST}").status == 200, "a proxy may take the path off"
    for path in ("pages", "pages/", f"pages/{FIRST}", "pages/none.html"):
        stranger = Visitor(server.origin).ask(HOME + path)
        assert stranger.url.startswith(f"{server.origin}{HOME}login?next="), path
    visitor = Visitor(server.origin)
    visitor.ask(f"{HOME}pages/?token=opensesame")
    assert visitor.ask(f"{HOME}pages/{FIRST}").status == 200, "its links need no token"


def test_they_are_sent_packed_once_and_may_run_nothing_but_themselves(server):
    path = f"{HOME}pages/{FIRST}"
    page = come(server, path)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ") and "frame-ancestors 'self'" in policy
    assert "'unsafe-eval'" not in policy and "connect-src" not in policy
    packed = fetch(server.address(path), **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == page.body
    assert len(packed.body) < 0.8 * len(page.body)
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["Etag"]}
    kept = fetch(server.address(path), **again)
    assert (kept.status, kept.body) == (304, b"")


def test_they_take_no_place_and_are_offered_where_all_are_taken(server):
    assert come(server, f"{HOME}pages/{FIRST}").status == 200
    assert server.kernels() == []
    assert fetch(server.address(HOME)).status == 200
    full = fetch(server.address(HOME))
    assert full.status == 503
    assert f"{HOME}pages/" in Parsed(full.text).addresses
    assert fetch(server.address(f"{HOME}pages/{FIRST}")).status == 200


def test_no_other_file_is_a_page(server):
    connection = http.client.HTTPConnection("localhost", server.port, timeout=60)
    for way in (*WAYS, ".index.html", "index", "a/b.html", "..%2findex.html", "%2e/index.html"):
        connection.putrequest("GET", f"{HOME}pages/{way}")
        connection.putheader("Authorization", f"token {server.token}")
        connection.endheaders()
        reply = connection.getresponse()
        assert (reply.status, b"root:" in reply.read()) == (404, False), way


def test_what_could_not_be_written_is_said_and_the_rest_stays(server):
    process = writer(server)
    assert process is not None and process.nice() == 19
    assert come(server, f"{HOME}pages/{FIRST}").status == 200
    process.kill()
    lost = come(server, f"{HOME}pages/{LAST}")
    assert lost.status == 500 and "The server could not make this page" in lost.text
    assert fetch(server.address(f"{HOME}pages/{FIRST}")).status == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_alone_they_are_written_when_asked_for_and_end_with_the_server(
    start_flowviz, tmp_path, how
):
    server = start_flowviz(env={"TMPDIR": str(tmp_path)})
    assert fetch(server.address("/lessons")).status == 200
    assert writer(server) is None
    assert fetch(server.address("/pages/")).status == 202
    process = writer(server)
    assert process is not None
    server.process.send_signal(how)
    server.process.wait(timeout=30)
    process.wait(timeout=90)  # whose server was killed notices with the first page
    if how == signal.SIGTERM:
        assert list(tmp_path.glob("flowviz-pages-*")) == []


def test_what_a_killed_server_left_is_removed_at_the_next_start(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (left, lives, another) = (
        tmp_path / name
        for name in (f"flowviz-pages-{ended.pid}-x", f"flowviz-pages-{os.getppid()}-x", "mine")
    )
    for folder in (left, lives, another):
        folder.mkdir()
        (folder / "index.html").touch()
    pages = StaticPages()
    assert not left.exists()
    assert (lives / "index.html").exists() and (another / "index.html").exists()
    pages.end()


@pytest.mark.parametrize("program, failed", [("true", False), ("false", True)])
def test_once_all_is_written_nothing_more_is_to_come(program, failed, monkeypatch):
    pages = StaticPages()
    assert pages.coming and not pages.failed
    monkeypatch.setattr(static_pages.sys, "executable", program)
    others = psutil.Process().children()
    pages.begin()
    deadline = time.monotonic() + 10
    while psutil.Process().children() != others:  # it is waited for, and leaves no zombie
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not pages.coming and pages.failed is failed
    pages.end()
