"""The densities of a target with two modes and of a map to it, along the axis through both."""

from __future__ import annotations

import math

import numpy as np
import torch

from flowviz.two_modes import Map, Modes
from flowviz.widgets.charts import Axis, Curve, LineChart, Points

DENSITIES = (1e-6, 2.0)
"""What is seen of them; what is less is left out."""
CURVE_POINTS = 480


class AxisDensities(LineChart):
    """Both as curves over the axis, on a logarithmic scale, and the map's in the middle as a point.

    Args:
        ends: between which of the axis they are seen.
    """

    def __init__(self, ends: tuple[float, float]) -> None:
        self._x = torch.linspace(*ends, CURVE_POINTS + 1, dtype=torch.float64)
        super().__init__(
            "densities along the axis",
            title="Marginal density along the axis",
            x=Axis(limits=ends),
            y=Axis(log=True, limits=DENSITIES),
            height=0,
        )

    def show_both(self, target: Modes, map_: Map) -> None:
        """Draw them."""
        curves, middle = [], math.nan
        for name, one, colour in (("p*", target, "--fv-ink"), ("", map_, "--fv-forward")):
            density = one.log_density(self._x).exp().numpy()
            seen = np.where(density < DENSITIES[0], math.nan, density)
            at = float(target.m) if name else None  # on its right mode, not at the axis' end
            curves.append(Curve(name, self._x.numpy(), seen, colour=colour, named_at=at))
            middle = float(seen[CURVE_POINTS // 2])
        self.show_curves(curves, [Points("p", [0.0], [middle], colour="--fv-forward")])
