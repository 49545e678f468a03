"""A kernel's process that has imported everything before anybody needs it.

Importing PyTorch and the panels and making a first one takes most of the time that a visitor waits
for a picture. A :class:`Spare` does it ahead, in a process of its own, and becomes the next
visitor's kernel when it is told which.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from subprocess import PIPE, Popen
from typing import Any

from jupyter_client.launcher import launch_kernel


class Spare:
    """A process that waits for being a kernel; it ends by itself when its server is gone.

    Args:
        environment: that of the process from its start; what a kernel adds comes later.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process: Popen[bytes] = launch_kernel(
            [sys.executable, "-m", __name__], stdin=PIPE, env=dict(environment)
        )

    def become(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: str | None
    ) -> Popen[bytes] | None:
        """Let it be a kernel, as soon as its preparations are done.

        Args:
            arguments: of ``ipykernel_launcher``.
            environment: what the kernel finds in its environment.
            folder: in which it runs; None for the server's own.

        Returns:
            The kernel's process, or None where the spare has died in the meantime.
        """
        told = json.dumps([list(arguments), dict(environment), folder])
        assert self.process.stdin is not None
        try:
            with self.process.stdin as stdin:
                stdin.write(told.encode() + b"\n")
        except OSError:
            return None
        return self.process if self.process.poll() is None else None

    def end(self) -> None:
        """End the process, which nobody needs any more."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()


def _wait_and_be() -> None:
    """Import what kernels need, wait for the kernel to be, and be it."""
    import ipykernel.ipkernel  # noqa: F401, before ipywidgets: it says how comms are made
    import ipywidgets
    from ipykernel.kernelapp import IPKernelApp

    from flowviz import panels
    from flowviz.dashboard import Dashboard  # noqa: F401

    for name in panels.names():
        panels.entry(name).load()
    # What every panel needs is there afterwards: thumbnails of targets, weights, scripts.
    with suppress(Exception):  # it comes again, in words, on the page
        panels.make(panels.names()[0]).close()
    told = sys.stdin.readline()
    if not told:
        return  # the server is gone
    arguments, environment, folder = json.loads(told)
    # A kernel's own standard input comes over its socket.
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.environ.update(environment)
    os.chdir(folder or ".")
    app: Any = IPKernelApp.instance()
    app.initialize(arguments)
    # ipywidgets does so when it is imported, if there is a kernel then.
    ipywidgets.register_comm_target()
    app.start()


if __name__ == "__main__":
    # As in a kernel, the folder is on the path only once the imports are done.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    _wait_and_be()
