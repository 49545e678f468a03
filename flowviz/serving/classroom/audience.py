"""Pages that hear of a class by server-sent events, five times a second at most."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Hashable
from typing import Any, Protocol

EVERY = 0.2
"""Seconds between two tidings: however many answers come, so seldom are all pages told."""
BREATH = 15.0
"""Seconds between two signs of life: proxies close silent connections, and pages open new ones."""

Message = dict[str, Any]


class Listener(Protocol):
    """The connection of a page."""

    def send(self, text: str) -> None:
        """Send on, or leave out what the page is too slow for and send the whole later."""


def event(kind: str, message: Message) -> str:
    """An event as it goes over the wire."""
    return f"event: {kind}\ndata: {json.dumps(message, separators=(',', ':'))}\n\n"


class Audience:
    """Pages that are told the same.

    Args:
        whole: all there is to tell now; a page gets it when it joins.
        part: what is to be told of the topics that have changed; empty for nothing.
    """

    def __init__(
        self, whole: Callable[[], Message], part: Callable[[set[Hashable]], Message]
    ) -> None:
        self._whole, self._part = whole, part
        self._listeners: set[Listener] = set()
        self._changed: set[Hashable] = set()
        self._told = 0.0
        self._next: asyncio.TimerHandle | None = None
        self._breath: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Tell a page everything, and of every change from now on."""
        self._listeners.add(listener)
        listener.send(self.whole())
        if self._breath is None:
            self._breath = asyncio.get_running_loop().call_later(BREATH, self._breathe)

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def whole(self) -> str:
        """The event with all there is to tell."""
        return event("whole", self._whole())

    def changed(self, *topics: Hashable) -> None:
        """Tell all pages of these topics, soon."""
        self._changed.update(topics)
        if self._next is None:
            wait = max(0.0, self._told + EVERY - time.monotonic())
            self._next = asyncio.get_running_loop().call_later(wait, self._tell)

    def _tell(self) -> None:
        self._next = None
        self._told = time.monotonic()
        topics, self._changed = self._changed, set()
        message = self._part(topics)
        if message:
            self._send(event("change", message))

    def _breathe(self) -> None:
        self._send(event("breath", {}))
        running = asyncio.get_running_loop() if self._listeners else None
        self._breath = None if running is None else running.call_later(BREATH, self._breathe)

    def _send(self, text: str) -> None:
        for listener in list(self._listeners):
            listener.send(text)


class Presence:
    """How many students are there: their pages are in sight, or were a moment ago.

    Args:
        changed: called when the number may have changed.
    """

    GRACE = 10.0
    """Seconds for which a page that has gone is waited for: it may be reconnecting."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._pages: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def come(self, student: str) -> None:
        self._pages[student] = self._pages.get(student, 0) + 1
        self._changed()

    def go(self, student: str) -> None:
        asyncio.get_running_loop().call_later(self.GRACE, self._gone, student)

    def _gone(self, student: str) -> None:
        self._pages[student] -= 1
        if not self._pages[student]:
            del self._pages[student]
        self._changed()
