"""The monotone linear spline."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from flowviz.flows.autoregressive.transformers import spline
from flowviz.flows.autoregressive.transformers.spline import Spline, Tensors


class LinearSpline(Spline):
    """τ(z) = y_k + s_k (z − x_k), x_k = −B + 2B k/K, s_k = (y_{k+1} − y_k) K / 2B.

    The integral of a piecewise constant density on K equal bins, and the identity outside
    (piecewise-linear coupling, Müller et al. 2019). τ is continuous; its derivative jumps at the
    knots and at ±B, and belongs to the piece on the right of a knot: [x_k, x_{k+1}) is mapped
    onto [y_k, y_{k+1}) in floating point as well, so that both directions see the same piece.
    The widths are not learned: samples would not tell how the likelihood changes when a jump of
    the density moves.

    P = K heights (through a softmax).

    Args:
        bins: K ≥ 2; odd if no knot shall lie at 0.
        bound: B > 0.
    """

    title = "linear spline"

    def __init__(self, bins: int = 8, bound: float = 5.0) -> None:
        super().__init__(bins, bound)
        self.parameters_per_dim = bins

    def _knots(self, rows: Tensor) -> tuple[Tensor, Tensors]:
        K, B = self.bins, self.bound
        shares = F.softmax(rows, 0).unsqueeze(0)
        (y,) = spline.inner_sums(shares, B)
        x = spline.grid(2 * B / K - B, B - 2 * B / K, K - 1, rows).expand_as(y)
        return spline.table(x, y, B), (shares,)

    def _piece(self, edges: Tensor) -> Tensors:
        x0, x1, y0, y1 = edges.flatten(0, 1).unbind()
        height = y1 - y0
        return x0, x1, y0, y1, height, height / (x1 - x0)

    def _root(self, image: Tensor, piece: Tensors) -> Tensor:
        x0, x1, y0, _, _, slope = piece
        return torch.minimum(x0 + (image - y0) / slope, _next_below(x1))

    def _terms(self, z: Tensor, piece: Tensors) -> Tensors:
        return piece[-1], z - piece[0]

    def _image(self, piece: Tensors, terms: Tensors) -> Tensor:
        _, _, y0, y1, *_ = piece
        slope, offset = terms
        return torch.minimum(torch.addcmul(y0, slope, offset), _next_below(y1))

    def _steepness(self, piece: Tensors, terms: Tensors) -> Tensor:
        return torch.zeros_like(terms[0])

    def _pull_piece(
        self, piece: Tensors, terms: Tensors, g_image: Tensor, g_log: Tensor, g_z: Tensor
    ) -> Tensor:
        slope, offset = terms
        g_height = (g_image * slope * offset + g_log) / piece[-2]
        return torch.stack([g_image - g_height, g_height]).unsqueeze(0)

    def _pull_knots(self, g: Tensor, index: Tensor, kept: Tensors) -> Tensor:
        (shares,) = kept
        g = spline.pull_table(g, index, self.bins)
        return spline.pull_inner_sums(g, shares, self.bound).squeeze(0)


def _next_below(x: Tensor) -> Tensor:
    return torch.nextafter(x, x.new_full((), -torch.inf))
