"""An invertible matrix by its singular values."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection
from flowviz.flows.numerics.householder import householder


class SVD(Bijection):
    """z' = U diag(exp(s)) Vᵀ z + b, U and V orthogonal  (section 3.2).

    Both are products of D Householder reflections. The determinant costs O(D): log|det W| = Σ s;
    the inverse is V diag(exp(−s)) Uᵀ, O(D²). Multiplying the reflections out is O(D³), once a
    batch. The condition of W can be read off: exp(max s − min s).

    Over a spherical base the V of the first layer changes nothing: it turns a sphere.

    Args:
        dim: D.
        generator: draws U and V at the start; identity when None.
    """

    def __init__(self, dim: int, generator: Generator | None = None) -> None:
        super().__init__(dim)
        arguments.optional("generator", generator, Generator)
        start = torch.zeros(2, dim, dim)
        if generator is not None:
            start = torch.randn(2, dim, dim, generator=generator)
        self.reflections = nn.Parameter(start.tril(-1))
        self.log_singular = nn.Parameter(torch.zeros(dim))
        self.shift = nn.Parameter(torch.zeros(dim))

    def matrix(self) -> Tensor:
        """W = U diag(exp(s)) Vᵀ, ``[D, D]``."""
        U, V = householder(self.reflections)
        return U * torch.exp(self.log_singular) @ V.mT

    # Factor by factor: an error of Vᵀz, scaled and scaled back, stays small, whereas one of W
    # would be stretched by the condition.

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        U, V = householder(self.reflections)
        logabsdet = self.log_singular.sum().expand(z.shape[:-1])
        return z @ V * torch.exp(self.log_singular) @ U.mT + self.shift, logabsdet

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        U, V = householder(self.reflections)
        logabsdet = -self.log_singular.sum().expand(z.shape[:-1])
        return (z - self.shift) @ U * torch.exp(-self.log_singular) @ V.mT, logabsdet
