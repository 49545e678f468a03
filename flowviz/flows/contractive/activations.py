"""Activations of slope at most 1 that are smooth: with their slopes, and theirs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.transforms import transformed

SWISH_SLOPE = 1.0998394
"""sup f′ of f(x) = x σ(x), rounded up; inf f′ = 1 − sup f′, as f′(x) + f′(−x) = 1."""


class LipSwish(nn.Module):
    """φ(x) = x σ(βx)/1.1, β = softplus(·) > 0 learned  (Chen et al. 2019, section 3.2).

    sup |φ′| = 0.99985, whatever β is.
    """

    lipschitz = SWISH_SLOPE / 1.1

    def __init__(self) -> None:
        super().__init__()
        self.raw_beta = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor, raw_beta: Tensor) -> tuple[Tensor, Tensor]:
        """φ(x) and φ′(x), of x's shape."""
        beta = F.softplus(raw_beta)
        return _lipswish(x, beta) if transformed() else _LipSwish.apply(x, beta)


class Sin(nn.Module):
    """φ(x) = sin(x): slope at most 1, and all of it over and over again."""

    lipschitz = 1.0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """φ(x) and φ′(x), of x's shape."""
        return torch.sin(x), torch.cos(x)


ACTIVATIONS: dict[str, type[LipSwish] | type[Sin]] = {"lipswish": LipSwish, "sin": Sin}
"""By name. ReLU is not among them: its second derivative is 0 almost everywhere, and so is the
derivative of log|det J| in the slopes: it could not be trained by likelihood."""


def make_activation(name: str) -> nn.Module:
    """A new activation; ValueError unless the name is one of :data:`ACTIVATIONS`."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {', '.join(ACTIVATIONS)} (smooth, of slope ≤ 1), "
            f"got {name!r}"
        )
    return ACTIVATIONS[name]()


class _LipSwish(torch.autograd.Function):
    """φ and φ′ in one kernel, its derivatives in another."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        scaled = beta * x
        s = torch.sigmoid(scaled)
        value = (x * s).div_(1.1)
        slope = scaled.addcmul_(scaled, s, value=-1).add_(1).mul_(s).div_(1.1)
        ctx.save_for_backward(x, beta, value, slope)
        ctx.s = s
        return value, slope

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, value_gradient: Tensor, slope_gradient: Tensor) -> tuple[Tensor, ...]:
        x, beta, value, slope = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = [t if t.requires_grad else t.detach().requires_grad_() for t in (x, beta)]
            gradients = (value_gradient, slope_gradient)
            return torch.autograd.grad(_lipswish(*inputs), inputs, gradients, create_graph=True)
        # 1.1 φ″ = β s(1 − s)(2 + βx(1 − 2s))
        s, bend = ctx.s, beta * x
        bend = bend.addcmul_(bend, s, value=-2).add_(2).mul_(s)
        bend = bend.addcmul_(bend, s, value=-1).mul_(slope_gradient).mul_(beta / 1.1)
        x_gradient = bend.addcmul_(value_gradient, slope)
        # β φ is a function of βx alone, and so is φ′: β ∂φ/∂β = xφ′ − φ, and β ∂φ′/∂β = xφ″.
        return x_gradient, (_dot(x, x_gradient) - _dot(value, value_gradient)) / beta


def _lipswish(x: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """φ = xs/1.1 and φ′ = s(1 + βx(1 − s))/1.1 with s = σ(βx)."""
    s = torch.sigmoid(beta * x)
    return x * s / 1.1, s * (1 + beta * x * (1 - s)) / 1.1


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.flatten(), b.flatten())
