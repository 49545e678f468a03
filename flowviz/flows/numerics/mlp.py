"""The small networks inside conditioners."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from flowviz.arguments import is_whole

# Starts every flow close to the identity without cutting the gradient to the layers below.
OUTPUT_SCALE = 0.1
# torch's own start lets a layer's outputs spread 1/√3 as far as its inputs, and with features that
# broad couplings and masked flows on the plane take a fifth to a half more steps. Twice as far is
# quicker still at first, and jitters more in the end.
INPUT_SCALE = 1.4


def check_hidden(hidden: Sequence[int]) -> tuple[int, ...]:
    """``hidden`` as a tuple of layer widths; ValueError unless each is a whole number ≥ 1."""
    if not isinstance(hidden, Sequence):
        raise ValueError(f"hidden is a sequence of layer widths such as (64, 64), got {hidden!r}")
    widths = tuple(hidden)
    if not widths or any(not is_whole(width) or width < 1 for width in widths):
        raise ValueError(f"hidden needs one or more widths ≥ 1 such as (64, 64), got {hidden!r}")
    return tuple(map(int, widths))


class MLP(nn.Sequential):
    """y = W_L σ(… σ(W_1 x + b_1) …) + b_L, σ = SiLU.

    Args:
        inputs, outputs: sizes of the last dimension.
        hidden: widths of the hidden layers.
    """

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int]) -> None:
        widths = (inputs, *check_hidden(hidden), outputs)
        super().__init__(*(nn.Linear(m, n) for m, n in itertools.pairwise(widths)))
        start_sharp(self[0])

    def forward(self, x: Tensor) -> Tensor:
        """``x [..., inputs]`` to ``y [..., outputs]``."""
        # The calls of small layers would take a fifth of their time.
        *hidden, (W, b) = self.parameters_by_layer()
        for V, c in hidden:
            x = F.silu(F.linear(x, V, c))
        return F.linear(x, W, b)

    def parameters_by_layer(self) -> list[tuple[Tensor, Tensor]]:
        """(W_1, b_1), …, (W_L, b_L)."""
        return [(layer.weight, layer.bias) for layer in cast("Iterable[nn.Linear]", self)]


def start_small(layer: nn.Module) -> None:
    """Scale a freshly initialised output layer by :data:`OUTPUT_SCALE`."""
    _scale(layer, OUTPUT_SCALE)


def start_sharp(layer: nn.Module) -> None:
    """Scale a freshly initialised input layer by :data:`INPUT_SCALE`."""
    _scale(layer, INPUT_SCALE)


def _scale(layer: nn.Module, factor: float) -> None:
    for parameter in layer.parameters(recurse=False):
        parameter.data.mul_(factor)
