"""Draws against a density: the χ² statistic of a histogram on the plotting window."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from flowviz.grid import Grid2D
from flowviz.targets.target import Target


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chi_square(target: Target, draws: Tensor, cells: int = 24, fine: int = 240) -> float:
    """(χ² − df)/√(2 df) of the draws' histogram on the window against the density."""
    grid = Grid2D(target.window, fine, dtype=torch.float64)
    mass = grid.evaluate(target.log_prob).exp() * grid.cell_area
    step = fine // cells
    expected = mass.reshape(cells, step, cells, step).sum(dim=(1, 3)).flatten().numpy()
    xmin, xmax, ymin, ymax = target.window
    counts, _, _ = np.histogram2d(
        draws[:, 1], draws[:, 0], bins=cells, range=[[ymin, ymax], [xmin, xmax]]
    )
    expected, counts = expected * len(draws), counts.ravel()
    big = expected >= 5
    rest = (len(draws) - expected[big].sum(), len(draws) - counts[big].sum())
    statistic = ((counts[big] - expected[big]) ** 2 / expected[big]).sum()
    df = int(big.sum()) - 1
    if rest[0] >= 5:
        statistic += (rest[1] - rest[0]) ** 2 / rest[0]
        df += 1
    else:
        assert rest[1] < rest[0] + 15, "draws where the density has no mass"
    return (statistic - df) / math.sqrt(2 * df)
