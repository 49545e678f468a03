"""Mean and spread of the columns of data, and which of them never vary."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz import arguments

CONSTANT = 8
"""A column whose standard deviation is at most so many roundings of its values never varies."""


def moments(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation ``[D]`` of the columns of ``x [N, D]``, N ≥ 2.

    The standard deviation of a column that never varies is exactly 0, whatever rounding makes
    of it.

    Raises:
        TypeError: ``x`` is not a floating-point tensor.
        ValueError: another shape, or NaN or infinity in it; the message names ``name``.
    """
    rows = arguments.array(name, x, "[N, D]", least=2).detach()
    # Not in the data's own precision: the squares of large values would not fit in it.
    wide = rows.cpu().double()
    std, mean = torch.std_mean(wide, 0)
    rounding = CONSTANT * torch.finfo(x.dtype).eps * wide.abs().amax(0)
    return mean.to(rows), torch.where(std > rounding, std, 0).to(rows)


def moments_of_density(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`moments` of data that are to have a density.

    Raises:
        TypeError, ValueError: as there.
        ValueError: a column never varies.
    """
    mean, std = moments(name, x)
    if bool((std == 0).any()):
        column = int((std == 0).nonzero()[0]) + 1
        raise ValueError(
            f"column {column} of {name} is {x[0, column - 1].item():g} in every row: "
            "it has no density; leave it out"
        )
    return mean, std


def standardised(name: str, x: Tensor) -> Tensor:
    """``x [N, D]``, each column less its mean and over its standard deviation.

    A column that never varies is 0, up to rounding. Raises as :func:`moments` does.
    """
    mean, std = moments(name, x)
    return (x - mean) / torch.where(std > 0, std, 1.0)
