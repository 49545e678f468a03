"""Jupyter's way to a kernel's process: a warm one where there is one."""

from __future__ import annotations

import os
import sys
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from flowviz.serving.warm.process import Process
from flowviz.serving.warm.waiting import Wanted

NAME = "flowviz-warm"
"""The provisioner's name in a kernel's specification."""


class WarmProvisioner(LocalProvisioner):
    """Takes a kernel's process from the manager's warm ones, and else starts it.

    Where the system can, the process gets a limit on its memory (``memory_limit`` of the manager of
    all kernels).
    """

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        kernel: Any = self.parent
        process: Any = await self._warm(kernel.parent, cmd, **kwargs)
        if process is None:
            info = await super().launch_kernel(cmd, **kwargs)
        else:
            self.process = process
            self.pid = process.pid
            # It leads a group of its own, as every kernel does.
            self.pgid = process.pid if hasattr(os, "killpg") else None
            self.cwd = kwargs.get("cwd")
            info = self.connection_info
        memory = getattr(kernel.parent, "memory_limit", 0)
        if memory and self.pid is not None:
            limit_memory(self.pid, memory)
        return info

    @staticmethod
    async def _warm(
        kernels: Any, cmd: list[str], env: dict[str, str], cwd: str | None = None, **_: Any
    ) -> Process | None:
        warm = getattr(kernels, "warm", None)  # a manager of another kind has none
        if warm is None:
            return None
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        taken: Process | None = await warm.take(Wanted(arguments, env, cwd))
        return taken


def limit_memory(pid: int, megabytes: int) -> None:
    """Let a process have no more memory of its own than that, where the system can."""
    if sys.platform == "linux":
        import resource

        most = megabytes * 2**20
        # Its own data, not its addresses: PyTorch maps far more than it uses.
        resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))
