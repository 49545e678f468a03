"""A matrix without structure."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection


class Dense(Bijection):
    """z' = W z + b, W = I + A and A free: the baseline of linear flows  (section 3.2).

    Nothing is factored: the determinant costs O(D³), an LU decomposition once a batch, and so
    does the inverse, a linear solve, with O(D²) more a point. Nothing keeps W invertible either:
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

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        W = self.matrix()
        return z @ W.mT + self.shift, _log_determinant(W).expand(z.shape[:-1])

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        W = self.matrix()
        logabsdet = -_log_determinant(W).expand(z.shape[:-1])
        # Row vectors: (z' − b) Wᵀ⁻¹, solved from the right.
        rows = (z - self.shift).reshape(-1, self.dim)
        return torch.linalg.solve(W.mT, rows, left=False).reshape(z.shape), logabsdet


def _log_determinant(W: Tensor) -> Tensor:
    """log|det W|, a scalar; FloatingPointError when W is singular."""
    logabsdet = torch.linalg.slogdet(W).logabsdet
    if not W.is_meta and bool(logabsdet == -torch.inf):
        raise FloatingPointError(
            f"the {len(W)} × {len(W)} matrix of a dense linear layer is singular: "
            "it maps the space onto a part of it, and has no inverse"
        )
    return logabsdet
