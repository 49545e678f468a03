"""Maps of the line: splines through knots, preimages, and the density of the image.

A map is a function of u ``[...]`` that returns T(u) and T′(u), elementwise. It need not rise, nor
be invertible: what is said here of a density holds for every map that is monotone piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers.rational_quadratic import RationalQuadraticSpline
from flowviz.flows.distributions import Base
from flowviz.flows.numerics.repeat import repeated

Map = Callable[[Tensor], tuple[Tensor, Tensor]]
"""u ``[...]`` to T(u) and T′(u), elementwise."""

BISECTIONS = 60
CELLS = 4_000
"""So many cells of the base an area is added up over."""


def spline_through(points: Sequence[Sequence[float]], bound: float) -> Map:
    """The rational-quadratic spline through (u, x) ``points``, the identity outside [−B, B].

    The slope at a knot is the harmonic mean of the two secants beside it, and 0 where they differ
    in sign (Fritsch & Butland 1984; Gregory & Delbourgo 1982). So the map is monotone between any
    two knots; it rises as a whole where the knots do, and else turns at knots.

    Args:
        points: inside (−B, B), u rising; no two neighbours of equal x.
        bound: B > 0; (−B, −B) and (B, B) are knots too.

    Raises:
        ValueError: u does not rise inside the bounds, or two neighbours have the same x.
    """
    inner = torch.tensor([[float(u), float(x)] for u, x in points], dtype=torch.float64)
    widths, rises = _corners(inner, bound).diff(dim=-1)
    if not bool((widths > 0).all()) or not bool((rises != 0).all()):
        raise ValueError(f"knots need rising u inside ±{bound:g} and neighbours of different x")
    return spline_of(inner, bound)


def spline_of(points: Tensor, bound: float) -> Map:
    """:func:`spline_through` of points ``[K, 2]`` that are known to make a map."""
    u, x = _corners(points, bound)
    secants = x.diff() / u.diff()
    left, right = secants[:-1], secants[1:]
    inner = torch.where(left * right > 0, 2 * left * right / (left + right), 0.0)
    knots = torch.stack([u, x, torch.cat([inner.new_ones(1), inner, inner.new_ones(1)])])
    spline = RationalQuadraticSpline(len(points) + 1, bound)

    def function(u: Tensor) -> tuple[Tensor, Tensor]:
        return spline.through(u, knots.to(u))

    return function


def _corners(points: Tensor, bound: float) -> Tensor:
    """All knots, u and x ``[2, K + 2]``."""
    ends = torch.tensor([[-bound, bound]], dtype=points.dtype).expand(2, 2)
    return torch.cat([ends[:, :1], points.T, ends[:, 1:]], 1)


@dataclass(frozen=True)
class Areas:
    """What formulas for the density of x integrate to; a density's is 1.

    Attributes:
        density: Σ p_u(u) / |T′(u)| over all preimages u of x.
        unscaled: Σ p_u(u), without the Jacobian.
        single: p_u(u) / |T′(u)| at the largest preimage alone.
    """

    density: float
    unscaled: float
    single: float


@dataclass(frozen=True)
class Pushforward:
    """The distribution of x = T(u) with u ~ p_u, on the line.

    p(x) = Σ p_u(u) / |T′(u)| over all u with T(u) = x  (Papamakarios et al. 2021, section 2.1,
    for one preimage).

    Args:
        base: p_u, of one dimension.
        cdf: its distribution function.
        function: T with T′.
        edges: u rising: an end of the base, points between which T is monotone, the other end; as
            numbers, or as a tensor. Of what lies beyond the ends the mass does not count. T may be
            infinite at the ends.
    """

    base: Base
    cdf: Callable[[Tensor], Tensor]
    function: Map
    edges: Sequence[float] | Tensor

    @property
    def pieces(self) -> int:
        """B: on each T is monotone."""
        return len(self.edges) - 1

    @property
    def turns(self) -> Tensor:
        """Whether T rises on some pieces and falls on others, ``[]``."""
        rises = self.function(self._edges)[0].diff()
        return (rises > 0).any() & (rises < 0).any()

    @property
    def folds(self) -> bool:
        """Whether T turns, and so is no bijection."""
        return bool(self.turns)

    @property
    def ends(self) -> tuple[float, float]:
        """Between them lies the mass of the base."""
        return float(self.edges[0]), float(self.edges[-1])

    def base_prob(self, u: Tensor) -> Tensor:
        """p_u(u), ``[...]``."""
        return density(self.base, u)

    def preimages(self, x: Tensor) -> Tensor:
        """The u with T(u) = x on each of the B pieces, ``[B, ...]`` for ``x [...]``.

        By bisection, to rounding; NaN where a piece does not reach x. What lies on an edge belongs
        to the piece that begins there, and is found exactly: where T turns, T′ is 0 there alone.
        """
        begins, ends = self.function(self._edges)[0].unfold(0, 2, 1).unbind(-1)
        begins, ends = (_beside(reach, x) for reach in (begins, ends))
        first, end = (_beside(u, x) for u in self._edges.unfold(0, 2, 1).unbind(-1))
        last = _beside(torch.arange(self.pieces) == self.pieces - 1, x)
        inside = (torch.minimum(begins, ends) < x) & (x < torch.maximum(begins, ends))
        inside = inside | (x == begins) | (last & (x == ends))
        found = torch.where(x == begins, first, torch.where(x == ends, end, self._inverse(x)))
        return torch.where(inside, found, torch.nan)

    def contributions(self, x: Tensor, jacobian: bool = True) -> Tensor:
        """What each piece adds to p(x), ``[B, ...]``; 0 where it does not reach x.

        Args:
            jacobian: whether p_u(u) is divided by |T′(u)|.
        """
        u = self.preimages(x)
        known = ~u.isnan()
        u = torch.where(known, u, self._edges[0])
        share = self.base_prob(u)
        if jacobian:
            share = share / self.function(u)[1].abs()
        return torch.where(known, share, 0.0)

    def prob(self, x: Tensor) -> Tensor:
        """p(x), ``[...]``: the sum over all preimages."""
        return self.contributions(x).sum(0)

    def single(self, x: Tensor) -> Tensor:
        """What the formula for bijections makes of the largest preimage alone, ``[...]``."""
        each = self.contributions(x)
        result = torch.zeros_like(x)
        for share in each:
            result = torch.where(share > 0, share, result)
        return result

    def mass(self, low: Tensor, high: Tensor) -> Tensor:
        """P(low ≤ x ≤ high), ``[...]``, by the base's distribution function: no slope occurs."""
        return (self.cdf(self._inverse(high)) - self.cdf(self._inverse(low))).abs().sum(0)

    def _inverse(self, x: Tensor) -> Tensor:
        """Where T passes x on each piece, ``[B, ...]``; the nearest end where it does not."""
        begins, ends = (_beside(u, x) for u in self._edges.unfold(0, 2, 1).unbind(-1))
        rises = self.function(ends)[0] > self.function(begins)[0]

        def halve(a: Tensor, b: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
            middle = (a + b) / 2
            right = (self.function(middle)[0] < x) == rises
            return (torch.where(right, middle, a), torch.where(right, b, middle)), (a < middle) & (
                middle < b
            )

        shape = torch.broadcast_shapes(begins.shape, x.shape)
        (a, b), _ = repeated(halve, (begins.expand(shape), ends.expand(shape)), BISECTIONS)
        return (a + b) / 2

    @property
    def _edges(self) -> Tensor:
        return torch.as_tensor(self.edges, dtype=torch.float64)

    def carried(self, low: float, high: float) -> float:
        """∫ p(x) dx over the image of [low, high], of what these u bring there.

        A cell's length in x is measured from its ends, so that T′ occurs in p alone.
        """
        return float(self._cells(low, high)[1].sum())

    def areas(self) -> Areas:
        """The areas under the three formulas, by the midpoint rule as in :meth:`carried`."""
        sums = torch.zeros(3, dtype=torch.float64)
        pieces = list(pairwise(self._edges.tolist()))
        for number, piece in enumerate(pieces):
            x, share, unscaled = self._cells(*piece)
            later = torch.zeros_like(x, dtype=torch.bool)
            for least, most in (self._reach(*other) for other in pieces[number + 1 :]):
                later |= (x >= least) & (x <= most)
            sums += torch.stack([share.sum(), unscaled.sum(), share[~later].sum()])
        return Areas(*sums.tolist())

    def _cells(self, low: float, high: float) -> tuple[Tensor, Tensor, Tensor]:
        """Of cells of [low, high]: x in the middle, and p dx with the Jacobian and without.

        Towards the ends the cells get ever smaller; one that reaches x = ±∞ counts for what has
        no Jacobian alone.
        """
        t = torch.linspace(0, 1, CELLS + 1, dtype=torch.float64)
        u = low + (high - low) * t**3 * (10 - 15 * t + 6 * t**2)
        middle = (u[1:] + u[:-1]) / 2
        x, slope = self.function(middle)
        lengths = self.function(u)[0].diff().abs()
        unscaled = self.base_prob(middle) * lengths
        return x, torch.where(lengths.isfinite(), unscaled / slope.abs(), 0.0), unscaled

    def _reach(self, low: float, high: float) -> tuple[float, float]:
        """The least and the largest x of a piece."""
        ends = self.function(torch.tensor([low, high], dtype=torch.float64))[0].tolist()
        return min(ends), max(ends)


def density(base: Base, u: Tensor) -> Tensor:
    """p_u(u) ``[...]`` of a base of one dimension."""
    return base._log_prob(u[..., None]).exp()


def _beside(pieces: Tensor, x: Tensor) -> Tensor:
    """What there is of each piece ``[B]``, to be broadcast with ``x [...]``."""
    return pieces.reshape(-1, *[1] * x.ndim)
