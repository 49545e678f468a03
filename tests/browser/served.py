"""Scratch notebooks in Voila or JupyterLab, for tests of widgets on a real page."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

ROOT = Path(__file__).parents[2]
TOKEN = "scratch"


@contextmanager
def voila(folder: Path, cells: Sequence[str], config: str = "") -> Iterator[str]:
    """The address of a notebook of these cells in plain Voila, as anybody may run it."""
    notebook = _write(folder, cells)
    (folder / "config").mkdir()
    (folder / "config" / "voila.py").write_text("c = get_config()\n" + config)
    port = _free_port()
    command = ["voila", str(notebook), "--no-browser", f"--port={port}"]
    command += [f"--Voila.config_file_paths={folder / 'config'}"]
    with _running(command, folder, f"http://localhost:{port}/voila/static/voila.js"):
        yield f"http://localhost:{port}/"


@contextmanager
def lab(folder: Path, cells: Sequence[str]) -> Iterator[str]:
    """The address of a notebook of these cells in JupyterLab."""
    notebook = _write(folder, cells)
    port = _free_port()
    command = ["jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.news_url=", "--LabApp.extension_manager=readonly"]
    with _running(command, folder, f"http://localhost:{port}/api?token={TOKEN}"):
        yield f"http://localhost:{port}/lab/tree/{notebook.name}?token={TOKEN}"


def answers(address: str) -> bool:
    """Whether a page is there, and not an error's."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def only(page: Page, address: str) -> None:
    """Answer what leaves ``address`` (fonts and icons of Voila's own template) with nothing."""
    home = address.split("/", 3)[2]

    def answer(route: Route) -> None:
        if home in route.request.url or route.request.url.startswith(("data:", "blob:")):
            route.fallback()
        else:
            route.fulfill(status=200, body="")

    page.route("**/*", answer)


def _write(folder: Path, cells: Sequence[str]) -> Path:
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    path = folder / "scratch.ipynb"
    nbformat.write(notebook, path)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], folder: Path, probe: str) -> Iterator[None]:
    """A server as a module of this Python, ended with its kernels at the end."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "OMP_NUM_THREADS": "1",
    }
    log = folder / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=out, stderr=out
        )
        try:
            end = time.monotonic() + 60
            while not answers(probe):
                if server.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the server did not start:\n{log.read_text()}")
                time.sleep(0.1)
            yield
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
