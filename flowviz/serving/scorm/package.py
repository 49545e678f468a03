"""A zip of the panels and the lessons that an LMS imports, and that tells it how far they are."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import jinja2

from flowviz import atomic
from flowviz.serving.scorm import course, manifest
from flowviz.serving.scorm.manifest import Item

LAUNCH = "index.html"
"""What an LMS opens of an item: a frame with its page, and the way to the LMS (``runtime.js``)."""

RULE = (
    "The LMS is told: a panel is completed once its picture or its bar was used, a lesson once its "
    "end was reached and the answer to every prediction was opened."
)
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""A zip's first moment, so that the same course is the same bytes."""


def write(
    file: str | Path, names: Iterable[str] = (), *, say: Callable[[str], None] = print
) -> Path:
    """Write panels and lessons as a SCORM 1.2 package.

    The same course is the same bytes on every day. A package that was there stays as it was until
    the new one is whole.

    Args:
        file: a new one, or a package that this has written; its name ends in ``.zip``.
        names: of panels and lessons, such as ``"trajectories"`` or ``"02_layers_add"``; by default
            all. The order is the course's.
        say: is told every page as it is made.

    Returns:
        The file.

    Raises:
        ValueError: an unknown name, a file that is something else, or a formula in a lesson that
            cannot be shown.
        OSError: the file cannot be written.
    """
    file = Path(file)
    _check(file)
    units = course.choose(list(names))
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(file) as part, zipfile.ZipFile(part, "w") as package:
        items = [_put(package, unit, say) for unit in units]
        _add(package, manifest.NAME, manifest.manifest(items))
    files = sum(len(item.files) for item in items) + 1
    say(f"{file}: {len(items)} items, {files} files, {_size(file.stat().st_size)}.")
    say(RULE)
    return file


def _put(package: zipfile.ZipFile, unit: course.Unit, say: Callable[[str], None]) -> Item:
    """Write what an LMS opens and the pages that are shown there, in a folder of their own."""
    files = [f"{unit.name}/{name}" for name in (LAUNCH, *(page.file for page in unit.pages))]
    launch = _environment().get_template("launch.html")
    _add(package, files[0], launch.render(title=unit.title, page=unit.pages[0].file).encode())
    for name, page in zip(files[1:], unit.pages, strict=True):
        text = page.make().encode()
        _add(package, name, text)
        say(f"{name}: {page.what}, {_size(len(text))}")
    return Item(unit.name, unit.title, unit.group, files)


def _add(package: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system, entry.external_attr = 3, 0o644 << 16  # on Windows, too
    package.writestr(entry, data)


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def _check(file: Path) -> None:
    """Refuse a file of others."""
    allowed = "allowed are a new file and a package that `flowviz scorm` has written"
    if file.suffix.lower() != ".zip":
        raise ValueError(f"{str(file)!r} does not end in .zip, by which an LMS knows a package")
    if file.exists() and not _is_ours(file):
        raise ValueError(f"{str(file)!r} is something else; {allowed}")


def _is_ours(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as package:
            return manifest.MARK in package.read(manifest.NAME).decode()
    except (zipfile.BadZipFile, KeyError, IsADirectoryError, UnicodeDecodeError):
        return False


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
