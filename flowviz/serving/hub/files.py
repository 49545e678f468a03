"""The files that put flowviz into a JupyterHub: a configuration and a Helm chart's values."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template

from flowviz import __version__, atomic

IMAGE = f"flowviz:{__version__}"
MEMORY = 2048
STUDENTS = 30

GUARANTEE = 512
"""What a server with one page takes, in MB."""

_AT_MOST = 10_000
_HERE = Path(__file__).parent


def write(
    folder: Path,
    *,
    image: str = IMAGE,
    memory: int = MEMORY,
    students: int = STUDENTS,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Write ``jupyterhub_config.py`` and ``values.yaml``.

    Args:
        folder: where to; it is made if it is not there.
        image: the container image of a user's server, for Kubernetes, as ``NAME:TAG``.
        memory: what a user's server may take at most, in MB.
        students: how many may be there at once.
        say: is told what becomes of every file.

    Returns:
        The two files.

    Raises:
        ValueError: a value is not understood or not allowed, ``folder`` is a file, or one of the
            files is there with other content.
        OSError: the folder cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file, not a folder")
    values = _values(folder, image, memory, students)
    texts = {
        folder / f"{name}{suffix}": _filled(name, values)
        for name, suffix in (("jupyterhub_config", ".py"), ("values", ".yaml"))
    }
    there = {path for path in texts if path.exists()}
    for path in there:
        if path.read_text(encoding="utf-8") != texts[path]:
            raise ValueError(
                f"{str(path)!r} is there already with other content, and nothing is overwritten; "
                "name another folder, or move it away"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        atomic.write_text(path, text)
        say(f"{path}: {'as it was' if path in there else 'written'}")
    return list(texts)


def _values(folder: Path, image: str, memory: int, students: int) -> dict[str, object]:
    name, tag = _image(image)
    if memory < GUARANTEE:
        raise ValueError(
            f"{memory} MB of memory are too little: a user's server with one page takes {GUARANTEE}"
        )
    if not 1 <= students <= _AT_MOST:
        raise ValueError(f"{students} students? allowed are 1 to {_AT_MOST}")
    return {
        "folder": folder.resolve().as_posix(),
        "python": json.dumps(sys.executable),
        "image": name,
        "tag": tag,
        "memory": f"{memory}M",
        "guarantee": f"{GUARANTEE}M",
        "students": students,
        "together": math.ceil(students * GUARANTEE / 1024),
        "placeholders": math.ceil(students / 10),
    }


def _image(image: str) -> tuple[str, str]:
    part = r"[a-z0-9][a-z0-9._-]*"
    found = re.fullmatch(rf"({part}(?::\d+)?(?:/{part})*):(\w[\w.-]*)", image, re.ASCII)
    if found is None:
        raise ValueError(
            f"{image!r} is no image; allowed are lower-case names with a tag, "
            "as in registry.example.org/courses/flowviz:1"
        )
    return found[1], found[2]


def _filled(name: str, values: dict[str, object]) -> str:
    text = (_HERE / f"{name}.template").read_text(encoding="utf-8")
    return Template(text).substitute(values)
