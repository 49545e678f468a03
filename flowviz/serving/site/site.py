"""A folder of pages that any web space can show: an index, the panels, the lessons."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from flowviz import arguments, panels
from flowviz.serving import paths
from flowviz.serving.site import lesson as lessons_

MARK = '<meta name="generator" content="flowviz site">'
"""In the index, by which a folder is known again."""

HOME = "All panels and lessons"


@dataclass(frozen=True)
class PanelPage:
    """The page of a panel at one of its presets."""

    name: str
    number: int
    label: str
    settings: dict[str, Any]

    @property
    def page(self) -> str:
        return self.name if self.number == 1 else f"{self.name}-{self.number}"

    @property
    def file(self) -> str:
        return f"{self.page}.html"


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
        (folder / file).write_text(text, encoding="utf-8")
        written.append(folder / file)
        say(f"{folder / file}: {what}")

    # First, so that a site whose writing was broken off is known again.
    put("index.html", _index(chosen, read), "the way to all others")
    for page in chosen:
        beside = [other for other in chosen if other.name == page.name]
        links = [(HOME, "index.html")]
        links += [(other.label, "" if other is page else other.file) for other in beside]
        title = panels.entry(page.name).title
        put(page.file, _alone(page.name, page.settings, links), f"{title}, {page.label}")
    for lesson in read:
        for number, made in enumerate(lesson.made, 1):
            text = _alone(made.name, made.settings)
            put(made.file, text, f"panel {number} of the lesson {lesson.title}")
        page_text = _template("lesson.html").render(lesson=lesson, lessons=read, home=HOME)
        put(lesson.file, page_text, f"the lesson {lesson.title}")
    say(f"{len(written)} pages written.")
    say(f"To look at them: python -m http.server -d {shlex.quote(str(folder))}")
    return written


def _choose(pages: Iterable[str] | None) -> list[PanelPage]:
    every = {
        page.page: page
        for name in panels.names()
        for page in (
            PanelPage(name, number, label, dict(settings))
            for number, (label, settings) in enumerate(panels.entry(name).load().presets, 1)
        )
    }
    wanted = every if pages is None else list(pages)
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


def _is_ours(index: Path) -> bool:
    return index.is_file() and MARK in index.read_text(encoding="utf-8", errors="replace")


def _index(pages: Sequence[PanelPage], lessons: Sequence[lessons_.Lesson]) -> str:
    groups: dict[str, dict[str, list[PanelPage]]] = {}
    for page in pages:
        group = groups.setdefault(panels.entry(page.name).group, {})
        group.setdefault(page.name, []).append(page)
    return _template("index.html").render(
        mark=MARK, groups=groups, entry=panels.entry, lessons=lessons
    )


def _alone(name: str, settings: dict[str, Any], links: Sequence[tuple[str, str]] = ()) -> str:
    """The page of a panel in a state, which is reached first where it has to be trained."""
    panel = panels.make(name, **settings)
    try:
        panel.jobs.wait()
        return panel.to_html(links)
    finally:
        panel.close()


@cache
def _environment() -> jinja2.Environment:
    folders = [Path(__file__).parent, paths.TEMPLATE, paths.STYLES]
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined
    )


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)
