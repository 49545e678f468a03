"""A box for one text, such as a formula, that shows all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.widgets import esm

_HERE = Path(__file__).parent


class TextBox(anywidget.AnyWidget):
    """Wraps where ipywidgets' own box cuts off; Enter, or leaving it, sets ``value``."""

    _esm = esm.widget(_HERE / "text_box.js")
    value: Any = traitlets.Unicode().tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    tooltip: Any = traitlets.Unicode().tag(sync=True)
