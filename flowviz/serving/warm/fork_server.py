"""The server's end of the process that forks kernels, and of the kernels that it has forked."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from flowviz.serving.warm.waiting import THREADS, Wanted

log = logging.getLogger("flowviz")


def possible() -> bool:
    """Whether kernels can be forked here: on Linux, without a GPU, which no fork survives."""
    return (
        sys.platform == "linux"
        and hasattr(os, "pidfd_open")
        and not any(Path("/dev").glob("nvidia[0-9]*"))
        and not Path("/dev/kfd").exists()
    )


class ForkedProcess:
    """A kernel that another process has forked: watched and ended by its file descriptor.

    Args:
        pid: its process id, and that of the group that it leads.
        pidfd: a file descriptor of the process, which this object closes.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd: int | None = pidfd

    def __del__(self) -> None:
        self._close()

    def poll(self) -> int | None:
        """None while it runs; 0 from then on, since only its parent learns more."""
        return 0 if self._has_ended(within=0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, within ``timeout`` seconds.
        """
        if not self._has_ended(within=timeout):
            raise subprocess.TimeoutExpired([f"kernel {self.pid}"], timeout or 0)
        return 0

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._pidfd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, sig)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, within: float | None) -> bool:
        if self._pidfd is None:
            return True
        watch = select.poll()
        watch.register(self._pidfd, select.POLLIN)
        if watch.poll(None if within is None else 1000 * within):
            self._close()
        return self._pidfd is None

    def _close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


class ForkServer:
    """Forks a kernel whenever one is wanted.

    The forking process ends with the server, and so does every kernel that it forked: they all hold
    one end of a pipe whose other end the server alone has. A kernel survives the forking process,
    which is begun anew when the next kernel is wanted.

    Args:
        environment: that of the forking process; what a kernel adds comes later.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        # It forks with one thread; a kernel has as many as its own environment says.
        self._environment = {**environment, THREADS: "1"}
        self._told, self._server_lives = os.pipe()
        self._one_at_a_time = asyncio.Lock()
        self._begin()

    async def take(self, wanted: Wanted) -> ForkedProcess | None:
        """That kernel's process, forked now; None where the forking process could not."""
        async with self._one_at_a_time:
            if self.process.poll() is not None:
                log.warning("The process that forks kernels has ended; another one begins.")
                self._stop()
                self._begin()
            # It may still be importing: the loop goes on meanwhile.
            return await asyncio.to_thread(self._fork, wanted)

    def end(self) -> None:
        """End the forking process, and any kernel that is still there."""
        os.close(self._server_lives)
        os.close(self._told)
        self._stop()

    def _begin(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "flowviz.serving.warm.forking",
                    str(theirs.fileno()),
                    str(self._told),
                ],
                env=self._environment,
                pass_fds=(theirs.fileno(), self._told),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is the server's
            )

    def _stop(self) -> None:
        self._socket.close()
        self.process.kill()
        self.process.wait()

    def _fork(self, wanted: Wanted) -> ForkedProcess | None:
        try:
            self._socket.sendall(wanted.line)
            told, descriptors, *_ = socket.recv_fds(self._socket, 64, 1)
        except OSError:
            told, descriptors = b"", []
        if not descriptors:
            log.warning("A kernel could not be forked; it is started by itself instead.")
            return None
        return ForkedProcess(int(told), descriptors[0])
