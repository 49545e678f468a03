"""The standard normal, with all its digits in both tails."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor

from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.transforms import transformed

NEWTON_STEPS = 3
# Below, exp(log Φ) loses itself; above, torch's quantile is right to rounding.
FAR = -10.0


def cdf(x: Tensor) -> Tensor:
    """Φ(x), elementwise."""
    # torch.special.ndtr is 1 + erf, without digits in the lower tail.
    return 0.5 * torch.erfc(-x / math.sqrt(2))


def log_cdf(x: Tensor) -> Tensor:
    """log Φ(x), elementwise; its derivatives are finite for every x."""
    return cast(Tensor, (_TransformedLogCDF if transformed() else _LogCDF).apply(x))


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
    function = _TransformedQuantile if transformed() else _Quantile
    return cast(Tensor, function.apply(log_cdf, log_survival))


class _LogCDF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.special.log_ndtr(x)

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * reverse_hazard(x)


class _TransformedLogCDF(_LogCDF):
    """What ``torch.func`` asks of a function, which takes time at every call."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:  # type: ignore[override]
        return torch.special.log_ndtr(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def vmap(_: Any, in_dims: tuple[int], x: Tensor) -> tuple[Tensor, int]:
        return log_cdf(x), in_dims[0]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return tangent * reverse_hazard(x)


class _Quantile(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, log_cdf: Tensor, log_survival: Tensor) -> Tensor:
        x = _quantile(log_cdf, log_survival)
        ctx.save_for_backward(x, log_cdf, log_survival)
        return x

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, log_cdf, log_survival = ctx.saved_tensors
        lower = log_cdf < log_survival
        scaled = gradient * _slope(x, lower)
        return torch.where(lower, scaled, 0), torch.where(lower, 0, -scaled)


class _TransformedQuantile(_Quantile):
    """What ``torch.func`` asks of a function, which takes time at every call."""

    @staticmethod
    def forward(log_cdf: Tensor, log_survival: Tensor) -> Tensor:  # type: ignore[override]
        return _quantile(log_cdf, log_survival)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output, *inputs)
        ctx.save_for_forward(output, *inputs)

    @staticmethod
    def vmap(_: Any, in_dims: tuple[int | None, int | None], *inputs: Tensor) -> tuple[Tensor, int]:
        # The points of each are alike in shape: the dimension that vmap maps over goes first.
        first = (
            x if dim is None else x.movedim(dim, 0) for x, dim in zip(inputs, in_dims, strict=True)
        )
        return quantile(*first), 0

    @staticmethod
    def jvp(ctx: Any, of_cdf: Tensor, of_survival: Tensor) -> Tensor:
        x, log_cdf, log_survival = ctx.saved_tensors
        lower = log_cdf < log_survival
        return torch.where(lower, of_cdf, -of_survival) * _slope(x, lower)


def _quantile(log_cdf: Tensor, log_survival: Tensor) -> Tensor:
    target = torch.minimum(log_cdf, log_survival)
    v = (-2 * target.clamp_max(FAR)) - math.log(2 * math.pi)
    near = torch.special.ndtri(torch.exp(target.clamp_min(FAR)))
    x = torch.where(target > FAR, near, -torch.sqrt(v - torch.log(v)))
    for _ in range(NEWTON_STEPS):
        x = x - (torch.special.log_ndtr(x) - target) * mills_ratio(-x)
    return torch.where(log_cdf < log_survival, x, -x)


def _slope(x: Tensor, lower: Tensor) -> Tensor:
    """∂x of the quantile to ∂ log F in the lower half, to −∂ log(1 − F) in the upper one."""
    return mills_ratio(torch.where(lower, -x, x))
