"""Kernels: this Python's own, one a visitor, ended some time after the visitor left."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    ServerKernelManager,
)
from traitlets import Float, default


class OwnKernelSpecManager(KernelSpecManager):
    """Knows one kernel: the Python that runs the server.

    A ``python3`` kernel registered elsewhere on the machine would run a Python without flowviz.
    """

    @default("kernel_dirs")
    def _no_folders(self) -> list[str]:
        return []

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        spec = super().get_kernel_spec(kernel_name)
        # Its warnings are for those who write servers; errors still reach the terminal.
        spec.argv = [*spec.argv, "--IPKernelApp.log_level=40"]
        # Small networks gain nothing from a second thread, and lose much where the cores are busy.
        spec.env = {"OMP_NUM_THREADS": "1", **spec.env, **_set("OMP_NUM_THREADS")}
        return spec


def _set(name: str) -> dict[str, str]:
    """What the user has set in the environment goes before our own choice."""
    return {name: os.environ[name]} if name in os.environ else {}


class QuietlyEndingKernelManager(ServerKernelManager):
    """Ends its kernel without interrupting it first.

    Jupyter interrupts a kernel before it asks it to end, for the sake of busy ones. Ours take that
    request on a thread of its own, and the interrupt would only be complained about in the
    terminal, by a kernel that was just drawing.
    """

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:
            await super()._async_interrupt_kernel()

    interrupt_kernel = _async_interrupt_kernel


class ReapingKernelManager(AsyncMappingKernelManager):
    """Ends a kernel when its page has been gone for ``grace`` seconds.

    A page that was closed cannot be relied on to say so. A kernel whose last websocket went away
    is kept for ``grace`` seconds, so that a dropped connection (a closed lid, a moment without
    network) finds its state again; then it is ended. A kernel that no page ever connected to, as
    when the visitor left during its start, is ended after ``connect_within`` seconds.
    """

    grace = Float(
        60.0, config=True, help="Seconds to keep a kernel after its last websocket went away."
    )
    connect_within = Float(
        120.0, config=True, help="Seconds within which a page must connect to its new kernel."
    )

    @default("kernel_manager_class")
    def _ends_quietly(self) -> str:
        return f"{__name__}.{QuietlyEndingKernelManager.__name__}"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._reapers: dict[str, asyncio.TimerHandle] = {}

    async def _async_start_kernel(self, **kwargs: Any) -> str:
        kernel_id = await super()._async_start_kernel(**kwargs)
        self._reap_after(kernel_id, self.connect_within)
        return kernel_id

    start_kernel = _async_start_kernel  # type: ignore[assignment]

    def notify_connect(self, kernel_id: str) -> None:
        super().notify_connect(kernel_id)
        self._spare(kernel_id)

    def notify_disconnect(self, kernel_id: str) -> None:
        super().notify_disconnect(kernel_id)
        if self._kernel_connections.get(kernel_id) == 0:
            self._reap_after(kernel_id, self.grace)

    def remove_kernel(self, kernel_id: str) -> Any:
        self._spare(kernel_id)
        return super().remove_kernel(kernel_id)

    def _spare(self, kernel_id: str) -> None:
        timer = self._reapers.pop(kernel_id, None)
        if timer is not None:
            timer.cancel()

    def _reap_after(self, kernel_id: str, seconds: float) -> None:
        self._spare(kernel_id)
        loop = asyncio.get_running_loop()
        self._reapers[kernel_id] = loop.call_later(
            seconds, lambda: loop.create_task(self._reap(kernel_id))
        )

    async def _reap(self, kernel_id: str) -> None:
        self._reapers.pop(kernel_id, None)
        if kernel_id in self and self._kernel_connections.get(kernel_id) == 0:
            self.log.info("Ending kernel %s: its page is gone.", kernel_id)
            await self.shutdown_kernel(kernel_id, now=True)
