"""How far samples can be trusted: effective sample size, R̂, and Pareto k̂."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from flowviz import arguments


def effective_sample_size(chains: Tensor) -> Tensor:
    """The number of independent draws that would estimate the mean as well ("bulk" ESS).

    Chains are split in halves and rank-normalised; autocorrelations are summed over Geyer's
    initial monotone sequence (Geyer 1992; Vehtari, Gelman, Simpson, Carpenter & Bürkner 2021).

    Args:
        chains: ``[S, C, D]``: S draws of C chains of D coordinates, S ≥ 8.

    Returns:
        ``[D]``; NaN for a coordinate that is constant.

    Raises:
        ValueError: another shape, or too few draws.
    """
    halves = _split(chains)
    return torch.stack([_geyer(_normal_scores(x)) for x in halves.unbind(-1)])


def r_hat(chains: Tensor) -> Tensor:
    """R̂, the disagreement between chains: near 1 where they have mixed, better below 1.01.

    The rank-normalised split R̂, the larger of bulk and tail (Vehtari et al. 2021).

    Args:
        chains: ``[S, C, D]``, S ≥ 8.

    Returns:
        ``[D]``; NaN for a coordinate that is constant.

    Raises:
        ValueError: another shape, or too few draws.
    """
    halves = _split(chains)
    values = []
    for x in halves.unbind(-1):
        folded = (x - x.flatten().quantile(0.5)).abs()
        values.append(torch.maximum(_ratio(_normal_scores(x)), _ratio(_normal_scores(folded))))
    return torch.stack(values)


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
    n = len(arguments.array("log_weights", log_weights, "[N]", least=25))
    count = math.ceil(min(0.2 * n, 3 * math.sqrt(n)))
    ordered = log_weights.detach().double().sort().values
    weights = torch.exp(ordered - ordered[-1])
    excess = weights[-count:] - weights[-count - 1]
    if not bool(excess[-1] > excess[0]) or not bool(excess[-1] > 0):
        return -math.inf
    return _pareto_shape(excess[excess > 0])


def _pareto_shape(excess: Tensor) -> float:
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


def _split(chains: Tensor) -> Tensor:
    """``[S, C, D]`` to ``[S/2, 2C, D]`` in float64, the middle draw of an odd S left out."""
    arguments.array("chains", chains, "[S, C, D]", least=8)
    half = chains.shape[0] // 2
    return torch.cat([chains[:half], chains[-half:]], 1).detach().double()


def _normal_scores(x: Tensor) -> Tensor:
    """Ranks over all chains, ties by their mean rank, through the normal quantile function."""
    _, inverse, counts = x.flatten().unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0)
    ranks = (last - 0.5 * (counts - 1))[inverse].reshape(x.shape)
    return torch.special.ndtri((ranks - 0.375) / (x.numel() + 0.25))


def _ratio(x: Tensor) -> Tensor:
    """√(var⁺ / W) of ``[S, C]``."""
    n = x.shape[0]
    between, within = x.mean(0).var(), x.var(0).mean()
    return torch.sqrt(between / within + (n - 1) / n)


def _geyer(x: Tensor) -> Tensor:
    """ESS of ``[S, C]`` by the initial monotone sequence of autocorrelations."""
    n, chains = x.shape
    centred = x - x.mean(0)
    spectrum = torch.fft.rfft(centred, 2 * n, dim=0)
    covariance = torch.fft.irfft(spectrum.abs().square(), 2 * n, dim=0)[:n] / n
    within = covariance[0].mean() * n / (n - 1)
    total = within * (n - 1) / n + x.mean(0).var()
    correlation = 1 - (within - covariance.mean(1)) / total
    correlation[0] = 1
    pairs = correlation[: n - n % 2].reshape(-1, 2).sum(-1)[: max(1, (n - 2) // 2)]
    negative = (pairs <= 0).nonzero()
    end = int(negative[0]) if len(negative) else len(pairs)
    time = 2 * pairs[:end].cummin(0).values.sum() - 1
    if end < len(pairs):
        # Of the pair that ends the sequence, the first may still be a positive correlation.
        time = time + correlation[2 * end].clamp_min(0)
    draws = n * chains
    return draws / time.clamp_min(1 / math.log10(draws))
