"""Changing the order of the coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.bijection import Bijection


class Permutation(Bijection):
    """z'ᵢ = z_{π(i)}: nothing to learn, log|det J| = 0  (section 3.2).

    The determinant costs nothing, since |det P| = 1; the inverse is the inverse permutation,
    O(D).

    Args:
        dim: D.
        generator: draws π; without it, and without an ``order``, π reverses the coordinates.
        order: π(0), …, π(D − 1), each of 0 … D − 1 once.

    Raises:
        ValueError: ``order`` is not a permutation, or is given beside a generator.
    """

    permutation: Tensor
    inverse_permutation: Tensor

    def __init__(
        self,
        dim: int,
        generator: Generator | None = None,
        *,
        order: Sequence[int] | None = None,
    ) -> None:
        super().__init__(dim)
        arguments.optional("generator", generator, Generator)
        if order is not None and generator is not None:
            raise ValueError("a permutation is drawn by a generator or given by order, not both")
        if order is not None:
            permutation = torch.tensor(arguments.order(order, dim))
        elif generator is not None:
            permutation = torch.randperm(dim, generator=generator)
        else:
            permutation = torch.arange(dim).flip(0)
        self.register_buffer("permutation", permutation)
        self.register_buffer("inverse_permutation", permutation.argsort())

    def jacobian_mask(self) -> Tensor:
        return torch.eye(self.dim, dtype=torch.bool)[self.permutation.cpu()]

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z.index_select(-1, self.permutation), z.new_zeros(z.shape[:-1])

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z.index_select(-1, self.inverse_permutation), z.new_zeros(z.shape[:-1])
