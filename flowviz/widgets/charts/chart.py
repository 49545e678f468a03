"""A plotly.js figure as a light widget: traces and layout as plotly.js documents them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from flowviz.widgets import esm
from flowviz.widgets.charts import bundle

_HERE = Path(__file__).parent


class Chart(anywidget.AnyWidget):
    """One figure for the chart's lifetime; :meth:`show` changes it in place.

    It speaks plotly.js's own language: ``traces`` and ``layout`` are what
    ``Plotly.react(element, traces, layout)`` takes. The family look lies underneath, and a colour
    may be a token of the design, such as ``"--fv-forward"``, or ``"--fv-forward/0.2"`` for a
    fainter one: these follow the page's theme without the kernel. NumPy arrays travel as binary.

    >>> chart = Chart("a parabola", height=240)
    >>> x = np.linspace(-1, 1, 101)
    >>> chart.show([{"type": "scatter", "mode": "lines", "x": x, "y": x**2}])

    Args:
        label: what the chart shows, for those who do not see it.
        height: in CSS pixels; the width is what there is.
    """

    _esm = esm.module(_HERE / "chart.js")
    _css = (_HERE / "chart.css").read_text(encoding="utf-8")
    label = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(240, min=40, max=4_000).tag(sync=True)
    traces: Any = traitlets.List().tag(sync=True)
    arrays = traitlets.Dict().tag(sync=True)
    figure_layout = traitlets.Dict().tag(sync=True)

    def __init__(self, label: str, *, height: int = 240) -> None:
        super().__init__(label=label, height=height)
        self.on_msg(self._send_plotly)

    def show(
        self,
        traces: Sequence[Mapping[str, Any]],
        layout: Mapping[str, Any] | None = None,
        *,
        label: str | None = None,
    ) -> None:
        """Draw these traces in place of those before.

        Args:
            traces: plotly.js traces; arrays have one dimension, or two (a heatmap's z).
            layout: a plotly.js layout; None leaves it as it is.
            label: a new text alternative, such as one with the numbers of the moment.

        Raises:
            ValueError: an array of more than two dimensions, or not of numbers.
        """
        arrays: dict[str, Any] = {}
        plain = [_without_arrays(trace, str(i), arrays) for i, trace in enumerate(traces)]
        with self.hold_sync():
            self.traces = plain
            self.arrays = arrays
            if layout is not None:
                self.figure_layout = dict(layout)
            if label is not None:
                self.label = label

    def _send_plotly(self, _: Any, content: Any, __: Any) -> None:
        """Answer the first chart of a page on which no server serves plotly.js."""
        if isinstance(content, dict) and content.get("kind") == "plotly":
            self.send({"kind": "plotly"}, buffers=[bundle.packed()])


def _without_arrays(part: Mapping[str, Any], path: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """``part`` without its NumPy arrays, which go to ``arrays`` under their dotted paths."""
    plain = {}
    for name, value in part.items():
        here = f"{path}.{name}"
        if isinstance(value, Mapping):
            plain[name] = _without_arrays(value, here, arrays)
        elif isinstance(value, np.ndarray):
            arrays[here] = _pack(value, here)
        else:
            plain[name] = value
    return plain


def _pack(array: np.ndarray, path: str) -> dict[str, Any]:
    if array.ndim not in (1, 2):
        raise ValueError(f"{path} has shape {array.shape}: arrays have one or two dimensions")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path} is of type {array.dtype}: arrays hold numbers; use a list")
    dtype = "float32" if array.dtype.kind == "f" else "int32"
    data = np.ascontiguousarray(array, dtype=dtype)
    return {"dtype": dtype, "shape": list(data.shape), "data": data.tobytes()}
