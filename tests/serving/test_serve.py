"""``flowviz serve``: places, what is said when they are taken, and who watches over them."""

from __future__ import annotations

import re
import time

import psutil
import pytest

from flowviz.serving import cli, limits
from tests.conftest import Server
from tests.serving.test_login import Visitor
from tests.serving.test_pages import fetch

LINES = r"up to 2 visitors .*\n600 MB .*\nended after 7 minutes .*, 5 seconds after"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(
        "serve",
        *("--host", "localhost", "--visitors", "2", "--memory", "600", "--idle", "7"),
        *("--grace", "5", "--token", "opensesame", "--password", "horse-battery"),
        cwd=tmp_path_factory.mktemp("serve"),
    )
    yield running
    running.stop()


def metrics(server: Server) -> dict[str, float]:
    told = fetch(server.address("/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^(flowviz\S+) (\S+)$", told, re.M)}


def kernel(page) -> str:
    return re.search(r'kernelId = "([\w-]+)"', page.text)[1]


def test_what_it_gives_away_is_printed(server):
    assert server.token == "opensesame"
    assert re.search(LINES, server.log()), server.log()


def test_places_are_counted_refused_and_given_back(server):
    """One after the other, as they build on one another."""
    health = fetch(server.origin + "/health")
    assert (health.status, health.text) == (200, '{"status": "ok"}')
    first, second = fetch(server.address()), fetch(server.address())
    assert kernel(first) != kernel(second)
    health = fetch(server.origin + "/health")
    assert (health.status, health.text) == (503, '{"status": "full"}')

    full = fetch(server.address(query="panel=limits"))
    assert full.status == 503 and int(full.headers["Retry-After"]) > 0
    assert "All places are taken" in full.text and "location.reload()" in full.text

    told = metrics(server)
    assert told["flowviz_visitors"] == told["flowviz_visitors_limit"] == 2
    assert told["flowviz_visitors_refused_total"] == 1
    assert told['flowviz_memory_bytes{of="kernels"}'] > 20e6

    # One that dies is started anew, empty, and counted.
    one, other = server.kernels()
    assert one.rlimit(psutil.RLIMIT_DATA)[0] == other.rlimit(psutil.RLIMIT_DATA)[0] == 600 * 2**20
    one.kill()
    deadline = time.monotonic() + 30
    while metrics(server)["flowviz_kernels_lost_total"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert metrics(server)["flowviz_visitors"] == 2

    # A page that ends its kernel makes room.
    visitor = Visitor(server.origin)
    visitor.ask(f"/lessons?token={server.token}")
    xsrf = next(cookie.value for cookie in visitor.cookies if cookie.name == "_xsrf")
    ended = visitor.ask(f"/voila/api/shutdown/{kernel(first)}", _xsrf=xsrf)
    assert ended.status < 300, ended.text
    assert fetch(server.address()).status == 200


def test_numbers_are_for_those_who_have_the_token(server):
    assert "flowviz_visitors" not in fetch(server.origin + "/metrics").text


def test_the_password_lets_in_and_a_wrong_one_does_not(server):
    visitor = Visitor(server.origin)
    page = visitor.ask("/lessons")
    assert "needs its password" in page.text and "needs its token" not in page.text
    wrong = visitor.hand_in(page, "horse-batter")
    assert "not the password" in wrong.text
    assert visitor.hand_in(wrong, "horse-battery").url == server.origin + "/lessons"
    assert Visitor(server.origin).hand_in(page, "").url.startswith(server.origin + "/login")


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--visitors", "0"], "'0' is not understood; allowed are whole numbers from 1 on"),
        (["--memory", "lots"], "'lots' is not understood; allowed are whole numbers from 500 on"),
        (["--idle", "-1"], "from 1 on"),
        (["--token", "short"], "its length is 5; allowed are 8 printable characters or more"),
        (["--password", "with\nlines"], "allowed are 8 printable characters"),
    ],
)
def test_wrong_options_are_refused_in_words(arguments, complaint, capsys):
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["serve", *arguments])
    assert complaint in capsys.readouterr().err


def test_options_may_come_before_the_command():
    parse = cli.parser().parse_args
    assert parse(["--port", "9000", "serve"]) == parse(["serve", "--port", "9000"])


def test_a_machine_has_places_by_its_memory_and_its_cores(monkeypatch):
    def machine(megabytes: int, cores: int) -> None:
        monkeypatch.setattr(limits.os, "cpu_count", lambda: cores)
        free = type("Memory", (), {"available": megabytes * 2**20})
        monkeypatch.setattr(limits.psutil, "virtual_memory", lambda: free)

    machine(limits.THE_REST + 10 * limits.A_KERNEL, 8)
    assert limits.visitors_here() == 10
    machine(200_000, 2)
    assert limits.visitors_here() == 2 * limits.A_CORE
    machine(1_000, 2)
    with pytest.raises(ValueError, match=r"1000 MB of memory are free, and \d+ MB are the least"):
        limits.visitors_here()
