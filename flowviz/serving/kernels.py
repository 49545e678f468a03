"""Kernels: this Python's own, one a visitor, ready soon, and ended after the visitor left."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache, partial
from typing import Any
from uuid import uuid4

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    ServerKernelManager,
)
from tornado import web
from traitlets import Float, Integer, default

from flowviz.serving.warm import WarmProcesses, provisioner, warm_processes
from flowviz.serving.warm.waiting import THREADS

PATIENCE = 3.0
"""Seconds that a page waits for a place where all are taken."""
MOST_KEPT = 64 << 20
"""Bytes of messages that are kept for a page whose connection is lost, at most."""
PAGE = "VOILA_REQUEST_URL"
"""What Voila puts into the environment of a page's kernel: the page's address."""
IS_HOST: ContextVar[bool] = ContextVar("IS_HOST", default=False)
"""Whether the page that is being answered is the host's own: it takes no visitor's place."""


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
        spec.metadata = {"kernel_provisioner": {"provisioner_name": provisioner.NAME}}
        return spec


class PageKernelSpecManager(OwnKernelSpecManager):
    """Knows that Python as the kernel of a page, whose errors are not its visitor's."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        spec = super().get_kernel_spec(kernel_name)
        kernel = "flowviz.serving.page_kernel.PageKernel"
        # What native code writes is for the server's log as well.
        spec.argv = [
            *spec.argv,
            f"--IPKernelApp.kernel_class={kernel}",
            "--IPKernelApp.capture_fd_output=False",
        ]
        return spec


def _set(name: str) -> dict[str, str]:
    """What the user has set in the environment goes before our own choice."""
    return {name: os.environ[name]} if name in os.environ else {}


@cache
def _takes_sockets(folder: str) -> bool:
    """Whether the sockets of a kernel can be files there, for which the path must be short."""
    path = os.path.join(folder, f"kernel-{uuid4()}-ipc-10")
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(path)
        os.unlink(path)
    except (AttributeError, OSError):
        return False
    return True


class OwnKernelManager(ServerKernelManager):
    """Speaks with its kernel over files where it can, and ends it without interrupting it first.

    A port is found free some time before the kernel takes it; on a busy machine another process may
    have it by then, and the kernel dies at its start. A file is the kernel's own from the first.

    Jupyter interrupts a kernel before it asks it to end, for the sake of busy ones. Ours take that
    request on a thread of its own, and the interrupt would only be complained about in the
    terminal, by a kernel that was just drawing.
    """

    @default("transport")
    def _by_files_where_possible(self) -> str:
        folder = os.path.dirname(self.connection_file)
        # A kernel has a working folder of its own.
        return "ipc" if os.path.isabs(folder) and _takes_sockets(folder) else "tcp"

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:
            await super()._async_interrupt_kernel()

    interrupt_kernel = _async_interrupt_kernel


class ReapingKernelManager(AsyncMappingKernelManager):
    """Has a kernel ready for the next page, and ends it when its page has been gone for a while.

    A page that was closed cannot be relied on to say so. A kernel whose last websocket went away
    is kept for ``grace`` seconds, so that a dropped connection (a closed lid, a moment without
    network) finds its state again; then it is ended. A kernel that no page ever connected to, as
    when the visitor left during its start, is ended after ``connect_within`` seconds.

    From :meth:`prepare` on there are processes that have imported everything before a page needs it
    (``flowviz.serving.warm``).
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
    visitors = Integer(0, config=True, help="The most pages that have a kernel; 0 for any number.")
    memory_limit = Integer(
        0, config=True, help="Megabytes that a kernel may have of its own; 0 for any number."
    )

    @default("kernel_manager_class")
    def _is_ours(self) -> str:
        return f"{__name__}.{OwnKernelManager.__name__}"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pages: set[str] = set()
        self._hosts: set[str] = set()
        self._starting = 0
        self._reapers: dict[str, asyncio.TimerHandle] = {}
        self.warm: WarmProcesses | None = None
        self.refused = 0
        """How many pages got no kernel because there were too many."""
        self.lost = 0
        """How many kernels ended by themselves."""

    def prepare(self) -> None:
        """Have warm processes from now on."""
        assert self.kernel_spec_manager is not None
        spec = self.kernel_spec_manager.get_kernel_spec(self.default_kernel_name)
        self.warm = warm_processes({**os.environ, **spec.env}, self.respite)

    @property
    def present(self) -> int:
        """How many pages have a kernel, or will have one in a moment."""
        return len(self._pages) + self._starting

    @property
    def full(self) -> bool:
        """Whether the next visitor's page would get no kernel."""
        return 0 < self.visitors <= self.present - len(self._hosts)

    @property
    def connected(self) -> int:
        """How many pages have their connection up."""
        return sum(self._kernel_connections.get(kernel_id, 0) > 0 for kernel_id in self._pages)

    def processes(self) -> list[int]:
        """The kernels' processes."""
        kernels = [self.get_kernel(kernel_id) for kernel_id in self.list_kernel_ids()]
        found = [getattr(kernel.provisioner, "pid", None) for kernel in kernels]
        return [pid for pid in found if pid is not None]

    async def shutdown_all(  # type: ignore[override]
        self, now: bool = False
    ) -> None:
        """End every kernel and the warm processes."""
        await super().shutdown_all(now=now)
        if self.warm is not None:
            self.warm.end()
            self.warm = None

    async def _async_start_kernel(self, **kwargs: Any) -> str:
        if not self._is_for_a_page(**kwargs):
            return await super()._async_start_kernel(**kwargs)
        if IS_HOST.get():
            kernel_id = await super()._async_start_kernel(**kwargs)
            self._hosts.add(kernel_id)
        else:
            await self._find_a_place()
            self._starting += 1
            try:
                kernel_id = await super()._async_start_kernel(**kwargs)
            finally:
                self._starting -= 1
        self._pages.add(kernel_id)
        self._reap_after(kernel_id, self.connect_within)
        self.add_restart_callback(kernel_id, self._note_a_loss)
        self.add_restart_callback(kernel_id, self._note_a_loss, "dead")
        return kernel_id

    start_kernel = _async_start_kernel  # type: ignore[assignment]

    def notify_connect(self, kernel_id: str) -> None:
        super().notify_connect(kernel_id)
        self._keep(kernel_id)

    def notify_disconnect(self, kernel_id: str) -> None:
        super().notify_disconnect(kernel_id)
        if kernel_id in self._pages and self._kernel_connections.get(kernel_id) == 0:
            self._reap_after(kernel_id, self.grace)

    def start_buffering(
        self, kernel_id: str, session_key: str, channels: Mapping[str, Any]
    ) -> None:
        """Keep what a kernel says while its page is away; more than a page can have lost ends it.

        Jupyter keeps it all, for as long as there is memory.
        """
        super().start_buffering(kernel_id, session_key, channels)
        kept: list[tuple[str, list[bytes]]] = self._kernel_buffers[kernel_id]["buffer"]
        size = 0

        def keep(channel: str, parts: list[bytes]) -> None:
            nonlocal size
            kept.append((channel, parts))
            size += sum(map(len, parts))
            if size > MOST_KEPT and kernel_id in self._pages:
                self.stop_buffering(kernel_id)
                self._reap_after(kernel_id, 0)

        for channel, stream in channels.items():
            stream.on_recv(partial(keep, channel))

    def remove_kernel(self, kernel_id: str) -> Any:
        self._keep(kernel_id)
        self._pages.discard(kernel_id)
        self._hosts.discard(kernel_id)
        return super().remove_kernel(kernel_id)

    def _is_for_a_page(self, **_: Any) -> bool:
        return True

    def _note_a_loss(self) -> None:
        self.lost += 1

    async def _find_a_place(self) -> None:
        """Wait for a place; a page that is loaded anew leaves its former one at this moment.

        Raises:
            web.HTTPError: 503, there is none.
        """
        for _ in range(20):
            if not self.full:
                return
            await asyncio.sleep(PATIENCE / 20)
        self.refused += 1
        raise web.HTTPError(503, f"all {self.visitors} places are taken")

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
