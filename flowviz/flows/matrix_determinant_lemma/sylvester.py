"""The Sylvester flow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection
from flowviz.flows.matrix_determinant_lemma import planar
from flowviz.flows.numerics.householder import householder
from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.root import newton

# |r_ii r̃_ii| < 1 − MIN_SLOPE, so that the inverse keeps its digits.
MIN_SLOPE = planar.MIN_SLOPE


class Sylvester(Bijection):
    """z' = z + Q R tanh(R̃ Qᵀz + b)  (section 3.3.2; van den Berg et al. 2018).

    Q ``[D, M]`` has orthonormal columns, a product of Householder reflections; R and R̃ ``[M, M]``
    are upper triangular. By the matrix determinant lemma the D × D determinant is one of size M,
    which is triangular: log|det J| = Σᵢ log(1 + tanh′(aᵢ) rᵢᵢ r̃ᵢᵢ) with a = R̃ Qᵀz + b, in O(M).
    Both diagonals are √(1 − ε) tanh(·), ε = 10⁻³, so that rᵢᵢ r̃ᵢᵢ > −1 = −1/sup tanh′.

    The inverse: y = Qᵀz solves y' = y + R tanh(R̃ y + b), y' = Qᵀz', coordinate by coordinate from
    the last to the first, since both matrices are upper triangular. Each takes one scalar root a
    of a + rᵢᵢ r̃ᵢᵢ tanh(a) = t, the equation of the planar flow, found to rounding. What is
    orthogonal to Q's columns is left as it is. With M = 1 it is the planar flow with v ∥ w.

    Args:
        dim: D.
        rank: M, 1 … D; how many columns Q has.
        generator: draws the start.

    Raises:
        ValueError: M is not in 1 … D.
    """

    exact_inverse = False

    def __init__(self, dim: int, rank: int = 1, generator: Generator | None = None) -> None:
        super().__init__(dim)
        arguments.optional("generator", generator, Generator)
        if not arguments.is_whole(rank) or not 1 <= rank <= dim:
            raise ValueError(f"the rank of a Sylvester flow is 1 to dim = {dim}, got {rank!r}")
        self.rank = rank

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        # Both triangles at 0 would be a point where every gradient vanishes.
        self.reflections = nn.Parameter(normal(dim, rank).tril(-1))
        self.R = nn.Parameter((0.1 * normal(rank, rank)).triu())
        self.R_tilde = nn.Parameter(normal(rank, rank).triu())
        self.b = nn.Parameter(torch.zeros(rank))

    def Q(self) -> Tensor:
        """``[D, M]``, orthonormal columns."""
        return householder(self.reflections)

    def triangles(self) -> tuple[Tensor, Tensor]:
        """R and R̃, both ``[M, M]``."""
        return _triangle(self.R), _triangle(self.R_tilde)

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        Q, (R, R_tilde) = self.Q(), self.triangles()
        bump = torch.tanh(z @ (Q @ R_tilde.mT) + self.b)
        logabsdet = _log_determinant(bump, R, R_tilde)
        return z + bump @ (R.mT @ Q.mT), logabsdet

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        Q, (R, R_tilde) = self.Q(), self.triangles()
        bump = _solve(z @ Q, R, R_tilde, self.b)
        return z - bump @ (R.mT @ Q.mT), -_log_determinant(bump, R, R_tilde)


def _triangle(raw: Tensor) -> Tensor:
    """The upper triangle of ``raw [M, M]``, its diagonal within ±√(1 − ε)."""
    diagonal = (1 - MIN_SLOPE) ** 0.5 * torch.tanh(raw.diagonal())
    return raw.triu(1) + torch.diag(diagonal)


def _slopes(R: Tensor, R_tilde: Tensor) -> Tensor:
    """1 + rᵢᵢ r̃ᵢᵢ ``[M]``, in [ε, 2 − ε]."""
    return 1 + R.diagonal() * R_tilde.diagonal()


def _log_determinant(bump: Tensor, R: Tensor, R_tilde: Tensor) -> Tensor:
    return torch.log(planar._derivative(bump, _slopes(R, R_tilde))).sum(-1)


def _solve(image: Tensor, R: Tensor, R_tilde: Tensor, b: Tensor) -> Tensor:
    """tanh(R̃ y + b) ``[..., M]`` of the y with y + R tanh(R̃ y + b) = image.

    Row i of the equation holds yᵢ and later coordinates only. With dᵢ = y'ᵢ − Σ_{j>i} r_ij tanh(aⱼ)
    it reads yᵢ + rᵢᵢ tanh(aᵢ) = dᵢ, and r̃ᵢᵢ times it, plus what R̃ and b add to aᵢ, is

        aᵢ + rᵢᵢ r̃ᵢᵢ tanh(aᵢ) = r̃ᵢᵢ dᵢ + Σ_{j>i} r̃_ij yⱼ + bᵢ.
    """
    slopes = _slopes(R, R_tilde)
    later: list[Tensor] = []
    bumps: list[Tensor] = []
    for i in reversed(range(len(b))):
        d, a = image[..., i], b[i]
        for j, (y, bump) in enumerate(zip(later, bumps, strict=True), i + 1):
            d = d - R[i, j] * bump
            a = a + R_tilde[i, j] * y
        bump = torch.tanh(_Root.apply(a + R_tilde[i, i] * d, slopes[i]))
        later.insert(0, d - R[i, i] * bump)
        bumps.insert(0, bump)
    return torch.stack(bumps, -1)


class _Root(torch.autograd.Function):
    """The a with a + (s − 1) tanh(a) = t; ∂a/∂t = 1/f′(a), ∂a/∂s = −tanh(a)/f′(a).

    Both derivatives are functions of the root itself, and so every further one follows from them.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(t: Tensor, slope: Tensor) -> Tensor:
        def along_row(a: Tensor) -> tuple[Tensor, Tensor]:
            bump = torch.tanh(a)
            return a + (slope - 1) * bump, planar._derivative(bump, slope)

        return newton(along_row, t, planar._start(t, slope), planar.ITERATIONS)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output, inputs[1])
        ctx.save_for_forward(output, inputs[1])

    @staticmethod
    def jvp(ctx: Any, t_tangent: Tensor, slope_tangent: Tensor) -> Tensor:
        a, slope = ctx.saved_tensors
        bump = torch.tanh(a)
        return (t_tangent - bump * slope_tangent) / planar._derivative(bump, slope)

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        a, slope = ctx.saved_tensors
        bump = torch.tanh(a)
        along_t = gradient / planar._derivative(bump, slope)
        return along_t, -(along_t * bump).sum()
