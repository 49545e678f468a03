"""The block neural autoregressive flow, B-NAF."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.autoregressive.conditioners.conditioner import with_context
from flowviz.flows.bijection import Bijection
from flowviz.flows.numerics.mlp import check_hidden
from flowviz.flows.numerics.root import bracketed

MIN_SLOPE = 1e-3


class BlockNeural(Bijection):
    """z'ᵢ = (1 − gᵢ) zᵢ + gᵢ fᵢ(z_{≤i})  (section 3.1.1; De Cao, Titov & Aziz 2020).

    f is one network that is transformer and conditioner at once: :class:`BlockNetwork`, increasing
    in zᵢ. Its tanh units are bounded; the gated residual, of the paper too, carries the map onto
    ℝ, so that every image has an inverse. gᵢ = (1 − ε) σ(γᵢ), ε = 10⁻³, keeps the slope above ε.

    log|det J| = Σᵢ log(1 − gᵢ + gᵢ ∂fᵢ/∂zᵢ). The forward direction takes one pass of the network.
    The inverse solves for one coordinate after the other, a numerical root each.

    Args:
        dim: D.
        order: ``order[j]`` is the place of coordinate j, 0 … D − 1; natural by default.
        hidden: widths of the network: each coordinate has as many units of a layer as make it
            at least that wide.
        context: C.

    Raises:
        ValueError: ``order`` does not hold each place once, or a number is out of its range.
    """

    exact_inverse = False

    def __init__(
        self,
        dim: int,
        *,
        order: Sequence[int] | None = None,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
    ) -> None:
        super().__init__(dim, context)
        places = list(range(dim)) if order is None else arguments.order(order, dim)
        self.order = places
        self.network = BlockNetwork(places, hidden, context)
        # A small gate: layer upon layer, the bounded network's flat tails would multiply.
        self.gate = nn.Parameter(torch.full((dim,), -1.0))

    def describe(self) -> str:
        return "block neural autoregressive"

    def jacobian_mask(self) -> Tensor:
        places = torch.tensor(self.order)
        return places[:, None] >= places[None, :]

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        image, log_slopes = self._map(z, context)
        return image, log_slopes.sum(-1)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        # Coordinate after coordinate; what is not known yet is zero, and nothing looks at it.
        solved = torch.zeros_like(z)
        for i in sorted(range(self.dim), key=self.order.__getitem__):
            root = self._root(i, z[..., i], solved, context)
            index = torch.tensor([i], device=z.device)
            solved = solved.index_copy(-1, index, root.unsqueeze(-1))
        return solved, -self._map(solved, context)[1].sum(-1)

    def _root(self, i: int, image: Tensor, solved: Tensor, context: Tensor | None) -> Tensor:
        """zᵢ of which ``image [...]`` is the image, given the coordinates ``solved`` before it."""
        index = torch.tensor([i], device=image.device)

        def coordinate(x: Tensor) -> tuple[Tensor, Tensor]:
            images, log_slopes = self._map(solved.index_copy(-1, index, x.unsqueeze(-1)), context)
            return images[..., i], torch.exp(log_slopes[..., i])

        # What is not finite has no root: NaN, without a search that would find none.
        with torch.no_grad():
            solvable = coordinate(image)[0].isfinite()

        def function(x: Tensor) -> tuple[Tensor, Tensor]:
            value, slope = coordinate(x)
            return torch.where(solvable, value, x), torch.where(solvable, slope, 1)

        return bracketed(function, torch.where(solvable, image, torch.nan))

    def _map(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """z' and log ∂z'ᵢ/∂zᵢ, both ``[..., D]``."""
        f, log_derivative = self.network(z, context)
        rest = MIN_SLOPE + (1 - MIN_SLOPE) * torch.sigmoid(-self.gate)
        log_gate = math.log1p(-MIN_SLOPE) + F.logsigmoid(self.gate)
        log_slopes = torch.logaddexp(torch.log(rest), log_gate + log_derivative)
        return rest * z + torch.exp(log_gate) * f, log_slopes


class BlockNetwork(nn.Module):
    """f = W_L tanh(… tanh(W_1 z + b_1) …) + b_L, with W in D × D blocks.

    Coordinate i owns a block of units of every layer. The blocks W_{ij} are zero for the
    coordinates j that come after i, free for those before, and exp(·) > 0 for j = i: fᵢ increases
    in zᵢ and is blind to what comes later. Each row is normalised, W = e^s V/‖V‖₁: in the paper's
    2-norm the slopes would grow with the number of units, since those of a diagonal block add up.

    Args:
        order: ``order[j]`` is the place of coordinate j.
        hidden: widths.
        context: C; all units may see the context.
    """

    def __init__(self, order: Sequence[int], hidden: Sequence[int], context: int) -> None:
        super().__init__()
        units = [1, *(math.ceil(width / len(order)) for width in check_hidden(hidden)), 1]
        self.layers = nn.ModuleList(
            BlockLinear(order, inputs, outputs, context if first else 0)
            for first, inputs, outputs in zip(
                [True] + [False] * len(units), units[:-1], units[1:], strict=False
            )
        )

    def forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """f and log ∂fᵢ/∂zᵢ, both ``[..., D]``."""
        state, log_slopes = with_context(z, context), torch.zeros_like(z).unsqueeze(-1)
        for number, layer in enumerate(self.layers):
            if number:
                # log tanh′(x) = 2 (log 2 − x − softplus(−2x)), free of overflow.
                log_tanh = 2 * (math.log(2) - state - F.softplus(-2 * state, threshold=40))
                log_slopes = log_slopes + log_tanh.unflatten(-1, log_slopes.shape[-2:])
                state = torch.tanh(state)
            state, log_slopes = layer(state, log_slopes)
        return state, log_slopes.squeeze(-1)


class BlockLinear(nn.Module):
    """One layer of a :class:`BlockNetwork`, and its part of the diagonal derivatives.

    Args:
        order: as :class:`BlockNetwork` takes it.
        inputs, outputs: units of each coordinate before and after.
        context: C, further inputs.
    """

    below: Tensor
    diagonal: Tensor

    def __init__(self, order: Sequence[int], inputs: int, outputs: int, context: int) -> None:
        super().__init__()
        self.inputs = inputs
        places = torch.tensor(order)
        owners = places.repeat_interleave(outputs)[:, None]
        seen = places.repeat_interleave(inputs)[None, :]
        sees_context = torch.ones(len(owners), context, dtype=torch.bool)
        self.register_buffer("below", torch.cat([owners > seen, sees_context], 1))
        self.register_buffer("diagonal", torch.cat([owners == seen, ~sees_context], 1))
        self.weight = nn.Parameter(torch.randn(self.below.shape) * self.below.shape[1] ** -0.5)
        self.log_norm = nn.Parameter(torch.zeros(len(owners)))
        self.bias = nn.Parameter(torch.zeros(len(owners)))

    def forward(self, x: Tensor, log_slopes: Tensor) -> tuple[Tensor, Tensor]:
        """``x [..., inputs]`` and ``log_slopes [..., D, units]`` through the layer."""
        # exp sees the diagonal blocks only: elsewhere it could overflow.
        positive = torch.exp(torch.where(self.diagonal, self.weight, 0))
        V = torch.where(self.diagonal, positive, self.below * self.weight)
        log_scale = self.log_norm - torch.log(V.abs().sum(-1))
        image = F.linear(x, torch.exp(log_scale).unsqueeze(-1) * V, self.bias)
        dim = log_slopes.shape[-2]
        blocks = self.weight[:, : dim * self.inputs].unflatten(1, (dim, -1)).unflatten(0, (dim, -1))
        log_blocks = blocks.diagonal(dim1=0, dim2=2).movedim(-1, 0)
        return image, log_product(log_blocks + log_scale.view(dim, -1, 1), log_slopes)


def log_product(log_blocks: Tensor, log_vectors: Tensor) -> Tensor:
    """log(exp(A) exp(v)) for each block: ``[D, m, n]`` and ``[..., D, n]`` to ``[..., D, m]``.

    Both factors are scaled to a largest entry of 1, so that the product neither overflows nor
    vanishes, and is a matrix product.
    """
    high = log_blocks.detach().amax((-2, -1), keepdim=True)
    top = log_vectors.detach().amax(-1, keepdim=True)
    blocks, vectors = torch.exp(log_blocks - high), torch.exp(log_vectors - top)
    product = torch.einsum("dmn,...dn->...dm", blocks, vectors)
    return torch.log(product.clamp_min(torch.finfo(product.dtype).tiny)) + top + high.squeeze(-1)
