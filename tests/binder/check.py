"""Binder without Binder: its environment, its server, ten reloads of the dashboard, its memory.

    .venv/bin/python -m tests.binder.check

Installs `binder/requirements.txt` for a fresh clone into a fresh virtual environment, runs
`binder/postBuild`, and starts a notebook server through `binder/start`. A browser opens the
dashboard as the README's link does and as a notebook of Voila's, and loads it again ten times. All
of it must stay within a Binder's memory, and the kernels of pages that were left must end.
Needs Linux and Chromium; takes three minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from flowviz.serving import hosted
from tests.browser.conftest import BROWSERS, FLAGS
from tests.browser.served import answers
from tests.browser.shown import PANEL
from tests.conftest import free_port

ROOT = Path(__file__).parents[2]
RELOADS = 10
LIMIT = 2 * 1024**3
"""Bytes that a Binder may take; what takes more is ended."""
TOKEN = "binder"
PATIENCE = 120
"""Seconds for a page or an end; none of them takes so long unless something is wrong."""


def main() -> None:
    """Do all of it; raises what is wrong."""
    with tempfile.TemporaryDirectory() as scratch:
        clone, environment = Path(scratch, "flowviz"), Path(scratch, "environment")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        _install(clone, environment)
        with _server(clone, environment) as (server, home), _page() as page:
            _open(page, f"{home}voila/render/notebooks/dashboard.ipynb?token={TOKEN}")
            _open(page, f"{home}{hosted.HOME}")
            taken = [_taken(server)]
            for _ in range(RELOADS):
                _open(page, None)
                taken.append(_taken(server))
            page.close()
            _wait(lambda: not _kernels(home), "the kernels of pages that were left have not ended")
            left = _taken(server)
    megabytes = [round(n / 1e6) for n in taken]
    print(f"MB with a page: {megabytes}, without one: {left / 1e6:.0f}, of {LIMIT / 1e6:.0f}")
    assert max(taken) < LIMIT, "more than a Binder has"


def _install(clone: Path, environment: Path) -> None:
    """Do what Binder's build does after the copy of the repository."""
    venv.create(environment, with_pip=True)
    pip = [str(environment / "bin/pip"), "install", "--quiet"]
    wanted = clone / "binder/requirements.txt"
    text = wanted.read_text(encoding="utf-8")
    (torch,) = re.findall(r"^torch==\S+$", text, re.MULTILINE)
    # Where pip finds the CPU build without its own index, that index need not be there.
    if subprocess.run([*pip, torch], stderr=subprocess.DEVNULL).returncode == 0:
        wanted.write_text(re.sub(r"^--extra-index-url .*$", "", text, flags=re.MULTILINE))
    subprocess.run([*pip, "-r", str(wanted)], cwd=clone, check=True)
    subprocess.run(["binder/postBuild"], cwd=clone, env=_variables(clone, environment), check=True)


def _variables(clone: Path, environment: Path) -> dict[str, str]:
    """The environment variables of a Binder's processes."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "REPO_DIR": str(clone)}


@contextmanager
def _server(clone: Path, environment: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A notebook server as Binder starts it, and its address."""
    port = free_port()
    log = clone.parent / "server.log"
    server = psutil.Popen(
        [
            *["binder/start", "jupyter", "server", "--no-browser", "--allow-root"],
            *[f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}"],
        ],
        cwd=clone,
        env=_variables(clone, environment),
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    home = f"http://localhost:{port}/"
    try:
        _wait(lambda: answers(f"{home}api"), "the server does not answer")
        yield server, home
    except BaseException:
        print(log.read_text(), file=sys.stderr)
        raise
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def _page() -> Iterator[Page]:
    executable = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser.new_page()
        browser.close()


def _open(page: Page, address: str | None) -> None:
    """Go there, or load the page again, and wait until it is drawn."""
    page.reload(wait_until="commit") if address is None else page.goto(address, wait_until="commit")
    page.locator(f"{PANEL} .fv-stage-pixels").first.wait_for(timeout=1000 * PATIENCE)


def _taken(server: psutil.Process) -> int:
    """Bytes of the server and of all that it started; what they share is counted once."""
    total = 0
    for process in (server, *server.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def _kernels(home: str) -> list[object]:
    request = urllib.request.Request(
        f"{home}api/kernels", headers={"Authorization": f"token {TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return list(json.load(answer))


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
