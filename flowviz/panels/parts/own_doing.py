"""What a panel does to its stages, told apart from what the user does to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from flowviz.widgets.stage import Stage


class OwnDoing:
    """Hears of the changes to stages that are the user's.

    A stage's traits change by the page and by the panel, and observers hear of both. What a thread
    changes within :meth:`ours` is the panel's own, whatever other threads do meanwhile.

    Args:
        *stages: what is set within :meth:`ours` goes to the page in one message each.
    """

    def __init__(self, *stages: Stage) -> None:
        self._stages = stages
        self._thread = threading.local()

    def hear(self, stage: Stage, trait: str, take: Callable[[Any], None]) -> None:
        """Call ``take`` with what the user made of a trait."""

        def heard(change: Any) -> None:
            if not getattr(self._thread, "sets", False):
                take(change["new"])

        stage.observe(heard, names=[trait])

    @contextmanager
    def ours(self) -> Iterator[None]:
        """What this thread sets on the stages now is not the user's doing."""
        outer = getattr(self._thread, "sets", False)
        self._thread.sets = True
        try:
            with ExitStack() as held:
                for stage in self._stages:
                    held.enter_context(stage.hold_sync())
                yield
        finally:
            self._thread.sets = outer
