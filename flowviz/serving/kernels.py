"""Kernels: this Python's own, one a visitor, ready soon, and ended after the visitor left."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from subprocess import Popen
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    ServerKernelManager,
)
from traitlets import Float, default

from flowviz.serving.spare import Spare

THREADS = "OMP_NUM_THREADS"
PAGE = "VOILA_REQUEST_URL"
"""What Voila puts into the environment of a page's kernel: the page's address."""


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
        spec.env = {THREADS: "1", **spec.env, **_set(THREADS)}
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


class PromptKernelManager(QuietlyEndingKernelManager):
    """Takes its parent's spare process for its kernel, if there is one."""

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        spares: Any = self.parent
        process = spares.spare_for(kernel_cmd, **kw)
        if process is None:
            await super()._async_launch_kernel(kernel_cmd, **kw)
            return
        provisioner: Any = self.provisioner
        provisioner.process = process
        provisioner.pid = process.pid
        # It leads a group of its own, as every kernel does.
        provisioner.pgid = process.pid if hasattr(os, "killpg") else None
        provisioner.cwd = kw.get("cwd")
        self._reconcile_connection_info(provisioner.connection_info)

    _launch_kernel = _async_launch_kernel  # type: ignore[assignment]


class ReapingKernelManager(AsyncMappingKernelManager):
    """Has a kernel ready for the next page, and ends it when its page has been gone for a while.

    A page that was closed cannot be relied on to say so. A kernel whose last websocket went away
    is kept for ``grace`` seconds, so that a dropped connection (a closed lid, a moment without
    network) finds its state again; then it is ended. A kernel that no page ever connected to, as
    when the visitor left during its start, is ended after ``connect_within`` seconds.

    From :meth:`prepare` on a spare process has imported everything before a page needs it; once it
    is taken, the next one begins after ``respite`` seconds, in which the page has been drawn.
    """

    grace = Float(
        60.0, config=True, help="Seconds to keep a kernel after its last websocket went away."
    )
    connect_within = Float(
        120.0, config=True, help="Seconds within which a page must connect to its new kernel."
    )

    respite = Float(
        5.0, config=True, help="Seconds between a kernel's start and that of the next spare."
    )

    @default("kernel_manager_class")
    def _takes_the_spare(self) -> str:
        return f"{__name__}.{PromptKernelManager.__name__}"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pages: set[str] = set()
        self._reapers: dict[str, asyncio.TimerHandle] = {}
        self._spare: Spare | None = None
        self._next: asyncio.TimerHandle | None = None

    def prepare(self) -> None:
        """Have a spare process from now on; on the thread of the event loop, not yet running."""
        assert self.kernel_spec_manager is not None
        spec = self.kernel_spec_manager.get_kernel_spec(self.default_kernel_name)
        self._spare = Spare({**os.environ, **spec.env})

    def spare_for(
        self,
        command: list[str],
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        **_: Any,
    ) -> Popen[bytes] | None:
        """The spare process, now on its way to be the kernel of that command; None without one."""
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        self._next = asyncio.get_running_loop().call_later(self.respite, self.prepare)
        arguments = command[command.index("ipykernel_launcher") + 1 :]
        return spare.become(arguments, env or {}, cwd)

    async def shutdown_all(  # type: ignore[override]
        self, now: bool = False
    ) -> None:
        """End every kernel and the spare process."""
        if self._next is not None:
            self._next.cancel()
        if self._spare is not None:
            self._spare.end()
            self._spare = None
        await super().shutdown_all(now=now)

    async def _async_start_kernel(self, **kwargs: Any) -> str:
        kernel_id = await super()._async_start_kernel(**kwargs)
        if self._is_for_a_page(**kwargs):
            self._pages.add(kernel_id)
            self._reap_after(kernel_id, self.connect_within)
        return kernel_id

    start_kernel = _async_start_kernel  # type: ignore[assignment]

    def notify_connect(self, kernel_id: str) -> None:
        super().notify_connect(kernel_id)
        self._keep(kernel_id)

    def notify_disconnect(self, kernel_id: str) -> None:
        super().notify_disconnect(kernel_id)
        if kernel_id in self._pages and self._kernel_connections.get(kernel_id) == 0:
            self._reap_after(kernel_id, self.grace)

    def remove_kernel(self, kernel_id: str) -> Any:
        self._keep(kernel_id)
        self._pages.discard(kernel_id)
        return super().remove_kernel(kernel_id)

    def _is_for_a_page(self, **_: Any) -> bool:
        return True

    def _keep(self, kernel_id: str) -> None:
        timer = self._reapers.pop(kernel_id, None)
        if timer is not None:
            timer.cancel()

    def _reap_after(self, kernel_id: str, seconds: float) -> None:
        self._keep(kernel_id)
        loop = asyncio.get_running_loop()
        self._reapers[kernel_id] = loop.call_later(
            seconds, lambda: loop.create_task(self._reap(kernel_id))
        )

    async def _reap(self, kernel_id: str) -> None:
        self._reapers.pop(kernel_id, None)
        if kernel_id in self and self._kernel_connections.get(kernel_id) == 0:
            self.log.info("Ending kernel %s: its page is gone.", kernel_id)
            await self.shutdown_kernel(kernel_id, now=True)


class HostedKernelManager(ReapingKernelManager):
    """That of a notebook server: ends the kernels of pages, and leaves those of notebooks alone."""

    @default("kernel_manager_class")
    def _as_notebooks_have_it(self) -> str:
        return f"{ServerKernelManager.__module__}.{ServerKernelManager.__name__}"

    async def _async_start_kernel(self, **kwargs: Any) -> str:
        if self._is_for_a_page(**kwargs):
            kwargs["env"].setdefault(THREADS, "1")
        return await super()._async_start_kernel(**kwargs)

    start_kernel = _async_start_kernel

    def _is_for_a_page(self, env: Mapping[str, str] | None = None, **_: Any) -> bool:
        return PAGE in (env or {})
