"""What Jupyter must be able to do with a kernel's process."""

from __future__ import annotations

from typing import Any, Protocol


class Process(Protocol):
    """The part of :class:`subprocess.Popen` by which kernels are watched and ended."""

    pid: int
    stdin: Any
    stdout: Any
    stderr: Any

    def poll(self) -> int | None:
        """None while it runs, and a number from then on."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""
