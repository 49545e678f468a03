"""The planar flow."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from flowviz.flows.bijection import Bijection
from flowviz.flows.numerics.root import newton

MIN_SLOPE = 1e-3
# MIN_SLOPE + softplus(SHIFT) = 1: the constrained wᵀv is 0 where the free one is.
SHIFT = math.log(math.expm1(1 - MIN_SLOPE))
# Enough from the start below for every slope ≥ MIN_SLOPE and every image, in float64.
ITERATIONS = 12


class Planar(Bijection):
    """z' = z + v tanh(wᵀz + b)  (section 3.3.2; Rezende & Mohamed 2015).

    log|det J| = log(1 + tanh′(wᵀz + b) wᵀv), finite because wᵀv > −1 = −1/sup tanh′.

    The learned vector u is free; v = u + (m(wᵀu) − wᵀu) w/‖w‖² and so wᵀv = m(wᵀu), with
    m(x) = ε + softplus(x + c) − 1. The published m has ε = c = 0, which gives wᵀv = −0.31 at
    wᵀu = 0 and so an unbounded v as w → 0; here c makes m(0) = 0, where v = u, and
    ε = 10⁻³ keeps the slope along w away from 0, so that the inverse keeps its digits.

    The inverse is one scalar root a of a + wᵀv tanh(a) = wᵀz' + b along w, found to rounding.

    Args:
        dim: D.
        generator: draws the start; u = w = 0 is never a start, the gradient would vanish.
    """

    exact_inverse = False

    def __init__(self, dim: int, generator: Generator | None = None) -> None:
        super().__init__(dim)
        scale = dim**-0.5
        self.w = nn.Parameter(torch.randn(dim, generator=generator) * scale)
        self.u = nn.Parameter(torch.randn(dim, generator=generator) * scale * 0.1)
        self.b = nn.Parameter(torch.zeros(()))

    def v(self) -> Tensor:
        """The constrained v ``[D]``."""
        return self._constrained()[0]

    def _constrained(self) -> tuple[Tensor, Tensor]:
        """v ``[D]`` and 1 + wᵀv, the smallest or largest slope along w."""
        wu = self.w @ self.u
        # Past its default threshold of 20, softplus(x) = x is short of float64 by e⁻²⁰.
        slope = MIN_SLOPE + F.softplus(wu + SHIFT, threshold=40)
        # m(x) − x in two forms, each exact at 0 and free of overflow on its side: what is left of
        # the difference is divided by ‖w‖², which may be small.
        p = 1 - math.exp(MIN_SLOPE - 1)
        up = torch.log1p((1 - p) * torch.expm1(-wu.clamp_min(0)))
        down = torch.log1p(p * torch.expm1(wu.clamp_max(0))) - wu
        excess = torch.where(wu >= 0, up, down)
        norm2 = self.w.square().sum()
        # At w = 0 the quotient is 0/tiny = 0: v = u, and the map is a translation.
        along = self.w / norm2.clamp_min(torch.finfo(norm2.dtype).tiny)
        return self.u + excess * along, slope

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        v, slope = self._constrained()
        bump = torch.tanh(z @ self.w + self.b)
        return z + bump.unsqueeze(-1) * v, torch.log(_derivative(bump, slope))

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        v, slope = self._constrained()

        def along_w(a: Tensor) -> tuple[Tensor, Tensor]:
            bump = torch.tanh(a)
            return a + (slope - 1) * bump, _derivative(bump, slope)

        image = z @ self.w + self.b
        a = newton(along_w, image, _start(image.detach(), slope.detach()), ITERATIONS)
        bump = torch.tanh(a)
        return z - bump.unsqueeze(-1) * v, -torch.log(_derivative(bump, slope))


def _derivative(bump: Tensor, slope: Tensor) -> Tensor:
    """1 + wᵀv (1 − tanh²), written as a sum of positive terms; ``slope`` is 1 + wᵀv."""
    square = bump.square()
    return square + slope * (1 - square)


def _start(image: Tensor, slope: Tensor) -> Tensor:
    """Where Newton's method starts: on the side from which it approaches the root steadily.

    f(a) = a + (s − 1) tanh(a) is odd. For a > 0 it is concave if s > 1, and the start must not
    exceed the root; convex if s < 1, and the start must not fall short of it. |tanh a| ≤ 1 and
    tanh a ≤ a bound the root by |t| − (s − 1) and by |t|/s, from that very side.
    """
    size = image.abs()
    near, far = size / slope, size - (slope - 1)
    return image.sign() * torch.where(slope > 1, torch.maximum(near, far), torch.minimum(near, far))
