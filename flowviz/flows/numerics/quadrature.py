"""Gauss–Legendre quadrature, and the inverse of an integral of a positive function."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from flowviz.flows.numerics.root import Increasing, bracketed


@cache
def gauss_legendre(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """∫₀¹ f(x) dx ≈ Σⱼ wⱼ f(xⱼ), exact for polynomials of degree 2n − 1.

    Made once for each dtype and device, so that nothing is copied to the device between its
    kernels.

    Args:
        n: the number of nodes, ≥ 1.
        dtype, device: of the result; the numbers are those of float64, rounded.

    Returns:
        x ``[n + 1]``, of which the last is 1, the end of the interval, and w ``[n]``.
    """
    x, w = np.polynomial.legendre.leggauss(n)
    # Whoever calls first may be in inference mode; later calls may need gradients.
    with torch.inference_mode(False):
        nodes = torch.tensor([*((x + 1) / 2).tolist(), 1.0], dtype=dtype, device=device)
        return nodes, torch.tensor((w / 2).tolist(), dtype=dtype, device=device)


def inverse_of_integral(function: Increasing, value: Tensor, bound: float) -> Tensor:
    """The x with f(x) = value, for an increasing f that is linear beyond ±``bound``.

    :func:`bracketed`, from a start that is the root itself in the tails and on the chord of the
    two bounds between them.

    Args:
        function: x ↦ (f(x), f′(x)), increasing, elementwise.
        value: ``[...]``.
        bound: B > 0.
    """
    with torch.no_grad():
        end = torch.full_like(value, bound)
        (low, low_slope), (high, high_slope) = function(-end), function(end)
        chord = -bound + 2 * bound * (value - low) / (high - low)
        below, above = (value - low) / low_slope - bound, (value - high) / high_slope + bound
        start = torch.where(value < low, below, torch.where(value > high, above, chord))
    return bracketed(function, value, start)
