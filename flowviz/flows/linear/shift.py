"""Shifting each coordinate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flowviz.flows.bijection import Bijection


class Shift(Bijection):
    """z' = z + b, with b learned: the volume stays, log|det J| = 0."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.shift = nn.Parameter(torch.zeros(dim))

    def jacobian_mask(self) -> Tensor:
        return torch.eye(self.dim, dtype=torch.bool)

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z + self.shift, z.new_zeros(z.shape[:-1])

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z - self.shift, z.new_zeros(z.shape[:-1])
