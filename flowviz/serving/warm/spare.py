"""One process at a time that waits for being the next visitor's kernel."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from subprocess import PIPE, Popen

from jupyter_client.launcher import launch_kernel

from flowviz.serving.warm.waiting import Wanted, be, prepare


class Spare:
    """A process that waits for being a kernel; it ends by itself when its server is gone.

    Args:
        environment: that of the process from its start; what a kernel adds comes later.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process: Popen[bytes] = launch_kernel(
            [sys.executable, "-m", __name__], stdin=PIPE, env=dict(environment)
        )

    def become(self, wanted: Wanted) -> Popen[bytes] | None:
        """Let it be a kernel, as soon as its preparations are done.

        Returns:
            The kernel's process, or None where the spare has died in the meantime.
        """
        assert self.process.stdin is not None
        try:
            with self.process.stdin as stdin:
                stdin.write(wanted.line)
        except OSError:
            return None
        return self.process if self.process.poll() is None else None

    def end(self) -> None:
        """End the process, which nobody needs any more."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()


class Spares:
    """A spare process, and another one some time after it was taken.

    Args:
        environment: that of the processes from their start.
        respite: seconds between a kernel's start and that of the next spare, in which the page
            that asked for it has been drawn.
    """

    def __init__(self, environment: Mapping[str, str], respite: float) -> None:
        self._environment = environment
        self._respite = respite
        self._next: asyncio.TimerHandle | None = None
        self.spare: Spare | None = None
        self._begin()

    async def take(self, wanted: Wanted) -> Popen[bytes] | None:
        """The spare process, now on its way to be that kernel; None without one."""
        spare, self.spare = self.spare, None
        if spare is None:
            return None
        self._next = asyncio.get_running_loop().call_later(self._respite, self._begin)
        return spare.become(wanted)

    def end(self) -> None:
        """End the process that waits, if one does."""
        if self._next is not None:
            self._next.cancel()
        if self.spare is not None:
            self.spare.end()
            self.spare = None

    def _begin(self) -> None:
        self.spare = Spare(self._environment)


if __name__ == "__main__":
    prepare()
    told = sys.stdin.buffer.readline()
    if told:  # otherwise the server is gone
        be(Wanted.read(told))
