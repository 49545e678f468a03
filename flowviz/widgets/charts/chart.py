"""A plotly.js figure as a light widget: traces and layout as plotly.js documents them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from flowviz.widgets import esm
from flowviz.widgets.charts.base import ChartBase, packed


class Chart(ChartBase):
    """One figure for the chart's lifetime; :meth:`show` changes it in place.

    It speaks plotly.js's own language: ``traces`` and ``layout`` are what
    ``Plotly.react(element, traces, layout)`` takes. The family look lies underneath, and a colour
    may be a token of the design, such as ``"--fv-forward"``, or ``"--fv-forward/0.2"`` for a
    fainter one: these follow the page's theme without the kernel. NumPy arrays travel as binary.

    >>> chart = Chart("a parabola", height=240)
    >>> x = np.linspace(-1, 1, 101)
    >>> chart.show([{"type": "scatter", "mode": "lines", "x": x, "y": x**2}])

    Args:
        label, height: as for every chart.
    """

    _esm = esm.widget(Path(__file__).with_name("chart.js"))
    traces: Any = traitlets.List().tag(sync=True)
    arrays = traitlets.Dict().tag(sync=True)
    figure_layout = traitlets.Dict().tag(sync=True)

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

    def show_words(self, words: str) -> None:
        """Show words in the place of the figure: that nothing has been measured yet, say."""
        note = {
            "name": "words",  # the page breaks them into lines
            "text": words.replace("\n", "<br>"),
            "font": {"color": "--fv-muted"},
            "showarrow": False,
            "x": 0.5,
            "y": 0.5,
            "xref": "paper",
            "yref": "paper",
        }
        unseen = {"visible": False, "range": [0, 1]}
        self.show(
            [],
            {"annotations": [note], "xaxis": unseen, "yaxis": unseen},
            label=f"{self.what}: {' '.join(words.split())}",
        )


def _without_arrays(part: Mapping[str, Any], path: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """``part`` without its NumPy arrays, which go to ``arrays`` under their dotted paths."""
    plain = {}
    for name, value in part.items():
        here = f"{path}.{name}"
        if isinstance(value, Mapping):
            plain[name] = _without_arrays(value, here, arrays)
        elif isinstance(value, np.ndarray):
            arrays[here] = packed(value, here)
        else:
            plain[name] = value
    return plain
