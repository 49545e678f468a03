"""A matrix without structure."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection
from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.transforms import numbers, transformed


class Dense(Bijection):
    """z' = W z + b, W = I + A and A free: the baseline of linear flows  (section 3.2).

    Nothing is factored: the determinant and the inverse matrix cost O(D³) once a batch, and the
    map O(D²) a point in either direction. Nothing keeps W invertible either:
    singular matrices are a set of measure zero, which training does not avoid.

    Args:
        dim: D.
        generator: draws W at the start, a random rotation or reflection; identity when None.

    Raises:
        FloatingPointError: by either direction, when W is singular.
    """

    def __init__(self, dim: int, generator: Generator | None = None) -> None:
        super().__init__(dim)
        arguments.optional("generator", generator, Generator)
        start = torch.zeros(dim, dim)
        if generator is not None:
            Q = torch.linalg.qr(torch.randn(dim, dim, generator=generator))[0]
            start = Q - torch.eye(dim)
        self.offset = nn.Parameter(start)
        self.shift = nn.Parameter(torch.zeros(dim))

    def matrix(self) -> Tensor:
        """W ``[D, D]``."""
        return self.offset + torch.eye(self.dim, dtype=self.offset.dtype, device=self.offset.device)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._regular(super().forward(z, context))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._regular(super().inverse(z, context))

    def defect(self) -> str | None:
        if not numbers(_inverse_and_log_determinant(self.matrix())[1]).isnan().any():
            return None
        return (
            f"the {self.dim} × {self.dim} matrix of a dense linear layer is singular: "
            "it maps the space onto a part of it, and has no inverse"
        )

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        W = self.matrix()
        _, logabsdet = _inverse_and_log_determinant(W)
        return z @ W.mT + self.shift, logabsdet.expand(z.shape[:-1])

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        inverse, logabsdet = _inverse_and_log_determinant(self.matrix())
        return (z - self.shift) @ inverse.mT, (-logabsdet).expand(z.shape[:-1])

    def _regular(self, result: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """``result``, unless the matrix is singular."""
        logs = numbers(result[1])
        if not logs.is_meta and bool(logs.isnan().any()) and (defect := self.defect()):
            raise FloatingPointError(defect)
        return result


def _inverse_and_log_determinant(W: Tensor) -> tuple[Tensor, Tensor]:
    """W⁻¹ and log|det W|; NaN when W is singular, which a flow sees without a look at W."""
    inverse, logabsdet = _factored(W) if transformed() else _Inverse.apply(W)
    return inverse, logabsdet


def _factored(W: Tensor) -> tuple[Tensor, Tensor]:
    LU, pivots, _ = torch.linalg.lu_factor_ex(W)
    eye = torch.eye(len(W), dtype=W.dtype, device=W.device)
    inverse = torch.linalg.lu_solve(LU, pivots, eye)
    logabsdet = LU.diagonal().abs().log().sum()
    return inverse, logabsdet.masked_fill(logabsdet == -torch.inf, torch.nan)


class _Inverse(torch.autograd.Function):
    """W⁻¹ and log|det W|, whose gradients need W⁻¹ alone:

    ∂ log|det W| = tr(W⁻¹ ∂W) and ∂ W⁻¹ = −W⁻¹ ∂W W⁻¹.
    """

    @staticmethod
    def forward(ctx: Any, W: Tensor) -> tuple[Tensor, Tensor]:
        inverse, logabsdet = _factored(W)
        ctx.save_for_backward(inverse)
        return inverse, logabsdet

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, d_inverse: Tensor, d_logabsdet: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        return (d_logabsdet * inverse - inverse @ d_inverse.mT @ inverse).mT
