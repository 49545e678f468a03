"""Kernels that have imported everything before a visitor comes.

Importing PyTorch and the panels and making a first one takes most of the time that a visitor waits
for a picture. It is done ahead, in a process of its own (``waiting.py``). On Linux that process
forks a kernel whenever one is wanted (``fork_server.py``), and all kernels share what was imported;
elsewhere it becomes the next kernel itself, and another one takes its place (``spare.py``).
``provisioner.py`` is how Jupyter asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from flowviz.serving.warm.process import Process
from flowviz.serving.warm.waiting import Wanted

__all__ = ["Process", "Wanted", "WarmProcesses", "warm_processes"]


class WarmProcesses(Protocol):
    """Where a kernel's process comes from that need not import anything any more."""

    async def take(self, wanted: Wanted) -> Process | None:
        """A process that is on its way to be that kernel; None where there is none now."""

    def end(self) -> None:
        """End the processes that wait; those that are kernels are left alone."""


def warm_processes(environment: Mapping[str, str], respite: float) -> WarmProcesses:
    """Those of this machine, which begin to prepare themselves at once.

    Args:
        environment: that of the processes from their start; what a kernel adds comes later.
        respite: seconds between a kernel's start and that of the next spare process.
    """
    from flowviz.serving.warm import fork_server, spare

    if fork_server.possible():
        return fork_server.ForkServer(environment)
    return spare.Spares(environment, respite)
