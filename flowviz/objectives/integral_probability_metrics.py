"""Integral probability metrics and their kin, from samples of both (section 2.3.4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.objectives.estimate import Estimate

BANDWIDTHS = (0.2, 0.5, 1.0, 2.0, 5.0)


def mmd(x: Tensor, y: Tensor, bandwidths: Sequence[float] = BANDWIDTHS) -> Estimate:
    """MMD² = E k(x, x′) + E k(y, y′) − 2 E k(x, y), unbiased: it may come out below 0.

    k is a mean of Gaussians exp(−‖x − y‖²/(2 σ²)), one for each bandwidth (Gretton, Borgwardt,
    Rasch, Schölkopf & Smola 2012).

    Args:
        x, y: samples ``[N, D]`` of either distribution, N ≥ 2.
        bandwidths: the σ, in the units of x.

    Raises:
        ValueError: the shapes differ or hold fewer than two samples; a bandwidth ≤ 0.
    """
    if not isinstance(bandwidths, Sequence) or not bandwidths:
        raise ValueError(f"bandwidths must be one or more numbers > 0, got {bandwidths!r}")
    for bandwidth in bandwidths:
        arguments.positive("each of the bandwidths", bandwidth)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squares = (a.unsqueeze(1) - b.unsqueeze(0)).square().sum(-1)
        terms = [torch.exp(squares * (-0.5 / σ**2)) for σ in bandwidths]
        return torch.stack(terms).mean(0)

    return _kernel_discrepancy(x, y, kernel)


def energy_distance(x: Tensor, y: Tensor) -> Estimate:
    """2 E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖, unbiased (Székely & Rizzo 2013).

    It is the MMD² of the kernel −‖x − y‖, which has no bandwidth to choose.

    Args:
        x, y: samples ``[N, D]``, N ≥ 2.

    Raises:
        ValueError: the shapes differ or hold fewer than two samples.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squares = (a.unsqueeze(1) - b.unsqueeze(0)).square().sum(-1)
        # Coincident points, as on the diagonal, have no direction to move in: gradient 0.
        apart = squares > 0
        return -torch.where(apart, torch.where(apart, squares, 1.0).sqrt(), 0.0)

    return _kernel_discrepancy(x, y, kernel)


def wasserstein_1d(x: Tensor, y: Tensor) -> Estimate:
    """W₁ = ∫|F_x(t) − F_y(t)| dt of two samples on the line, exact.

    The value of finite samples is above that of their distributions where F_x and F_y are closer
    than they can be told apart: by O(1/√N) where the two agree. The standard error is the root
    mean square of that bias, estimated from the spread of the order statistics, and of the error of
    the difference of means of the Kantorovich potential, which the two samples determine.

    Args:
        x, y: ``[N]``, N ≥ 1.

    Raises:
        ValueError: the shapes differ, are not one-dimensional, or are empty.
    """
    _check_pair(x, y, "[N]", least=1)
    return _transport(x.unsqueeze(-1), y.unsqueeze(-1), order=1)


def sliced_wasserstein(
    x: Tensor,
    y: Tensor,
    *,
    order: int = 2,
    projections: int = 128,
    generator: Generator | None = None,
) -> Estimate:
    """SW_p^p = E_θ[W_p^p(θᵀx, θᵀy)], θ uniform on the sphere (Bonneel et al. 2015).

    The standard error is that of the samples, with the directions as drawn, and holds the bias as
    in :func:`wasserstein_1d`: the value of finite samples is above that of the distributions, by
    O(1/√N) for p = 1 where the two agree, and by O(1/N) for p = 2 everywhere.

    Args:
        x, y: samples ``[N, D]``, N ≥ 1.
        order: p, 1 or 2.
        projections: the number of directions, ≥ 1.
        generator: of the directions.

    Raises:
        ValueError: the shapes differ, there are no samples, or a setting is out of range.
    """
    _check_pair(x, y, "[N, D]", least=1)
    if not arguments.is_whole(order) or order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    arguments.whole("projections", projections, 1)
    directions = torch.randn(
        x.shape[-1], projections, generator=generator, dtype=x.dtype, device=x.device
    )
    directions = directions / torch.linalg.vector_norm(directions, dim=0)
    return _transport(x @ directions, y @ directions, order)


def _kernel_discrepancy(
    x: Tensor, y: Tensor, kernel: Callable[[Tensor, Tensor], Tensor]
) -> Estimate:
    """The U-statistic of h(i, j) = k(xᵢ, xⱼ) + k(yᵢ, yⱼ) − k(xᵢ, yⱼ) − k(xⱼ, yᵢ), i ≠ j."""
    _check_pair(x, y, "[N, D]", least=2)
    n = len(x)
    across = kernel(x, y)
    h = kernel(x, x) + kernel(y, y) - across - across.mT
    h = h * (1 - torch.eye(n, dtype=h.dtype, device=h.device))
    value = h.sum() / (n * (n - 1))
    if n < 3:
        return Estimate(value, torch.full_like(value.detach(), math.nan))
    # Hoeffding: Var = 4 (n − 2) ζ₁ / (n (n − 1)) + 2 ζ₂ / (n (n − 1)), where ζ₁ is the variance
    # of E[h | i] and ζ₂ that of h. That of the row means is ζ₁ + (ζ₂ − ζ₁) / (n − 1).
    rows = h.detach().sum(1) / (n - 1)
    pairs = h.detach().square().sum() / (n * (n - 1)) - value.detach().square()
    single = ((n - 1) * rows.var() - pairs) / (n - 2)
    variance = (4 * (n - 2) * single.clamp_min(0) + 2 * pairs) / (n * (n - 1))
    return Estimate(value, variance.clamp_min(0).sqrt())


def _transport(x: Tensor, y: Tensor, order: int) -> Estimate:
    """The mean over columns of W_p^p of ``[N, S]`` and ``[N, S]``, each column on the line."""
    (x, ranks_x), (y, ranks_y) = x.sort(0), y.sort(0)
    value = (x - y).abs().pow(order).mean()
    # Potentials at the sorted points: φ′ = p |x − T(x)|^{p−1} sign(x − T(x)), ψ the same of y.
    # On the line they follow from the pairs, summed by the trapezium rule.
    gap = (x - y).detach()
    slope = order * gap.abs().pow(order - 1) * gap.sign()
    potentials = [_integrate(slope, x.detach()), _integrate(-slope, y.detach())]
    error = _bias(x.detach(), y.detach(), order).square()
    for potential, ranks in zip(potentials, (ranks_x, ranks_y), strict=True):
        own = torch.empty_like(potential).scatter_(0, ranks, potential).mean(-1)
        error = error + Estimate.of(own).standard_error.square()
    return Estimate(value, error.sqrt())


def _bias(x: Tensor, y: Tensor, order: int) -> Tensor:
    """How far the mean of |xᵢ − yᵢ|^p is above that of the quantiles; x, y ``[N, S]`` sorted.

    Of a gap between quantiles g, seen as g + σZ, E|g + σZ|² is g² + σ²; E|g + σZ| is σ√(2/π) for
    g = 0, and |g| for |g| ≫ σ, which is taken to be so from 2σ on.
    """
    variance = _variance_of_order(x) + _variance_of_order(y)
    if order == 2:
        return variance.mean()
    unclear = (x - y).square() < 4 * variance
    return torch.where(unclear, (2 / math.pi * variance).sqrt(), 0.0).mean()


def _variance_of_order(x: Tensor) -> Tensor:
    """Of each order statistic of ``x [N, S]``, sorted: what its rank's standard error spans."""
    n = len(x)
    rank = torch.arange(n, device=x.device)
    level = (rank.double() + 0.5) / n
    step = (n * level * (1 - level)).sqrt().round().clamp_min(1).long()
    low, high = (rank - step).clamp_min(0), (rank + step).clamp_max(n - 1)
    ranks = (high - low).clamp_min(1).unsqueeze(-1)
    return ((x[high] - x[low]) * (step.unsqueeze(-1) / ranks)).square()


def _integrate(slope: Tensor, at: Tensor) -> Tensor:
    steps = 0.5 * (slope[1:] + slope[:-1]) * at.diff(dim=0)
    return torch.cat([torch.zeros_like(at[:1]), steps.cumsum(0)])


def _check_pair(x: Tensor, y: Tensor, shape: str, least: int) -> None:
    for name, samples in (("x", x), ("y", y)):
        arguments.array(name, samples, shape, least)
    if x.shape != y.shape or x.dtype != y.dtype:
        raise ValueError(
            f"x and y must have one shape and dtype, got {list(x.shape)} of {x.dtype} "
            f"and {list(y.shape)} of {y.dtype}"
        )
