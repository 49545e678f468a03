"""Runs in a page's kernel: puts one thing after another into the place of the dashboard."""

from __future__ import annotations

import ast
from typing import Any

from IPython import get_ipython
from ipywidgets import VBox

from flowviz.dashboard import Dashboard


class Frame:
    """The box that the page shows, which is that of the dashboard that the notebook made."""

    def __init__(self) -> None:
        out = get_ipython().user_ns["Out"]
        self._shown: Any = next(made for made in out.values() if isinstance(made, Dashboard))
        self._box: VBox = self._shown.widget
        # What is in it lies as it does on the page itself.
        self._box.layout.display = "contents"
        for name in ("fv", "fv-dash"):
            self._box.remove_class(name)

    def clear(self) -> None:
        """Take away what is shown, and end what it does."""
        self._box.children = ()
        if isinstance(self._shown, Dashboard):
            self._shown.shell.close()
            for panel in self._shown.panels.values():
                panel.close()
        elif self._shown is not None:
            self._shown.close()
        self._shown = None

    def show(self, code: str, mark: str) -> None:
        """Run ``code`` and show what its last line makes, with the class ``mark``."""
        tree = ast.parse(code)
        last = tree.body.pop()
        assert isinstance(last, ast.Expr), "the last line makes what is shown"
        scope = {"__name__": "__main__"}
        exec(compile(tree, "<test>", "exec"), scope)
        self._shown = eval(compile(ast.Expression(last.value), "<test>", "eval"), scope)
        widget = getattr(self._shown, "widget", self._shown)
        widget.add_class(mark)
        self._box.children = (widget,)
