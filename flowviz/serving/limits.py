"""How much a server for many visitors gives away, and what it prints of that."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil

A_KERNEL = 120
"""Megabytes that a visitor's kernel has of its own, as measured with a trained flow, and room."""
THE_REST = 1500
"""Megabytes for the server, what all kernels share, who writes the static pages, and the system."""
A_CORE = 60
"""Visitors whom one core answers in time, where most read and some drag."""


def visitors_here() -> int:
    """How many visitors this machine has memory and cores for.

    Raises:
        ValueError: it has memory for none.
    """
    free = psutil.virtual_memory().available // 2**20
    by_memory = (free - THE_REST) // A_KERNEL
    if by_memory < 1:
        raise ValueError(
            f"{free} MB of memory are free, and {THE_REST + A_KERNEL} MB are the least that a "
            "server for visitors needs; --visitors N starts it all the same"
        )
    return int(min(by_memory, A_CORE * (os.cpu_count() or 1)))


@dataclass(frozen=True)
class Limits:
    """What visitors may take.

    Attributes:
        visitors: the most that have a kernel at a time.
        memory: megabytes that a kernel may have of its own.
        idle: minutes after which a kernel that nobody uses is ended, its page still open.
        grace: seconds for which a kernel waits for a page whose connection is gone.
    """

    visitors: int
    memory: int = 1500
    idle: float = 30
    grace: float = 120

    def lines(self) -> list[str]:
        """What is printed at the server's start."""
        return [
            f"up to {self.visitors} visitors at a time (--visitors)",
            f"{self.memory} MB of memory for each (--memory)",
            f"ended after {self.idle:g} minutes without use (--idle), "
            f"{self.grace:g} seconds after a lost connection (--grace)",
        ]
