"""The separate conditioner: one network for every coordinate, with nothing shared."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowviz.flows.autoregressive.conditioners.conditioner import with_context
from flowviz.flows.autoregressive.conditioners.ordered import Ordered
from flowviz.flows.numerics.mlp import check_hidden, start_sharp, start_small


class Separate(Ordered):
    """hᵢ = NNᵢ(z_{<i}), D networks that share nothing  (section 3.1.2).

    Its parameters grow as D times those of one network: the cost that the other conditioners
    avoid by sharing. The D networks run side by side, so that the forward direction takes one
    pass and the inverse D.

    Args:
        dim: D ≥ 1.
        parameters_per_dim: P.
        order: ``order[j]`` is the place of coordinate j, 0 … D − 1; natural by default.
        hidden: widths of each network.
        context: C.
    """

    title = "separate networks"

    def __init__(
        self,
        dim: int,
        parameters_per_dim: int,
        *,
        order: Sequence[int] | None = None,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
    ) -> None:
        super().__init__(dim, parameters_per_dim, order, context)
        sees = torch.cat([self.dependencies(), torch.ones(dim, context, dtype=torch.bool)], -1)
        widths = check_hidden(hidden)
        layers: list[nn.Module] = [SideBySide(dim, dim + context, widths[0], sees)]
        for inputs, outputs in zip(widths, [*widths[1:], parameters_per_dim], strict=True):
            layers += [nn.SiLU(), SideBySide(dim, inputs, outputs)]
        start_sharp(layers[0])
        start_small(layers[-1])
        self.network = nn.Sequential(*layers)

    def forward(self, seen: Tensor, context: Tensor | None) -> Tensor:
        x = with_context(seen, context)
        rows = x.reshape(-1, x.shape[-1])
        h = self.network(rows.expand(self.dim, *rows.shape))
        return h.transpose(0, 1).reshape(*seen.shape, self.parameters_per_dim)


class SideBySide(nn.Module):
    """yᵢ = Wᵢ xᵢ + bᵢ, i = 1 … D, in one kernel: ``[D, N, inputs]`` to ``[D, N, outputs]``.

    Args:
        dim: D.
        inputs, outputs: of each layer.
        sees: ``[D, inputs]`` booleans, which inputs layer i is connected to; all by default.
    """

    sees: Tensor | None

    def __init__(self, dim: int, inputs: int, outputs: int, sees: Tensor | None = None) -> None:
        super().__init__()
        # Each starts as a linear layer of its own number of inputs does.
        fan_in = torch.full((dim,), inputs) if sees is None else sees.sum(-1).clamp_min(1)
        bound = fan_in.to(torch.get_default_dtype()).rsqrt()[:, None, None]
        self.weight = nn.Parameter(bound * (2 * torch.rand(dim, inputs, outputs) - 1))
        self.bias = nn.Parameter(bound * (2 * torch.rand(dim, 1, outputs) - 1))
        self.register_buffer("sees", None if sees is None else sees[..., None].to(bound.dtype))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight if self.sees is None else self.weight * self.sees
        return torch.baddbmm(self.bias, x, weight)
