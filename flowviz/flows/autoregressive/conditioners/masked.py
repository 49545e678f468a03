"""The masked conditioner: one network, with the connections cut that look ahead."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.autoregressive.conditioners.conditioner import with_context
from flowviz.flows.autoregressive.conditioners.ordered import Ordered
from flowviz.flows.numerics.mlp import MLP, check_hidden, start_sharp, start_small


class MaskedLinear(nn.Linear):
    """y = (M ⊙ W) x + b: entry (i, j) of the mask is 1 where output i may see input j."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


class MaskedMLP(MLP):
    """An MLP whose weights are M_ℓ ⊙ W_ℓ.

    Args:
        masks: M_ℓ, one a layer.
        residual: whether hidden layers add to the one before, x_ℓ = x_{ℓ−1} + σ(W_ℓ x_{ℓ−1} + b_ℓ),
            instead of taking its place; the first one has none before it.
    """

    def __init__(self, masks: Sequence[Tensor], residual: bool = False) -> None:
        layers = [MaskedLinear(mask) for mask in masks]
        start_sharp(layers[0])
        start_small(layers[-1])
        nn.Sequential.__init__(self, *layers)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        if not self.residual:
            return super().forward(x)
        (W, b), *hidden, (V, c) = self.parameters_by_layer()
        x = F.silu(F.linear(x, W, b))
        for W, b in hidden:
            x = x + F.silu(F.linear(x, W, b))
        return F.linear(x, V, c)

    def parameters_by_layer(self) -> list[tuple[Tensor, Tensor]]:
        layers = cast("Iterable[MaskedLinear]", self)
        return [(layer.weight * layer.mask, layer.bias) for layer in layers]


class Masked(Ordered):
    """(h_1, …, h_D) = NN(z) in one pass, hᵢ blind to z_{≥i}  (MADE, Germain et al. 2015).

    Every unit has a degree: inputs 1 … D in ``order``, hidden units 1 … D − 1, context 0. A hidden
    unit sees what has at most its degree, an output only what has less (section 3.1.2). The
    forward direction takes one pass, the inverse D, each through the units of one degree.

    Args:
        dim: D ≥ 1.
        parameters_per_dim: P.
        order: ``order[j]`` is the place of coordinate j, 0 … D − 1; natural by default.
        hidden: widths of the network.
        context: C.
        residual: connections past the hidden layers, which then have one width: what goes past a
            layer goes from a unit to one of the same degree.

    Raises:
        ValueError: there are residual connections, but no two hidden layers, or of several widths.
    """

    title = "autoregressive"

    def __init__(
        self,
        dim: int,
        parameters_per_dim: int,
        *,
        order: Sequence[int] | None = None,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
        residual: bool = False,
    ) -> None:
        super().__init__(dim, parameters_per_dim, order, context)
        widths = check_hidden(hidden)
        if arguments.flag("residual", residual) and (len(widths) < 2 or len(set(widths)) > 1):
            raise ValueError(
                "residual connections need two or more hidden layers of one width, such as "
                f"(64, 64); got {hidden!r}"
            )
        degrees = [torch.tensor([place + 1 for place in self.order] + [0] * context)]
        # For D = 1 the hidden units may see the context only: degree 0.
        highest = dim - 1
        lowest = min(1, highest) if context == 0 else 0
        masks: list[Tensor] = []
        for width in widths:
            spread = torch.arange(width) % (highest - lowest + 1) + lowest
            masks.append(spread[:, None] >= degrees[-1][None, :])
            degrees.append(spread)
        outputs = torch.tensor(self.order).repeat_interleave(parameters_per_dim)
        masks.append(outputs[:, None] >= degrees[-1][None, :])
        self.network = MaskedMLP(masks, residual)

        # For the inverse: the units of each layer by rising degree, and how many have less.
        degrees.append(outputs)
        for i, degree in enumerate(degrees):
            self.register_buffer(f"_arrangement_{i}", degree.argsort(stable=True), persistent=False)
        self._starts = [[int((degree < k).sum()) for k in range(dim + 1)] for degree in degrees]

    def forward(
        self,
        seen: Tensor,
        context: Tensor | None,
        stage: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """``h [..., D, P]``, or what a stage of an inverse makes of ``seen``."""
        if stage is not None:
            return stage(seen)
        h = self.network(with_context(seen, context))
        return h.view(*seen.shape, self.parameters_per_dim)

    def successive(self, context: Tensor | None) -> Callable[[int, Tensor], Tensor]:
        """The inverse's parameters, every unit computed once: when all that it sees is solved."""
        arrangements = [self.get_buffer(f"_arrangement_{i}") for i in range(len(self._starts))]
        layers = [
            (W.index_select(0, rows).index_select(1, columns), b.index_select(0, rows))
            for (W, b), (columns, rows) in zip(
                self.network.parameters_by_layer(), itertools.pairwise(arrangements), strict=True
            )
        ]
        known: list[Tensor] = []

        def of_place(k: int, solved: Tensor) -> Tensor:
            if k == 0:
                nothing = solved[..., :0]
                known.append(nothing if context is None else context)
                known.extend([nothing] * (len(layers) - 1))
            else:
                known[0] = torch.cat([known[0], solved[..., self.groups[k - 1][0], None]], -1)
            for i, (W, b) in enumerate(layers):
                start, end = self._starts[i + 1][k : k + 2]
                x = known[i]
                y = F.linear(x, W[start:end, : x.shape[-1]], b[start:end])
                if i + 1 < len(layers):
                    h = F.silu(y)
                    if self.network.residual and i > 0:
                        h = x[..., start:end] + h
                    known[i + 1] = torch.cat([known[i + 1], h], -1)
            return y.unsqueeze(-2)

        return lambda k, solved: self(solved, context, functools.partial(of_place, k))
