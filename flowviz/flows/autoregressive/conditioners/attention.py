"""Masking by attention: tokens that attend to the coordinates before their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowviz.flows.autoregressive.conditioners.ordered import Sequential
from flowviz.flows.numerics.mlp import check_hidden, start_small

MAX_HEADS = 4


class Attention(Sequential):
    """(h_1, …, h_D) = Transformer(z_0, …, z_{D−1}), causal: hᵢ blind to z_{≥i}  (section 3.1.2).

    The tokens are shifted by one place, z_0 = 0 starts the sequence, and each attends to itself
    and to what comes before it (Vaswani et al. 2017), so that no weight has to be masked and all
    coordinates share them. The forward direction takes one pass, the inverse D.

    Args:
        dim: D ≥ 1.
        parameters_per_dim: P.
        order: ``order[j]`` is the place of coordinate j, 0 … D − 1; natural by default.
        hidden: the width of the tokens, then a block for each further entry, which is the width
            of the block's network; one block where there is no further entry.
        context: C; every token holds it.
    """

    title = "attention"

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
        width, *more = check_hidden(hidden)
        self.embedding = nn.Linear(1 + context, width, bias=False)
        self.position = nn.Parameter(torch.randn(dim, width))
        blocks = [Block(width, inner) for inner in more or [width]]
        # The bias of the last normalisation would be one with that of the layer after it.
        norm, last = nn.LayerNorm(width, bias=False), nn.Linear(width, parameters_per_dim)
        start_small(last)
        self.network = nn.Sequential(*blocks, norm, last)

    def run(self, tokens: Tensor) -> Tensor:
        return self.network(self.embedding(tokens) + self.position)


class Block(nn.Module):
    """x ← x + attention(norm(x)), then x ← x + NN(norm(x)): a pre-norm block."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = CausalSelfAttention(width, math.gcd(width, MAX_HEADS))
        self.norm_2 = nn.LayerNorm(width)
        self.network = nn.Sequential(nn.Linear(width, inner), nn.SiLU(), nn.Linear(inner, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm_1(x))
        return x + self.network(self.norm_2(x))


class CausalSelfAttention(nn.Module):
    """y = W_o Σ_{j≤i} softmaxⱼ(qᵢᵀ kⱼ / √d) vⱼ in each of ``heads`` heads of size d.

    ``[N, D, W]`` to ``[N, D, W]``. A bias of k would cancel in the softmax, so there is none.
    Written out, since fused attention has no second derivative.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        qkv = self.to_qkv(x).view(n, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        logits = q @ k.mT / math.sqrt(q.shape[-1])
        ahead = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        weights = torch.softmax(logits.masked_fill(ahead, -torch.inf), -1)
        return self.output((weights @ v).transpose(1, 2).reshape(x.shape))
