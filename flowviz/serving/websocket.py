"""The kernel's websocket: without the delay that TCP adds, for whole messages, and not for ever."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado import web
from tornado.iostream import StreamBufferFullError
from tornado.websocket import WebSocketClosedError

MOST_PARTS = 1000
"""Parts of a binary message, at most; those of our pages have under ten."""
MOST_WAITING = 64 << 20
"""Bytes that wait for a page to take them, or for its kernel, at most; the widgets of a page are a
few million, and a file of the reader's eight."""
AHEAD = 4
"""Messages that ZeroMQ, which counts no bytes, holds for a kernel on each of its channels."""
MOST_OPEN = 20
"""Connections to one kernel, at most: a page has one, and a reader has it in a tab or two."""
TO_KEEP_ONE = 1000
"""Bytes that a message takes beside its own, about; the shortest have thirty."""
INVALID_PAYLOAD = 1007
"""The websocket's code for data that are not what the message should hold (RFC 6455)."""

log = logging.getLogger("flowviz")


class Untaken:
    """What a kernel has been sent since it last had taken everything, on all its connections."""

    def __init__(self) -> None:
        self.streams: WeakSet[Any] = WeakSet()
        self._size = 0

    def add(self, size: int) -> bool:
        """Count a message of so many bytes before it is sent; says whether they are few enough."""
        if not any(stream.sending() for stream in self.streams if not stream.closed()):
            self._size = 0
        self._size += size + TO_KEEP_ONE
        return self._size <= MOST_WAITING


_kernels: WeakKeyDictionary[Any, Untaken] = WeakKeyDictionary()
"""By the kernel's manager: a page that comes again finds what it has sent before."""
_open: WeakKeyDictionary[Any, set[Any]] = WeakKeyDictionary()
"""By the kernel's manager: the connections to it, those that wait for it as well."""


class PromptWebsocketConnection(ZMQChannelsWebsocketConnection):
    """Sends each message at once, and hangs up on whoever sends what is no message, takes none, or
    goes on to send what the kernel does not take.

    Nagle's algorithm against delayed acknowledgements holds a slider's answer back for 40 ms;
    with ``TCP_NODELAY`` the same round trip takes 4 ms.
    """

    _floods = False
    _counted = False

    async def prepare(self) -> None:
        """Wait until the kernel answers.

        Raises:
            web.HTTPError: 503, it has too many connections.
            web.Finish: the page has left meanwhile.
        """
        connections = _open.setdefault(self.kernel_manager, set())
        if len(connections) >= MOST_OPEN:
            raise web.HTTPError(503, f"this kernel has {MOST_OPEN} connections already")
        connections.add(self)
        try:
            await self._register_session()
            await self._until_answered()
        except BaseException:
            connections.discard(self)
            raise
        if self not in connections:
            self._end_asking()
            raise web.Finish

    def connect(self) -> asyncio.Future[None] | None:  # type: ignore[override]
        self._counted = True
        self.websocket_handler.set_nodelay(True)
        self._stream.max_write_buffer_size = MOST_WAITING
        return super().connect()

    def create_stream(self) -> None:
        super().create_stream()
        for stream in self.channels.values():
            stream.socket.sndhwm = AHEAD
        self._untaken.streams.update(self.channels.values())

    def disconnect(self) -> None:  # type: ignore[override]
        _open[self.kernel_manager].discard(self)
        if not self._counted:
            # Jupyter would count a page off that it has not counted: a kernel would be ended under
            # another page, or never.
            if self._open_sessions.get(self.session_key) is self.websocket_handler:
                del self._open_sessions[self.session_key]
            return
        self._counted = False
        super().disconnect()
        if self._floods and self.kernel_id in self.multi_kernel_manager:
            # Not kept for the page's return, as other channels are; what they hold goes with them.
            self.multi_kernel_manager.stop_buffering(self.kernel_id)
            self.channels = {}

    async def _until_answered(self) -> None:
        """Wait until the kernel has said what it is, at most ``kernel_info_timeout`` seconds.

        As Jupyter does in its ``prepare``, whose timer however is not ended with the waiting: for a
        minute it would hold all that belongs to a connection, some 100 kB.
        """
        await asyncio.wrap_future(self.kernel_manager.ready)
        await asyncio.wait_for(self._until_alive(), self.kernel_info_timeout)
        self.session.key = self.kernel_manager.session.key
        answer = self.request_kernel_info()
        await asyncio.wait([answer], timeout=self.kernel_info_timeout)
        if not answer.done():
            log.warning("a kernel has not said what it is")
            self._finish_kernel_info({})

    async def _until_alive(self) -> None:
        while not await self.kernel_manager.is_alive():
            await asyncio.sleep(0.1)

    def _end_asking(self) -> None:
        if self.kernel_info_channel is not None and not self.kernel_info_channel.closed():
            self.kernel_info_channel.close()

    def handle_outgoing_message(self, stream: str, outgoing_msg: list[Any]) -> None:
        try:
            super().handle_outgoing_message(stream, outgoing_msg)
        except StreamBufferFullError:
            log.warning("a page does not take what its kernel sends")
            self._stream.close()

    @property
    def write_message(self) -> Callable[..., Any]:
        """Sends a message; that the page has gone by then is no error."""

        def write(*message: Any, **form: Any) -> Any:
            try:
                sent = self.websocket_handler.write_message(*message, **form)
            except WebSocketClosedError:
                return None  # it is about to go
            if sent is not None:
                sent.add_done_callback(lambda done: done.cancelled() or done.exception())
            return sent

        return write

    def handle_incoming_message(self, incoming_msg: str | bytes) -> None:
        if self._floods:
            return
        if not self._untaken.add(len(incoming_msg)):
            log.warning("a kernel does not take what its page sends")
            self._floods = True
            self._stream.close()
            return
        try:
            # Jupyter counts to what the message says, which may be 2^64 for all visitors to wait.
            if isinstance(incoming_msg, bytes):
                _check_parts(incoming_msg, self.subprotocol is not None)
            super().handle_incoming_message(incoming_msg)  # type: ignore[arg-type]
        except Exception as error:
            # Of any kind: Jupyter reads it without a check.
            log.warning("a page's message was not understood: %r", error)
            self.websocket_handler.close(INVALID_PAYLOAD, "this is no message of Jupyter's")

    @property
    def _untaken(self) -> Untaken:
        return _kernels.setdefault(self.kernel_manager, Untaken())

    @property
    def _stream(self) -> Any:
        """The connection to the browser."""
        connection: Any = self.websocket_handler.ws_connection
        return connection.stream


def _check_parts(message: bytes, subprotocol: bool) -> None:
    """See that a binary message has the parts that it says it has.

    Args:
        message: as it came.
        subprotocol: whether it is in the later of Jupyter's two binary forms.

    Raises:
        ValueError: it has not, or they are too many.
        struct.error: it is too short to say.
    """
    number, size = ("<Q", 8) if subprotocol else ("!i", 4)
    (count,) = struct.unpack_from(number, message)
    if not 0 < count <= MOST_PARTS or size * (count + 1) > len(message):
        raise ValueError(f"{count} parts in {len(message)} bytes")
