"""The sum-of-squares polynomial."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.autoregressive.transformers.transformer import Transformer
from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.quadrature import gauss_legendre, inverse_of_integral
from flowviz.flows.numerics.transforms import transformed

MIN_SLOPE = 1e-3
COEFFICIENT_BOUND = 10.0


class SumOfSquares(Transformer):
    """τ(z) = β + ∫₀ᶻ g(t) dt,  g(t) = ε + (1 − ε)/K Σₖ (1 + Σₗ aₖₗ (t/B)ˡ)², l = 0 … L.

    Sum-of-squares polynomial flows (Jaini, Selby & Yu 2019; section 3.1.1). τ has degree 2L + 1,
    and is affine for L = 0. The floor ε = 10⁻³ stands inside the integrand, so that it raises the
    map and its derivative alike. The integral is that of Gauss and Legendre with L + 1 nodes,
    which is exact for this degree and sums positive terms: no digits are lost to the large
    coefficients that expanded squares have.

    Outside [−B, B] the integrand keeps its value at the bound: the tails are linear. Polynomial
    tails of degree 5 in four layers would be of degree 625, beyond any floating-point range.

    P = 1 + K (L + 1): β, and the aₖₗ, bounded as A tanh(a / A) with A = 10.

    Args:
        polynomials: K ≥ 1.
        degree: L ≥ 0.
        bound: B > 0.

    Raises:
        ValueError: a number outside of its range.
    """

    title = "sum of squares"
    exact_inverse = False

    def __init__(self, polynomials: int = 3, degree: int = 2, bound: float = 5.0) -> None:
        super().__init__()
        self.polynomials = arguments.whole("polynomials", polynomials, 1)
        self.degree = arguments.whole("degree", degree, 0)
        self.bound = arguments.positive("bound", bound)
        self.parameters_per_dim = 1 + polynomials * (degree + 1)

    def coefficients(self, h: Tensor) -> Tensor:
        """aₖₗ ``[..., K, L + 1]``."""
        a = COEFFICIENT_BOUND * torch.tanh(h[..., 1:] / COEFFICIENT_BOUND)
        return a.unflatten(-1, (self.polynomials, self.degree + 1))

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        settings = (self.polynomials, self.degree, self.bound)
        inputs = settings, z.reshape(-1), h.reshape(-1, h.shape[-1])
        image, log_slope = _evaluate(*inputs)[:2] if transformed() else _Integral.apply(*inputs)
        return image.view(z.shape), log_slope.view(z.shape)

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        def function(x: Tensor) -> tuple[Tensor, Tensor]:
            image, log_slope = self(x, h)
            return image, torch.exp(log_slope)

        x = inverse_of_integral(function, z, self.bound)
        return x, -self(x, h)[1]


def _evaluate(settings: tuple[int, int, float], z: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    """τ(z) and log g(z) ``[N]``, and what was computed on the way, points last.

    The integrand is evaluated at the nodes [J, N] of all points, J = L + 2; the last is z.
    """
    K, degree, bound = settings
    x, w = gauss_legendre(degree + 1, z.dtype, z.device)
    rows = h.mT.contiguous()
    bent = torch.tanh(rows[1:] / COEFFICIENT_BOUND)
    a = (COEFFICIENT_BOUND * bent).view(K, degree + 1, 1, -1)
    inside = z.clamp(-bound, bound)
    t = x.unsqueeze(1) * (inside / bound)
    p = a[:, degree].expand(-1, len(x), -1)
    for l in reversed(range(degree)):  # noqa: E741
        p = torch.addcmul(a[:, l], p, t)
    p = 1 + p
    g = MIN_SLOPE + ((1 - MIN_SLOPE) / K) * p.square().sum(0)
    image = rows[0] + inside * (w @ g[:-1]) + (z - inside) * g[-1]
    return image, torch.log(g[-1]), bent, inside, t, p, g


class _Integral(torch.autograd.Function):
    """τ(z) and log g(z); the derivative of τ is g itself, without the rounding of a sum."""

    @staticmethod
    def forward(
        ctx: Any, settings: tuple[int, int, float], z: Tensor, h: Tensor
    ) -> tuple[Tensor, Tensor]:
        image, log_slope, *states = _evaluate(settings, z, h)
        ctx.settings = settings
        ctx.save_for_backward(z, h, *states)
        return image, log_slope

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, d_image: Tensor, d_log: Tensor) -> tuple[Tensor | None, ...]:
        z, h, *states = ctx.saved_tensors
        if torch.is_grad_enabled():
            # For second derivatives: the same once more, as functions of the inputs.
            states = list(_evaluate(ctx.settings, z, h)[2:])
        bent, inside, t, p, g = states
        K, degree, bound = ctx.settings
        _, w = gauss_legendre(degree + 1, z.dtype, z.device)
        share, slope = 2 * (1 - MIN_SLOPE) / K, g[-1]
        d_end = d_log / slope
        d_nodes = w.unsqueeze(1) * (d_image * inside)
        d_last = torch.addcmul(d_end, d_image, z - inside).unsqueeze(0)
        d_p = (share * torch.cat([d_nodes, d_last])) * p
        # ∂p/∂aₖₗ = tˡ, and ∂p/∂t = Σ l aₖₗ tˡ⁻¹ at the last node, z, for ∂ log g / ∂z.
        d_a = [d_p.sum(1)]
        along = torch.zeros_like(p[:, -1])
        power = torch.ones_like(t)
        for l in range(1, degree + 1):  # noqa: E741
            a = COEFFICIENT_BOUND * bent.view(K, degree + 1, -1)[:, l]
            along = torch.addcmul(along, a, l * power[-1])
            power = power * t
            d_a.append((d_p * power).sum(1))
        bending = torch.stack(d_a, 1).flatten(0, 1) * (1 - bent * bent)
        d_z = d_end * ((share / bound) * (p[:, -1] * along).sum(0))
        d_h = torch.cat([d_image.unsqueeze(0), bending]).mT
        return None, d_image * slope + torch.where(z == inside, d_z, 0), d_h
