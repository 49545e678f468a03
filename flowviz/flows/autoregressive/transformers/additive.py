"""The additive transformer of NICE."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers.transformer import Transformer


class Additive(Transformer):
    """τ(z; β) = z + β: volume preserving (NICE, Dinh et al. 2015).

    P = 1: β.
    """

    title = "additive"
    parameters_per_dim = 1

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return z + h.squeeze(-1), torch.zeros_like(z)

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return z - h.squeeze(-1), torch.zeros_like(z)
