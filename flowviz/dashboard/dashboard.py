"""The dashboard: the panels in a shell, each built when it is first visited."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from html import escape
from itertools import groupby
from typing import Any

import ipywidgets as widgets

from flowviz import panels
from flowviz.dashboard import address, ahead
from flowviz.dashboard.shell import Shell
from flowviz.dashboard.unheard import unheard
from flowviz.widgets.headless import headless, without_comms
from flowviz.widgets.panel import Panel

log = logging.getLogger(__name__)

ABOUT = (
    "A normalizing flow bends a simple cloud of points, layer by layer, until it has the shape of "
    "the data."
)
TOLD = ("name", "title", "summary", "pictures", "rows")
"""What the page knows of each panel before the kernel builds it."""


class Dashboard:
    """All panels in one page. In a notebook cell: displays itself.

    The open panel and its state are in the page's address, so that a link brings them back.

    Args:
        query: the address to start from, as ``panel=kl_comparison&layers=6``; by default the
            page's own. What is not usable in it is said in the page and gets its default.
    """

    def __init__(self, query: str | None = None) -> None:
        without_comms()
        self._query = address.from_page() if query is None else query
        named, notice = address.panel_of(self._query)
        if named is None:
            self._query = ""
        self.panels: dict[str, Panel] = {}
        """The panels that were built so far."""
        self.shell = Shell(
            groups=_groups(), about=ABOUT, current=named or panels.landing(), notice=notice
        )
        self._waiting = widgets.HTML()
        self._retry = widgets.Button(description="Try again")
        self._retry.add_class("fv-retry")
        self._retry.on_click(lambda _: self.open(self.shell.current))
        self._state = widgets.VBox([self._waiting, self._retry])
        self._state.add_class("fv-state")
        self._main = widgets.VBox([self._state])
        self._main.add_class("fv-main")
        self.widget = widgets.VBox([self.shell, self._main])
        for name in ("fv", "fv-dash"):
            self.widget.add_class(name)
        self.shell.on_msg(self._receive)
        self.shell.observe(self._tell_panel, names=["presenting"])
        self._say_loading(self.shell.current)
        # PyTorch loads while the page does, and where a page is sure to come its panel is built.
        first = panels.entry(self.shell.current)
        opening = _soon(self._open_ahead) if query is None and address.is_served() else None
        self._loading = threading.Thread(target=_load, args=(first, opening), daemon=True)
        self._loading.start()

    @property
    def panel(self) -> Panel | None:
        """The open panel; None until it is built."""
        return self.panels.get(self.shell.current)

    def open(self, name: str, query: str = "") -> None:
        """Show a panel, building it if it is not there yet.

        Args:
            name: the panel's.
            query: a state to put it into; without one it stays as it was left.

        Raises:
            ValueError: there is no such panel.
        """
        entry = panels.entry(name)
        self.shell.current = name
        if name not in self.panels:
            self._say_loading(name)
            try:
                self._loading.join()
                self._add(name, _build(entry, query))
            except Exception as error:
                log.exception("building %s", name)
                self._say_failed(name, error)
                return
        elif query and self.panels[name].link() != _settings(query):
            self.panels[name].restore(query, ignore=address.OWN)
        self._show(name)

    def close(self) -> None:
        """Stop what runs and close all widgets."""
        for panel in self.panels.values():
            panel.close()
        self.widget.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if headless():
            titles = [panels.entry(name).title for name in panels.names()]
            return {"text/plain": "\n".join([ABOUT, *titles])}
        return self.widget._repr_mimebundle_(**kwargs)

    def _open_first(self) -> None:
        """Open the address's panel; a page that is shown a second time finds its panel as it is."""
        if self.panel is None:
            self.open(self.shell.current, self._query)

    def _open_ahead(self) -> None:
        """The same, most likely before the page asks for its widgets."""
        with unheard():
            self._open_first()

    # ---- the page tells ------------------------------------------------------------------------

    def _receive(self, _: Any, message: Any, __: Any) -> None:
        if not isinstance(message, dict):
            return
        kind = message.get("kind")
        if kind == "ready":
            self._open_first()
        elif kind == "open" and message.get("panel") in panels.names():
            self.shell.notice = ""
            self.open(message["panel"])
        elif kind == "address" and isinstance(message.get("query"), str):
            name, self.shell.notice = address.panel_of(message["query"])
            self.open(name or panels.landing(), message["query"] if name else "")

    # ---- the panels tell -----------------------------------------------------------------------

    def _add(self, name: str, panel: Panel) -> None:
        self.panels[name] = panel
        self._main.children = (*self._main.children, panel.widget)
        panel.settings.on_change(lambda _: self._write_address(name))
        panel.header.observe(lambda _: self._follow(name), names=["presenting"])

    def _write_address(self, name: str) -> None:
        if name == self.shell.current:
            self.shell.query = address.query_of(name, self.panels[name].link())

    def _follow(self, name: str) -> None:
        if name == self.shell.current:
            self.shell.presenting = self.panels[name].header.presenting

    def _tell_panel(self, change: Any) -> None:
        if self.panel is not None:
            self.panel.header.presenting = change["new"]

    # ---- what is seen --------------------------------------------------------------------------

    def _show(self, name: str) -> None:
        self._state.add_class("fv-away")
        for other, panel in self.panels.items():
            (panel.widget.remove_class if other == name else panel.widget.add_class)("fv-away")
        self._follow(name)
        self._write_address(name)
        self.shell.shown = name

    def _say_loading(self, name: str) -> None:
        title = escape(panels.entry(name).title)
        self._say(
            f'<div role="status"><h2>{title}</h2><p>Loading…</p></div>',
            retry=False,
        )

    def _say_failed(self, name: str, error: Exception) -> None:
        title = escape(panels.entry(name).title)
        self._say(
            f'<div role="alert"><h2>{title}</h2><p>This panel could not be built: '
            f"{escape(str(error) or type(error).__name__)}</p></div>",
            retry=True,
        )
        self.shell.shown = name

    def _say(self, html: str, retry: bool) -> None:
        self._waiting.value = html
        self._retry.layout.display = None if retry else "none"
        for panel in self.panels.values():
            panel.widget.add_class("fv-away")
        self._state.remove_class("fv-away")


def _build(entry: panels.Entry, query: str) -> Panel:
    """A panel in the state of ``query``; what is not usable in it is said in the panel."""
    if not _settings(query) and (waiting := ahead.take(entry.name)):
        return waiting
    made = entry.load()
    values, messages = made.State.from_query(query, ignore=address.OWN)
    panel = made(**values)
    if messages:
        panel.restore(query, ignore=address.OWN)
    return panel


def _settings(query: str) -> str:
    """The part of an address that is the panel's own."""
    parts = query.removeprefix("?").split("&")
    return "&".join(part for part in parts if part.partition("=")[0] not in address.OWN)


def _groups() -> list[dict[str, Any]]:
    """The menu: the panels by group, in the registry's order."""
    entries = [panels.entry(name) for name in panels.names()]
    return [
        {"title": title, "panels": [{key: getattr(e, key) for key in TOLD} for e in members]}
        for title, members in groupby(entries, key=lambda e: e.group)
    ]


def _load(entry: panels.Entry, then: Callable[[], object] | None) -> None:
    """Import a panel ahead of time; an error comes again, in words, when the panel is built."""
    try:
        entry.load()
    except Exception:
        log.debug("importing %s", entry.name, exc_info=True)
    if then is not None:
        then()


def _soon(action: Callable[[], object]) -> Callable[[], object]:
    """What has the kernel do ``action`` between two messages, on behalf of the cell that runs now.

    It may be called from any thread.
    """
    loop, cell = asyncio.get_running_loop(), contextvars.copy_context()
    return lambda: loop.call_soon_threadsafe(action, context=cell)
