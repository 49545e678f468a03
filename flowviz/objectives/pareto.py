"""The tail of importance weights: how many of their moments exist."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from flowviz import arguments

FEWEST = 25
"""Fewer weights show no tail."""
HEAVY = 0.4
"""From this k̂ on no variance is believed: towards 0.5, where it ends, samples show too little."""


def pareto_k(log_weights: Tensor) -> float:
    """k̂, the tail index of importance weights: moments of order 1/k̂ and above are infinite.

    Below 0.5 the weights have a variance; above 0.7 estimates cannot be trusted (Vehtari,
    Simpson, Gelman, Yao & Gabry 2024). A generalised Pareto distribution is fitted to the
    largest of the weights by the method of Zhang & Stephens 2009.

    Args:
        log_weights: ``[N]``, N ≥ 25, in any normalisation.

    Returns:
        k̂; −∞ where the largest weights are all equal, and so have no tail.

    Raises:
        ValueError: another shape, too few weights, or NaN among them.
    """
    # A weight of 0 is a weight: only NaN and +∞ are none.
    if isinstance(log_weights, Tensor) and log_weights.is_floating_point():
        log_weights = torch.where(log_weights == -torch.inf, -1e30, log_weights.double())
    n = len(arguments.array("log_weights", log_weights, "[N]", least=FEWEST))
    count = math.ceil(min(0.2 * n, 3 * math.sqrt(n)))
    ordered = log_weights.detach().double().sort().values
    weights = torch.exp(ordered - ordered[-1])
    excess = weights[-count:] - weights[-count - 1]
    if not bool(excess[-1] > excess[0]) or not bool(excess[-1] > 0):
        return -math.inf
    return _shape(excess[excess > 0])


def lack_variance(log_weights: Tensor) -> bool:
    """Whether weights ``[N]`` show no variance: their k̂ is above :data:`HEAVY`.

    Fewer than :data:`FEWEST` show nothing.

    Raises:
        ValueError: another shape, or NaN or +∞ among them.
    """
    few = log_weights.is_meta or len(log_weights) < FEWEST
    return not few and pareto_k(log_weights) > HEAVY


def _shape(excess: Tensor) -> float:
    """The shape of a generalised Pareto distribution from its sorted draws above 0."""
    n = len(excess)
    grid = 30 + int(math.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1] if n >= 2 else excess[0]
    i = torch.arange(1, grid + 1, dtype=excess.dtype, device=excess.device)
    b = 1 / excess[-1] + (1 - torch.sqrt(grid / (i - 0.5))) / (3 * quartile)
    shapes = torch.log1p(-b[:, None] * excess).mean(-1)
    profile = n * (torch.log(-b / shapes) - shapes - 1)
    mean = (torch.softmax(profile, 0) * b).sum()
    shape = float(torch.log1p(-mean * excess).mean())
    # A weak prior of ten draws at 1/2 steadies the fit of short tails.
    return (n * shape + 10 * 0.5) / (n + 10)
