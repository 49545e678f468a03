"""Messages of a page's websocket, in Jupyter's binary form (v1.kernel.websocket.jupyter.org)."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

PROTOCOL = "v1.kernel.websocket.jupyter.org"
CONTROL, WIDGETS = "1.0.0", "2.1.0"
"""The versions that ipywidgets wants to see in what opens its control channel, or a widget."""


@dataclass(frozen=True)
class Message:
    """What a kernel sent."""

    kind: str
    parent: str
    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()

    @property
    def updates(self) -> bool:
        """Whether it changes a widget, perhaps by its buffers alone."""
        return self.content.get("data", {}).get("method") == "update"

    @property
    def state(self) -> dict[str, Any]:
        """The traits that it changes, if it changes a widget."""
        return self.content.get("data", {}).get("state", {})

    def with_buffers(self, part: str) -> dict[str, Any]:
        """What it says of a widget (``state``) or of all (``states``), buffers and all."""
        data = self.content["data"]
        for (*way, last), buffer in zip(data["buffer_paths"], self.buffers, strict=True):
            place = data[part]
            for step in way:
                place = place[step]
            place[last] = buffer
        whole: dict[str, Any] = data[part]
        return whole


def pack(
    kind: str,
    content: dict[str, Any] | bytes,
    session: str,
    channel: str = "shell",
    buffers: Sequence[bytes] = (),
    version: str = CONTROL,
) -> tuple[str, bytes]:
    """A message to the kernel: its id, and its bytes; content that is bytes is as it is."""
    name = uuid.uuid4().hex
    header = {
        "msg_id": name,
        "msg_type": kind,
        "session": session,
        "username": "",
        "date": "2000-01-01T00:00:00Z",
        "version": "5.3",
    }
    texts = [json.dumps(part).encode() for part in (header, {}, {"version": version})]
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    parts = [channel.encode(), *texts, body, *buffers]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return name, struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets) + b"".join(parts)


def unpack(data: bytes) -> Message:
    """The inverse, for what the kernel sends."""
    (count,) = struct.unpack_from("<Q", data)
    offsets = struct.unpack_from(f"<{count}Q", data, 8)
    parts = [data[start:end] for start, end in pairwise(offsets)]
    header, parent, _, content = map(json.loads, parts[1:5])
    return Message(header["msg_type"], parent.get("msg_id", ""), content, tuple(parts[5:]))
