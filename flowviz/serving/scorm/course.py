"""What a package can hold: each panel with its presets, and each lesson with its panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from flowviz import arguments, panels
from flowviz.serving import paths
from flowviz.serving.site import lesson as lessons_
from flowviz.serving.site import pages as pages_
from flowviz.serving.site.pages import PanelPage

LESSONS = "Lessons"
"""The heading under which an LMS lists them."""


class Page(NamedTuple):
    """A page of a unit.

    Attributes:
        file: its name, beside the others.
        what: it shows, in words.
        make: makes its text, which may take seconds.
    """

    file: str
    what: str
    make: Callable[[], str]


class Unit(NamedTuple):
    """A panel or a lesson, which an LMS lists as one.

    Attributes:
        name: as the command knows it.
        title: in the LMS's list.
        group: the heading above it.
        pages: the one that is shown first comes first.
    """

    name: str
    title: str
    group: str
    pages: list[Page]


def choose(names: Sequence[str]) -> list[Unit]:
    """The panels and lessons of these names, in the course's order; all where none is named.

    Raises:
        ValueError: there is none of a name, or a formula in a lesson cannot be shown.
    """
    makers: dict[str, Callable[[], Unit]] = {}
    for name, pages in groupby(pages_.of_panels(), key=lambda page: page.name):
        makers[name] = partial(_panel, name, list(pages))
    for notebook in paths.lessons():
        makers[notebook.stem] = partial(_lesson, notebook)
    for name in names:
        if name not in makers:
            offered = arguments.among(name, makers, "the names are")
            raise ValueError(f"there is no panel or lesson {name!r}{offered}")
    return [make() for name, make in makers.items() if not names or name in names]


def _panel(name: str, presets: Sequence[PanelPage]) -> Unit:
    """A panel, whose page leads to those of its other presets."""
    entry = panels.entry(name)
    pages = [
        Page(
            page.file,
            f"{entry.title}, {page.label}",
            partial(pages_.panel, name, page.settings, page.links(presets)),
        )
        for page in presets
    ]
    return Unit(name, entry.title, entry.group, pages)


def _lesson(notebook: Path) -> Unit:
    """A lesson, whose page shows those of its panels."""
    lesson = lessons_.read(notebook)
    panels_ = [
        Page(made.file, f"panel {number}", partial(pages_.panel, made.name, made.settings))
        for number, made in enumerate(lesson.made, 1)
    ]
    text = Page(lesson.file, f"the lesson {lesson.title}", partial(pages_.lesson, lesson))
    return Unit(notebook.stem, lesson.title, LESSONS, [text, *panels_])
