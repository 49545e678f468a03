"""The monotone rational-quadratic spline."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from flowviz.flows.autoregressive.transformers import spline
from flowviz.flows.autoregressive.transformers.spline import SLOPE_SHIFT, Spline, Tensors


class RationalQuadraticSpline(Spline):
    """τ(z) = y_k + h_k [s θ² + d_k θ(1−θ)] / [s + (d_k + d_{k+1} − 2s) θ(1−θ)], θ = (z − x_k)/w_k.

    A monotone spline of K rational-quadratic pieces on [−B, B] with s = h_k / w_k, and the
    identity outside; its derivative is continuous everywhere, since the boundary slopes are
    exactly 1 (neural spline flows, Durkan et al. 2019; Gregory & Delbourgo 1982).

    With c_k = d_k (1−θ) + s θ and c_{k+1} = s (1−θ) + d_{k+1} θ, sums of positive terms, the
    bracket below is D = c_{k+1} (1−θ) + c_k θ, and τ = y_k + h_k θ c_k / D,
    τ′ = s² (c_k (1−θ) + c_{k+1} θ) / D².

    P = 3K − 1: K widths and K heights (through a softmax), K − 1 inner slopes (softplus).

    Args:
        bins: K ≥ 2.
        bound: B > 0.
    """

    title = "RQ spline"

    def __init__(self, bins: int = 8, bound: float = 5.0) -> None:
        super().__init__(bins, bound)
        self.parameters_per_dim = 3 * bins - 1

    def through(self, z: Tensor, knots: Tensor) -> tuple[Tensor, Tensor]:
        """The same pieces between any knots ``[3, K+1]``, the outer slopes going on outside.

        A piece is monotone where both slopes have the sign of its rise, or are 0 (Gregory &
        Delbourgo 1982); where the knots do not rise the spline folds.

        Args:
            z: ``[...]``.
            knots: positions, rising; images, no two neighbours alike; slopes.

        Returns:
            The image ``[...]`` and the derivative ``[...]``, with its sign.
        """
        ends = knots[:, 0], knots[:, -1]
        clamped = z.clamp(ends[0][0], ends[1][0])
        index = spline._search(knots[0], clamped)
        edges = knots[:, index]
        piece = self._piece(edges)
        terms = self._terms(clamped, piece)
        outside = torch.where(z < clamped, ends[0][2], ends[1][2])
        image = torch.addcmul(self._image(piece, terms), z - clamped, outside)
        return image, torch.where(z == clamped, terms[0], outside)

    def _knots(self, rows: Tensor) -> tuple[Tensor, Tensors]:
        K = self.bins
        shares = F.softmax(rows[: 2 * K].unflatten(0, (2, K)) + spline.start(K, rows), 1)
        x, y = spline.inner_sums(shares, self.bound)
        slopes = rows[2 * K :] + SLOPE_SHIFT
        return spline.table(x, y, self.bound, spline.positive(slopes)), (shares, slopes)

    def _piece(self, edges: Tensor) -> Tensors:
        x0, x1, y0, y1, d0, d1 = edges.flatten(0, 1).unbind()
        width, height = x1 - x0, y1 - y0
        return x0, y0, width, height, height / width, d0, d1

    def _root(self, image: Tensor, piece: Tensors) -> Tensor:
        x0, y0, width, height, s, d0, d1 = piece
        # With r = (z' − y_k)/h_k and u = θ/(1−θ): (1−r) s u² + [(1−r) d_k − r d_{k+1}] u − r s = 0.
        # Its discriminant and the branches of its root add positive terms, since 0 ≤ r ≤ 1.
        rise = (image - y0) / height
        twice = s + s
        left = twice * rise
        right = twice - left
        b = torch.lerp(d0, -d1, rise)
        both = torch.sqrt(torch.addcmul(b * b, left, right)) + b.abs()
        rising = b >= 0
        part = torch.where(rising, left, both)
        θ = part / (part + torch.where(rising, both, right))
        return torch.addcmul(x0, width, θ)

    def _terms(self, z: Tensor, piece: Tensors) -> Tensors:
        x0, _, width, _, s, d0, d1 = piece
        θ = (z - x0) / width
        # Interpolation with a weight in [0, 1] adds positive terms.
        c0, c1 = torch.lerp(d0, s, θ), torch.lerp(s, d1, θ)
        numerator, denominator = torch.lerp(c0, c1, θ), torch.lerp(c1, c0, θ)
        stretch = s / denominator
        return numerator * stretch * stretch, θ, 1 - θ, c0, c1, numerator, denominator

    def _image(self, piece: Tensors, terms: Tensors) -> Tensor:
        _, y0, _, height, *_ = piece
        _, θ, _, c0, _, _, denominator = terms
        return torch.addcmul(y0, height, θ * c0 / denominator)

    def _steepness(self, piece: Tensors, terms: Tensors) -> Tensor:
        _, _, width, _, s, d0, d1 = piece
        _, θ, rest, c0, c1, numerator, denominator = terms
        bend = (d0 - s + (d1 - s)) * (rest - θ)
        half = ((c1 - c0) / numerator - bend / denominator) / width
        return half + half

    def _pull_piece(
        self, piece: Tensors, terms: Tensors, g_image: Tensor, g_log: Tensor, g_z: Tensor
    ) -> Tensor:
        _, _, _, height, s, d0, d1 = piece
        _, θ, rest, c0, _, numerator, denominator = terms
        # ψ = (f − y_k)/h_k has ∂ψ/∂d_k = u (1 − ψ) and ∂ψ/∂d_{k+1} = −u ψ.
        per = θ / denominator
        u, ψ = rest * per, c0 * per
        g_ψ = height * g_image
        both = u * torch.addcmul(g_log + g_log, g_ψ, ψ)
        scaled = g_log / numerator
        g_d0 = torch.addcmul(u * g_ψ - both, scaled * rest, rest)
        g_d1 = scaled * θ * θ - both
        # Scaling s, d_k and d_{k+1} alike leaves ψ as it is, and scales f′ (Euler's theorem).
        per_height = (g_log - d0 * g_d0 - d1 * g_d1) / height
        g_height = torch.addcmul(per_height, g_image, ψ)
        narrower = torch.addcmul(g_z * θ, per_height, s)
        g = [narrower - g_z, -narrower, g_image - g_height, g_height, g_d0, g_d1]
        return torch.stack(g).unflatten(0, (3, 2))

    def _pull_knots(self, g: Tensor, index: Tensor, kept: Tensors) -> Tensor:
        shares, slopes = kept
        g = spline.pull_table(g, index, self.bins)
        g_shares = spline.pull_inner_sums(g[:2], shares, self.bound)
        g_slopes = g[2, 1:-1] * torch.sigmoid(slopes)
        return torch.cat([g_shares.flatten(0, 1), g_slopes])
