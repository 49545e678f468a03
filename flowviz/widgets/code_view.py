"""The code that makes what is seen, kept up to date while it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.widgets import esm


class CodeView(anywidget.AnyWidget):
    """Lines of Python with a button that copies them.

    Args:
        make: returns the lines; called only while somebody looks at them.
    """

    _esm = esm.widget(Path(__file__).parent / "code_view.js")
    code = traitlets.Unicode().tag(sync=True)
    seen = traitlets.Bool(False, help="whether the page shows it").tag(sync=True)

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        super().__init__()
        self.observe(lambda _: self.refresh(), names=["seen"])

    def refresh(self, *_: Any) -> None:
        """Write the lines anew, if they are looked at."""
        if self.seen:
            self.code = self._make()
