"""The block coupling: K groups of coordinates, between a coupling and full autoregression."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.autoregressive.conditioners.conditioner import Conditioner, with_context
from flowviz.flows.autoregressive.conditioners.masked import MaskedLinear
from flowviz.flows.numerics.mlp import check_hidden, start_sharp, start_small


class BlockCoupling(Conditioner):
    """h_{(k)} = NN_k(z_{(1)}, …, z_{(k−1)}) for K groups of coordinates  (section 3.1.2).

    The parameters of group 1 are constants. K = D is the masked conditioner, K = 2 a coupling
    whose first part has a transformer too. One masked network yields all parameters, by degrees
    that the coordinates of a group share; the forward direction takes one pass, the inverse K.

    Args:
        dim: D ≥ 1.
        parameters_per_dim: P.
        parts: K, 1 to D; the groups are as equal as D allows.
        reverse: let the groups follow each other from the last coordinates to the first.
        hidden: widths of the network.
        context: C.

    Attributes:
        place: ``[D]``, which group each coordinate belongs to, from 0.

    Raises:
        ValueError: K is not a whole number from 1 to D, or ``reverse`` not True or False.
    """

    title = "block coupling"

    def __init__(
        self,
        dim: int,
        parameters_per_dim: int,
        *,
        parts: int = 3,
        reverse: bool = False,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
    ) -> None:
        super().__init__(dim, parameters_per_dim, context)
        if not arguments.is_whole(parts) or not 1 <= parts <= dim:
            raise ValueError(
                f"a block coupling of {dim} coordinates has 1 to {dim} parts, got {parts!r}"
            )
        arguments.flag("reverse", reverse)
        blocks = [block.tolist() for block in torch.arange(dim).tensor_split(parts)]
        self.groups = tuple(reversed(blocks) if reverse else blocks)
        self.place = torch.empty(dim, dtype=torch.long)
        for place, group in enumerate(self.groups):
            self.place[group] = place

        # Degrees as in a masked network, the same for a whole group: 1 … K, context 0.
        degrees = torch.cat([self.place + 1, torch.zeros(context)])
        lowest = 0 if context or parts == 1 else 1
        layers: list[nn.Module] = []
        for width in check_hidden(hidden):
            spread = torch.arange(width) % (parts - lowest) + lowest
            layers += [MaskedLinear(spread[:, None] >= degrees), nn.SiLU()]
            degrees = spread
        outputs = (self.place + 1).repeat_interleave(parameters_per_dim)
        last = MaskedLinear(outputs[:, None] > degrees)
        start_sharp(layers[0])
        start_small(last)
        self.network = nn.Sequential(*layers, last)

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z, z

    def forward(self, seen: Tensor, context: Tensor | None) -> Tensor:
        h = self.network(with_context(seen, context))
        return h.unflatten(-1, (-1, self.parameters_per_dim))

    def join(self, seen: Tensor, moved: Tensor) -> Tensor:
        return moved

    def dependencies(self) -> Tensor:
        return self.place[:, None] > self.place
