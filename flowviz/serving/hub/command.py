"""``flowviz hub-config``: its options, and what it does with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from flowviz.serving.hub import files

NAME = "hub-config"


def add(commands: Any) -> None:
    """Add the command to those of ``flowviz`` (argparse's subparsers)."""
    p = commands.add_parser(
        NAME,
        help="write a JupyterHub's configuration, for a class on many machines",
        description="Writes jupyterhub_config.py, for a JupyterHub on one machine, and "
        "values.yaml, for Zero to JupyterHub on Kubernetes: each user gets a server with the "
        "dashboard, the lessons and JupyterLab. Comments in them say how they are used.",
    )
    p.add_argument("folder", type=Path, metavar="DIR", help="where to write them")
    p.add_argument(
        "--image",
        default=files.IMAGE,
        metavar="NAME:TAG",
        help="container image of a user's server, on Kubernetes (default: %(default)s)",
    )
    p.add_argument(
        "--memory",
        type=int,
        default=files.MEMORY,
        metavar="MB",
        help="what a user's server may take at most (default: %(default)s)",
    )
    p.add_argument(
        "--students",
        type=int,
        default=files.STUDENTS,
        metavar="N",
        help="how many may be there at once (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> None:
    """Write the files.

    Raises:
        ValueError, OSError: as :func:`flowviz.serving.hub.files.write`.
    """
    files.write(
        options.folder, image=options.image, memory=options.memory, students=options.students
    )
