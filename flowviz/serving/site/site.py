"""A folder of pages that any web space can show: an index, the panels, the lessons."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

from flowviz import arguments, atomic, panels
from flowviz.serving import paths
from flowviz.serving.site import lesson as lessons_
from flowviz.serving.site import pages as pages_
from flowviz.serving.site.index import MARK, index
from flowviz.serving.site.pages import PanelPage

HOME = "All panels and lessons"


def write(
    folder: str | Path,
    *,
    pages: Iterable[str] | None = None,
    lessons: Iterable[Path] | None = None,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Write the panels and the lessons as pages that need no server of ours.

    Links are relative, and nothing is asked of any other host: the folder may be put anywhere, and
    opened as files too.

    Args:
        folder: a new or an empty one, or one with a site that this has written.
        pages: which of the panels' pages, by their names, such as ``"trajectories-2"`` for that
            panel's second preset; by default all.
        lessons: which notebooks; by default the course's.
        say: is told every page as it is written.

    Returns:
        The files written, the index first.

    Raises:
        ValueError: a folder that holds something else, an unknown page, or a formula in a lesson
            that cannot be shown.
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    _check(folder)
    chosen = _choose(pages)
    read = [lessons_.read(path) for path in (paths.lessons() if lessons is None else lessons)]
    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def put(file: str, text: str, what: str) -> None:
        atomic.write_text(folder / file, text)
        written.append(folder / file)
        say(f"{folder / file}: {what}")

    # First, so that a site whose writing was broken off is known again.
    put("index.html", index(chosen, read), "the way to all others")
    for page in chosen:
        beside = [other for other in chosen if other.name == page.name]
        links = [(HOME, "index.html"), *page.links(beside)]
        title = panels.entry(page.name).title
        put(page.file, pages_.panel(page.name, page.settings, links), f"{title}, {page.label}")
    for lesson in read:
        for number, made in enumerate(lesson.made, 1):
            text = pages_.panel(made.name, made.settings)
            put(made.file, text, f"panel {number} of the lesson {lesson.title}")
        text = pages_.lesson(lesson, others=read, home=HOME)
        put(lesson.file, text, f"the lesson {lesson.title}")
    say(f"{len(written)} pages written.")
    say(f"To look at them: python -m http.server -d {shlex.quote(str(folder))}")
    return written


def _choose(chosen: Iterable[str] | None) -> list[PanelPage]:
    every = {page.page: page for page in pages_.of_panels()}
    wanted = every if chosen is None else list(chosen)
    for page in wanted:
        if page not in every:
            offered = arguments.among(page, every, "the pages are")
            raise ValueError(f"there is no page {page!r}{offered}")
    return [page for name, page in every.items() if name in wanted]


def _check(folder: Path) -> None:
    """Refuse a folder with something of others in it."""
    allowed = "allowed are a new or an empty folder, and one that `flowviz site` has written"
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file; {allowed}")
    if folder.exists() and any(folder.iterdir()) and not _is_ours(folder / "index.html"):
        raise ValueError(f"{str(folder)!r} holds other files; {allowed}")


def _is_ours(page: Path) -> bool:
    return page.is_file() and MARK in page.read_text(encoding="utf-8", errors="replace")
