"""A page's session with its kernel, in the widgets' protocol and without a browser."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.load.wire import CONTROL, PROTOCOL, Message, pack, unpack

PATIENCE = 60.0
"""Seconds after which an answer is a failure."""


class Session:
    """One page: it is loaded, takes its widgets, and speaks with them.

    Args:
        origin: the server's address.
        token: lets in.
    """

    def __init__(self, origin: str, token: str) -> None:
        self.kernel = ""
        """The kernel's name, once the page is loaded."""
        self.widgets: dict[str, dict[str, Any]] = {}
        """The widgets' states by their names, as they were when it connected."""
        self._origin, self._token = origin, token
        self._name = uuid.uuid4().hex
        self._socket: WebSocketClientConnection | None = None

    async def load(self, query: str) -> None:
        """Load the page at a state of the dashboard."""
        address = f"{self._origin}/?{query}&token={self._token}"
        page = await AsyncHTTPClient().fetch(address, request_timeout=PATIENCE)
        found = re.search(r'kernelId = "([\w-]+)"', page.body.decode())
        if found is None:
            raise AssertionError("the page names no kernel")
        self.kernel = found[1]

    async def connect(self) -> None:
        """Open the websocket, and take the widgets."""
        socket = self._origin.replace("http", "ws", 1)
        self._socket = await websocket_connect(
            f"{socket}/api/kernels/{self.kernel}/channels"
            f"?token={self._token}&session_id={self._name}",
            subprotocols=[PROTOCOL],
            max_message_size=2**28,
        )
        self.widgets = await self.states()

    async def states(self) -> dict[str, dict[str, Any]]:
        """The widgets' states as they are now, by their names."""
        control = uuid.uuid4().hex
        await self.send("comm_open", control, {}, target_name="jupyter.widget.control")
        await self.send("comm_msg", control, {"method": "request_states"})
        told = await self.until(lambda message: message.content.get("comm_id") == control)
        await self.send("comm_close", control, {})
        return {name: one["state"] for name, one in told.with_buffers("states").items()}

    def all(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """The page's widgets of a kind: their names and states."""
        found = [
            (name, state)
            for name, state in self.widgets.items()
            if str(state.get("_anywidget_id", "")).endswith("." + kind)
        ]
        if not found:
            raise AssertionError(f"the page has no {kind}")
        return found

    async def update(self, widget: str, **state: Any) -> None:
        """Change a widget as a page does."""
        await self.send("comm_msg", widget, {"method": "update", "state": state})

    async def press(self, widget: str, **content: Any) -> None:
        """Send a widget a message of its own."""
        await self.send("comm_msg", widget, {"method": "custom", "content": content})

    async def send(
        self,
        kind: str,
        comm: str,
        data: Any,
        buffers: Sequence[bytes] = (),
        version: str = CONTROL,
        **content: Any,
    ) -> str:
        """Send a message; gives its id."""
        assert self._socket is not None
        body = {"comm_id": comm, "data": data, **content}
        name, message = pack(kind, body, self._name, buffers=buffers, version=version)
        await self._socket.write_message(message, binary=True)
        return name

    async def hear(self) -> Message:
        """The next message.

        Raises:
            ConnectionError: the server has hung up.
        """
        assert self._socket is not None
        data = await self._socket.read_message()
        if data is None:
            raise ConnectionError("the server closed the connection")
        assert isinstance(data, bytes)
        return unpack(data)

    async def until(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message that is wanted."""

        async def look() -> Message:
            while not wanted(message := await self.hear()):
                pass
            return message

        return await asyncio.wait_for(look(), PATIENCE)

    async def hear_for(self, seconds: float) -> None:
        """Listen for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self.hear(), left)
            except asyncio.TimeoutError:
                return

    def leave(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
