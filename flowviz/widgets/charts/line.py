"""Curves with bands and points, named at their ends, on linear or logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import traitlets
from numpy.typing import ArrayLike

from flowviz.widgets import esm
from flowviz.widgets.charts.chart import Chart
from flowviz.widgets.readouts import format_number

MOST_POINTS = 600
"""More than a screen shows; longer curves are drawn by every k-th point, the last one included."""

Dash = Literal["solid", "dash", "dot"]
Limits = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """One axis of a line chart.

    Args:
        title: beside it, with the unit.
        log: a logarithmic scale; what is not positive leaves a gap.
        limits: fixed ends; without them they follow what is drawn.

    Raises:
        ValueError: limits that are no interval, or not positive on a logarithmic scale.
    """

    title: str = ""
    log: bool = False
    limits: Limits | None = None

    def __post_init__(self) -> None:
        if self.limits is None:
            return
        low, high = self.limits
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"an axis goes from a smaller to a larger number, got {self.limits}")
        if self.log and low <= 0:
            raise ValueError(f"a logarithmic axis has no place for {low:g}")

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """``values`` as the axis counts: their logarithms to base 10 where it is logarithmic."""
        return np.log10(values) if self.log else values


@dataclass(frozen=True)
class Curve:
    """One curve.

    Args:
        name: written at its end, such as ``KL(p*‖p)``; "" writes none.
        x, y: of the same length; values that are not finite leave a gap.
        errors: standard errors of ``y``, drawn as a band of ± one.
        colour: a token or any CSS colour.
        dash: how the line is drawn.
        filled: whether what lies under it is tinted, as under a histogram's outline.
        named_at: the x at which the name stands; its end by default.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    errors: ArrayLike | None = None
    colour: str = "--fv-forward"
    dash: Dash = "solid"
    filled: bool = False
    named_at: float | None = None


@dataclass(frozen=True)
class Points:
    """Points of one colour.

    Args:
        name: written beside the last one; "" writes none.
        x, y: of the same length; those that are not finite are left out.
        errors: standard errors of ``y``, drawn as bars of ± one.
        colour: a token or any CSS colour.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    errors: ArrayLike | None = None
    colour: str = "--fv-ink"


class LineChart(Chart):
    """Curves with bands of a standard error, and points.

    With a ``clock``, the name of the stages' that it shall go by, a line stands at
    ``moments[i]`` while they show the i-th moment of a training's film; no message is sent.

    Args:
        label: what the chart shows, for those who do not see it.
        title: the line above it.
        x, y: the axes.
        height: in CSS pixels, or 0 to fill the box that the chart is put into.
        clock: as :attr:`flowviz.widgets.stage.Stage.clock`; "" for none.
    """

    _esm = esm.widget(Path(__file__).with_name("line.js"))
    clock = traitlets.Unicode().tag(sync=True)
    moments: Any = traitlets.List(traitlets.Float()).tag(sync=True)
    """The x at which each moment of the film was recorded."""
    cursor: Any = traitlets.Float(None, allow_none=True).tag(sync=True)
    """The x of a vertical line; None for none. A moment of the film has the line for itself."""
    clickable = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        label: str,
        *,
        title: str = "",
        x: Axis | None = None,
        y: Axis | None = None,
        height: int = 200,
        clock: str = "",
    ) -> None:
        super().__init__(label, height=height)
        self._listeners: list[Callable[[float], None]] = []
        self.title, self.clock = title, clock
        self.x_axis, self.y_axis = x or Axis(), y or Axis()
        self.on_msg(self._hear_click)
        self.show_curves([])

    def show_curves(
        self,
        curves: Sequence[Curve],
        points: Sequence[Points] = (),
        *,
        x_limits: Limits | None = None,
        y_limits: Limits | None = None,
    ) -> None:
        """Draw these in place of those before.

        Args:
            curves, points: in the order in which they lie over one another.
            x_limits, y_limits: of this drawing, in place of the axes' own.

        Raises:
            ValueError: x, y and errors of one of them differ in length, or limits are no interval.
        """
        given: list[Curve | Points] = [*curves, *points]
        drawn = [Drawn(one, self.x_axis, self.y_axis) for one in given]
        x_range = self._range(
            self.x_axis, x_limits, [d.x for d in drawn], room=0.03 if points else 0
        )
        y_range = self._range(self.y_axis, y_limits, [d.y for d in drawn], room=0.06)
        self.drawn, self.x_range, self.y_range = drawn, x_range, y_range
        layout: dict[str, Any] = {
            "hovermode": "closest" if points else "x",
            "margin": {"l": 8},
            "xaxis": _axis(self.x_axis, x_range) | {"showgrid": self.x_axis.log},
            "yaxis": _axis(self.y_axis, y_range),
            "annotations": [note for one in drawn if (note := one.end())],
        }
        if self.title:
            layout["title"] = {"text": self.title}
        said = "; ".join(
            f"{one.given.name or 'curve'} {format_number(one.last[1])} at {self._at(one.last[0])}"
            for one in drawn
            if one.last is not None
        )
        self.show(
            [trace for one in drawn for trace in one.traces()],
            layout,
            label=f"{self.what}: {said or 'nothing yet'}",
        )

    def on_click(self, listener: Callable[[float], None]) -> None:
        """Call ``listener`` with the x of every press, and of the pointer dragged on from it.

        Where :attr:`cursor` is set, the arrow keys move it and report too.
        """
        self._listeners.append(listener)
        self.clickable = True

    def _hear_click(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict) or content.get("kind") != "click":
            return
        x = content.get("x")
        if isinstance(x, (int, float)) and math.isfinite(x):
            for listener in list(self._listeners):
                listener(float(x))

    def _at(self, x: float) -> str:
        """An x in the text alternative."""
        return f"{self.x_axis.title or 'x'} = {format_number(x)}"

    @staticmethod
    def _range(
        axis: Axis, limits: Limits | None, parts: Sequence[np.ndarray], *, room: float
    ) -> Limits:
        """Both ends as the axis counts."""
        fixed = Axis(log=axis.log, limits=limits).limits if limits else axis.limits
        if fixed is not None:
            low, high = axis.scaled(np.asarray(fixed, dtype=np.float64)).tolist()
            return low, high
        values = np.concatenate([axis.scaled(part) for part in parts]) if parts else np.empty(0)
        values = values[np.isfinite(values)]
        return _around(values, room) if len(values) else (0.0, 1.0)


class Drawn:
    """A curve or points as they are drawn: thinned out, with what cannot be drawn as NaN.

    ``last`` is the last point (x, y), and ``named`` the one that has the name beside it; None if
    there is none.
    """

    def __init__(self, given: Curve | Points, x_axis: Axis, y_axis: Axis) -> None:
        x = np.asarray(given.x, dtype=np.float64)
        y = np.asarray(given.y, dtype=np.float64)
        errors = None if given.errors is None else np.asarray(given.errors, dtype=np.float64)
        sizes = {a.shape for a in (x, y, errors) if a is not None}
        if len(sizes) > 1 or x.ndim != 1:
            shapes = ", ".join(str(size) for size in sorted(sizes))
            raise ValueError(f"{given.name}: x, y and errors have shapes {shapes}")
        drawable = np.isfinite(x) & np.isfinite(y)
        drawable &= ((x > 0) | (not x_axis.log)) & ((y > 0) | (not y_axis.log))
        keep = _thinned(len(x)) if isinstance(given, Curve) else drawable
        self.given, self.x_axis, self.y_axis = given, x_axis, y_axis
        self.x = np.where(drawable, x, np.nan)[keep]
        self.y = np.where(drawable, y, np.nan)[keep]
        self.errors = None if errors is None else errors[keep]
        at = np.flatnonzero(np.isfinite(self.y))
        self.last = (float(self.x[at[-1]]), float(self.y[at[-1]])) if len(at) else None
        self.named = self.last
        named_at = given.named_at if isinstance(given, Curve) else None
        if len(at) and named_at is not None:
            self.named = named_at, float(np.interp(named_at, self.x[at], self.y[at]))

    def band(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, lower and upper edge of ± one standard error, where these are known."""
        assert self.errors is not None
        low, high = self.y - self.errors, self.y + self.errors
        if self.y_axis.log:  # a band that reaches below zero ends at the picture's edge
            low = np.maximum(low, self.y * 1e-3)
        known = np.isfinite(low) & np.isfinite(high)
        return self.x[known], low[known], high[known]

    def traces(self) -> list[dict[str, Any]]:
        x, y = self.x.astype(np.float32), self.y.astype(np.float32)
        trace: dict[str, Any] = {
            "type": "scatter",
            "name": self.given.name,
            "x": x,
            "y": y,
            "hovertemplate": "%{y:.3~g}",
        }
        if isinstance(self.given, Points):
            trace |= {
                "mode": "markers",
                "marker": {"color": self.given.colour, "size": 7},
                "cliponaxis": False,
                "hovertemplate": "%{x:.3~g}, %{y:.3~g}",
            }
            if self.errors is not None:
                trace["error_y"] = {
                    "type": "data",
                    "array": np.nan_to_num(self.errors).astype(np.float32),
                    "color": self.given.colour,
                    "thickness": 1.5,
                    "width": 3,
                }
            return [trace]
        trace |= {
            "mode": "lines",
            "line": {"color": self.given.colour, "width": 1.8, "dash": self.given.dash},
        }
        if self.given.filled:
            trace |= {"fill": "tozeroy", "fillcolor": _tint(self.given.colour)}
        return [trace] if self.errors is None else [self._band_trace(), trace]

    def _band_trace(self) -> dict[str, Any]:
        x, low, high = self.band()
        colour = self.given.colour
        return {
            "type": "scatter",
            "mode": "lines",
            "x": np.concatenate([x, x[::-1]]).astype(np.float32),
            "y": np.concatenate([high, low[::-1]]).astype(np.float32),
            "fill": "toself",
            "fillcolor": _tint(colour),
            "line": {"width": 0},
            "hoverinfo": "skip",
        }

    def end(self) -> dict[str, Any] | None:
        """The name beside its point; the page keeps such annotations apart."""
        if self.named is None or not self.given.name:
            return None
        x, y = self.named
        return {
            "name": "end",
            "x": float(self.x_axis.scaled(np.float64(x))),
            "y": float(self.y_axis.scaled(np.float64(y))),
            "text": self.given.name,
            "font": {"color": self.given.colour, "size": 13},
            # Inside the chart it lies over other curves.
            **({} if self.named == self.last else {"bgcolor": "--fv-card/0.8"}),
        }


def _tint(colour: str) -> str:
    return f"{colour}/0.18" if colour.startswith("--") else colour


def _thinned(count: int) -> slice:
    stride = max(1, math.ceil(count / MOST_POINTS))
    return slice((count - 1) % stride if count else 0, None, stride)


def _around(values: np.ndarray, room: float) -> Limits:
    low, high = float(values.min()), float(values.max())
    more = max(room * (high - low), 1e-3 * max(abs(low), abs(high)) if low == high else 0.0)
    if low == high:
        more = max(more, 1e-6)
    return low - more, high + more


def _axis(axis: Axis, limits: Limits) -> dict[str, Any]:
    made: dict[str, Any] = {
        "range": list(limits),
        "type": "log" if axis.log else "linear",
        "tickangle": 0,
    }
    return made | {"title": {"text": axis.title}} if axis.title else made
