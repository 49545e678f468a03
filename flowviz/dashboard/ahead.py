"""Panels that are made before there is a page, and told to it when it opens them.

The process that kernels are forked from makes each panel once. A kernel finds them in its memory,
shares with the others what it does not change, and has only to say to its page what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets

from flowviz import panels
from flowviz.widgets.panel import Panel


@dataclass(frozen=True)
class _Made:
    """A panel at rest, and all widgets that were made for it, in that order."""

    panel: Panel
    widgets: list[widgets.Widget]


_made: dict[str, _Made] = {}


def make(name: str) -> None:
    """Make a panel as it opens, for one :func:`take` in this process and in each fork of it."""
    new: list[widgets.Widget] = []
    widgets.Widget.on_widget_constructed(new.append)
    try:
        panel = panels.make(name)
        panel.jobs.wait()
    finally:
        widgets.Widget.on_widget_constructed(None)
    for widget in new:
        # Only what makes it known to a page: its own ``close`` may end more.
        widgets.Widget.close(widget)
        del widget._repr_mimebundle_
    _made[name] = _Made(panel, new)


def take(name: str) -> Panel | None:
    """The panel that was made ahead, its widgets open; None from the second time on."""
    made = _made.pop(name, None)
    if made is None:
        return None
    for widget in made.widgets:
        _open(widget)
    return made.panel


def _open(widget: widgets.Widget) -> None:
    """Open a widget after those that it is made of, by whose names a page is told of it."""
    if widget.comm is None:
        for part in _parts(widget):
            _open(part)
        widget.open()


def _parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    to_json = widgets.widget_serialization["to_json"]
    for name in widget.keys:
        if widget.trait_metadata(name, "to_json") is to_json:
            yield from _widgets_in(getattr(widget, name))


def _widgets_in(value: Any) -> Iterator[widgets.Widget]:
    if isinstance(value, widgets.Widget):
        yield value
    elif isinstance(value, dict):
        yield from _widgets_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _widgets_in(one)
