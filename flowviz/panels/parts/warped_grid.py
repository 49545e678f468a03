"""The base plane's grid, warped by a flow, as a mark of a stage."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz.flows.plane import GridTrace
from flowviz.panels.parts.flow_stage import with_start
from flowviz.widgets.stage import Grid

EXTENT = 3.0
"""Half the side of the square of the base plane that the grid covers."""


def warped_grid(grid: GridTrace, per: str) -> Grid:
    """The grid's states; its cells fade with the base's mass in them: an empty cell does not shout.

    Args:
        per: "total" for the sum of log|det J| so far, "layer" for that of each layer.
    """
    weights = base_weights(len(grid.corners[0]) - 1)
    if per == "total":
        values, label = grid.total(), "Σ log|det J|"
    else:
        values, label = with_start(grid.logabsdet), "log|det J| of the layer"
    return Grid(grid.corners, values=values, weights=weights, label=label)


def base_weights(cells: int) -> Tensor:
    """How much each cell shows, ``[R, R]``: the base's density there over its largest, rooted."""
    lines = torch.linspace(-EXTENT, EXTENT, cells + 1)
    centres = (lines[1:] + lines[:-1]) / 2
    squared = centres[:, None] ** 2 + centres[None, :] ** 2
    return torch.exp(-squared / 8)
