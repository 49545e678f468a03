"""The streams on which the pages of a class hear of it: server-sent events."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.iostream import StreamClosedError

from flowviz.serving.classroom import access
from flowviz.serving.classroom.audience import Audience, event
from flowviz.serving.classroom.handlers import STUDENT, ClassHandler, Refused

MOST_STREAMS = 2000
"""So many pages of students hear of a class at once; the lecturer's always do."""


class StreamHandler(ClassHandler):
    """Server-sent events: everything at first, then every change.

    Who was away joins again and gets everything: nothing is replayed.
    """

    _sending: asyncio.Future[None] | None = None
    _behind = False

    async def listen(self, audience: Audience, hello: dict[str, Any]) -> None:
        """Until the page goes: ``hello``, and then as the audience hears."""
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache, no-transform")
        self.set_header("X-Accel-Buffering", "no")  # nginx would wait for more
        if self.request.connection is not None:
            self.request.connection.stream.set_nodelay(True)  # type: ignore[attr-defined]
        self._audience, self._gone = audience, asyncio.Event()
        self.write("retry: 2000\n" + event("hello", hello))
        audience.join(self)
        try:
            await self._gone.wait()
        finally:
            audience.leave(self)

    def send(self, text: str) -> None:
        if self._sending is not None and not self._sending.done():
            self._behind = True
            return
        self._behind = False
        self.write(text)
        self._sending = asyncio.ensure_future(self.flush())
        self._sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Future[None]) -> None:
        if sending.cancelled():
            return
        error = sending.exception()
        if isinstance(error, StreamClosedError):
            self._gone.set()
        elif self._behind and not self._gone.is_set():
            self.send(self._audience.whole())

    def on_connection_close(self) -> None:
        if hasattr(self, "_gone"):
            self._gone.set()


class StudentStream(StreamHandler):
    """What the students may know; a page of the lecturer's browser hears that it may lead."""

    async def get(self) -> None:
        student = self.get_query_argument("student", "")
        if not STUDENT.fullmatch(student):
            raise Refused(400, "student= is 32 hexadecimal digits, drawn by the browser")
        lecturer = access.is_lecturer(self, self.room)
        if len(self.room.students) >= MOST_STREAMS and not lecturer:
            raise Refused(503, f"a class is heard of by at most {MOST_STREAMS} pages")
        hello = {"lecturer": lecturer}
        if lecturer:
            await self.listen(self.room.students, hello)
            return
        self.room.presence.come(student)
        try:
            await self.listen(self.room.students, hello)
        finally:
            self.room.presence.go(student)


class BoardStream(StreamHandler):
    """Everything, for the lecturer's page."""

    async def get(self) -> None:
        self.require_lecturer()
        await self.listen(self.room.board, {"lecturer": True})
