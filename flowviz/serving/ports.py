"""Which ports can be listened on, and under which address others find this machine."""

from __future__ import annotations

import errno
import socket

HIGHEST = 65535


def is_free(host: str, port: int) -> bool:
    """Whether a server can listen on ``port`` at every address that ``host`` names.

    Raises:
        ValueError: ``host`` is no address of this machine, or the port is a privileged one.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ValueError(f"the host {host!r} is not known: {error.strerror}") from error
    usable = 0
    for family, kind, protocol, _, address in found:
        try:
            probe = socket.socket(family, kind, protocol)
        except OSError:  # this machine has no IPv6
            continue
        with probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
                if error.errno == errno.EACCES:
                    raise ValueError(
                        f"this user may not listen on port {port}: take one from 1024 upwards"
                    ) from error
                # A name may resolve to an address that is not configured, such as ::1.
                continue
            usable += 1
    if not usable:
        raise ValueError(f"the host {host!r} is not an address of this machine")
    return True


def next_free(host: str, port: int) -> int:
    """The first free port above ``port``.

    Raises:
        ValueError: there is none, or ``host`` is not an address of this machine.
    """
    for candidate in range(port + 1, HIGHEST + 1):
        if is_free(host, candidate):
            return candidate
    raise ValueError(f"no port above {port} is free on {host}")


def outward() -> str:
    """The address by which others find this machine; "localhost" where it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Of documentation: nothing is sent, the system only says which way it would go.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "localhost"
        return str(probe.getsockname()[0])
