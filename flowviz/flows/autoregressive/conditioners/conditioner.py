"""What a conditioner is: the transformer's parameters, from the coordinates that come before."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from flowviz import arguments


class Conditioner(nn.Module):
    """hᵢ = cᵢ(z_{<i})  (section 3.1), in an order that the conditioner sets.

    Attributes:
        title: what layer strips call it.
        dim: D.
        context: C, the number of context features.
        parameters_per_dim: P, what the transformer wants for each coordinate.
        groups: positions among the M transformed coordinates, in the order in which an inverse
            can solve for them: one network pass a group.
    """

    title: str
    groups: tuple[list[int], ...]

    def __init__(self, dim: int, parameters_per_dim: int, context: int = 0) -> None:
        super().__init__()
        self.dim = arguments.whole("dim", dim, 1)
        self.context = arguments.whole("context", context, 0)
        self.parameters_per_dim = arguments.whole("parameters_per_dim", parameters_per_dim, 1)

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """``z [..., D]`` to what the network sees, and the ``[..., M]`` that is transformed."""
        raise NotImplementedError

    def forward(self, seen: Tensor, context: Tensor | None) -> Tensor:
        """What the network sees, to ``h [..., M, P]``."""
        raise NotImplementedError

    def join(self, seen: Tensor, moved: Tensor) -> Tensor:
        """The image ``[..., D]`` of which ``moved [..., M]`` is the transformed part."""
        raise NotImplementedError

    def successive(self, context: Tensor | None) -> Callable[[int, Tensor], Tensor]:
        """For an inverse: a function to be called for k = 0, 1, … in turn.

        It maps k and ``[..., M]`` with the groups before the k-th solved, the rest zero, to the
        k-th group's parameters ``[..., |group|, P]``.
        """
        return lambda k, solved: self(solved, context)[..., self.groups[k], :]

    def dependencies(self) -> Tensor:
        """``[D, D]`` booleans: True where the parameters of coordinate i depend on z_j."""
        raise NotImplementedError


def with_context(z: Tensor, context: Tensor | None) -> Tensor:
    """The input of a conditioner's network."""
    return z if context is None else torch.cat([z, context], -1)
