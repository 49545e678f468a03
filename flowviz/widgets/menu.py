"""A menu of names, under headings where there are many."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from flowviz.widgets import esm

_HERE = Path(__file__).parent


class Menu(anywidget.AnyWidget):
    """One of several names; ipywidgets' own dropdown has no headings."""

    _esm = esm.widget(_HERE / "menu.js")
    value: str = traitlets.Unicode().tag(sync=True)  # type: ignore[assignment]
    options = traitlets.List(
        traitlets.Tuple(traitlets.Unicode(), traitlets.Unicode(), traitlets.Unicode()),
        help="(name, title, heading), entries of one heading one after the other",
    ).tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    tooltip: str = traitlets.Unicode().tag(sync=True)  # type: ignore[assignment]
