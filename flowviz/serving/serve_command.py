"""``flowviz serve``: the dashboard for a class on one machine."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowviz.serving.limits import Limits, visitors_here

SHORTEST = 8
"""Characters of a token or a password, at least: whoever guesses it gets a Python on the server."""


def add(commands: Any, address_options: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the command and its options.

    Args:
        commands: the commands of ``flowviz``.
        address_options: adds the options of every server.
    """
    serve = commands.add_parser(
        "serve",
        help="serve the dashboard for many visitors at once",
        description="Serves the dashboard for many visitors at once: as many as there are places, "
        "each with a Python of their own, which ends when they leave. /health says whether there "
        "is room; /metrics has numbers for Prometheus.",
    )
    address_options(serve)
    serve.add_argument(
        "--visitors",
        type=_at_least(1),
        metavar="N",
        help="the most visitors at a time (default: as many as memory and cores allow)",
    )
    serve.add_argument(
        "--memory",
        type=_at_least(500),
        default=Limits.memory,
        metavar="MB",
        help="the most memory that a visitor's Python may have of its own (default: %(default)s)",
    )
    serve.add_argument(
        "--idle",
        type=_at_least(1),
        default=Limits.idle,
        metavar="MINUTES",
        help="end a visitor's Python after so long without use (default: %(default)s)",
    )
    serve.add_argument(
        "--grace",
        type=_at_least(5),
        default=Limits.grace,
        metavar="SECONDS",
        help="keep it for so long after the connection is lost, as when a lid is closed "
        "(default: %(default)s)",
    )
    serve.add_argument(
        "--token",
        type=_secret,
        default=os.environ.get("FLOWVIZ_TOKEN"),
        metavar="TEXT",
        help=f"the token in the link that lets visitors in, {SHORTEST} characters or more "
        "(default: FLOWVIZ_TOKEN in the environment, or a new one at each start)",
    )
    serve.add_argument(
        "--password",
        type=_secret,
        default=os.environ.get("FLOWVIZ_PASSWORD", ""),
        metavar="TEXT",
        help=f"what visitors without the token may type, {SHORTEST} characters or more (default: "
        "FLOWVIZ_PASSWORD, or none)",
    )
    serve.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="let the class see itself: predictions, drawings and goals counted on the lecturer's "
        "page, and panels that follow the lecturer's",
    )
    serve.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="keep the class's answers in this SQLite file (default: forgotten after an hour)",
    )


def run(options: argparse.Namespace, port: int) -> None:
    """Serve until a signal comes."""
    from flowviz.serving import classroom, voila_server

    limits = Limits(
        visitors=options.visitors or visitors_here(),
        memory=options.memory,
        idle=options.idle,
        grace=options.grace,
    )
    config = voila_server.configuration(
        options.host, port, options.theme, options.base_url, options.allow_host, limits
    )
    if options.token:
        config.Voila.token = options.token
        config.Voila.cookie_secret = _cookie_secret(options.token, options.password)
    config.TokenIdentityProvider.password = options.password
    server = voila_server.DashboardServer(
        open_browser=False, says=limits.lines(), offers_pages=True, config=config
    )
    if options.class_name is not None:
        classroom.add(server, options.class_name, options.keep)
    elif options.keep is not None:
        raise ValueError("what is kept is of a class: flowviz serve --class NAME --keep FILE")
    server.initialize([])
    server.start()


def _cookie_secret(token: str, password: str) -> bytes:
    """The same at each start with these, so that those who were let in need not ask again."""
    given = f"{token}\n{password}".encode()
    return hashlib.scrypt(given, salt=b"flowviz serve", n=2**14, r=8, p=1)


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        try:
            given = int(text)
        except ValueError:
            given = least - 1
        if given < least:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not understood; allowed are whole numbers from {least} on"
            )
        return given

    return number


def _secret(text: str) -> str:
    if text and (len(text) < SHORTEST or not text.isprintable()):
        raise argparse.ArgumentTypeError(
            f"its length is {len(text)}; allowed are {SHORTEST} printable characters or more"
        )
    return text
