"""What a two-dimensional flow looks like, as arrays: warped grids, measured areas, densities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from flowviz.flows.flow import Flow
from flowviz.grid import Grid2D, Window


@dataclass(frozen=True)
class GridTrace:
    """A square grid of the base plane, carried through the layers.

    Attributes:
        corners: ``[K+1, R+1, R+1, 2]``, the grid lines' crossings in every state.
        logabsdet: ``[K, R, R]``, log|det J_{T_k}| of each layer at the cells' centres.
        extent: half the side of the square in the base plane.
    """

    corners: Tensor
    logabsdet: Tensor
    extent: float

    def total(self) -> Tensor:
        """``[K+1, R, R]``: Σ log|det J| of the layers up to each state; 0 in the first."""
        start = torch.zeros_like(self.logabsdet[:1])
        return torch.cat([start, self.logabsdet.cumsum(0)])

    def measured(self) -> Tensor:
        """``[K+1, R, R]``: the log of each cell's area over its area in the base plane.

        The area is that of the quadrilateral between the four corners (shoelace formula): equal
        to |det J| in the limit of small cells.
        """
        a = self.corners[:, :-1, :-1]
        b = self.corners[:, :-1, 1:]
        c = self.corners[:, 1:, 1:]
        d = self.corners[:, 1:, :-1]
        diagonals = torch.stack([c - a, d - b], -1)
        area = 0.5 * torch.linalg.det(diagonals).abs()
        cells = self.logabsdet.shape[-1]
        return torch.log(area) - 2 * torch.log(torch.tensor(2 * self.extent / cells))


@torch.no_grad()
def grid_trace(flow: Flow, extent: float = 3.0, cells: int = 40) -> GridTrace:
    """Carry the square [−extent, extent]², cut into ``cells`` × ``cells``, through the flow.

    Raises:
        ValueError: the flow is not two-dimensional, extent ≤ 0 or cells < 1.
    """
    if flow.dim != 2:
        raise ValueError(f"a grid shows a flow of dimension 2, this one has {flow.dim}")
    if not extent > 0 or cells < 1:
        raise ValueError(f"need extent > 0 and cells ≥ 1, got extent={extent}, cells={cells}")
    like = flow.like
    lines = torch.linspace(-extent, extent, cells + 1, device=like.device, dtype=like.dtype)
    centres = (lines[1:] + lines[:-1]) / 2
    corners = flow.trace(_mesh(lines).reshape(-1, 2)).states
    logabsdet = flow.trace(_mesh(centres).reshape(-1, 2)).logabsdet
    return GridTrace(
        corners=corners.reshape(-1, cells + 1, cells + 1, 2).cpu(),
        logabsdet=logabsdet.reshape(-1, cells, cells).cpu(),
        extent=extent,
    )


@torch.no_grad()
def log_density(flow: Flow, window: Window, resolution: int = 120) -> Tensor:
    """log p_x at the centres of R × R cells of a window, ``[R, R]``, rows going up in y."""
    like = flow.like
    grid = Grid2D(window, resolution, device=like.device, dtype=like.dtype)
    return grid.evaluate(flow.log_prob).reshape(resolution, resolution)


@torch.no_grad()
def carried_log_density(flow: Flow, window: Window, resolution: int = 64) -> Tensor:
    """log p of z_0, z_1, …, z_K at the centres of R × R cells, ``[K+1, R, R]``, rows going up in y.

    The density of z_k is that of the flow cut off after k layers; the last is :func:`log_density`.
    Every layer is inverted once, for all states after it together.
    """
    like = flow.like
    grid = Grid2D(window, resolution, device=like.device, dtype=like.dtype).points
    points, logabsdet = grid, grid.new_zeros(len(grid))
    for layer in reversed(list(flow.transform)):
        points, change = layer.inverse(points)
        # The state before this layer starts its own way back from the grid.
        points = torch.cat([grid, points])
        logabsdet = torch.cat([grid.new_zeros(len(grid)), logabsdet + change])
    values = flow.base.log_prob(points) + logabsdet
    return values.reshape(-1, resolution, resolution).cpu()


def _mesh(lines: Tensor) -> Tensor:
    """``[R, R, 2]``: entry (i, j) is (lines[j], lines[i])."""
    x, y = torch.meshgrid(lines, lines, indexing="xy")
    return torch.stack([x, y], -1)
