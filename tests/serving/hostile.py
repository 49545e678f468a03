"""A page's websocket in hostile hands: any message, in each of Jupyter's three forms."""

from __future__ import annotations

import asyncio
import json
import struct
import uuid
from contextlib import suppress

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from tests.conftest import Server
from tests.load import wire

PATIENCE = 60


def _text(kind: str, content: dict, channel: str) -> tuple[str, str]:
    name = uuid.uuid4().hex
    header = {"msg_id": name, "msg_type": kind, "session": "s", "username": "", "version": "5.3"}
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {"version": wire.WIDGETS},
        "content": content,
    }
    return name, json.dumps({**message, "channel": channel})


def _binary(kind: str, content: dict, channel: str) -> tuple[str, bytes]:
    name, text = _text(kind, content, channel)
    return name, struct.pack("!iI", 1, 8) + text.encode()


def _latest(kind: str, content: dict, channel: str) -> tuple[str, bytes]:
    return wire.pack(kind, content, "s", channel)


FORMS = {"text": _text, "binary": _binary, "latest": _latest}


class Socket:
    """The websocket of a kernel.

    Args:
        server: which lets in by its token.
        kernel: its name.
        form: a key of :data:`FORMS`.
        headers: more of the request's.
        address: the websocket's path and query; that of the kernel with the token by default.
    """

    def __init__(
        self,
        server: Server,
        kernel: str,
        form: str = "latest",
        headers: dict[str, str] | None = None,
        address: str | None = None,
    ) -> None:
        channels = f"/api/kernels/{kernel}/channels"
        path = address or f"{channels}?session_id={uuid.uuid4().hex}&token={server.token}"
        self._request = HTTPRequest(server.origin.replace("http", "ws", 1) + path, headers=headers)
        self._form = form
        self._socket: WebSocketClientConnection

    async def __aenter__(self) -> Socket:
        latest = [wire.PROTOCOL] if self._form == "latest" else None
        self._socket = await websocket_connect(self._request, subprotocols=latest)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, kind: str, content: dict | None = None, channel: str = "shell") -> str:
        """Send a message; gives its id."""
        name, data = FORMS[self._form](kind, content or {}, channel)
        await self.send_raw(data)
        return name

    async def send_raw(self, data: str | bytes) -> None:
        with suppress(WebSocketClosedError):  # which what is heard next tells
            await self._socket.write_message(data, binary=isinstance(data, bytes))

    async def until_answered(self, channel: str = "shell") -> list[wire.Message]:
        """What is heard until all that was sent on a channel has been dealt with."""
        asked, heard = await self.send("kernel_info_request", channel=channel), []
        while True:
            heard.append(await self._hear())
            if heard[-1].kind == "kernel_info_reply" and heard[-1].parent == asked:
                return heard

    async def closed(self) -> int | None:
        """The code with which the server hangs up; None if it does not wait for the message."""
        while await asyncio.wait_for(self._socket.read_message(), PATIENCE) is not None:
            pass
        return self._socket.close_code

    async def _hear(self) -> wire.Message:
        data = await asyncio.wait_for(self._socket.read_message(), PATIENCE)
        assert data is not None, f"the server hung up: {self._socket.close_code}"
        if isinstance(data, bytes):
            return wire.unpack(data)
        told = json.loads(data)
        return wire.Message(
            told["header"]["msg_type"], told["parent_header"].get("msg_id", ""), told["content"]
        )
