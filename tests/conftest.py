"""Running servers for the tests: the ``flowviz`` command as a visitor starts it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import psutil
import pytest
from hypothesis import settings

# The same examples every time, however long they take: a red run then tells of the change and not
# of the draw or of a busy machine.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

# The same device everywhere, in the servers' kernels too; tests of a GPU ask for it by name.
os.environ["FLOWVIZ_DEVICE"] = "cpu"
if "PYTEST_XDIST_WORKER" in os.environ:
    # One thread a worker: more of them than cores wait for one another.
    os.environ["OMP_NUM_THREADS"] = "1"

ALONE = [Path(__file__).parent / folder for folder in ("browser", "serving")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(folder in item.path.parents for folder in ALONE):
            item.add_marker(pytest.mark.alone)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A ``flowviz`` process: its address, what it printed, and its end."""

    def __init__(self, *options: str, cwd: Path, env: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self.folder = cwd
        """Where it was started: `--lab notebooks` puts its copies into it."""
        self._log = cwd / f"flowviz-{self.port}.log"
        workspaces = cwd / f"workspaces-{self.port}"
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "flowviz.serving.cli",
                "--no-browser",
                "--port",
                str(self.port),
                *options,
            ],
            cwd=cwd,
            # A workspace of its own: JupyterLab would open again what another run had open.
            env={**os.environ, "JUPYTERLAB_WORKSPACES_DIR": str(workspaces), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.url = self._wait_for_address()
        """The address as printed, with its token."""

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.url).query)["token"][0]

    @property
    def origin(self) -> str:
        """Scheme, host and port: what every request must go to."""
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.url))

    def address(self, path: str = "/", query: str = "", **more: str) -> str:
        """A page of this server, let in by the token."""
        extra = urlencode({**more, "token": self.token})
        return f"{self.origin}{path}?{query}{'&' if query else ''}{extra}"

    def log(self) -> str:
        return self._log.read_text()

    def kernels(self) -> list[psutil.Process]:
        """The kernels of its pages: of its processes, those that have a kernel's sockets."""
        processes = psutil.Process(self.process.pid).children(recursive=True)
        return [
            process
            for process in processes
            if any("-ipc-" in one.laddr for one in process.net_connections("unix"))
        ]

    def stop(self, how: int = signal.SIGINT) -> int:
        """End it as Ctrl-C does; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _wait_for_address(self) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = re.search(r"http://\S+token=\w+", self.log())
            if found:
                return found.group()
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.process.kill()
        raise AssertionError(f"flowviz did not start:\n{self.log()}")


@pytest.fixture
def start_flowviz(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """``start_flowviz(*options, env=)``: a server of the test's own, ended after it."""
    started = []

    def start(*options: str, env: dict[str, str] | None = None) -> Server:
        started.append(Server(*options, cwd=tmp_path, env=env))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def voila_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The dashboard and the lessons in Voila, for the whole session."""
    server = Server(cwd=tmp_path_factory.mktemp("voila"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Copies of the notebooks in JupyterLab, for the whole session."""
    server = Server("--lab", "notebooks", cwd=tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()
