"""A port that leads to another one, and can be cut: a network that fails."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Relay:
    """Hands on what comes to :attr:`port` until it is cut.

    Args:
        port: of the server, on this machine.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: list[socket.socket] = []
        self._cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Drop all connections, and take no new ones."""
        self._cut = True
        for one in self._open:
            _drop(one)
        self._open.clear()

    def mend(self) -> None:
        self._cut = False

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                here.close()
                continue
            try:
                there = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the server is not there
                here.close()
                continue
            self._open += [here, there]
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    _drop(sink)


def _drop(one: socket.socket) -> None:
    with suppress(OSError):  # the other side has gone already
        one.shutdown(socket.SHUT_RDWR)
    one.close()
