"""How far the draws of Markov chains can be trusted: effective sample size and R̂."""

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
