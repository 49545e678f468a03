"""The monotone quadratic spline."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from flowviz.flows.autoregressive.transformers import spline
from flowviz.flows.autoregressive.transformers.spline import SLOPE_SHIFT, Spline, Tensors


class QuadraticSpline(Spline):
    """τ(z) = y_k + w_k (v_k θ + (v_{k+1} − v_k) θ²/2), θ = (z − x_k)/w_k, w_k = x_{k+1} − x_k.

    The integral of a piecewise linear density with the heights v_k > 0 at the knots, and the
    identity outside (piecewise-quadratic coupling, Müller et al. 2019). τ and its derivative
    are continuous everywhere: v_0 = v_K = 1, and the inner heights α u_k are scaled so that
    [−B, B] is mapped onto itself, Σ_k w_k (v_k + v_{k+1})/2 = 2B. The inverse is closed:
    θ = 2t / (v_k + √(v_k² + 2 (v_{k+1} − v_k) t)), t = (z' − y_k)/w_k, for equal heights too.

    P = 2K − 1: K widths (through a softmax), K − 1 inner heights u_k (softplus).

    Args:
        bins: K ≥ 2.
        bound: B > 0.
    """

    title = "quadratic spline"

    def __init__(self, bins: int = 8, bound: float = 5.0) -> None:
        super().__init__(bins, bound)
        self.parameters_per_dim = 2 * bins - 1

    def _knots(self, rows: Tensor) -> tuple[Tensor, Tensors]:
        K, B = self.bins, self.bound
        shares = F.softmax(rows[:K] + spline.start(K, rows), 0).unsqueeze(0)
        (x,), (width,) = spline.inner_sums(shares, B), spline.widths(shares, B)
        raw = rows[K:] + SLOPE_SHIFT
        free = spline.positive(raw)
        # The areas under the hat functions of the inner knots, and what is left for them.
        hats = (width[:-1] + width[1:]) / 2
        area = (hats * free).sum(0)
        scale = (2 * B - (width[0] + width[-1]) / 2) / area
        inner = scale * free
        one = torch.ones_like(width[:1])
        heights = torch.cat([one, inner, one])
        middle = (heights[:-1] + heights[1:]) / 2
        y = (width * middle)[:-1].cumsum(0) - B
        return spline.table(x, y, B, inner), (shares, raw, free, hats, area, scale, width, middle)

    def _piece(self, edges: Tensor) -> Tensors:
        x0, x1, y0, y1, v0, v1 = edges.flatten(0, 1).unbind()
        # Knots are rounded as B is. The width comes from the side on which the piece is longer,
        # and so loses less.
        middle = (v0 + v1) / 2
        width = torch.where(middle > 1, (y1 - y0) / middle, x1 - x0)
        return x0, x1, y0, width, v0, v1

    def _root(self, image: Tensor, piece: Tensors) -> Tensor:
        x0, _, y0, width, v0, v1 = piece
        # The square root is the slope at θ: above 0, save for rounding.
        twice = 2 * (image - y0) / width
        square = torch.addcmul(v0 * v0, v1 - v0, twice)
        θ = twice / (v0 + torch.sqrt(square.clamp_min(0)))
        return torch.addcmul(x0, width, θ.clamp(0, 1))

    def _terms(self, z: Tensor, piece: Tensors) -> Tensors:
        x0, x1, _, width, v0, v1 = piece
        # From the nearer edge: at both of them θ is exact, and so is the slope.
        θ = (z - x0) / width
        θ = torch.where(θ < 0.5, θ, 1 - (x1 - z) / width)
        return torch.lerp(v0, v1, θ), θ

    def _image(self, piece: Tensors, terms: Tensors) -> Tensor:
        _, _, y0, width, v0, _ = piece
        slope, θ = terms
        return torch.addcmul(y0, width * θ, (v0 + slope) / 2)

    def _steepness(self, piece: Tensors, terms: Tensors) -> Tensor:
        *_, width, v0, v1 = piece
        return (v1 - v0) / (terms[0] * width)

    def _pull_piece(
        self, piece: Tensors, terms: Tensors, g_image: Tensor, g_log: Tensor, g_z: Tensor
    ) -> Tensor:
        *_, width, v0, _ = piece
        slope, θ = terms
        g_area, g_slope = g_image * width * θ, g_log / slope
        right = torch.addcmul(g_slope * θ, g_area, θ / 2)
        left = g_area + g_slope - right
        g_width = θ * (g_image * (v0 + slope) / 2 - g_z)
        g = [-g_z - g_width, g_width, g_image, torch.zeros_like(g_image), left, right]
        return torch.stack(g).unflatten(0, (3, 2))

    def _pull_knots(self, g: Tensor, index: Tensor, kept: Tensors) -> Tensor:
        shares, raw, free, hats, area, scale, width, middle = kept
        g = spline.pull_table(g, index, self.bins)
        (g_bins,) = -spline.before(g[1:2])
        parts = g_bins * width / 2
        g_heights = parts[:-1] + parts[1:] + g[2, 1:-1]
        # The multiplier of the constraint that the whole area is 2B.
        multiplier = (g_heights * free).sum(0) / area
        g_free = scale * (g_heights - multiplier * hats)
        g_width = (g_bins - multiplier) * middle
        g_widths = spline.pull_inner_sums(g[:1], shares, self.bound, g_width.unsqueeze(0))
        return torch.cat([g_widths.squeeze(0), g_free * torch.sigmoid(raw)])
