"""The way to the pages of a site: its panels and lessons, chapter by chapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flowviz import panels
from flowviz.serving.site import pages as pages_
from flowviz.serving.site.lesson import Lesson
from flowviz.serving.site.pages import PanelPage

MARK = '<meta name="generator" content="flowviz site">'
"""In the index, by which a folder is known again."""

REST = "Other lessons"
"""The heading of lessons that show no panel."""


@dataclass
class Chapter:
    """A group of the menu, and the lessons about its panels.

    Attributes:
        title: of the group.
        panels: their pages, by their names.
        lessons: in the course's order.
    """

    title: str
    panels: dict[str, list[PanelPage]] = field(default_factory=dict)
    lessons: list[Lesson] = field(default_factory=list)


def index(pages: Sequence[PanelPage], lessons: Sequence[Lesson]) -> str:
    """The page that leads to all others."""
    return pages_.template("index.html").render(
        mark=MARK, chapters=chapters(pages, lessons), entry=panels.entry
    )


def chapters(pages: Sequence[PanelPage], lessons: Sequence[Lesson]) -> list[Chapter]:
    """The chapters that have a page, in the order of the menu."""
    titles = [*(panels.entry(name).group for name in panels.names()), REST]
    every = {title: Chapter(title) for title in titles}
    for page in pages:
        chapter = every[panels.entry(page.name).group]
        chapter.panels.setdefault(page.name, []).append(page)
    for lesson in lessons:
        shown = [panels.entry(made.name).group for made in lesson.made]
        every[shown[0] if shown else REST].lessons.append(lesson)
    return [chapter for chapter in every.values() if chapter.panels or chapter.lessons]
