"""A process that prepares itself for being a kernel, and is one when it is told which."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

THREADS = "OMP_NUM_THREADS"
BEGINNING = (
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "flowviz.serving.page_kernel",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "psutil",
    "sqlite3",
    "tornado.platform.asyncio",
)
"""What a kernel imports by itself before its first cell."""
NO_HISTORY = "--HistoryManager.enabled=False"
"""Nobody types into a page's kernel, and all kernels of a user would share one file of history."""


@dataclass(frozen=True)
class Wanted:
    """The kernel that a process is to be.

    Attributes:
        arguments: of ``ipykernel_launcher``.
        environment: all that the kernel finds in its environment.
        folder: in which it runs; None for the server's own.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: str | None = None

    @property
    def line(self) -> bytes:
        """It as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Wanted:
        """The inverse of :attr:`line`."""
        return cls(**json.loads(line))


def prepare() -> None:
    """Import what kernels need, and have made once what takes long for the first time."""
    # As in a kernel, the folder is on the path only once the imports are done.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    # No page debugs its kernel: what its debugger warns of concerns nobody.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    for module in BEGINNING:
        import_module(module)
    import ipywidgets  # noqa: F401, after ipykernel, which makes its comms

    from flowviz import panels
    from flowviz.dashboard import ahead

    for name in panels.names():
        panels.entry(name).load()
    # What every panel needs is there afterwards: thumbnails of targets, weights, scripts.
    with suppress(Exception):  # it comes again, in words, on the page
        ahead.make(panels.landing())


def be(wanted: Wanted) -> None:
    """Be the kernel, until it ends."""
    import ipywidgets
    from ipykernel.kernelapp import IPKernelApp

    # A kernel's own standard input comes over its socket.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(wanted.environment)
    os.chdir(wanted.folder or ".")
    app: Any = IPKernelApp.instance()
    app.initialize([*wanted.arguments, NO_HISTORY])
    # ipywidgets does so when it is imported, if there is a kernel then.
    ipywidgets.register_comm_target()
    app.start()
