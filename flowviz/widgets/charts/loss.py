"""Objectives against the training step: lines with bands, named at their ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from flowviz.widgets.charts.chart import Chart
from flowviz.widgets.readouts import format_number

MOST_POINTS = 600
"""More than a screen shows; longer runs are drawn by every k-th step, the last one included."""


@dataclass(frozen=True)
class Series:
    """One curve.

    Args:
        name: written at its end, such as ``KL(p*‖p)``.
        steps, values: of the same length; values that are not finite leave a gap.
        errors: standard errors, drawn as a band of ± one.
        colour: a token or any CSS colour.
    """

    name: str
    steps: np.ndarray
    values: np.ndarray
    errors: np.ndarray | None = None
    colour: str = "--fv-forward"


class LossChart(Chart):
    """One or more objectives against the step, on a linear or a logarithmic scale.

    Args:
        label: what the chart shows.
        title: the line above it, with the unit: ``objective in nats``.
        log: a logarithmic scale; values that are not positive leave a gap.
    """

    def __init__(
        self, label: str, *, title: str = "", log: bool = False, height: int = 200
    ) -> None:
        super().__init__(label, height=height)
        self._what = label
        self.title = title
        self.logarithmic = log
        self.show_series([])

    def show_series(self, series: Sequence[Series]) -> None:
        """Draw these curves in place of those before.

        Raises:
            ValueError: steps, values and errors of one series differ in length.
        """
        curves = [_Curve(one, self.logarithmic) for one in series]
        low, high = _range(curves)
        traces: list[dict[str, Any]] = []
        for curve in curves:
            traces += curve.traces()
        ends = [curve for curve in curves if curve.end is not None]
        heights = _apart([(curve.end[1] - low) / (high - low) for curve in ends], 17 / self.height)
        notes = [
            curve.note((share - (curve.end[1] - low) / (high - low)) * self.height)
            for curve, share in zip(ends, heights, strict=True)
        ]
        layout: dict[str, Any] = {
            "hovermode": "x",
            "margin": {"l": 8, "r": 12 + 7 * max((len(c.series.name) for c in ends), default=0)},
            "xaxis": {
                "showgrid": False,
                "range": [0, max((float(c.steps[-1]) for c in curves if len(c.steps)), default=1)],
                "nticks": 6,
                "tickangle": 0,
                "tickformat": ",",
            },
            "yaxis": {
                "range": [low, high],
                "type": "log" if self.logarithmic else "linear",
                "nticks": 6,
            },
            "annotations": notes,
        }
        if self.title:
            layout["title"] = {"text": self.title, "y": 1, "yanchor": "top", "pad": {"t": 4}}
            layout["margin"]["t"] = 30
        if self.logarithmic:
            layout["yaxis"] |= _log_ticks(low, high)
        else:
            layout["yaxis"] |= {"tickformat": ".3~g"}
        said = "; ".join(
            f"{c.series.name} {format_number(c.last_value)} at step {c.last_step:,.0f}"
            for c in ends
        )
        self.show(traces, layout, label=f"{self._what}: {said or 'nothing yet'}")


class _Curve:
    """A series thinned out, with what cannot be drawn left out; ``end`` in axis units."""

    def __init__(self, series: Series, log: bool) -> None:
        steps = np.asarray(series.steps, dtype=np.float64)
        values = np.asarray(series.values, dtype=np.float64)
        errors = None if series.errors is None else np.asarray(series.errors, dtype=np.float64)
        sizes = {a.shape for a in (steps, values, errors) if a is not None}
        if len(sizes) > 1 or steps.ndim != 1:
            given = ", ".join(str(size) for size in sorted(sizes))
            raise ValueError(f"{series.name}: steps, values and errors have shapes {given}")
        stride = max(1, math.ceil(len(steps) / MOST_POINTS))
        keep = slice((len(steps) - 1) % stride if len(steps) else 0, None, stride)
        drawable = np.isfinite(values) & ((values > 0) if log else True)
        values = np.where(drawable, values, np.nan)
        self.series, self.log = series, log
        self.steps, self.values = steps[keep], values[keep]
        self.errors = None if errors is None else errors[keep]
        at = np.flatnonzero(np.isfinite(self.values))
        self.end: Any = None
        if len(at):
            self.last_step, self.last_value = self.steps[at[-1]], self.values[at[-1]]
            self.end = self.last_step, math.log10(self.last_value) if log else self.last_value

    def traces(self) -> list[dict[str, Any]]:
        colour, made = self.series.colour, []
        if self.errors is not None:
            low, high = self.values - self.errors, self.values + self.errors
            if self.log:  # a band that reaches below zero ends at the picture's edge
                low = np.maximum(low, self.values * 1e-3)
            known = np.isfinite(low) & np.isfinite(high)
            around = np.concatenate([self.steps[known], self.steps[known][::-1]])
            band = np.concatenate([high[known], low[known][::-1]])
            made.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": around.astype(np.float32),
                    "y": band.astype(np.float32),
                    "fill": "toself",
                    "fillcolor": f"{colour}/0.18" if colour.startswith("--") else colour,
                    "line": {"width": 0},
                    "hoverinfo": "skip",
                }
            )
        made.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": self.series.name,
                "x": self.steps.astype(np.float32),
                "y": self.values.astype(np.float32),
                "line": {"color": colour, "width": 1.8},
                "hovertemplate": "%{y:.3~g}",
            }
        )
        return made

    def note(self, shift: float) -> dict[str, Any]:
        return {
            "x": float(self.end[0]),
            "y": float(self.end[1]),
            "xshift": 6,
            "yshift": round(shift, 1),
            "xanchor": "left",
            "showarrow": False,
            "text": self.series.name,
            "font": {"color": self.series.colour, "size": 13},
        }


def _range(curves: Sequence[_Curve]) -> tuple[float, float]:
    """Axis limits in axis units: the first steps' spikes may leave the picture, all else not."""
    parts = [np.log10(c.values) if c.log else c.values for c in curves]
    values = np.concatenate([p[np.isfinite(p)] for p in parts]) if parts else np.empty(0)
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(np.quantile(values, 0.985))
    high = max(high, *(float(c.end[1]) for c in curves if c.end is not None))
    room = max(0.06 * (high - low), 1e-3 * max(abs(low), abs(high)), 1e-6)
    return low - room, high + room


def _log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at 1 and 3 of each decade, or at powers of ten alone where these would crowd."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    digits = (1, 2, 5) if high - low < 1.2 else (1, 3) if high - low < 3.2 else (1,)
    values = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
    stride = max(1, math.ceil(len(decades) / 7)) if len(digits) == 1 else 1
    values = values[::stride]
    return {"tickmode": "array", "tickvals": values, "ticktext": [f"{v:g}" for v in values]}


def _apart(shares: Sequence[float], gap: float) -> list[float]:
    """The same heights, pushed up where two are nearer than ``gap``, in the order given."""
    moved = list(shares)
    order = sorted(range(len(moved)), key=lambda i: moved[i])
    for below, above in pairwise(order):
        moved[above] = max(moved[above], moved[below] + gap)
    return moved
