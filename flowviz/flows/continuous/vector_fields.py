"""Vector fields g(t, z) with the trace of their Jacobian at the price of the field itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.continuous.solvers import at
from flowviz.flows.numerics.mlp import OUTPUT_SCALE, check_hidden

Saved = tuple[Tensor, ...]
"""What a pullback needs of the evaluation that it belongs to."""


class Weights(NamedTuple):
    """What is computed once for a solve, however often the field is evaluated in it.

    Attributes:
        shared: the same for all points.
        points: ``[N, …]``, a row for each point.
    """

    shared: tuple[Tensor, ...]
    points: tuple[Tensor, ...]

    def at(self, rows: Tensor | None) -> Weights:
        """The weights of these points."""
        return Weights(self.shared, tuple(at(x, rows) for x in self.points))


class VectorField(nn.Module):
    """dz/dt = g(t, z), with Tr ∂g/∂z or an estimate vᵀ (∂g/∂z) v of it.

    A solve calls :meth:`weights` once and then the field itself at every stage.

    Attributes:
        title: what layer strips call it.
        dim: D.
        context: C, the number of context features.
    """

    title: str

    def __init__(self, dim: int, context: int = 0) -> None:
        super().__init__()
        self.dim = dim
        self.context = context

    def velocity(self, t: Tensor | float, z: Tensor, context: Tensor | None = None) -> Tensor:
        """g(t, z) ``[..., D]`` for ``z [..., D]`` and ``t`` a number or ``[..., 1]``."""
        batch = z.shape[:-1]
        time = torch.as_tensor(t, dtype=z.dtype, device=z.device).expand(*batch, 1)
        given = None if context is None else context.reshape(-1, self.context)
        points = z.reshape(-1, self.dim)
        weights = self.weights(given, None)
        return self(time.reshape(-1, 1), points, weights, trace=False)[0].reshape(z.shape)

    def weights(self, context: Tensor | None, probe: Tensor | None) -> Weights:
        """What every evaluation shares.

        Args:
            context: ``[N, C]`` or None.
            probe: the noise v ``[N, D]`` of Hutchinson's estimator; None for the exact trace.
        """
        raise NotImplementedError

    def forward(
        self, t: Tensor, z: Tensor, weights: Weights, trace: bool = True
    ) -> tuple[Tensor, Tensor | None, Saved]:
        """The field and its trace, in differentiable operations.

        Args:
            t: ``[1, 1]`` or ``[n, 1]``.
            z: ``[n, D]``.
            weights: of these n points.
            trace: whether the trace is wanted.

        Returns:
            g ``[n, D]``, the trace ``[n, 1]`` or None, and what :meth:`pullback` needs.
        """
        raise NotImplementedError

    def pullback(
        self, saved: Saved, weights: Weights, g_bar: Tensor, trace_bar: Tensor, bars: Weights
    ) -> Tensor:
        """The gradient ``[n, D]`` in z of Σ g ḡ + Σ trace trace̅; that in the weights is added.

        Args:
            saved: of the evaluation.
            weights: of the evaluation.
            g_bar, trace_bar: ``[n, D]`` and ``[n, 1]``.
            bars: the gradients so far, shaped like ``weights``; changed in place.
        """
        raise NotImplementedError


class Linear(nn.Module):
    """y = W x / √n + b, n the number of inputs.

    With the 1/√n outside, parameters of order 1 are a field of order 1 whatever the width.
    """

    def __init__(self, inputs: int, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.gain = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(scale * torch.randn(outputs, inputs))
        self.bias = nn.Parameter(0.1 * scale * torch.randn(outputs))


class MLPField(VectorField):
    """g(t, z) = W_{L+1} tanh(W_L … tanh(W₁ [z, t] + b₁) …) + b_{L+1}.

    The trace costs no backward pass (section 5.1 of the review prices it at D of them). With
    dₗ = tanh′(aₗ) it is closed for one and for two hidden layers,

        Tr J = Σᵢ d₁ᵢ (W₁ W₂)ᵢᵢ,        Tr J = d₂ᵀ (W₂ ∘ (W₁ W₃)ᵀ) d₁,

    and for more of them D tangents run through the network beside the values; for Hutchinson's
    estimator it is one tangent, v. All of these are one recursion,

        x₁ = d₁ ∘ s,   xₗ = dₗ ∘ (Vₗ xₗ₋₁),   Tr = ⟨x_L, e⟩,

    with s, Vₗ and e fixed during a solve.

    The weights are of order 1, with 1/√n outside, and Adam's steps are absolute: they want a
    learning rate some √n times that of other networks. On two moons 400 steps lead to 0.23 nats
    with 0.003, to 0.07 with 0.01 and to 0.04 with 0.03.

    Args:
        dim: D.
        hidden: widths of the hidden layers.
        context: C; the context enters the first layer.
    """

    title = "MLP"

    def __init__(self, dim: int, hidden: Sequence[int] = (64, 64), context: int = 0) -> None:
        super().__init__(dim, context)
        widths = (dim + 1, *check_hidden(hidden))
        self.hidden = nn.ModuleList(Linear(*pair) for pair in itertools.pairwise(widths))
        self.output = Linear(widths[-1], dim, OUTPUT_SCALE)
        if context:
            self.conditioning = nn.Parameter(torch.randn(widths[1], context) / math.sqrt(context))

    def weights(self, context: Tensor | None, probe: Tensor | None) -> Weights:
        layers = cast("list[Linear]", [*self.hidden, self.output])
        # tanh(a) = 2 σ(2a) − 1, and σ is several times faster than tanh: the twos and the ones
        # go into the weights. A layer's inputs are 2 h − 1 save the first's; its outputs count
        # twice save the last's.
        W: list[Tensor] = []
        B: list[Tensor] = []
        for layer in layers:
            weight = layer.weight * layer.gain
            bias: Tensor = layer.bias
            if W:
                bias, weight = bias - weight.sum(1), 2 * weight
            if layer is not self.output:
                bias, weight = 2 * bias, 2 * weight
            W.append(weight)
            B.append(bias)
        # The time is an input, but no coordinate that the trace runs over.
        first, V, last = W[0][:, : self.dim], W[1:-1], W[-1]
        W[0] = W[0].mT.contiguous()
        ends: list[Tensor] = []
        points: list[Tensor] = []
        if probe is not None:
            points += [(probe @ first.mT).unsqueeze(1), (probe @ last).unsqueeze(1)]
        elif len(V) == 0:
            ends = [(first * last.mT).sum(1).reshape(1, 1, -1), torch.ones_like(last[:1, None])]
        elif len(V) == 1:
            V = [W[1] * (first @ last).mT]
            ends = [torch.ones_like(first.mT[:1, None]), torch.ones_like(last[:1, None])]
        else:
            ends = [first.mT.unsqueeze(0), last.unsqueeze(0)]
        if context is not None:
            points.append(2 * context @ self.conditioning.mT)
        return Weights((*W, *B, *V, *ends), tuple(points))

    def forward(
        self, t: Tensor, z: Tensor, weights: Weights, trace: bool = True
    ) -> tuple[Tensor, Tensor | None, Saved]:
        W, B, V, start, end, offset = self._unpack(weights)
        inputs = torch.cat([z, t.expand(len(z), 1)], -1)
        bias = B[0] if offset is None else B[0] + offset
        h = torch.addmm(bias, inputs, W[0]).sigmoid()
        y = start
        saved = [inputs, h, y]
        for layer in range(1, len(W) - 1):
            if trace:
                y = (_derivative(h).unsqueeze(1) * y) @ V[layer - 1].mT
            h = torch.addmm(B[layer], h, W[layer].mT).sigmoid()
            saved += [h, y]
        g = torch.addmm(B[-1], h, W[-1].mT)
        if not trace:
            return g, None, ()
        return g, (_derivative(h).unsqueeze(1) * y * end).sum((1, 2)).unsqueeze(1), tuple(saved)

    def pullback(
        self, saved: Saved, weights: Weights, g_bar: Tensor, trace_bar: Tensor, bars: Weights
    ) -> Tensor:
        W, _, V, _, end, _ = self._unpack(weights)
        W_bar, B_bar, V_bar, start_bar, end_bar, offset_bar = self._unpack(bars)
        inputs, *rest = saved
        hs, ys = rest[::2], rest[1::2]
        # In the closed form for two hidden layers s and e are ones.
        free = len(hs) != 2 or self._estimates(weights)

        a_bar = g_bar
        x_bar = trace_bar.unsqueeze(-1) * end
        d = _derivative(hs[-1])
        if free:
            end_bar.add_(_fit(trace_bar.unsqueeze(-1) * (d.unsqueeze(1) * ys[-1]), end_bar))
        for layer in range(len(hs), 0, -1):
            h, y = hs[layer - 1], ys[layer - 1]
            W_bar[layer].addmm_(a_bar.mT, h)
            B_bar[layer].add_(a_bar.sum(0))
            # x = d ∘ y, and ∂d/∂h = 1 − 2 h.
            d_bar = (x_bar * y).sum(1) if y.shape[1] > 1 else (x_bar * y).squeeze(1)
            h_bar = torch.addcmul(torch.addmm(d_bar, a_bar, W[layer]), h, d_bar, value=-2)
            a_bar = h_bar * d
            y_bar = x_bar * d.unsqueeze(1)
            if layer > 1:
                d = _derivative(hs[layer - 2])
                x = d.unsqueeze(1) * ys[layer - 2]
                V_bar[layer - 2].addmm_(y_bar.flatten(0, 1).mT, x.flatten(0, 1))
                x_bar = y_bar @ V[layer - 2]
        if free:
            start_bar.add_(_fit(y_bar, start_bar))
        W_bar[0].addmm_(inputs.mT, a_bar)
        B_bar[0].add_(a_bar.sum(0))
        if offset_bar is not None:
            offset_bar.add_(a_bar)
        return a_bar @ W[0][: self.dim].mT

    def _unpack(
        self, weights: Weights
    ) -> tuple[
        tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...], Tensor, Tensor, Tensor | None
    ]:
        """W, B, V, s ``[1 or n, K, H₁]``, e ``[1 or n, K, H_L]``, context's offset ``[n, H₁]``."""
        L = len(self.hidden) + 1
        shared, points = weights
        if self._estimates(weights):
            ends, points = points[:2], points[2:]
        else:
            ends = shared[-2:]
        offset = points[0] if points else None
        start, end = ends
        return shared[:L], shared[L : 2 * L], shared[2 * L : 3 * L - 2], start, end, offset

    def _estimates(self, weights: Weights) -> bool:
        """Whether s and e are those of a point's probe, and not of the exact trace."""
        return len(weights.shared) == 3 * len(self.hidden) + 1


def _derivative(h: Tensor) -> Tensor:
    """σ′ = h − h²."""
    return torch.addcmul(h, h, h, value=-1)


class PlanarField(VectorField):
    """g(t, z) = Σₘ sₘ(t) vₘ tanh(wₘᵀ z + bₘ), a sum of gated planar flows  (Chen et al. 2018).

    Tr J = Σₘ sₘ(t) tanh′(wₘᵀ z + bₘ) wₘᵀvₘ, in O(DM) for M units: no constraint on v, and no
    determinant. The gates are sₘ(t) = σ(αₘ + βₘ t).

    Args:
        dim: D.
        units: M ≥ 1.
        context: C; the context shifts the bₘ.
        generator: draws the start.
    """

    title = "planar"

    def __init__(
        self, dim: int, units: int = 32, context: int = 0, generator: Generator | None = None
    ) -> None:
        super().__init__(dim, context)
        arguments.whole("units", units, 1)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator))

        self.w, self.b = draw(units, dim), draw(units)
        self.v = nn.Parameter(OUTPUT_SCALE * draw(dim, units).data)
        self.gate = draw(2, units)
        if context:
            self.conditioning = draw(units, context)

    def weights(self, context: Tensor | None, probe: Tensor | None) -> Weights:
        w, v = self.w / math.sqrt(self.dim), self.v / math.sqrt(len(self.w))
        shared = [w, self.b, v, self.gate]
        points = []
        if probe is None:
            shared.append((w * v.mT).sum(1))
        else:
            points.append((probe @ w.mT) * (probe @ v))
        if context is not None:
            points.append(context @ self.conditioning.mT)
        return Weights(tuple(shared), tuple(points))

    def forward(
        self, t: Tensor, z: Tensor, weights: Weights, trace: bool = True
    ) -> tuple[Tensor, Tensor | None, Saved]:
        w, b, v, gate, end, offset = self._unpack(weights)
        clock = torch.cat([torch.ones_like(t), t], -1)
        s = torch.sigmoid(clock @ gate)
        h = torch.tanh(torch.addmm(b if offset is None else b + offset, z, w.mT))
        Tr = ((1 - h.square()) * s * end).sum(-1, keepdim=True) if trace else None
        return (s * h) @ v.mT, Tr, (clock, z, s, h)

    def pullback(
        self, saved: Saved, weights: Weights, g_bar: Tensor, trace_bar: Tensor, bars: Weights
    ) -> Tensor:
        w, _, v, _, end, _ = self._unpack(weights)
        w_bar, b_bar, v_bar, gate_bar, end_bar, offset_bar = self._unpack(bars)
        clock, z, s, h = saved
        d = 1 - h.square()
        v_bar.addmm_(g_bar.mT, s * h)
        end_bar.add_(_fit(trace_bar * (d * s), end_bar))
        along, weighted = g_bar @ v, trace_bar * end
        s_bar = along * h + weighted * d
        gate_bar.addmm_(clock.expand(len(z), 2).mT, s_bar * s * (1 - s))
        a_bar = s * d * torch.addcmul(along, h, weighted, value=-2)
        w_bar.addmm_(a_bar.mT, z)
        b_bar.add_(a_bar.sum(0))
        if offset_bar is not None:
            offset_bar.add_(a_bar)
        return a_bar @ w

    def _unpack(
        self, weights: Weights
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        shared, points = weights
        end, points = (shared[4], points) if len(shared) == 5 else (points[0], points[1:])
        return *shared[:4], end, points[0] if points else None  # type: ignore[return-value]


def _fit(x: Tensor, like: Tensor) -> Tensor:
    """The sum of ``x [n, …]`` over the points where ``like`` is the same for all of them."""
    shared = like.ndim < x.ndim or len(like) == 1
    return x.sum(0, keepdim=like.ndim == x.ndim) if shared else x
