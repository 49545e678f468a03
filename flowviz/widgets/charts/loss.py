"""Objectives against the training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from flowviz.widgets.charts.line import Axis, Curve, Drawn, Limits, LineChart, Points

LEAST_STEPS = 20
"""The axis holds so many steps from the first one drawn: the first steps do not fill the width."""


@dataclass(frozen=True)
class Series:
    """One objective.

    Args:
        name: written at its end, such as ``KL(p*‖p)``.
        steps, values: of the same length; values that are not finite leave a gap.
        errors: standard errors, drawn as a band of ± one.
        colour: a token or any CSS colour.
    """

    name: str
    steps: ArrayLike
    values: ArrayLike
    errors: ArrayLike | None = None
    colour: str = "--fv-forward"


class LossChart(LineChart):
    """One or more objectives against the step, on a linear or a logarithmic scale.

    Args:
        label: what the chart shows.
        title: the line above it, with the unit: ``objective in nats``.
        log: a logarithmic scale; values that are not positive leave a gap.
        height, clock: as for :class:`LineChart`.
    """

    def __init__(
        self,
        label: str,
        *,
        title: str = "",
        log: bool = False,
        height: int = 200,
        clock: str = "",
    ) -> None:
        super().__init__(label, title=title, y=Axis(log=log), height=height, clock=clock)

    def show_series(self, series: Sequence[Series], points: Sequence[Points] = ()) -> None:
        """Draw these curves in place of those before, and points over them.

        Raises:
            ValueError: steps, values and errors of one of them differ in length.
        """
        curves = [Curve(s.name, s.steps, s.values, s.errors, s.colour) for s in series]
        given: list[Curve | Points] = [*curves, *points]
        self.show_curves(curves, points, y_limits=self._heights(given), x_limits=_steps(given))

    def _heights(self, given: Sequence[Curve | Points]) -> Limits | None:
        """The first steps' spikes may leave the picture, all else not."""
        drawn = [Drawn(one, self.x_axis, self.y_axis) for one in given]
        values = np.concatenate([one.y[np.isfinite(one.y)] for one in drawn] or [np.empty(0)])
        if not len(values):
            return None
        scaled = self.y_axis.scaled(values)
        ends = [float(self.y_axis.scaled(np.float64(d.last[1]))) for d in drawn if d.last]
        low, high = float(scaled.min()), max(float(np.quantile(scaled, 0.985)), *ends)
        room = max(0.06 * (high - low), 1e-3 * max(abs(low), abs(high)), 1e-6)
        low, high = low - room, high + room
        return (10.0**low, 10.0**high) if self.y_axis.log else (low, high)

    def _at(self, x: float) -> str:
        return f"step {x:,.0f}"


def _steps(given: Sequence[Curve | Points]) -> Limits:
    steps = np.concatenate([np.asarray(one.x, dtype=np.float64) for one in given] or [np.empty(0)])
    if not len(steps):
        return 0.0, float(LEAST_STEPS)
    first, last = float(steps.min()), float(steps.max())
    # A single one does not stand on the axis, over its numbers.
    return first - (first == last), max(last, first + LEAST_STEPS)
