"""What all splines share: pieces between knots, the identity outside, and the gradients."""

from __future__ import annotations

import functools
import itertools
import math
from statistics import NormalDist
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from flowviz import arguments
from flowviz.flows.autoregressive.transformers.transformer import Transformer
from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.root import implicit
from flowviz.flows.numerics.transforms import transformed

MIN_FRACTION = 1e-3
MIN_SLOPE = 1e-3
# softplus(SLOPE_SHIFT) + MIN_SLOPE = 1: zero parameters give unit slopes.
SLOPE_SHIFT = math.log(math.expm1(1 - MIN_SLOPE))

Tensors = tuple[Tensor, ...]


class Spline(Transformer):
    """τ(z) = f_k(z) on [x_k, x_{k+1}), k = 0 … K − 1, and the identity outside [−B, B].

    The knots (x_k, y_k) rise from (−B, −B) to (B, B). A spline says how they follow from h, what
    one piece is, and how gradients pass back through both. Those of the inverse are given by the
    implicit function theorem, ∂τ⁻¹/∂h = −(∂τ/∂h) / (∂τ/∂z).

    Tensors are kept as long rows, the batch last: elementwise kernels run over them faster.
    Between knots and pieces go the *edges* of the piece: row by row, its left and its right one.

    Args:
        bins: K ≥ 2.
        bound: B > 0.

    Raises:
        ValueError: bins or bound are not in their range.
    """

    def __init__(self, bins: int = 8, bound: float = 5.0) -> None:
        super().__init__()
        arguments.whole("bins", bins, 2)
        if bins * MIN_FRACTION >= 1:
            raise ValueError(f"a spline takes fewer than {1 / MIN_FRACTION:.0f} bins, got {bins}")
        self.bins = bins
        self.bound = arguments.positive("bound", bound)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return (_apply if transformed() else _Apply.apply)(z, h, self, False)

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return (_apply if transformed() else _Apply.apply)(z, h, self, True)

    def knots(self, h: Tensor) -> Tensor:
        """``[..., Q, K+1]``: the knots' x, their y, and the slopes there where they have one."""
        return self._knots(_rows(h))[0].movedim((0, 1), (-2, -1))

    def _knots(self, rows: Tensor) -> tuple[Tensor, Tensors]:
        """``h [P, ...]`` to the knots ``[Q, K+1, ...]``, and what :meth:`_pull_knots` wants."""
        raise NotImplementedError

    def _piece(self, edges: Tensor) -> Tensors:
        """What the piece between the edges ``[Q, 2, ...]`` is made of."""
        raise NotImplementedError

    def _root(self, image: Tensor, piece: Tensors) -> Tensor:
        """The z of the piece with f(z) = image."""
        raise NotImplementedError

    def _terms(self, z: Tensor, piece: Tensors) -> Tensors:
        """f′(z), and what else the methods below have in common."""
        raise NotImplementedError

    def _image(self, piece: Tensors, terms: Tensors) -> Tensor:
        """f(z)."""
        raise NotImplementedError

    def _steepness(self, piece: Tensors, terms: Tensors) -> Tensor:
        """∂ log f′(z)/∂z."""
        raise NotImplementedError

    def _pull_piece(
        self, piece: Tensors, terms: Tensors, g_image: Tensor, g_log: Tensor, g_z: Tensor
    ) -> Tensor:
        """Gradients to f(z) and log f′(z), passed on to the edges ``[Q, 2, ...]``.

        ``g_z`` is the one that they send to z, and so through θ = (z − x_k)/w_k to the edges.
        """
        raise NotImplementedError

    def _pull_knots(self, g: Tensor, index: Tensor, kept: Tensors) -> Tensor:
        """The gradient to the edges, which are the knots at ``index``, passed on to ``h``."""
        raise NotImplementedError


def _apply(z: Tensor, h: Tensor, spline: Spline, inverse: bool) -> tuple[Tensor, Tensor]:
    """:class:`_Apply` in plain operations."""
    B = spline.bound
    clamped = z.clamp(-B, B)
    inside = clamped == z
    knots, _ = spline._knots(_rows(h))
    index = _search(knots[1 if inverse else 0].detach(), clamped.detach())
    piece = spline._piece(_gather(knots, index))

    def function(x: Tensor) -> tuple[Tensor, Tensor]:
        terms = spline._terms(x, piece)
        return spline._image(piece, terms), terms[0]

    if inverse:
        image = implicit(function, clamped, spline._root(clamped, piece).detach())
        log_derivative = -torch.log(function(image)[1])
    else:
        image, slope = function(clamped)
        log_derivative = torch.log(slope)
    return torch.where(inside, image, z), torch.where(inside, log_derivative, 0)


class _Apply(Function):
    """A spline or its inverse, with log|derivative|.

    The backward pass consists of differentiable operations on the arguments (and on the result,
    for the inverse), so that it can be differentiated in turn.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, h: Tensor, spline: Spline, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        B = spline.bound
        # The formulas see clamped input only: a NaN outside would poison the gradient inside.
        clamped = z.clamp(-B, B)
        inside = clamped == z
        knots, kept = spline._knots(_rows(h))
        index = _search(knots[1 if inverse else 0], clamped)
        piece = spline._piece(_gather(knots, index))
        point = spline._root(clamped, piece) if inverse else clamped
        terms = spline._terms(point, piece)
        log_derivative = torch.log(terms[0])
        image = torch.where(inside, point if inverse else spline._image(piece, terms), z)
        log_derivative = torch.where(inside, -log_derivative if inverse else log_derivative, 0)
        ctx.save_for_backward(image if inverse else z, h, inside, index, *kept, *piece, *terms)
        ctx.spline, ctx.inverse, ctx.sizes = spline, inverse, (len(kept), len(piece))
        return image, log_derivative

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        spline, (n, m) = ctx.spline, ctx.sizes
        point, h, inside, index, *saved = ctx.saved_tensors
        kept, piece, terms = tuple(saved[:n]), tuple(saved[n : n + m]), tuple(saved[n + m :])
        if torch.is_grad_enabled():
            # To be differentiated again: the same numbers, with the way that led to them.
            knots, kept = spline._knots(_rows(h))
            piece = spline._piece(_gather(knots, index))
            terms = spline._terms(point.clamp(-spline.bound, spline.bound), piece)
        g_image, g_log = gradients
        slope, steepness = terms[0], spline._steepness(piece, terms)
        if ctx.inverse:
            # f(z) = y and ℓ = −log f′(z): what reaches z leaves it through y and the piece.
            g_z, g_log = -g_image, -g_log
            g_image = (g_z - g_log * steepness) / slope
            g_argument = -g_image
        else:
            g_z = g_argument = g_image * slope + g_log * steepness
        g = torch.where(inside, spline._pull_piece(piece, terms, g_image, g_log, g_z), 0)
        g_h = spline._pull_knots(g, index, kept).movedim(0, -1)
        return torch.where(inside, g_argument, gradients[0]), g_h, None, None


def _rows(h: Tensor) -> Tensor:
    return h.movedim(-1, 0).contiguous()


def _search(positions: Tensor, z: Tensor) -> Tensor:
    """``[2, ...]``: k with positions_k ≤ z < positions_{k+1}, and k + 1. The last holds z = B."""
    if transformed():
        k = (positions[1:-1] <= z).sum(0)
    else:
        inner = positions[1:-1].movedim(0, -1).contiguous()
        k = torch.searchsorted(inner, z.unsqueeze(-1).contiguous(), right=True).squeeze(-1)
    return torch.stack([k, k + 1])


def _gather(knots: Tensor, index: Tensor) -> Tensor:
    return torch.gather(knots, 1, index.expand(len(knots), *index.shape))


# From parameters to knots, and the way back for gradients


def widths(shares: Tensor, bound: float) -> Tensor:
    """2B (m + (1 − Km) shares_j), all of the K widths; m is the least fraction.

    Args:
        shares: ``[..., K, ...]``, of sum 1 along the dimension of size K.
        bound: B.
    """
    return 2 * bound * MIN_FRACTION + _per_share(shares.shape[1], bound) * shares


def inner_sums(shares: Tensor, bound: float) -> Tensor:
    """−B + Σ_{j<k} widths_j, the K − 1 inner knots.

    Args:
        shares: ``[A, K, ...]``, of sum 1 along the second dimension.
        bound: B.
    """
    K = shares.shape[1]
    least = 2 * bound * MIN_FRACTION
    offsets = grid(least - bound, (K - 1) * least - bound, K - 1, shares[0])
    return torch.add(offsets, shares[:, :-1].cumsum(1), alpha=_per_share(K, bound))


def pull_inner_sums(
    g: Tensor, shares: Tensor, bound: float, g_widths: Tensor | None = None
) -> Tensor:
    """The gradient to knots ``[A, K+1, ...]``, to one of the logits whose softmax is ``shares``.

    ``g_widths [A, K, ...]`` is what the widths receive besides.
    """
    per_share, total = _per_share(shares.shape[1], bound), before(g)
    if g_widths is None:
        return pull_softmax(-per_share * total, shares)
    return pull_softmax(per_share * (g_widths - total), shares)


def before(g: Tensor) -> Tensor:
    """Σ_{m≤j} g_m, j = 0 … K − 1.

    Of Σ_j a_j with the gradients g, a_j has Σ_{m>j} g_m: minus this, and a constant, to which a
    is blind where its sum is fixed.
    """
    return g[:, :-1].cumsum(1)


def pull_softmax(g: Tensor, shares: Tensor) -> Tensor:
    """The gradient to ``shares [A, K, ...]``, to one of the logits whose softmax they are."""
    weighted = shares * g
    return weighted - shares * weighted.sum(1, keepdim=True)


def _per_share(bins: int, bound: float) -> float:
    return 2 * bound * (1 - bins * MIN_FRACTION)


def start(bins: int, like: Tensor) -> Tensor:
    """``[K, 1, ...]``: the logits of the widths of the identity, to broadcast as :func:`grid`.

    Their bins have equal mass of N(0, (B/2)²) on [−B, B], so that knots are dense where the base
    has its points. Of bins of equal width half lie where next to nothing is, and a fit of eight
    Gaussians takes twice the steps.
    """
    return like.new_tensor(_logits_of_equal_mass(bins)).view(-1, *[1] * (like.ndim - 1))


@functools.cache
def _logits_of_equal_mass(bins: int) -> tuple[float, ...]:
    normal = NormalDist()
    low, high = normal.cdf(-2), normal.cdf(2)
    knots = [normal.inv_cdf(low + (high - low) * k / bins) for k in range(bins + 1)]
    logits = [math.log(right - left) for left, right in itertools.pairwise(knots)]
    return tuple(logit - sum(logits) / bins for logit in logits)


def grid(first: float, last: float, n: int, like: Tensor) -> Tensor:
    """``[n, 1, ...]``: equally spaced, to broadcast against ``like [K, ...]``."""
    values = torch.linspace(first, last, n, dtype=like.dtype, device=like.device)
    return values.view(-1, *[1] * (like.ndim - 1))


def table(x: Tensor, y: Tensor, bound: float, slopes: Tensor | None = None) -> Tensor:
    """All knots ``[Q, K+1, ...]`` from the inner ones, ``[K−1, ...]`` each.

    The outer knots are set and not summed: rounding must open no gap at ±B. The slopes there are
    exactly that of the identity outside.
    """
    low, high = (x.new_full((1, *x.shape[1:]), end) for end in (-bound, bound))
    columns = [low, x, high, low, y, high]
    if slopes is not None:
        one = x.new_ones((1, *x.shape[1:]))
        columns += [one, slopes, one]
    return torch.cat(columns).unflatten(0, (-1, len(x) + 2))


def pull_table(g: Tensor, index: Tensor, bins: int) -> Tensor:
    """The gradient to the edges ``[Q, 2, ...]``, to one of all knots ``[Q, K+1, ...]``."""
    zeros = g.new_zeros(len(g), bins + 1, *index.shape[1:])
    return zeros.scatter(1, index.expand(len(g), *index.shape), g)


def positive(shifted: Tensor) -> Tensor:
    """m + softplus: 1 at :data:`SLOPE_SHIFT`."""
    return MIN_SLOPE + F.softplus(shifted)
