"""The standard normal, with all its digits in both tails."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor

NEWTON_STEPS = 3
# Below, exp(log Φ) loses itself; above, torch's quantile is right to rounding.
FAR = -10.0


def cdf(x: Tensor) -> Tensor:
    """Φ(x), elementwise."""
    # torch.special.ndtr is 1 + erf, without digits in the lower tail.
    return 0.5 * torch.erfc(-x / math.sqrt(2))


def log_cdf(x: Tensor) -> Tensor:
    """log Φ(x), elementwise; its derivatives are finite for every x."""
    return cast(Tensor, _LogCDF.apply(x))


def mills_ratio(x: Tensor) -> Tensor:
    """(1 − Φ(x)) / φ(x) = √(π/2) erfcx(x/√2), for x ≥ 0."""
    return math.sqrt(math.pi / 2) * torch.special.erfcx(x / math.sqrt(2))


def reverse_hazard(x: Tensor) -> Tensor:
    """φ(x) / Φ(x), the derivative of log Φ."""
    # Each branch sees its own side only: the other one's overflow would poison the gradient.
    low, high = x.clamp_max(0), x.clamp_min(0)
    density = torch.exp(-0.5 * high.square()) / math.sqrt(2 * math.pi)
    return torch.where(x < 0, 1 / mills_ratio(-low), density / cdf(high))


def quantile(log_cdf: Tensor, log_survival: Tensor) -> Tensor:
    """Φ⁻¹(F) from log F and log(1 − F), from whichever of them is the smaller.

    The start is torch's quantile, or Φ⁻¹(F) ≈ −√(v − log v), v = −2 log F − log 2π, where F is too
    small for it; then a fixed number of Newton's steps on the concave log Φ.
    """
    return cast(Tensor, _Quantile.apply(log_cdf, log_survival))


class _LogCDF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.special.log_ndtr(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * reverse_hazard(x)


class _Quantile(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, log_cdf: Tensor, log_survival: Tensor) -> Tensor:
        target = torch.minimum(log_cdf, log_survival)
        v = (-2 * target.clamp_max(FAR)) - math.log(2 * math.pi)
        near = torch.special.ndtri(torch.exp(target.clamp_min(FAR)))
        x = torch.where(target > FAR, near, -torch.sqrt(v - torch.log(v)))
        for _ in range(NEWTON_STEPS):
            x = x - (torch.special.log_ndtr(x) - target) * mills_ratio(-x)
        lower = log_cdf < log_survival
        x = torch.where(lower, x, -x)
        ctx.save_for_backward(x, lower)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, lower = ctx.saved_tensors
        scaled = gradient * mills_ratio(torch.where(lower, -x, x))
        return torch.where(lower, scaled, 0), torch.where(lower, 0, -scaled)
