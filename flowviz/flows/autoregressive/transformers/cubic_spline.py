"""The monotone cubic spline."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowviz.flows.autoregressive.transformers import spline
from flowviz.flows.autoregressive.transformers.spline import MIN_FRACTION, Spline, Tensors

EDGE_SLOPE = 1 / 3


class CubicSpline(Spline):
    """τ(z) = y_k + h_k θ² (3 − 2θ) + w_k θ(1−θ) [d_k (1−θ) − d_{k+1} θ], θ = (z − x_k)/w_k.

    A monotone cubic Hermite spline on [−B, B], and the identity outside; its derivative
    d_k (1−θ)² + 2 (3s_k − d_k − d_{k+1}) θ(1−θ) + d_{k+1} θ², s_k = h_k / w_k, is continuous
    everywhere (cubic-spline flows, Durkan et al. 2019). The slopes at the inner knots are Steffen's
    (1990), d_k = min(2s_{k−1}, 2s_k, (s_{k−1} w_k + s_k w_{k−1})/(w_{k−1} + w_k)), those at ±B
    are 1. A cubic is monotone where d ≤ 3s at both of its ends (Fritsch & Carlson 1980):
    the first and the last height are kept above w/3.

    The inverse is closed: Cardano's formula or the trigonometric one, whichever is real, for
    u = θ/(1−θ) or its reciprocal, whose cubic has a leading coefficient of at least ½; then one
    step of Newton's method.

    P = 2K: K widths and K heights (through a softmax).

    Args:
        bins: K ≥ 2.
        bound: B > 0.
    """

    title = "cubic spline"

    def __init__(self, bins: int = 8, bound: float = 5.0) -> None:
        super().__init__(bins, bound)
        self.parameters_per_dim = 2 * bins
        self._least = (1 - EDGE_SLOPE) * MIN_FRACTION
        # At h = 0 the outer heights have less to add to their floor than the inner ones.
        inner = 1 / (bins - 2 * EDGE_SLOPE)
        outer = (1 - EDGE_SLOPE) * inner
        self._outer_logit = math.log((outer - self._least) / (inner - self._least))

    def _knots(self, rows: Tensor) -> tuple[Tensor, Tensors]:
        K, B = self.bins, self.bound
        first, last = rows[K : K + 1], rows[2 * K - 1 :]
        logits = torch.cat(
            [
                rows[:K],
                first + self._outer_logit,
                rows[K + 1 : -1],
                last + self._outer_logit,
            ]
        )
        shares = F.softmax(logits.unflatten(0, (2, K)), 1)
        (x,), (width,) = spline.inner_sums(shares[:1], B), spline.widths(shares[:1], B)
        fractions = self._least + (1 - K * self._least) * shares[1]
        rest = 2 * B - EDGE_SLOPE * (width[:1] + width[-1:])
        free = rest * fractions
        height = torch.cat(
            [
                free[:1] + EDGE_SLOPE * width[:1],
                free[1:-1],
                free[-1:] + EDGE_SLOPE * width[-1:],
            ]
        )
        y = height[:-1].cumsum(0) - B
        s = height / width
        left, right = s[:-1], s[1:]
        smooth = (left * width[1:] + right * width[:-1]) / (width[:-1] + width[1:])
        slopes = torch.minimum(2 * torch.minimum(left, right), smooth)
        knots = spline.table(x, y, B, slopes)
        return knots, (shares, width, fractions, rest, s, smooth, slopes)

    def _piece(self, edges: Tensor) -> Tensors:
        x0, x1, y0, y1, d0, d1 = edges.flatten(0, 1).unbind()
        width, height = x1 - x0, y1 - y0
        return x0, y0, width, height, height / width, d0, d1

    def _root(self, image: Tensor, piece: Tensors) -> Tensor:
        x0, y0, width, height, s, d0, d1 = piece
        rise = (image - y0) / height
        α, β = d0 / s, d1 / s
        θ = _unit_root(rise, α, β)
        rest = 1 - θ
        across = θ * rest
        f = θ * θ * (1 + 2 * rest) + across * (α * rest - β * θ)
        slope = α * rest * rest + 2 * (3 - α - β) * across + β * θ * θ
        return torch.addcmul(x0, width, (θ - (f - rise) / slope).clamp(0, 1))

    def _terms(self, z: Tensor, piece: Tensors) -> Tensors:
        x0, _, width, _, s, d0, d1 = piece
        θ = (z - x0) / width
        middle = 3 * s - d0 - d1
        slope = torch.lerp(torch.lerp(d0, middle, θ), torch.lerp(middle, d1, θ), θ)
        return slope, θ, 1 - θ, middle

    def _image(self, piece: Tensors, terms: Tensors) -> Tensor:
        _, y0, width, height, _, d0, d1 = piece
        _, θ, rest, _ = terms
        bump = width * rest * (d0 * rest - d1 * θ)
        return torch.addcmul(y0, θ, height * θ * (1 + 2 * rest) + bump)

    def _steepness(self, piece: Tensors, terms: Tensors) -> Tensor:
        _, _, width, _, _, d0, d1 = piece
        slope, θ, _, middle = terms
        return 2 * torch.lerp(middle - d0, d1 - middle, θ) / (slope * width)

    def _pull_piece(
        self, piece: Tensors, terms: Tensors, g_image: Tensor, g_log: Tensor, g_z: Tensor
    ) -> Tensor:
        _, _, width, _, s, d0, d1 = piece
        slope, θ, rest, _ = terms
        across = θ * rest
        g_slope = g_log / slope
        g_bump, g_middle = g_image * width * across, 2 * g_slope * across
        g_d0 = g_bump * rest + g_slope * rest * rest - g_middle
        g_d1 = g_slope * θ * θ - g_bump * θ - g_middle
        per_width = 3 * g_middle / width
        g_height = g_image * θ * θ * (1 + 2 * rest) + per_width
        g_width = g_image * across * (d0 * rest - d1 * θ) - g_z * θ - per_width * s
        g = [-g_z - g_width, g_width, g_image - g_height, g_height, g_d0, g_d1]
        return torch.stack(g).unflatten(0, (3, 2))

    def _pull_knots(self, g: Tensor, index: Tensor, kept: Tensors) -> Tensor:
        shares, width, fractions, rest, s, smooth, slopes = kept
        K = self.bins
        g = spline.pull_table(g, index, K)
        g_slopes = g[2, 1:-1]
        left, right = s[:-1], s[1:]
        g_smooth = torch.where(slopes < smooth, 0, g_slopes)
        g_twice = 2 * (g_slopes - g_smooth)
        per_width = g_smooth / (width[:-1] + width[1:])
        lesser = left < right
        none = torch.zeros_like(width[:1])
        g_left = per_width * width[1:] + torch.where(lesser, g_twice, 0)
        g_right = per_width * width[:-1] + torch.where(lesser, 0, g_twice)
        g_s = (torch.cat([g_left, none]) + torch.cat([none, g_right])) / width
        g_width = (
            torch.cat([per_width * (right - slopes), none])
            + torch.cat([none, per_width * (left - slopes)])
            - g_s * s
        )
        g_height = g_s - spline.before(g[1:2]).squeeze(0)
        g_floor = EDGE_SLOPE * (g_height - (g_height * fractions).sum(0))
        inner = none.expand(K - 2, *none.shape[1:])
        g_width = g_width + torch.cat([g_floor[:1], inner, g_floor[-1:]])
        g_widths = spline.pull_inner_sums(g[:1], shares[:1], self.bound, g_width.unsqueeze(0))
        g_fractions = ((1 - K * self._least) * rest * g_height).unsqueeze(0)
        g_heights = spline.pull_softmax(g_fractions, shares[1:])
        return torch.cat([g_widths, g_heights]).flatten(0, 1)


def _unit_root(rise: Tensor, α: Tensor, β: Tensor) -> Tensor:
    """θ in [0, 1] with θ² (3 − 2θ) + θ(1−θ) [α (1−θ) − β θ] = rise.

    In u = θ/(1−θ), A u³ + 3B u² + 3C u + D = 0 with A = 1 − rise, B = A − β/3, C = α/3 − rise,
    D = −rise: coefficients of order 1, and one positive root, which is the greatest. From the
    side where A ≥ ½ it is found without dividing by something small (after Blinn 2007).
    """
    upper = rise > 0.5
    low = torch.where(upper, 1 - rise, rise)
    A = 1 - low
    B = A - torch.where(upper, α, β) / 3
    C = torch.where(upper, β, α) / 3 - low
    # u = (t − B)/A, and then t³ + 3p t + q = 0.
    p = A * C - B * B
    q = -2 * B * p - A * (A * low + B * C)
    square = q * q + 4 * p * p * p
    root = torch.sqrt(square.abs())
    # One real root: a sum of two of one sign for p ≤ 0, and their difference, rearranged, above.
    a = ((q.abs() + root) / 2).clamp_min(torch.finfo(q.dtype).tiny).pow(1 / 3)
    b = p / a
    one = torch.where(p > 0, q.abs() / (a * a + b * b + p), a - b)
    three = 2 * torch.sqrt((-p).clamp_min(0)) * torch.cos(torch.atan2(root, -q) / 3)
    u = torch.where(square < 0, three, torch.where(q > 0, -one, one)) - B
    θ = u / (u + A)
    return torch.where(upper, 1 - θ, θ).clamp(0, 1)
