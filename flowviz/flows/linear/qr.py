"""An invertible matrix by its QR factors."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection
from flowviz.flows.numerics.householder import householder


class QR(Bijection):
    """z' = Q R z + b  (section 3.2; Hoogeboom, van den Berg & Welling 2019).

    Q is a product of D Householder reflections, R upper triangular with the diagonal exp(s).
    The determinant costs O(D): log|det W| = Σ s; the inverse is a product with Qᵀ and a
    triangular solve, O(D²). Multiplying the reflections out is O(D³), once a batch.

    Args:
        dim: D.
        generator: draws Q and R at the start; identity when None.
    """

    def __init__(self, dim: int, generator: Generator | None = None) -> None:
        super().__init__(dim)
        arguments.optional("generator", generator, Generator)
        reflections, upper = torch.zeros(2, dim, dim)
        if generator is not None:
            reflections = torch.randn(dim, dim, generator=generator)
            upper = 0.5 * torch.randn(dim, dim, generator=generator) * dim**-0.5
        self.reflections = nn.Parameter(reflections.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_diagonal = nn.Parameter(torch.zeros(dim))
        self.shift = nn.Parameter(torch.zeros(dim))

    def factors(self) -> tuple[Tensor, Tensor]:
        """Q and R, both ``[D, D]``."""
        R = self.upper.triu(1) + torch.diag(torch.exp(self.log_diagonal))
        return householder(self.reflections), R

    def matrix(self) -> Tensor:
        """W = Q R, ``[D, D]``."""
        Q, R = self.factors()
        return Q @ R

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        logabsdet = self.log_diagonal.sum().expand(z.shape[:-1])
        return z @ self.matrix().mT + self.shift, logabsdet

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        Q, R = self.factors()
        # Row vectors: z = y Rᵀ⁻¹ with y = (z' − b) Q, solved from the right.
        y = ((z - self.shift) @ Q).reshape(-1, self.dim)
        y = torch.linalg.solve_triangular(R.mT, y, upper=False, left=False)
        return y.reshape(z.shape), -self.log_diagonal.sum().expand(z.shape[:-1])
