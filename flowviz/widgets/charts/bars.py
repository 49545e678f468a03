"""What each layer contributes, as a waterfall that ends in the sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flowviz.widgets.charts.chart import Chart
from flowviz.widgets.readouts import format_alike, format_number

MOST_WRITTEN = 8
"""The numbers of more bars than this would run into one another; they are in the tooltips."""


class BarChart(Chart):
    """Signed contributions one on top of the other, and their total at the end.

    For log|det| of layers: what expands has the colour of expansion, what contracts that of
    contraction.

    Args:
        label: what the chart shows.
        title: the line above it.
    """

    def __init__(self, label: str, *, title: str = "", height: int = 220) -> None:
        super().__init__(label, height=height)
        self._what = label
        self.title = title
        self.show_contributions([], [])

    def show_contributions(
        self, names: Sequence[str], values: Sequence[float] | np.ndarray, *, upto: int | None = None
    ) -> None:
        """Draw one bar for each name, and the total.

        Args:
            names: of the layers, in order.
            values: their contributions.
            upto: only the first so many count; the rest are drawn faint.

        Raises:
            ValueError: not as many names as values.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.shape != (len(names),):
            raise ValueError(f"{len(names)} names for values of shape {given.shape}")
        count = len(names) if upto is None else max(0, min(upto, len(names)))
        heights = np.nan_to_num(given, nan=0.0, posinf=0.0, neginf=0.0)
        before = np.concatenate([[0.0], np.cumsum(heights)])
        total = float(given[:count].sum())
        colours = [
            ("--fv-expand" if value > 0 else "--fv-contract") + ("" if i < count else "/0.25")
            for i, value in enumerate(given)
        ]
        labels = [f"{i + 1}" for i in range(len(names))]
        digits = 3 if len(names) < 6 else 2
        bars = {
            "type": "bar",
            "x": [*labels, "Σ"],
            "y": np.append(heights, total if np.isfinite(total) else 0.0),
            "base": np.append(before[:-1], 0.0),
            "marker": {"color": [*colours, "--fv-muted"], "line": {"width": 0}},
            "text": format_alike((*given, total), digits),
            "textposition": "outside" if len(names) <= MOST_WRITTEN else "none",
            "textfont": {"size": 12 if len(names) < 6 else 11, "color": "--fv-ink"},
            "constraintext": "none",
            "cliponaxis": False,
            "customdata": [*names, "sum"],
            "hovertemplate": "%{customdata}: %{text}<extra></extra>",
        }
        ends = np.concatenate([before, [0.0, total if np.isfinite(total) else 0.0]])
        low, high = float(ends.min()), float(ends.max())
        room = 0.16 * (high - low) or 1.0
        layout: dict[str, Any] = {
            "bargap": 0.35,
            "xaxis": {"type": "category", "showgrid": False},
            "yaxis": {
                "range": [low - (room if low < 0 else 0), high + (room if high > 0 else 0)],
                "zeroline": True,
                "zerolinecolor": "--fv-muted",
                "nticks": 5,
            },
        }
        if self.title:
            layout["title"] = {"text": self.title, "y": 1, "yanchor": "top", "pad": {"t": 4}}
            layout["margin"] = {"t": 30}
        said = ", ".join(f"{n} {format_number(v)}" for n, v in zip(names, given, strict=True))
        end = f"; sum {format_number(total)}" if len(names) else "nothing yet"
        self.show([bars] if len(names) else [], layout, label=f"{self._what}: {said}{end}")
