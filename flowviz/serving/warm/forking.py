"""The process that forks kernels: ``python -m flowviz.serving.warm.forking SOCKET PIPE``.

It imports everything with one thread, for a fork takes along the memory of all threads and the
locks that they hold, but only the one that forks. Then it answers each line of its socket, a kernel
that is wanted, with the number and a file descriptor of a new process. While nobody asks it makes
the panels that a visitor may turn to.
"""

from __future__ import annotations

import gc
import os
import random
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from flowviz.serving.warm.waiting import THREADS, Wanted, be, prepare

NICENESS = 5
"""By so much kernels come after the server, which speaks for all of them."""


def serve(server: socket.socket, pipe: int) -> None:
    """Fork the kernels that the server asks for, until it is gone.

    Args:
        server: the connection to the server.
        pipe: a pipe that ends with the server.
    """
    prepare()
    _warm_up()
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise RuntimeError(f"kernels cannot be forked: {threads} threads run")
    _keep_what_is_there()
    # The system forgets children that have ended; the server has their descriptors.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    panels_to_come = _make_panels()
    with server.makefile("rb") as lines:
        while True:
            while not _is_asked(server) and next(panels_to_come, False):
                _keep_what_is_there()
            line = lines.readline()
            if not line:
                return
            pid = os.fork()
            if pid == 0:
                server.close()
                return _be_forked(Wanted.read(line), pipe)
            _hand_over(server, pid)


def _is_asked(server: socket.socket) -> bool:
    """Whether the server wants a kernel now, or is gone. It waits for one before the next."""
    return bool(select.select([server], [], [], 0)[0])


def _keep_what_is_there() -> None:
    """What is there is there for good: a child's collector need not look at it, and copy it."""
    gc.collect()
    gc.freeze()


def _make_panels() -> Iterator[bool]:
    """Make the panels that no visitor lands on, one at each step; True for each."""
    from flowviz import panels
    from flowviz.dashboard import ahead

    for name in panels.names():
        if name != panels.landing():
            with suppress(Exception):  # it comes again, in words, on the page
                ahead.make(name)
            yield True


def _hand_over(server: socket.socket, pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        server.sendall(b"ended")
        return
    socket.send_fds(server, [str(pid).encode()], [descriptor])
    os.close(descriptor)


def _warm_up() -> None:
    """Make a few training steps: their first one loads much of PyTorch."""
    from flowviz import flows, targets
    from flowviz.training import Trainer, maximum_likelihood

    flow = flows.catalog.make("rq_spline_coupling", dim=2, layers=1, seed=0)
    loss = maximum_likelihood(targets.make("two_moons"))
    for _ in Trainer(flow, loss, average=80, seed=0).run(3):
        pass


def _be_forked(wanted: Wanted, pipe: int) -> None:
    """Be the kernel in this new process."""
    import torch

    # In a group of its own, but in the session of all: Linux weighs niceness within a session.
    os.setpgid(0, 0)
    os.nice(NICENESS)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    _draw_seeds_anew()
    torch.set_num_threads(int(wanted.environment.get(THREADS, 1)))
    # A parent that it need not watch; without any it would tell the terminal how to connect to it.
    be(replace(wanted, arguments=[*wanted.arguments, "--IPKernelApp.parent_handle=1"]))


def _end_with(pipe: int) -> None:
    """End this process once nobody can write to the pipe any more."""
    os.read(pipe, 1)
    os._exit(1)


def _draw_seeds_anew() -> None:
    """Else all kernels would draw the same numbers."""
    import numpy as np
    import torch

    random.seed()
    np.random.seed()
    torch.seed()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
