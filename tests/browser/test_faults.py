"""What goes wrong under an open page of ``flowviz serve``: it is told, and the state comes back.

A kernel that dies at rest, a server that ends, back and forward between panels are in
``test_dashboard``, a reload while a flow trains in ``test_reload``, processes without their server
in ``tests/serving/test_warm``, and a full disk in ``tests/test_disk_full``.
"""

from __future__ import annotations

import json
import re

import psutil
import pytest

from tests.browser.live_page import connection, watched
from tests.browser.relay import Relay
from tests.browser.shown import leaving
from tests.conftest import Server

PATIENCE = 90_000
PANEL = ".fv-panel:not(.fv-away)"
LIMITS = "panel=limits&cap=16"
TRAINED = "panel=trajectories&target=two_moons&flow=real_nvp&layers=2&steps=20000"
LESSON = "04_forward_and_reverse_kl.ipynb"
SLOW = "panel=trajectories&flow=umnn"
"""Every derivative of it is a network, and its inverse is searched for."""
SOON = """
const soon = setTimeout;
window.setTimeout = (f, ms, ...more) => soon(f, [15000, 20000].includes(ms) ? 2000 : ms, ...more);
"""
"""The page's own patience with a kernel, and with a first picture, cut to two seconds."""
OPTIONS = ("--host", "localhost", "--visitors", "20", "--grace", "60", "--token", "opensesame")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server("serve", *OPTIONS, cwd=tmp_path_factory.mktemp("faults"))
    yield running
    running.stop()


@pytest.fixture
def visit(server, open_page):
    """``visit(query, page=, origin=, before=)``: a page of the server, its panel drawn.

    What the browser reports of connections that were cut is no failure here.
    """
    pages = []

    def open_(query: str, page=None, origin: str = server.origin, before: str = ""):
        page = page or open_page()
        page.add_init_script(before)
        pages.append(page)
        page.goto(f"{origin}/?{query}&token={server.token}", wait_until="commit")
        drawn(page)
        return page

    yield open_
    for page in pages:
        page.close()
        page.problems[:] = [
            p
            for p in page.problems
            if not re.search("(?i)connection|socket|net::|40[34]|/api/kernels/", p)
        ]


def drawn(page) -> None:
    page.wait_for_selector(f"{PANEL} .fv-stage-pixels", timeout=PATIENCE)


def press(page) -> None:
    """Another one of the panel's presets is asked for."""
    page.locator(f'{PANEL} .fv-chip[aria-pressed="false"]').first.click()


def answers(page) -> None:
    """A preset is chosen, and the page's link follows, by way of the kernel."""
    before = page.url
    press(page)
    page.wait_for_function("before => location.href !== before", arg=before, timeout=PATIENCE)


def notice(page, words: str):
    page.locator("#fv-notice", has_text=words).wait_for(timeout=PATIENCE)


def nothing_is_wrong(page) -> None:
    page.locator("#fv-notice").wait_for(state="hidden", timeout=PATIENCE)


def comes_back(page) -> None:
    """The notice's one button, and the page that it leads to."""
    with leaving(page):
        page.locator("#fv-notice").get_by_role("button").click()
    drawn(page)
    assert not page.locator("#fv-notice").is_visible()


def kernel_of(page) -> psutil.Process:
    file = connection(page.evaluate("document.body.dataset.kernelId"))
    shell = "{ip}-{shell_port}".format(**json.loads(file.read_text()))
    pids = {one.pid for one in psutil.net_connections("unix") if one.laddr == shell}
    (pid,) = pids - {None}
    return psutil.Process(pid)


def test_a_kernel_killed_while_it_trains(visit):
    page = visit(TRAINED)
    page.locator(f"{PANEL} .fv-run-train").click()
    page.wait_for_function("/trained=[1-9]/.test(location.search)", timeout=PATIENCE)
    kernel_of(page).kill()
    notice(page, "what it held is gone")
    steps = int(re.search(r"trained=(\d+)", page.url)[1])
    comes_back(page)
    words = page.locator(f"{PANEL} .fv-run-words", has_text=f"step {steps:,} of 20,000")
    words.first.wait_for(timeout=PATIENCE)  # it is trained as far as it was
    assert "steps=20000" in page.url and "flow=real_nvp" in page.url


def test_the_process_that_forks_is_killed_and_pages_go_on(visit, server):
    page = visit(LIMITS)
    for one in psutil.Process(server.process.pid).children():
        if "flowviz.serving.warm.forking" in one.cmdline():
            one.kill()
    answers(page)
    link = page.url
    beside = visit(LIMITS, page=watched(page.context.new_page(), []))
    answers(beside)
    answers(beside)
    nothing_is_wrong(page)
    assert page.url == link != beside.url, "two tabs have a state each"


def test_a_connection_that_is_away_for_seconds(visit, server):
    way = Relay(server.port)
    page = visit(LIMITS, origin=f"http://localhost:{way.port}")
    answers(page)
    link = page.url
    way.cut()
    notice(page, "Trying to reconnect")
    way.mend()
    nothing_is_wrong(page)
    assert page.url == link
    answers(page)
    way.close()


def test_a_session_that_ended_meanwhile_and_a_server_that_is_started_again(visit, start_flowviz):
    first = start_flowviz("serve", *OPTIONS, "--grace", "5")
    way = Relay(first.port)
    page = visit(LIMITS, origin=f"http://localhost:{way.port}")
    answers(page)
    link, kernel = page.url, kernel_of(page)
    way.cut()
    kernel.wait(timeout=60)
    way.mend()
    notice(page, "session has ended: after a long pause")
    comes_back(page)
    assert page.url == link
    answers(page)

    link = page.url
    first.stop()
    notice(page, "Trying to reconnect")
    start_flowviz("serve", *OPTIONS, "--port", str(first.port))
    notice(page, "new start of the server")
    comes_back(page)
    assert page.url == link
    answers(page)
    way.close()


def test_a_kernel_that_is_stuck(visit):
    page = visit(LIMITS, before=SOON)
    answers(page)
    link, kernel = page.url, kernel_of(page)
    kernel.suspend()
    press(page)
    notice(page, "has not answered")
    kernel.resume()
    nothing_is_wrong(page)
    page.wait_for_function("link => location.href !== link", arg=link, timeout=PATIENCE)
    link = page.url
    kernel.suspend()
    press(page)
    notice(page, "has not answered")
    comes_back(page)
    assert page.url == link
    kernel.wait(timeout=60)


def test_a_link_that_trains_for_hours_says_so_and_is_stopped(visit):
    page = visit(f"{SLOW}&layers=2&steps=20000&trained=20000")
    said = page.locator(f"{PANEL} .fv-run-status", has_text="training 20,000 steps again")
    said.first.wait_for(timeout=PATIENCE)
    page.locator(f"{PANEL} .fv-run-train").click()
    page.locator(f"{PANEL} .fv-run-bar:not(.fv-running)").wait_for(timeout=PATIENCE)
    nothing_is_wrong(page)
    assert "flow=umnn" in page.url and "layers=2" in page.url
    answers(page)


def test_a_link_that_is_drawn_for_minutes_says_so_and_leaves_no_kernel(visit, server):
    page = visit(LIMITS, before=SOON)
    answers(page)
    link = page.url
    address = f"{server.origin}/?{SLOW}&hidden=128,128&layers=32&particles=100000"
    page.goto(address, wait_until="commit")
    note = page.locator("#fv-loading-note", has_text="This takes longer than usual")
    note.wait_for(timeout=PATIENCE)
    stuck = kernel_of(page)
    page.go_back(wait_until="commit")
    drawn(page)
    assert page.url == link
    answers(page)
    stuck.wait(timeout=90)


def test_back_and_forward_between_a_lesson_and_the_dashboard(visit, server):
    page = visit(LIMITS)
    answers(page)
    link, first = page.url, kernel_of(page)
    page.goto(f"{server.origin}/voila/render/{LESSON}", wait_until="commit")
    is_there(page)
    first.wait(timeout=90)
    card = page.locator(".fv-predict").first
    card.get_by_role("radio").first.check()
    card.get_by_role("button", name="Commit").click()
    card.get_by_text("Your prediction stands").wait_for(timeout=PATIENCE)
    second = kernel_of(page)

    page.go_back(wait_until="commit")
    drawn(page)
    assert page.url == link
    second.wait(timeout=90)
    answers(page)
    link = page.url
    page.go_forward(wait_until="commit")
    is_there(page)
    card.get_by_text("Your prediction stands").wait_for(timeout=PATIENCE)
    assert card.get_by_role("radio").first.is_checked()
    press(page)
    page.locator(f'{PANEL} .fv-chip[aria-pressed="true"]').first.wait_for(timeout=PATIENCE)
    page.go_back(wait_until="commit")
    drawn(page)
    assert page.url == link


def is_there(page) -> None:
    """The lesson, with its predictions and its panels."""
    page.wait_for_selector(".fv-predict >> visible=true", timeout=PATIENCE)
    page.locator(f"{PANEL} .fv-stage-pixels").first.wait_for(state="attached", timeout=PATIENCE)
