"""What all charts are to the page: a box with a text alternative, drawn by plotly.js."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from flowviz.widgets.charts import bundle
from flowviz.widgets.shared_widget import SharedWidget


class ChartBase(SharedWidget):
    """A chart of any kind; subclasses bring their module and what it draws from.

    Args:
        label: what the chart shows, for those who do not see it.
        height: in CSS pixels, or 0 to fill the box that the chart is put into, of 80 pixels at
            least; the width is what there is.
    """

    _css = Path(__file__).with_name("chart.css").read_text(encoding="utf-8")
    label = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(240, min=0, max=4_000).tag(sync=True)

    def __init__(self, label: str, *, height: int = 240) -> None:
        super().__init__(label=label, height=height)
        self.what = label
        self.on_msg(self._send_plotly)

    def _send_plotly(self, _: Any, content: Any, __: Any) -> None:
        """Answer the first chart of a page on which no server serves plotly.js."""
        if isinstance(content, dict) and content.get("kind") == "plotly":
            self.send({"kind": "plotly"}, buffers=[bundle.packed()])


def packed(array: np.ndarray, name: str) -> dict[str, Any]:
    """An array as charts send it: float32 or int32, by rows.

    Raises:
        ValueError: not one or two dimensions, or not of numbers; ``name`` says which.
    """
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} has shape {array.shape}: arrays have one or two dimensions")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} is of type {array.dtype}: arrays hold numbers; use a list")
    dtype = "float32" if array.dtype.kind == "f" else "int32"
    data = np.ascontiguousarray(array, dtype=dtype)
    return {"dtype": dtype, "shape": list(data.shape), "data": data.tobytes()}
