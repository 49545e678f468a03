"""A slider with its name left, its value right, and the value open to typing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.widgets import esm

_HERE = Path(__file__).parent


class Slider(anywidget.AnyWidget):
    """A number between ``min`` and ``max``. What is typed and is not, is said below it.

    While it is dragged, the page sends its newest value whenever the kernel has taken the one
    before, so there is never a backlog. A logarithmic slider stops at round numbers of two
    digits; a value set from Python or typed stands as it is.
    """

    _esm = esm.widget(_HERE / "slider.js")
    value: Any = traitlets.Float(0.0).tag(sync=True)
    min = traitlets.Float(0.0).tag(sync=True)
    max = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Float(0.0, help="0: a hundredth of the range").tag(sync=True)
    log = traitlets.Bool(False).tag(sync=True)
    whole = traitlets.Bool(False).tag(sync=True)
    most = traitlets.Unicode(help="written in the place of ``max``").tag(sync=True)
    boxed = traitlets.Bool(False, help="no track: it has too many values").tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    tooltip: Any = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    key = traitlets.Unicode(help="under which the page hears of it being turned").tag(sync=True)
