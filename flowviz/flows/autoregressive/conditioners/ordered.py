"""What the conditioners of single coordinates share: the order in which these follow each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.autoregressive.conditioners.conditioner import Conditioner


class Ordered(Conditioner):
    """hᵢ = cᵢ(z_{<i}) for every coordinate, one after the other in ``order``.

    Args:
        dim: D ≥ 1.
        parameters_per_dim: P.
        order: ``order[j]`` is the place of coordinate j, 0 … D − 1; natural by default.
        context: C.

    Raises:
        ValueError: ``order`` does not hold each place once.
    """

    def __init__(
        self, dim: int, parameters_per_dim: int, order: Sequence[int] | None, context: int
    ) -> None:
        super().__init__(dim, parameters_per_dim, context)
        places = list(range(dim)) if order is None else arguments.order(order, dim)
        self.order = places
        self.groups = tuple([places.index(place)] for place in range(dim))

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z, z

    def join(self, seen: Tensor, moved: Tensor) -> Tensor:
        return moved

    def dependencies(self) -> Tensor:
        places = torch.tensor(self.order)
        return places[:, None] > places[None, :]


class Sequential(Ordered):
    """An ordered conditioner that works through a sequence of D tokens.

    Token i is z_{i−1} and the context, so that its own coordinate is never in sight; the first
    token has 0 in place of a coordinate. Only what a subclass makes of the tokens,
    :meth:`run`, is its own.
    """

    place: Tensor
    coordinate: Tensor

    def __init__(
        self, dim: int, parameters_per_dim: int, order: Sequence[int] | None, context: int
    ) -> None:
        super().__init__(dim, parameters_per_dim, order, context)
        self.register_buffer("place", torch.tensor(self.order), persistent=False)
        coordinate = torch.tensor([group[0] for group in self.groups])
        self.register_buffer("coordinate", coordinate, persistent=False)

    def run(self, tokens: Tensor) -> Tensor:
        """``[N, D, 1 + C]`` to the parameters ``[N, D, P]``, both in the order of the places."""
        raise NotImplementedError

    def forward(self, seen: Tensor, context: Tensor | None) -> Tensor:
        z = seen.reshape(-1, self.dim).index_select(-1, self.coordinate[:-1])
        tokens = torch.nn.functional.pad(z, (1, 0)).unsqueeze(-1)
        if context is not None:
            features = context.reshape(-1, 1, self.context)
            tokens = torch.cat([tokens, features.expand(-1, self.dim, -1)], -1)
        h = self.run(tokens).index_select(-2, self.place)
        return h.reshape(*seen.shape, self.parameters_per_dim)
