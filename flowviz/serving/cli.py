"""The ``flowviz`` command: the dashboard for one or many, the lessons, and files for others."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flowviz import __version__
from flowviz.serving import ports, serve_command
from flowviz.serving.hub import command as hub_command
from flowviz.serving.paths import LESSONS

VOILA_PORT = 8866
LAB_PORT = 8888


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
    _address_options(p)
    p.set_defaults(port=None, host=None, base_url="/", allow_host=[], theme=None)
    p.add_argument("--no-browser", action="store_true", help="only print the address")
    p.add_argument("--version", action="version", version=f"flowviz {__version__}")
    commands = p.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    serve_command.add(commands, _address_options)
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
    scorm = commands.add_parser(
        "scorm",
        help="write the panels and the lessons as a package that an LMS imports",
        description="Writes the panels and the lessons as a SCORM 1.2 package, which Moodle, "
        "ILIAS, Canvas, Blackboard and others import. No server of ours is needed there, and the "
        "LMS keeps who has worked with which, and for how long.",
    )
    scorm.add_argument(
        "file",
        type=Path,
        metavar="FILE.zip",
        help="a new file, or a package that this has written before",
    )
    scorm.add_argument(
        "name",
        nargs="*",
        metavar="PANEL-OR-LESSON",
        help="which, such as trajectories or 02_layers_add (default: all)",
    )
    lessons = commands.add_parser(
        "lessons",
        help="list the lessons, or write them as notebooks for a class",
        description="Lists the lessons or, with --export, writes them as notebooks for a class: "
        "every task has a cell to answer in and a cell that fails unless the answer is right, "
        "both with nbgrader's metadata. FLOWVIZ_HEADLESS=1 grades them without widgets.",
    )
    lessons.add_argument(
        "lesson", nargs="*", metavar="LESSON", help="which, by its name in the list (default: all)"
    )
    lessons.add_argument("--export", type=Path, metavar="DIR", help="write them into this folder")
    lessons.add_argument(
        "--solutions", action="store_true", help="with the tasks solved (default: to be solved)"
    )
    hub_command.add(commands)
    return p


def _address_options(p: argparse.ArgumentParser) -> None:
    """Add what every server has; given before a command or after it, it is the same."""
    p.add_argument(
        "--port",
        type=_port,
        default=argparse.SUPPRESS,
        metavar="N",
        help=f"port to listen on (default: {VOILA_PORT}, with --lab {LAB_PORT}, "
        "or the next free one)",
    )
    p.add_argument(
        "--host",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="address to listen on (default: localhost, or 0.0.0.0 for `serve`, which lets other "
        "machines in)",
    )
    p.add_argument(
        "--base-url",
        type=_path,
        default=argparse.SUPPRESS,
        metavar="PATH",
        help="path under which the dashboard is, as behind a proxy (default: /)",
    )
    p.add_argument(
        "--allow-host",
        action="append",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="a name under which a proxy shows a server that listens on localhost; may be repeated",
    )
    p.add_argument(
        "--theme",
        choices=("light", "dark"),
        default=argparse.SUPPRESS,
        help="colours to start with (default: the browser's)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parser().parse_args(argv)
    if options.host is None:
        options.host = "0.0.0.0" if options.command == "serve" else "localhost"
    for name in ("tornado.access", "tornado.general", "tornado.application"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        if options.command == "site":
            _write_site(options)
        elif options.command == "scorm":
            _write_scorm(options)
        elif options.command == "lessons":
            _write_lessons(options)
        elif options.command == hub_command.NAME:
            hub_command.run(options)
        elif options.command == "serve":
            serve_command.run(options, choose_port(options.host, options.port, VOILA_PORT))
        elif options.lab is not None:
            _serve_lab(options, choose_port(options.host, options.port, LAB_PORT))
        else:
            _serve_dashboard(options, choose_port(options.host, options.port, VOILA_PORT))
    except (ValueError, OSError) as error:
        print(f"flowviz: {_in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # Ctrl-C before the server listens; from then on the server handles it.
        return 130
    return 0


def _in_words(error: Exception) -> str:
    """Which file it was, and what was wrong with it, without the system's number for it."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


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


def _write_scorm(options: argparse.Namespace) -> None:
    from flowviz.serving import scorm

    scorm.write(options.file, options.name, say=partial(print, flush=True))


def _write_lessons(options: argparse.Namespace) -> None:
    from flowviz.serving import lesson_files, paths

    if options.export is not None:
        say = partial(print, flush=True)
        lesson_files.export(options.export, options.lesson, solutions=options.solutions, say=say)
        return
    if options.lesson or options.solutions:
        raise ValueError("to write lessons, say where to: flowviz lessons --export DIR")
    for path in paths.lessons():
        print(f"{path.stem}: {paths.title(path)}")


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
