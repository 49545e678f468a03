"""A JupyterHub with the configuration that `flowviz hub-config` writes, and two who use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowviz.serving import paths
from flowviz.serving.hub import files
from tests.browser.served import answers
from tests.browser.shown import DEPTH, PANEL, PATIENCE, pictures
from tests.conftest import free_port

# What a machine of one's own would say: where, who may come in, and whose processes these are.
SITE = """
load_subconfig({config!r})
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.command = [{program!r}]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r}
c.Spawner.cmd.append("--allow-root")
"""


class Hub:
    """A running JupyterHub.

    Args:
        folder: for its files and for the users' homes.
        program: its proxy's.
        changed: texts in the configuration that we write, and what stands there instead.
    """

    def __init__(self, folder: Path, program: str, changed: dict[str, str]) -> None:
        self.folder = folder
        port, hub_port, self._api_port = (free_port() for _ in range(3))
        self.url = f"http://127.0.0.1:{port}"
        ours, _ = files.write(folder / "flowviz", say=lambda _: None)
        text = ours.read_text()
        for written, instead in changed.items():
            assert written in text
            text = text.replace(written, instead)
        ours.write_text(text)
        site = folder / "jupyterhub_config.py"
        site.write_text(
            SITE.format(
                config=str(ours),
                port=port,
                hub_port=hub_port,
                api_port=self._api_port,
                program=program,
                homes=f"{folder}/{{username}}",
            )
        )
        self._log = folder / "hub.log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(site)],
            cwd=folder,
            env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": "known"},
            stdin=subprocess.DEVNULL,
            stdout=self._log.open("w"),
            stderr=subprocess.STDOUT,
        )

    def log_in(self, page: Page, name: str, path: str) -> None:  # noqa: F821
        """Go where the link leads that is the same for everybody, as a user not logged in yet."""
        page.goto(f"{self.url}/hub/user-redirect/{path}")
        page.get_by_label("Username:").fill(name)
        page.get_by_label("Password:").fill("any")
        page.get_by_role("button", name="Sign in").click()

    def servers(self) -> list[str]:
        """The addresses that lead to a user's server."""
        routes = urllib.request.Request(
            f"http://127.0.0.1:{self._api_port}/api/routes",
            headers={"Authorization": "token known"},
        )
        with urllib.request.urlopen(routes, timeout=5) as answer:
            return [route for route in json.load(answer) if route.startswith("/user/")]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what must come."""
        deadline = time.monotonic() + PATIENCE / 1000
        while not condition():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.2)

    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> None:
        """End it, with its users' servers."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)


@pytest.fixture
def start_hub(proxy_program, tmp_path) -> Iterator[Callable[..., Hub]]:
    """``start_hub({written: instead})``: a JupyterHub, ended after the test."""
    started = []

    def start(changed: dict[str, str]) -> Hub:
        hub = Hub(tmp_path, proxy_program, changed)
        started.append(hub)
        hub.until(lambda: answers(f"{hub.url}/hub/login"))
        return hub

    yield start
    for one in started:
        one.stop()


def test_each_user_has_the_dashboard_on_a_server_of_their_own(start_hub, open_page, screenshots):
    hub = start_hub({})
    (hub.folder / "ada").mkdir()
    (hub.folder / "ada" / "random.py").write_text("raise SystemExit('a file of the user')")
    ada, ben = open_page(height=720), open_page(height=720)
    hub.log_in(ada, "ada", "flowviz/?panel=limits&cap=16")
    hub.log_in(ben, "ben", "flowviz/?panel=kl_comparison")
    for page, name, title in (ada, "ada", "Limits"), (ben, "ben", "Forward and reverse KL"):
        page.locator(f"{PANEL} .fv-stage-pixels").first.wait_for(timeout=PATIENCE)
        assert page.url.startswith(f"{hub.url}/user/{name}/flowviz/?panel=")
        assert page.locator(f"{PANEL} .fv-title").inner_text() == title

    # The numbers and the picture answer a slider, by way of the kernel, and it plays.
    number = f"{PANEL} .fv-readout-value"
    said, drawn = ada.locator(number).first.inner_text(), pictures(ada)
    ada.locator(f"{PANEL} .fv-slider", has_text="Apart").locator(".fv-slider-track").press("End")
    ada.wait_for_url("**apart=8**", timeout=PATIENCE)
    ada.wait_for_function(
        "([number, said]) => document.querySelector(number).innerText !== said",
        arg=[number, said],
        timeout=PATIENCE,
    )
    deadline = time.monotonic() + PATIENCE / 1000
    while pictures(ada) == drawn:  # drawn a moment after the number
        assert time.monotonic() < deadline
        ada.wait_for_timeout(50)
    ada.locator(f"{PANEL} .fv-run-play").click()
    ada.wait_for_function(
        "position => document.querySelector(position).value > 0",
        arg=f"{DEPTH} input",
        timeout=PATIENCE,
    )
    ada.screenshot(path=screenshots / "hub.png")

    # Nobody gets at what is another's.
    for path in "flowviz/", "flowviz/lessons", "lab", "api/kernels":
        assert ada.request.get(f"{hub.url}/user/ben/{path}").status in (403, 404)
    assert ben.request.get(f"{hub.url}/user/ben/api/kernels").ok

    # Our own pages are all there, with our headers; another user's page cannot show them in it.
    lessons = ada.goto(f"{hub.url}/user/ada/flowviz/lessons")
    policy = lessons.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert lessons.headers["referrer-policy"] == "same-origin"
    link = ada.get_by_role("link", name="Layers add")
    assert link.get_attribute("href").startswith("/user/ada/flowviz/render/02")
    mine = hub.folder / "ada" / paths.LESSONS
    assert {lesson.name for lesson in paths.lessons()} < {copy.name for copy in mine.iterdir()}


def test_a_server_that_nobody_uses_is_ended(start_hub, open_page):
    hub = start_hub({"--timeout=3600": "--timeout=10", "--cull-every=300": "--cull-every=1"})
    page = open_page()
    hub.log_in(page, "ada", "flowviz/lessons")
    page.get_by_role("heading", name="Lessons").wait_for(timeout=PATIENCE)
    page.close()  # not on its way through the Hub's redirects: there it may hang for minutes
    hub.until(lambda: hub.servers() == [])
    assert "Culling server ada" in hub.log()
