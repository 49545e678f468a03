"""Behind configurable-http-proxy, JupyterHub's, under a path and a name of the proxy's own."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import Server, free_port
from tests.serving.test_pages import fetch

PREFIX = "/courses/flows"
PATIENCE = 60_000


class Proxy:
    """Hands what is asked below :data:`PREFIX` on to a server, with the prefix or without.

    Args:
        program: the proxy's.
        port: the server's, on this machine.
        strips: whether the server is asked without the prefix.
        log: where the proxy writes to.
    """

    def __init__(self, program: str, port: int, strips: bool, log: Path) -> None:
        self.port, self._api_port = free_port(), free_port()
        self._log = log
        ports = ["--port", str(self.port), "--api-port", str(self._api_port)]
        here = ["--ip", "127.0.0.1", "--api-ip", "127.0.0.1"]
        way = ["--no-include-prefix"] if strips else []
        self._process = subprocess.Popen(
            [program, *ports, *here, *way],
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": "proxied"},
        )
        self._add_route(f"http://127.0.0.1:{port}")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)

    def _add_route(self, target: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._api_port}/api/routes{PREFIX}",
            data=json.dumps({"target": target}).encode(),
            headers={"Authorization": "token proxied", "Content-Type": "application/json"},
        )
        deadline = time.monotonic() + 20
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(request, timeout=5).close()
                return
            except OSError:  # it does not listen yet
                time.sleep(0.1)
        self.close()
        raise AssertionError(f"the proxy did not start:\n{self._log.read_text()}")


@pytest.fixture(params=[False, True], ids=["kept", "stripped"])
def proxy(request, proxy_program, server, tmp_path):
    proxy = Proxy(proxy_program, server.port, request.param, tmp_path / "proxy.log")
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(
        "--base-url", PREFIX, "--allow-host", "127.0.0.1", cwd=tmp_path_factory.mktemp("proxied")
    )
    yield server
    server.stop()


def test_the_dashboard_is_drawn_and_answers(server, proxy, open_page):
    page = open_page()
    home = f"http://localhost:{proxy.port}{PREFIX}/"
    # The token is asked for, and the state of the link comes through.
    page.goto(f"{home}?layers=3", wait_until="commit")
    page.get_by_label("Token").fill(server.token)
    page.get_by_role("button", name="Open the page").click()
    page.wait_for_selector(".fv-panel:not(.fv-away)", timeout=PATIENCE)
    page.wait_for_function("/layers=3/.test(location.search)", timeout=PATIENCE)
    assert page.url.startswith(home)
    chip = page.locator(".fv-panel:not(.fv-away) .fv-chip").last
    chip.click()
    page.wait_for_function(
        "chip => chip.ariaPressed === 'true'", arg=chip.element_handle(), timeout=PATIENCE
    )
    page.get_by_role("link", name="Lessons").click()
    page.get_by_role("heading", name="Lessons").wait_for()
    assert page.url.rstrip("/") == f"{home}lessons"
    assert page.get_by_role("link", name="Forward and reverse KL").get_attribute("href") == (
        f"{PREFIX}/voila/render/04_forward_and_reverse_kl.ipynb"
    )
    page.close()


def test_the_address_is_printed_with_its_path(server):
    assert server.url.startswith(f"{server.origin}{PREFIX}/?token=")
    assert fetch(f"{server.origin}{PREFIX}?token={server.token}").status == 200
    name = {"Host": "flows.example.org", "Authorization": f"token {server.token}"}
    assert fetch(f"{server.origin}/lessons", **name).status == 403
