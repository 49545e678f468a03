"""The pages of panels and lessons that need no server of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from flowviz import panels
from flowviz.serving import paths
from flowviz.serving.site.lesson import Lesson


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

    def links(self, pages: Sequence[PanelPage]) -> list[tuple[str, str]]:
        """The way to these pages from this one, which is among them: (label, address)."""
        return [(page.label, "" if page is self else page.file) for page in pages]


def of_panels() -> Iterator[PanelPage]:
    """A page for each preset of each panel."""
    for name in panels.names():
        for number, (label, settings) in enumerate(panels.entry(name).load().presets, 1):
            yield PanelPage(name, number, label, dict(settings))


def panel(name: str, settings: dict[str, Any], links: Sequence[tuple[str, str]] = ()) -> str:
    """The page of a panel in a state, which is reached first where it has to be trained.

    Args:
        name: of the panel.
        settings: its state.
        links: the pages around it, as :meth:`Panel.to_html` has them.
    """
    made = panels.make(name, **settings)
    try:
        made.jobs.wait()
        return made.to_html(links)
    finally:
        made.close()


def lesson(lesson: Lesson, others: Sequence[Lesson] = (), home: str = "") -> str:
    """The page of a lesson, beside those of its panels.

    Args:
        lesson: as it was read.
        others: to which its head leads, the lesson among them.
        home: what the site's index is called there; without it the page has no head.
    """
    return template("lesson.html").render(lesson=lesson, lessons=others, home=home)


@cache
def _environment() -> jinja2.Environment:
    folders = [Path(__file__).parent, paths.TEMPLATE, paths.STYLES]
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined
    )


def template(name: str) -> jinja2.Template:
    """A template of this folder, or one of the server's pages."""
    return _environment().get_template(name)
