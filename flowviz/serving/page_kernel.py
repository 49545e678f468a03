"""A page's kernel: what goes wrong behind the page is in the server's log, and not in the page.

Where a notebook is worked on, IPython sends an error to its reader, with the lines of code around
it. The visitor of a page has not written them: what a message of theirs cannot do is told to who
runs the server, as all that the kernel logs.
"""

from __future__ import annotations

import json
import logging
import sys
from time import monotonic
from typing import Any

import zmq
from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import json_unpacker

LONGEST = 8_000
"""Characters of an entry, at most: what a visitor has sent may be in it."""
MOST = 30
"""Entries a minute, at most."""

log = logging.getLogger("flowviz")


class PageShell(ZMQInteractiveShell):
    """Shows errors to the cells of a notebook alone, which the server itself runs."""

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        if self.parent_header.get("header", {}).get("msg_type") == "execute_request":
            super().showtraceback(*args, **kwargs)
        else:
            log.error("a page's message could not be answered", exc_info=True)


class PageKernel(IPythonKernel):
    """A kernel whose log is the server's, and that takes in what it can tell again."""

    shell_class = PageShell

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        assert self.session is not None
        self.session.unpack = unpack
        handler = logging.StreamHandler(sys.__stderr__)
        handler.setLevel(logging.ERROR)
        handler.setFormatter(Plain())
        handler.addFilter(Sparing())
        logging.getLogger().addHandler(handler)
        logging.captureWarnings(True)

    async def dispatch_control(self, msg: Any) -> None:
        """As it is, but for the last one: what answers it may have been closed meanwhile.

        A kernel that is shut down closes its sockets from another thread than the one in which it
        says that it does (ipython/ipykernel#1518 mends one of the places).
        """
        try:
            await super().dispatch_control(msg)
        except zmq.ZMQError as error:
            if error.errno != zmq.ENOTSOCK:
                raise


def unpack(packed: bytes) -> Any:
    """A part of a message, with a question mark for each half of a character.

    JSON can say one of the two that UTF-16 has for some characters; UTF-8 cannot, and a widget that
    held it could not be sent to the page any more.
    """
    part = json_unpacker(packed)
    if b"\\ud" in packed or b"\\uD" in packed:
        part = json.loads(json.dumps(part, ensure_ascii=False).encode("utf-8", "replace"))
    return part


class Plain(logging.Formatter):
    """An entry of bounded length, in characters that a terminal does not obey."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)[:LONGEST]
        return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


class Sparing(logging.Filter):
    """Lets so many entries through as a disk can take from whoever makes them on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self._since, self._count = monotonic(), 0

    def filter(self, record: logging.LogRecord) -> bool:
        if monotonic() - self._since > 60:
            self._since, self._count = monotonic(), 0
        self._count += 1
        return self._count <= MOST
