"""Words right under a control: what is wrong with what was typed, or what came of it."""

from __future__ import annotations

from html import escape

import ipywidgets as widgets

from flowviz.widgets.layout import classed
from flowviz.widgets.readouts import Kind


class Words(widgets.HTML):
    """Nothing, or a sentence; from the second line on, columns stay columns.

    Attributes:
        text: what is shown.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.text = ""
        classed(self, "fv-words", name)
        self.show("", "info")

    def show(self, text: str, kind: Kind) -> None:
        """Show ``text`` in place of what was there; "" takes it away."""
        self.text = text
        (self.add_class if kind == "error" else self.remove_class)("fv-error")
        role = "alert" if kind == "error" else "status"
        said, _, columns = text.partition("\n")
        shown = escape(said) + (f"<pre>{escape(columns)}</pre>" if columns else "")
        self.value = f'<div role="{role}">{shown}</div>' if text else ""
        self.layout.display = None if text else "none"
