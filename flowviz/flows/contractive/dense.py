"""The i-DenseNet: g with all features kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowviz.flows.contractive.activations import SWISH_SLOPE, LipSwish
from flowviz.flows.contractive.lipschitz import bounded, spectral_norm
from flowviz.flows.contractive.network import ContractiveNetwork, Linearised
from flowviz.flows.numerics.mlp import start_small

# The slopes of x σ(x) at x and at −x are t and 1 − t: √(t² + (1 − t)²) is largest at sup t.
CONCATENATED_SLOPE = math.hypot(SWISH_SLOPE, 1 - SWISH_SLOPE) / 1.1


class ContractiveDenseNet(ContractiveNetwork):
    """x_ℓ₊₁ = (η̂₁ x_ℓ, η̂₂ Φ(W̃_ℓ x_ℓ + b_ℓ)), x_1 = z, and g(z) = W̃ x_L + b.

    Φ(x) = (φ(x), φ(−x))/1.004 is the concatenated LipSwish, of Lipschitz constant 1. With
    ‖W̃_ℓ‖₂ ≤ 1 and η̂₁² + η̂₂² = 1 no layer stretches, and ‖W̃‖₂ ≤ c makes Lip(g) ≤ c. The η̂ are
    softplus(η)/‖softplus(η)‖, learned: how much of each layer is old and how much new
    (Perugachi-Diaz, Tomczak & Bhulai 2021, sections 3 and 4).

    Args:
        dim, context, lipschitz: as :class:`ContractiveNetwork` takes them.
        hidden: rows of each W_ℓ; the layer adds twice as many features.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
        lipschitz: float = 0.9,
    ) -> None:
        super().__init__(dim, hidden, context, lipschitz)
        self.activations = nn.ModuleList([LipSwish() for _ in self.hidden])
        self.linears = nn.ModuleList()
        self.raw_etas = nn.Parameter(torch.zeros(len(self.hidden), 2))
        features = dim
        for width in self.hidden:
            self.linears.append(nn.Linear(features, width))
            features += 2 * width
        self.linears.append(nn.Linear(features, dim))
        start_small(self.layers()[1])

    def tensors(self) -> tuple[Tensor, ...]:
        etas = F.softplus(self.raw_etas)
        etas = etas / etas.norm(dim=-1, keepdim=True)
        hidden, last = self.layers()
        # Scaling the columns of a weight scales the features that it sees, for all points at once.
        scale = last.weight.new_ones(self.dim)
        weights, biases = [], []
        for linear, (old, new) in zip(hidden, etas, strict=True):
            weight = bounded(linear.weight, 1.0) * scale
            # φ(−x) is φ behind the negative weights.
            weights.append(torch.cat([weight, -weight]))
            biases.append(torch.cat([linear.bias, -linear.bias]))
            added = (new / CONCATENATED_SLOPE).expand(len(weights[-1]))
            scale = torch.cat([old * scale, added])
        weights.append(bounded(last.weight, self.lipschitz) * scale)
        biases.append(last.bias)
        outer = []
        if self.from_context is not None:
            weight = self.from_context.weight
            outer.append(torch.cat([weight, -weight]))
        return (*weights, *biases, *self.activations.parameters(), *outer)

    def forward(self, z: Tensor, context: Tensor | None, tensors: Sequence[Tensor]) -> Linearised:
        depth = len(self.linears)
        weights, biases, rest = tensors[:depth], tensors[depth : 2 * depth], tensors[2 * depth :]
        shift = None if context is None else F.linear(context, rest[-1])
        slopes = []
        parts = [z]
        for layer, activation in enumerate(self.activations):
            x = _linear(parts, weights[layer], biases[layer])
            if layer == 0 and shift is not None:
                x = x + shift
            x, slope = activation(x, rest[layer])
            parts.append(x)
            slopes.append(slope)

        def push(tangents: Tensor) -> Tensor:
            parts = [tangents]
            for weight, slope in zip(weights, slopes, strict=False):
                parts.append(_linear(parts, weight) * slope.unsqueeze(-2))
            return _linear(parts, weights[-1])

        return Linearised(_linear(parts, weights[-1], biases[-1]), push)

    @torch.no_grad()
    def certificate(self) -> float:
        etas = F.softplus(self.raw_etas.double())
        etas = etas / etas.norm(dim=-1, keepdim=True)
        hidden, last = self.layers()
        bound = 1.0
        for linear, (old, new) in zip(hidden, etas.tolist(), strict=True):
            norm = float(spectral_norm(bounded(linear.weight.double(), 1.0)))
            bound *= math.hypot(old, new * norm)
        return bound * float(spectral_norm(bounded(last.weight.double(), self.lipschitz)))


def _linear(parts: Sequence[Tensor], weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """W (x_1, …, x_ℓ) + b as Σ W_i x_i + b: the parts are not copied next to each other."""
    columns = weight.split([part.shape[-1] for part in parts], -1)
    y = F.linear(parts[0], columns[0], bias)
    for part, column in zip(parts[1:], columns[1:], strict=True):
        y = y + F.linear(part, column)
    return y
