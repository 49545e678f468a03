"""Widgets that are made before their page asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comm
import ipywidgets as widgets
from ipykernel.comm.comm import BaseComm
from ipykernel.kernelbase import Kernel


class _LateComm(BaseComm):
    """A comm that says nothing as long as no page has asked."""

    unheard = True

    def publish_msg(self, *args: Any, **kwargs: Any) -> None:
        if not self.unheard:
            super().publish_msg(*args, **kwargs)
        elif self.kernel is None and Kernel.initialized():
            self.kernel = Kernel.instance()  # without one a widget takes its comm for closed


@contextmanager
def unheard() -> Iterator[None]:
    """Let widgets that are made in this block say nothing until its end, if no page has asked yet.

    A page that opens asks for all widgets and their states at once. What a panel's two hundred
    widgets said before would go through the server all the same: a third of what a visit costs it.
    """
    # By which a page asks. It closes it when it was told, and is still there to be told of more.
    if widgets.Widget._control_comm is not None:
        yield
        return
    create, made = comm.create_comm, []

    def create_late(*args: Any, **kwargs: Any) -> _LateComm:
        made.append(_LateComm(*args, **kwargs))
        return made[-1]

    comm.create_comm = create_late
    try:
        yield
    finally:
        comm.create_comm = create
        for one in made:
            one.unheard = False
