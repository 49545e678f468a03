"""Scaling and shifting each coordinate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flowviz.flows.bijection import Bijection


class Diagonal(Bijection):
    """z' = exp(s) ⊙ z + b, with s and b learned: determinant and inverse in O(D)."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.log_scale = nn.Parameter(torch.zeros(dim))
        self.shift = nn.Parameter(torch.zeros(dim))

    def jacobian_mask(self) -> Tensor:
        return torch.eye(self.dim, dtype=torch.bool)

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        logabsdet = self.log_scale.sum().expand(z.shape[:-1])
        return z * torch.exp(self.log_scale) + self.shift, logabsdet

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        logabsdet = -self.log_scale.sum().expand(z.shape[:-1])
        return (z - self.shift) * torch.exp(-self.log_scale), logabsdet
