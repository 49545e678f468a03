"""The density that a flow carries, as an image of every state."""

from __future__ import annotations

import torch

from flowviz.flows import Flow
from flowviz.flows.plane import carried_log_density
from flowviz.grid import Window
from flowviz.widgets.stage import Image


def density_image(flow: Flow, window: Window, cells: int) -> Image:
    """The density of every state over ``window``, of ``cells`` by ``cells``."""
    values = carried_log_density(flow, window, cells).exp()
    # The last state sets the scale: what is seen there is the model.
    top = float(torch.quantile(values[-1], 0.995)) or 1.0
    return Image(values, window, palette="sequential", value_range=(0, top), label="density")
