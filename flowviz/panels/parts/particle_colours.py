"""What the colours of particles on their way can mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.panels.parts.flow_stage import with_start

COLOURS = {
    "angle": "Angle in the base",
    "radius": "Distance from the base's centre",
    "density": "Log-density on the way",
    "layer": "log|det J| of the layer",
    "group": "Quadrant of the base",
}


def particle_colours(kind: str, flow: Flow, trace: Trace) -> dict[str, Any]:
    """The arguments of :class:`~flowviz.widgets.stage.Particles` that colour them.

    Args:
        kind: one of COLOURS.
        flow: whose base ``trace`` starts in.
    """
    base = trace.states[0]
    if kind == "angle":
        values = torch.atan2(base[:, 1], base[:, 0])
        palette, limits, label = "cyclic", (-math.pi, math.pi), "angle of u"
    elif kind == "radius":
        values = torch.linalg.vector_norm(base, dim=-1)
        palette, limits, label = "sequential", (-1.0, 3.0), "distance of u from 0"
    elif kind == "group":
        values = 2.0 * (base[:, 1] < 0) + ((base[:, 0] < 0) ^ (base[:, 1] < 0))
        palette, limits, label = "groups", (0.0, 3.0), "quadrant of u"
    elif kind == "density":
        values = flow.base.log_prob(base) - with_start(trace.logabsdet).cumsum(0)
        low, high = np.quantile(values[:, :2_000].cpu().numpy(), (0.05, 0.99))
        # Two fifths of the scale lie below: the faintest particle is still seen.
        limits = (float(low - 0.66 * (high - low)) - 1e-3, float(high))
        palette, label = "sequential", "log p(z)"
    else:
        values = with_start(trace.logabsdet)
        return {"values": values, "palette": "diverging", "label": "log|det J| of the layer"}
    return {"values": values, "palette": palette, "value_range": limits, "label": label}
