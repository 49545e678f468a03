"""The unconstrained monotonic neural network: the integral of a positive network."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.autoregressive.transformers.transformer import Transformer
from flowviz.flows.numerics.mlp import start_small
from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.quadrature import gauss_legendre, inverse_of_integral
from flowviz.flows.numerics.transforms import transformed

LOG_SLOPE_BOUND = 5.0
# On the rows of the three layers: the quadrature then holds for parameters of any size.
TIME_BOUND, NORM_BOUND, OUTPUT_BOUND = 3.0, 1.5, 1.0
# How many points at a time: their (n + 1) × width numbers each stay in the cache.
CHUNK = 256

Weights = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class MonotoneIntegral(Transformer):
    """τ(z; h) = β + ∫₀ᶻ g(t; e) dt,  g = exp(C tanh(NN(t, e) / C)) > 0, h = (β, e).

    Unconstrained monotonic neural networks (UMNN, Wehenkel & Louppe 2019; section 3.1.1). NN is
    one network of two hidden layers for all coordinates, which the transformer owns; e is what
    the conditioner tells it. C = 5 keeps g within [e⁻⁵, e⁵].

    The network sees t through (2B/π) sin(πt / 2B), which is t near 0 and level at ±B, and g
    keeps its value beyond: the tails are linear, log g has a continuous derivative, and the
    interval of integration never exceeds B.

    *What is exact.* The derivative in z is g by definition, and log g is the log-derivative of
    the true integral. The integral itself is that of Gauss and Legendre with n nodes. Its error
    grows with the sharpness of g, and :meth:`quadrature_error` measures it. The norms of the
    weights' rows are bounded, smoothly, to limit that sharpness. The gradient in h and in the
    weights is the quadrature of ∂g, which is Leibniz's rule.

    It starts near the identity, but is not the identity at h = 0: the network has a shape of its
    own in t, whatever it is told.

    P = 1 + E.

    Args:
        embedding: E ≥ 1, how many numbers the network gets from the conditioner.
        width: of both hidden layers.
        nodes: n ≥ 1.
        bound: B > 0.

    Raises:
        ValueError: a number outside of its range.
    """

    title = "UMNN"
    exact_inverse = False

    def __init__(
        self, embedding: int = 16, width: int = 32, nodes: int = 16, bound: float = 5.0
    ) -> None:
        super().__init__()
        for what, number in (("embedding", embedding), ("width", width), ("nodes", nodes)):
            arguments.whole(what, number, 1)
        self.nodes = nodes
        self.bound = arguments.positive("bound", bound)
        self.parameters_per_dim = 1 + embedding
        self.first = nn.Linear(1 + embedding, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 1)
        start_small(self.last)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return self._integral(z, h[..., 0], *self._network(h), self.nodes)

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        shift, (c, weights) = h[..., 0], self._network(h)

        def function(x: Tensor) -> tuple[Tensor, Tensor]:
            image, log_slope = self._integral(x, shift, c, weights, self.nodes)
            return image, torch.exp(log_slope)

        x = inverse_of_integral(function, z, self.bound)
        return x, -self._integral(x, shift, c, weights, self.nodes)[1]

    @torch.no_grad()
    def quadrature_error(self, z: Tensor, h: Tensor) -> Tensor:
        """|τ(z; h) − the same with 8 times as many nodes|, ``[...]``."""
        shift, network = h[..., 0], self._network(h)
        coarse, fine = (
            self._integral(z, shift, *network, nodes)[0] for nodes in (self.nodes, 8 * self.nodes)
        )
        return (coarse - fine).abs()

    def _network(self, h: Tensor) -> tuple[Tensor, Weights]:
        """What e gives to the first layer ``[W, N]``, once for all nodes; and the weights."""
        time, embedding = self.first.weight.split([1, self.parameters_per_dim - 1], 1)
        e = h[..., 1:].reshape(-1, embedding.shape[1])
        c = torch.addmm(self.first.bias.unsqueeze(1), embedding, e.mT)
        weights = (
            _limited(time, TIME_BOUND).squeeze(1),
            _limited(self.second.weight, NORM_BOUND),
            self.second.bias,
            _limited(self.last.weight, OUTPUT_BOUND).squeeze(0),
            self.last.bias,
        )
        return c, weights

    def _integral(
        self, z: Tensor, shift: Tensor, c: Tensor, weights: Weights, nodes: int
    ) -> tuple[Tensor, Tensor]:
        """τ(z) and log g(z), ``[...]`` each."""
        settings, points = (nodes, self.bound), z.reshape(-1)
        if transformed():
            area, log_slope = _evaluate(settings, points, c, *weights)[:2]
        elif len(points) <= CHUNK:
            area, log_slope = _Integral.apply(settings, points, c, *weights)
        else:
            parts = zip(points.split(CHUNK), c.split(CHUNK, 1), strict=True)
            results = [_Integral.apply(settings, *part, *weights) for part in parts]
            area, log_slope = (torch.cat(r) for r in zip(*results, strict=True))
        return shift + area.view(z.shape), log_slope.view(z.shape)


def _limited(rows: Tensor, bound: float) -> Tensor:
    """Each row w as w / √(1 + ‖w‖² / bound²): shorter than ``bound``, and w itself if small."""
    return rows * torch.rsqrt(1 + rows.square().sum(1, keepdim=True) / bound**2)


def _evaluate(
    settings: tuple[int, float], z: Tensor, c: Tensor, *weights: Tensor
) -> tuple[Tensor, ...]:
    """∫₀ᶻ g and log g(z) ``[N]``, and what was computed on the way, features first.

    The nodes [n + 1, N] of all points go through the network as one matrix; the last is z.
    """
    nodes, bound = settings
    x, w = gauss_legendre(nodes, z.dtype, z.device)
    time, W, b, v, d = weights
    inside = z.clamp(-bound, bound)
    stretch = 2 * bound / math.pi
    φ = stretch * torch.sin(x.unsqueeze(1) * (inside / stretch))
    a = φ * time[:, None, None] + c.unsqueeze(1)
    gate = torch.sigmoid(a)
    first = a * gate
    p = torch.addmm(b.unsqueeze(1), W, first.flatten(1))
    second_gate = torch.sigmoid(p)
    second = p * second_gate
    y = torch.tanh((v @ second + d).view_as(φ) / LOG_SLOPE_BOUND)
    log_g = LOG_SLOPE_BOUND * y
    g = torch.exp(log_g)
    area = inside * (w @ g[:-1]) + (z - inside) * g[-1]
    return area, log_g[-1], inside, φ, gate, first, second_gate, second, y, g


def _silu_slope(gate: Tensor, silu: Tensor) -> Tensor:
    """∂ x σ(x) / ∂x, from σ(x) and x σ(x): no second look at x, and no exponential."""
    return torch.lerp(silu, silu.new_ones(()), gate)


class _Integral(torch.autograd.Function):
    """∫₀ᶻ g(t) dt and log g(z), whose derivative in z is g(z): not that of the quadrature."""

    @staticmethod
    def forward(ctx: Any, settings: tuple[int, float], *inputs: Tensor) -> tuple[Tensor, Tensor]:
        area, log_slope, *states = _evaluate(settings, *inputs)
        ctx.settings = settings
        ctx.save_for_backward(*inputs, *states)
        return area, log_slope

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, d_area: Tensor, d_log: Tensor) -> tuple[Tensor | None, ...]:
        (z, c, time, W, b, v, d), states = ctx.saved_tensors[:7], ctx.saved_tensors[7:]
        if torch.is_grad_enabled():
            # For second derivatives: the same once more, as functions of the inputs.
            states = _evaluate(ctx.settings, z, c, time, W, b, v, d)[2:]
        inside, φ, gate, first, second_gate, second, y, g = states
        nodes, bound = ctx.settings
        _, w = gauss_legendre(nodes, z.dtype, z.device)
        at_nodes = w.unsqueeze(1) * (d_area * inside)
        d_log_g = torch.cat([at_nodes, (d_area * (z - inside)).unsqueeze(0)]) * g
        d_log_g = torch.cat([d_log_g[:-1], d_log_g[-1:] + d_log])
        d_out = (d_log_g * (1 - y * y)).flatten()
        d_p = torch.outer(v, d_out) * _silu_slope(second_gate, second)
        d_a = (W.mT @ d_p).view_as(gate) * _silu_slope(gate, first)
        # Of the point's own change only log g is asked: the area changes by g, and not by what
        # the nodes see as they move.
        end = (time @ d_a[:, -1]) * torch.cos(inside * (math.pi / (2 * bound)))
        return (
            None,
            d_area * g[-1] + torch.where(z == inside, end, 0),
            d_a.sum(1),
            d_a.flatten(1) @ φ.flatten(),
            d_p @ first.flatten(1).mT,
            d_p.sum(1),
            second @ d_out,
            d_out.sum(0, keepdim=True),
        )
