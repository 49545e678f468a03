"""The ``flowviz`` command: the dashboard in a browser, the lessons in JupyterLab, or a site."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flowviz import __version__
from flowviz.serving import ports

VOILA_PORT = 8866
LAB_PORT = 8888
LESSONS = Path("flowviz-lessons")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        prog="flowviz",
        description="Normalizing flows you can touch: opens the flowviz dashboard in a browser.",
    )
    p.add_argument(
        "--lab",
        nargs="?",
        type=Path,
        const=True,
        metavar="FOLDER",
        help="open the lesson notebooks in JupyterLab instead; with a folder, copies of them there "
        f"(without one: the checkout's own, or ./{LESSONS} where flowviz is installed)",
    )
    p.add_argument(
        "--port",
        type=_port,
        metavar="N",
        help=f"port to listen on (default: {VOILA_PORT}, with --lab {LAB_PORT}, "
        "or the next free one)",
    )
    p.add_argument(
        "--host",
        default="localhost",
        metavar="NAME",
        help="address to listen on (default: localhost; 0.0.0.0 lets other machines in)",
    )
    p.add_argument(
        "--base-url",
        type=_path,
        default="/",
        metavar="PATH",
        help="path under which the dashboard is, as behind a proxy (default: /)",
    )
    p.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which a proxy shows a server that listens on localhost; may be repeated",
    )
    p.add_argument(
        "--theme",
        choices=("light", "dark"),
        help="colours to start with (default: the browser's)",
    )
    p.add_argument("--no-browser", action="store_true", help="only print the address")
    p.add_argument("--version", action="version", version=f"flowviz {__version__}")
    commands = p.add_subparsers(dest="command", metavar="site DIR", title="instead of serving")
    site = commands.add_parser(
        "site",
        help="write the panels and the lessons into a folder as static pages for any web space",
        description="Writes the panels and the lessons as static pages: no server of ours is "
        "needed, and nothing is asked of any other host.",
    )
    site.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="a new or an empty folder, or one that this has written before",
    )
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parser().parse_args(argv)
    for name in ("tornado.access", "tornado.general", "tornado.application"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        if options.command == "site":
            _write_site(options)
        elif options.lab is not None:
            _serve_lab(options, choose_port(options.host, options.port, LAB_PORT))
        else:
            _serve_dashboard(options, choose_port(options.host, options.port, VOILA_PORT))
    except (ValueError, OSError) as error:
        print(f"flowviz: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # Ctrl-C before the server listens; from then on the server handles it.
        return 130
    return 0


def choose_port(host: str, wanted: int | None, default: int) -> int:
    """The port to listen on.

    Without a wish, the default or the next free one, which is said. If the wished one is taken, a
    person at a terminal is offered the next free one; a script is told it and gets an error.

    Raises:
        ValueError: the wished port is taken and no other one was agreed to.
    """
    port = default if wanted is None else wanted
    if ports.is_free(host, port):
        return port
    free = ports.next_free(host, port)
    if wanted is None:
        print(f"Port {port} is in use; taking {free}.")
        return free
    if sys.stdin.isatty() and sys.stdout.isatty():
        answer = input(f"Port {port} is in use; {free} is free. Take it? [Y/n] ")
        if answer.strip().lower() in ("", "y", "yes"):
            return free
        raise ValueError(f"port {port} is in use")
    raise ValueError(f"port {port} is in use; {free} is free: run `flowviz --port {free}`")


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 1 <= port <= ports.HIGHEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; allowed are 1 to {ports.HIGHEST}")
    return port


def _path(text: str) -> str:
    parts = [part for part in text.split("/") if part]
    if not all(re.fullmatch(r"[\w.~@:+-]+", part) and part.strip(".") for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no path; allowed are names between slashes, as in /courses/flows"
        )
    return "/".join(["", *parts, ""])


# The servers import half of Jupyter and the site torch: `flowviz --help` should not wait for them.


def _serve_dashboard(options: argparse.Namespace, port: int) -> None:
    from flowviz.serving import voila_server

    server = voila_server.DashboardServer(
        open_browser=not options.no_browser,
        config=voila_server.configuration(
            options.host, port, options.theme, options.base_url, options.allow_host
        ),
    )
    server.initialize([])
    server.start()


def _write_site(options: argparse.Namespace) -> None:
    from flowviz.serving import site

    site.write(options.folder, say=partial(print, flush=True))


def _serve_lab(options: argparse.Namespace, port: int) -> None:
    from flowviz.serving import lab_server, paths

    if options.lab is True:
        folder, copied = paths.editable_notebooks(LESSONS.resolve())
    else:
        folder = options.lab.resolve()
        copied = paths.copy_notebooks(folder)
    if copied:
        print(f"Copied {len(copied)} notebooks to {folder}.")
    lab_server.serve(
        folder,
        host=options.host,
        port=port,
        theme=options.theme,
        open_browser=not options.no_browser,
    )


if __name__ == "__main__":
    sys.exit(main())
