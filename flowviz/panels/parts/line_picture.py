"""A map of the line as a picture: u to the right, x upwards, mass carried from one to the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowviz.flows.line import Pushforward
from flowviz.panels.parts.following import Said, Unmade
from flowviz.panels.parts.line_maps import BANDS, SEEN, LineBase
from flowviz.widgets.stage import Lines, Shapes

STATES = ("density of u", "on the map", "density of x")
STRIP = 0.3
"""The strips of the densities are so wide beside the map's own square."""
OVER = 2.0
"""The density of u fills a strip, unless that of x then reached more than so many."""
MIDDLE = 0.98
"""This share of the mass of x says how much of x is seen."""
TAIL = 0.0005
"""Of so much mass at either end the density of x is not asked."""
CURVE, OUTLINE = 401, 600
"""So many points each."""
BAND, FOLDED_BAND = 33, 257
"""So many points a band; more where what it is piled up on ends suddenly."""
MASS = f"bands of mass {1 / BANDS:g}"
"""Said of the bands' edges."""
CLOSE = 1e-4
"""Preimages as close as this to the marked one are that itself."""


@dataclass(frozen=True)
class LinePicture:
    """The marks of a map of the line in the plane of (u, x).

    The density of u stands on the lower edge, that of x on the right one, at one scale; bands of
    equal mass go from the one up to the map and across to the other.

    Args:
        push: the map and its base.
        base: what is known of the base.
        span: what is seen of x, low and high ``[2]``.
    """

    push: Pushforward
    base: LineBase
    span: Tensor

    @classmethod
    def of(cls, push: Pushforward, base: LineBase, map_: str) -> LinePicture:
        """A picture that holds most of the mass of x; ``map_``: the map's name."""
        outer = torch.tensor([(1 - MIDDLE) / 2, (1 + MIDDLE) / 2], dtype=torch.float64)
        first, last = base.quantile(outer)
        x = push.function(_between(first, last, CURVE))[0]
        low, high = x.amin(), x.amax()
        if least := SEEN.get(map_):
            low, high = low.clamp(max=-least), high.clamp(min=least)
        # Round ends, so that the axis does not creep while something is dragged.
        unit = torch.where(high - low < 3, 0.25, torch.ones_like(low))
        return cls(push, base, torch.stack([(low / unit).floor(), (high / unit).ceil()]) * unit)

    @property
    def limits(self) -> tuple[float, float]:
        """The span in numbers."""
        low, high = self.span.tolist()
        return low, high

    @property
    def window(self) -> Tensor:
        """What is seen of the plane ``[4]``."""
        a, b = self.base.window
        low, high = self.span
        sides = self.span.new_tensor([a, b + STRIP * (b - a)])
        return torch.cat([sides, torch.stack([low - STRIP * (high - low), high])])

    @property
    def density(self) -> Tensor:
        """p_u(u) / |T′(u)| from end to end ``[CURVE]``: that of x, where T does not turn."""
        u = self._spread
        return self.push.base_prob(u) / self.push.function(u)[1].abs()

    @property
    def _spread(self) -> Tensor:
        """Places u of equal mass between, ``[CURVE]``."""
        return self.base.quantile(torch.linspace(TAIL, 1 - TAIL, CURVE, dtype=torch.float64))

    @property
    def highest(self) -> Tensor:
        """How high the density of x is drawn: its maximum, or most of it where T turns."""
        highest = self.density.amax()
        if self.push.pieces == 1:
            return highest
        x = self.push.function(self._spread)[0]
        return torch.where(self.push.turns, _at_rank(self.push.prob(x), 0.85), highest)

    def marks(self) -> list[Unmade]:
        """The map, both densities, and the bands on their way: three states."""
        _, right, bottom, top = self.window
        highest = self.highest
        up, across = self._scales(highest)
        low, high = self.base.window
        least, most = self.base.ends
        u = torch.linspace(low, high, CURVE, dtype=torch.float64).clamp(least, most)
        x = _between(bottom, top, OUTLINE)
        p = self.push.prob(x).clamp(max=1.1 * highest)
        curve = torch.stack([u, self.push.function(u)[0]], -1)
        base = torch.stack([u, bottom + up * self.push.base_prob(u)], -1)
        density = torch.stack([right - across * p, x], -1)
        bands, feet = self._bands(up, across, highest)
        each, cuts = np.arange(BANDS), self.route(self.base.cuts)
        shades: dict[str, Any] = {"palette": "bands", "value_range": (0, BANDS - 1), "values": each}
        infinite = torch.where(self.push.turns, math.inf, highest)
        said = Said("density of x, up to {}", infinite, "density of x, ∞ where T turns")
        return [
            Unmade(Lines, states=cuts, palette="muted", width=0.6, label=MASS),
            Unmade(Lines, states=bands[0], band=feet[0], fill=0.45, width=0, **shades),
            Unmade(Lines, states=bands, band=feet, fill=0.85, width=0, **shades),
            Unmade(Lines, states=base[None], palette="muted", width=1.25),
            Unmade(Lines, states=density[None], palette="ink", width=1.25, label=said),
            Unmade(
                Lines,
                states=_drawable(curve)[None],
                palette="accent",
                width=2.25,
                label="x = T(u)",
            ),
        ]

    def point(self, u: Tensor) -> list[Unmade]:
        """The way of a marked u ``[1]`` to its x, and the ways of the other preimages of that x."""
        mine = Unmade(Shapes, states=self.route(u), closed=False, width=2)
        if self.push.pieces == 1:
            return [mine]
        others = self.push.preimages(self.push.function(u)[0])[:, 0]
        others = torch.where((others - u).abs() > CLOSE, others, torch.nan)
        return [mine, Unmade(Shapes, states=self.route(others), closed=False, width=1)]

    def route(self, u: Tensor) -> Tensor:
        """From u on the lower edge to the map and across to x, ``[N, 3, 2]``."""
        _, right, bottom, _ = self.window
        x = self.push.function(u)[0]
        along = torch.stack([u, u, right.expand(u.shape)], -1)
        return torch.stack([along, torch.stack([bottom.expand(u.shape), x, x], -1)], -1)

    def _scales(self, highest: Tensor) -> tuple[Tensor, Tensor]:
        """What a density of 1 is long: upwards in x, across in u; both the same on the screen."""
        left, right, bottom, top = self.window
        inner = torch.linspace(0.01, 0.99, CURVE, dtype=torch.float64)
        of_u = self.push.base_prob(self.base.quantile(inner)).amax()
        part = STRIP / (1 + STRIP) / torch.maximum(1.05 * of_u, highest / OVER)
        return part * (top - bottom), part * (right - left)

    def _bands(self, up: Tensor, across: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
        """The bands and their feet in the three states, ``[3, BANDS, S, 2]`` each."""
        _, right, bottom, _ = self.window
        low, high = self.base.window
        least, most = self.base.ends
        points = FOLDED_BAND if self.push.pieces > 1 else BAND
        cuts = self.base.cuts
        first, last = cuts.new_tensor([[max(low, least)], [min(high, most)]])
        ends = torch.cat([first, cuts, last])
        u = _between(ends[:-1, None], ends[1:, None], points)
        x, slope = self.push.function(u)
        p = self.push.base_prob(u)
        density = _finite(p / slope.abs())
        # Where T folds, what comes to one x from several u is piled up: p is the sum.
        under = self._under(u, x)
        top = 1.1 * highest
        floor = bottom.expand(u.shape)
        foot = right - across * under.clamp(max=top)
        head = right - across * (under + density).clamp(max=top)
        upper = [(u, bottom + up * p), (u, x + up * p), (head, x)]
        lower = [(u, floor), (u, x), (foot, x)]
        return _states(upper), _states(lower)

    def _under(self, u: Tensor, x: Tensor) -> Tensor:
        """The density that the pieces before u's own bring to x."""
        if self.push.pieces == 1:
            return torch.zeros_like(x)
        each = _finite(self.push.contributions(x))
        before = torch.as_tensor(self.push.edges, dtype=torch.float64)[1:, None, None] <= u
        return torch.where(before, each, 0.0).sum(0)


def _between(low: Tensor, high: Tensor, count: int) -> Tensor:
    """So many numbers from low to high, ``[..., count]``."""
    return low + (high - low) * torch.linspace(0, 1, count, dtype=torch.float64)


def _states(places: list[tuple[Tensor, Tensor]]) -> Tensor:
    return _drawable(torch.stack([torch.stack([a, b], -1) for a, b in places]))


def _drawable(points: Tensor) -> Tensor:
    """NaN for what is infinite: a curve has a gap there."""
    return torch.where(points.isfinite(), points, torch.nan)


def _finite(density: Tensor) -> Tensor:
    """0 for what is undefined, and a large number for what is infinite."""
    return torch.where(density.isnan(), 0.0, density).clamp(max=1e9)


def _at_rank(values: Tensor, share: float) -> Tensor:
    """The least of the values ``[N]`` that this share of them does not exceed, ``[]``."""
    below = (values[None] <= values[:, None]).sum(-1)
    return torch.where(below >= share * len(values), values, math.inf).amin()
