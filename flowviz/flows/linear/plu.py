"""An invertible matrix by its PLU factors."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection


class PLU(Bijection):
    """z' = P L U z + b  (section 3.2; Glow, Kingma & Dhariwal 2018).

    P is a fixed permutation, L unit lower triangular, U upper triangular with the diagonal
    ± exp(s). The determinant costs O(D): log|det W| = Σ s; the inverse is two triangular
    solves, O(D²).

    Args:
        dim: D.
        generator: draws the random rotation whose factors are the start; identity when None.
    """

    permutation: Tensor
    inverse_permutation: Tensor
    sign: Tensor

    def __init__(self, dim: int, generator: Generator | None = None) -> None:
        super().__init__(dim)
        arguments.optional("generator", generator, Generator)
        start = torch.eye(dim)
        if generator is not None:
            start = torch.linalg.qr(torch.randn(dim, dim, generator=generator))[0]
        P, L, U = torch.linalg.lu(start)
        diagonal = U.diagonal()
        # Row i of P has its one at column permutation[i]: (P y)_i = y_{permutation[i]}.
        self.register_buffer("permutation", P.argmax(-1))
        self.register_buffer("inverse_permutation", P.argmax(0))
        self.register_buffer("sign", diagonal.sign())
        self.lower = nn.Parameter(L.tril(-1))
        self.upper = nn.Parameter(U.triu(1))
        self.log_diagonal = nn.Parameter(diagonal.abs().log())
        self.shift = nn.Parameter(torch.zeros(dim))

    def factors(self) -> tuple[Tensor, Tensor]:
        """L and U, both ``[D, D]``."""
        L = self.lower.tril(-1) + torch.eye(
            self.dim, dtype=self.lower.dtype, device=self.lower.device
        )
        U = self.upper.triu(1) + torch.diag(self.sign * torch.exp(self.log_diagonal))
        return L, U

    def matrix(self) -> Tensor:
        """W = P L U, ``[D, D]``."""
        L, U = self.factors()
        return (L @ U)[self.permutation]

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        logabsdet = self.log_diagonal.sum().expand(z.shape[:-1])
        return z @ self.matrix().mT + self.shift, logabsdet

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        L, U = self.factors()
        # Row vectors: z = y Uᵀ Lᵀ, solved from the right.
        y = (z - self.shift)[..., self.inverse_permutation].reshape(-1, self.dim)
        y = torch.linalg.solve_triangular(L.mT, y, upper=True, left=False, unitriangular=True)
        y = torch.linalg.solve_triangular(U.mT, y, upper=False, left=False)
        return y.reshape(z.shape), -self.log_diagonal.sum().expand(z.shape[:-1])
