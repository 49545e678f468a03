"""g of a contractive residual flow: a network that stretches nothing by more than c < 1."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.contractive.activations import ACTIVATIONS, make_activation
from flowviz.flows.contractive.lipschitz import bounded, spectral_norm
from flowviz.flows.numerics.mlp import check_hidden, start_small


@dataclass(frozen=True)
class Linearised:
    """g at the points z ``[..., D]``, to first order.

    Attributes:
        value: g(z) ``[..., D]``.
        push: tangents ``[..., M, D]`` to J_g times each of them, of the same shape; the batch
            dimensions may be left out where all points have the same tangents.
    """

    value: Tensor
    push: Callable[[Tensor], Tensor]

    def jacobian(self) -> Tensor:
        """J_g ``[..., D, D]``, by pushing the D unit vectors in one pass."""
        eye = torch.eye(self.value.shape[-1], dtype=self.value.dtype, device=self.value.device)
        return self.push(eye).mT

    def products(self, count: int) -> Callable[[Tensor], Tensor]:
        """u ↦ J_g u, vectors ``[..., D]`` to vectors, for ``count`` calls.

        J_g takes D tangents, all in one pass: where more products are asked for, they are taken
        with J_g itself.
        """
        if count <= self.value.shape[-1]:
            return lambda u: self.push(u.unsqueeze(-2)).squeeze(-2)
        J = self.jacobian()
        return lambda u: (J * u.unsqueeze(-2)).sum(-1)


class ContractiveNetwork(nn.Module):
    """g(z; context) with Lip(g) ≤ c in z; nothing bounds it in the context.

    The tensors that g is computed from, weights already normalised, are explicit:
    ``network(z, context, network.tensors())``. They are a pure function of the parameters, so
    that the bound holds after every update and in evaluation mode, and many evaluations share
    one normalisation.

    Args:
        dim: D.
        hidden: widths.
        context: C.
        lipschitz: c, 0 < c < 1.

    Raises:
        ValueError: one of them is not allowed.
    """

    linears: nn.ModuleList
    activations: nn.ModuleList

    def __init__(
        self, dim: int, hidden: Sequence[int], context: int = 0, lipschitz: float = 0.9
    ) -> None:
        super().__init__()
        if not arguments.is_real(lipschitz) or not 0 < lipschitz < 1:
            raise ValueError(f"lipschitz must be a number between 0 and 1, got {lipschitz!r}")
        self.dim = arguments.whole("dim", dim, 1)
        self.context = arguments.whole("context", context, 0)
        self.lipschitz = float(lipschitz)
        self.hidden = check_hidden(hidden)
        self.from_context = nn.Linear(context, self.hidden[0], bias=False) if context else None

    def layers(self) -> tuple[list[nn.Linear], nn.Linear]:
        """The hidden layers, and the last one."""
        *hidden, last = cast("list[nn.Linear]", list(self.linears))
        return hidden, last

    def tensors(self) -> tuple[Tensor, ...]:
        """What :meth:`forward` computes with, differentiable in the parameters."""
        raise NotImplementedError

    def forward(self, z: Tensor, context: Tensor | None, tensors: Sequence[Tensor]) -> Linearised:
        """g and its linearisation at ``z [..., D]``."""
        raise NotImplementedError

    def certificate(self) -> float:
        """A bound on Lip(g), ≤ c: from the exact spectral norms of the normalised weights."""
        raise NotImplementedError


class ContractiveMLP(ContractiveNetwork):
    """g(z) = W̃_L φ(… φ(W̃_1 z + b_1) …) + b_L  (section 3.3.1; Behrmann et al. 2019).

    ‖W̃_ℓ‖₂ ≤ 1 for ℓ < L and ‖W̃_L‖₂ ≤ c, and |φ′| ≤ 1, so that Lip(g) ≤ c.

    Args:
        dim, hidden, context, lipschitz: as :class:`ContractiveNetwork` takes them.
        activation: ``"lipswish"`` or ``"sin"``.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
        lipschitz: float = 0.9,
        activation: str = "lipswish",
    ) -> None:
        super().__init__(dim, hidden, context, lipschitz)
        self.activations = nn.ModuleList([make_activation(activation) for _ in self.hidden])
        self.slope = ACTIVATIONS[activation].lipschitz
        sizes = (dim, *self.hidden, dim)
        self.linears = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(sizes)])
        start_small(self.layers()[1])

    def tensors(self) -> tuple[Tensor, ...]:
        hidden, last = self.layers()
        weights = [bounded(linear.weight, 1.0) for linear in hidden]
        weights.append(bounded(last.weight, self.lipschitz))
        biases = [linear.bias for linear in (*hidden, last)]
        outer = [] if self.from_context is None else [self.from_context.weight]
        return (*weights, *biases, *self.activations.parameters(), *outer)

    def forward(self, z: Tensor, context: Tensor | None, tensors: Sequence[Tensor]) -> Linearised:
        depth = len(self.linears)
        weights, biases, rest = tensors[:depth], tensors[depth : 2 * depth], tensors[2 * depth :]
        shift = None if context is None else F.linear(context, rest[-1])
        slopes = []
        x = z
        for layer, activation in enumerate(self.activations):
            x = F.linear(x, weights[layer], biases[layer])
            if layer == 0 and shift is not None:
                x = x + shift
            of_layer = len(tuple(activation.parameters()))
            x, slope = activation(x, *rest[layer * of_layer : (layer + 1) * of_layer])
            slopes.append(slope)

        def push(tangents: Tensor) -> Tensor:
            tangents = F.linear(tangents, weights[0])
            for weight, slope in zip(weights[1:], slopes, strict=True):
                tangents = linear_of_product(slope, tangents, weight)
            return tangents

        return Linearised(F.linear(x, weights[-1], biases[-1]), push)

    @torch.no_grad()
    def certificate(self) -> float:
        depth = len(self.linears)
        norms = [float(spectral_norm(weight.double())) for weight in self.tensors()[:depth]]
        return math.prod(norms) * self.slope ** len(self.activations)


def linear_of_product(slope: Tensor, tangents: Tensor, weight: Tensor) -> Tensor:
    """W diag(φ′) t for each of the tangents t: ``slope [..., H]`` and ``tangents [..., M, H]``.

    Tangents ``[M, H]`` that all points share are put into the weight: (W diag t) φ′ multiplies
    M · H numbers once, and not at each point.
    """
    if tangents.ndim > 2:
        return F.linear(tangents * slope.unsqueeze(-2), weight)
    combined = (weight * tangents.unsqueeze(-2)).flatten(0, 1)
    return F.linear(slope, combined).unflatten(-1, (len(tangents), len(weight)))
