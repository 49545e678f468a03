"""The shell around the panels: menu, colours, notices, and the page's address."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from flowviz.widgets import esm

_HERE = Path(__file__).parent
_TOKENS = _HERE.parent / "widgets" / "tokens.css"


class Shell(anywidget.AnyWidget):
    """What surrounds the panels. It keeps the address in step with ``query`` by itself.

    Messages to Python: ``{"kind": "ready"}`` when it is on the page, ``{"kind": "open",
    "panel"}`` for a choice in the menu, ``{"kind": "address", "query"}`` when the visitor went
    back or forward.
    """

    _esm = esm.widget(_HERE / "shell.js")
    _css = "\n".join(p.read_text(encoding="utf-8") for p in (_TOKENS, _HERE / "shell.css"))
    groups: traitlets.List = traitlets.List(
        help="{title, panels: [{name, title, summary, pictures, rows}]}"
    ).tag(sync=True)
    about = traitlets.Unicode(help="what a flow is, in a sentence").tag(sync=True)
    current = traitlets.Unicode(help="name of the open panel").tag(sync=True)
    shown = traitlets.Unicode(help="the panel that is in its place, or fails").tag(sync=True)
    query = traitlets.Unicode(help="address of what is shown").tag(sync=True)
    notice = traitlets.Unicode(help="what the visitor must know; empty for nothing").tag(sync=True)
    presenting = traitlets.Bool(False).tag(sync=True)
