"""Tabs: what is looked at now and then, one at a time in the same place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from flowviz.widgets import esm
from flowviz.widgets.layout import classed


class TabList(anywidget.AnyWidget):
    """The row of names; choosing one is the page's affair, so that two views may differ."""

    _esm = esm.widget(Path(__file__).parent / "tabs.js")
    names: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    beside: Any = traitlets.List(help="[name, slot] that only narrow pages have").tag(sync=True)
    chosen = traitlets.Unicode(help="the tab to turn to").tag(sync=True)
    opened: Any = traitlets.List(
        traitlets.Unicode(), help="the tabs that a page has shown since the start"
    ).tag(sync=True)


class Tabs(widgets.VBox):
    """Widgets under names, of which one is seen.

    Args:
        contents: the widgets by name.
        beside: names of more tabs, in front, for what else stands beside them: the slot of the
            screen that each shows. Where the panel is narrow these are offered, and choosing one
            marks the panel with ``data-fv-tab`` and its slot.
    """

    def __init__(
        self,
        contents: Mapping[str, widgets.DOMWidget],
        beside: Mapping[str, str] | None = None,
    ) -> None:
        named = [list(pair) for pair in (beside or {}).items()]
        self.list = TabList(names=list(contents), beside=named)
        for content in contents.values():
            classed(content, "fv-tab-content")
        super().__init__([self.list, *contents.values()])
        classed(self, "fv-tabs")

    @property
    def opened(self) -> list[str]:
        """The names of the tabs that were seen so far."""
        return list(self.list.opened)

    def on_open(self, listener: Callable[[], object]) -> None:
        """Call ``listener`` when a tab is opened that was not seen before."""
        self.list.observe(lambda _: listener(), names=["opened"])

    def turn_to(self, name: str) -> None:
        """Show the tab of that name, in every view."""
        if name not in self.list.opened:
            self.list.opened = [*self.list.opened, name]
        self.list.chosen = ""
        self.list.chosen = name
