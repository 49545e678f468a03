"""A triangular matrix."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection


class Triangular(Bijection):
    """z' = L z + b, L lower (or upper) triangular with the diagonal exp(s) > 0  (section 3.2).

    The determinant costs O(D): log|det L| = Σ s; the inverse is one triangular solve, O(D²). Over
    a standard normal, L is the Cholesky factor of the covariance: any normal distribution.

    Args:
        dim: D.
        generator: draws the start, off the diagonal; identity when None.
        upper: triangular the other way.

    Raises:
        ValueError: ``upper`` is not True or False.
    """

    def __init__(
        self, dim: int, generator: Generator | None = None, *, upper: bool = False
    ) -> None:
        super().__init__(dim)
        arguments.optional("generator", generator, Generator)
        self.upper = arguments.flag("upper", upper)
        start = torch.zeros(dim, dim)
        if generator is not None:
            start = 0.5 * torch.randn(dim, dim, generator=generator) * dim**-0.5
        self.off_diagonal = nn.Parameter(self._strict(start))
        self.log_diagonal = nn.Parameter(torch.zeros(dim))
        self.shift = nn.Parameter(torch.zeros(dim))

    def matrix(self) -> Tensor:
        """L ``[D, D]``."""
        return self._strict(self.off_diagonal) + torch.diag(torch.exp(self.log_diagonal))

    def jacobian_mask(self) -> Tensor:
        full = torch.ones(self.dim, self.dim, dtype=torch.bool)
        return full.triu() if self.upper else full.tril()

    def _strict(self, square: Tensor) -> Tensor:
        return square.triu(1) if self.upper else square.tril(-1)

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        logabsdet = self.log_diagonal.sum().expand(z.shape[:-1])
        return z @ self.matrix().mT + self.shift, logabsdet

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        # Row vectors: z' Lᵀ⁻¹, so that the triangle is the other one.
        rows = (z - self.shift).reshape(-1, self.dim)
        rows = torch.linalg.solve_triangular(
            self.matrix().mT, rows, upper=not self.upper, left=False
        )
        return rows.reshape(z.shape), -self.log_diagonal.sum().expand(z.shape[:-1])
