"""A widget that two threads change at once: the one that hears the page, and a job's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anywidget


class SharedWidget(anywidget.AnyWidget):
    """A widget that one thread at a time changes in several steps.

    ipywidgets keeps what is yet to be sent, and traitlets what is yet to be told, once for all
    threads: of two in ``hold_sync`` one throws the other's changes away, or stumbles over them. So
    the others wait. What the page says is told to observers when nobody has to wait any more: an
    observer may itself wait for a job, and the job be about to draw on this widget.
    """

    def __init__(self, *args: Any, **traits: Any) -> None:
        self._one_writer = threading.RLock()
        self._own = threading.local()  # ``untold``: what observers hear of later, if they do
        super().__init__(*args, **traits)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send what changes inside in one message. One thread at a time is inside."""
        with self._one_writer, super().hold_sync():
            yield

    def get_state(self, *args: Any, **options: Any) -> dict[str, Any]:
        """What the page is told, never from the middle of another thread's change."""
        with self._one_writer:
            state: dict[str, Any] = super().get_state(*args, **options)
            return state

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page says, but not in the middle of another thread's change."""
        with self._one_writer:
            untold: list[Any] = []
            self._own.untold = untold
            try:
                super().set_state(sync_data)
            finally:
                self._own.untold = None
        for change in untold:
            self._notify_observers(change)

    def _notify_observers(self, event: Any) -> None:
        untold = getattr(self._own, "untold", None)
        if untold is None:
            super()._notify_observers(event)
        else:
            untold.append(event)

    def _should_send_property(self, key: str, value: Any) -> bool:
        with self._one_writer:
            send: bool = super()._should_send_property(key, value)
            return send
