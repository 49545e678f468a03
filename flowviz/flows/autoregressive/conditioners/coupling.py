"""The coupling conditioner: one half sets the parameters of the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.autoregressive.conditioners.conditioner import Conditioner, with_context
from flowviz.flows.numerics.mlp import MLP, start_small


class Coupling(Conditioner):
    """h_{>d} = NN(z_{≤d}), and z_{≤d} unchanged  (section 3.1.2).

    Both directions take one pass of the network.

    Args:
        dim: D ≥ 2.
        parameters_per_dim: P.
        split: d, how many coordinates stay; D // 2 by default.
        swap: keep the *last* coordinates instead; alternate it from layer to layer.
        hidden: widths of the network.
        context: C.

    Raises:
        ValueError: a number is out of its range, or ``swap`` is not True or False.
    """

    title = "coupling"

    def __init__(
        self,
        dim: int,
        parameters_per_dim: int,
        *,
        split: int | None = None,
        swap: bool = False,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
    ) -> None:
        super().__init__(dim, parameters_per_dim, context)
        if dim < 2:
            raise ValueError(f"a coupling needs dim ≥ 2 (one part to keep, one to move), got {dim}")
        split = dim // 2 if split is None else arguments.whole("split", split, 1)
        if split >= dim:
            raise ValueError(
                f"a coupling of {dim} coordinates splits at 1 to {dim - 1}, not {split}"
            )
        self.swap = arguments.flag("swap", swap)
        self._sizes = [dim - split, split] if swap else [split, dim - split]
        self._moved = dim - split
        self.groups = (list(range(self._moved)),)
        self.network = MLP(split + context, (dim - split) * parameters_per_dim, hidden)
        start_small(self.network[-1])

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        # One split, not two slices: the gradient then comes back in one piece as well.
        first, last = z.split(self._sizes, -1)
        return (last, first) if self.swap else (first, last)

    def forward(self, seen: Tensor, context: Tensor | None) -> Tensor:
        h = self.network(with_context(seen, context))
        return h.view(*h.shape[:-1], self._moved, self.parameters_per_dim)

    def join(self, seen: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([moved, seen] if self.swap else [seen, moved], -1)

    def dependencies(self) -> Tensor:
        kept, moved = self.split(torch.arange(self.dim))
        mask = torch.zeros(self.dim, self.dim, dtype=torch.bool)
        mask[moved[:, None], kept] = True
        return mask
