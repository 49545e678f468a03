"""The density of x by samples and by formulas, and what is read off at a marked point."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from flowviz.flows.line import Pushforward
from flowviz.panels.parts.line_maps import BANDS
from flowviz.widgets.charts.line import Curve

SAMPLES, BINS, POINTS = 4_000, 48, 500
TAIL = 0.002
"""The histogram leaves so much of the samples out at either end."""


def formula_curves(push: Pushforward, span: tuple[float, float], seed: int) -> list[Curve]:
    """Samples of x as a histogram's outline, and the formulas with and without the Jacobian.

    Where T folds, also the formula with one preimage alone.

    Args:
        span: of x.
        seed: of the samples.
    """
    x = torch.linspace(*span, POINTS, dtype=torch.float64)
    samples = push.function(push.base.sample(SAMPLES, Generator().manual_seed(seed))[:, 0])[0]
    low, high = np.quantile(samples, (TAIL, 1 - TAIL)).clip(*span)
    counts, edges = np.histogram(samples.numpy(), BINS, (low, high))
    bars = counts / SAMPLES / (edges[1] - edges[0])
    curves = [
        Curve(
            "samples",
            [*np.repeat(edges, 2)[1:], span[1]],
            [*np.repeat(bars, 2), 0, 0],
            colour="--fv-muted",
            filled=True,
        ),
        Curve(
            "pᵤ",
            x,
            push.contributions(x, jacobian=False).sum(0),
            colour="--fv-danger",
            dash="dash",
        ),
        Curve("pᵤ/|T′|", x, _finite(push.prob(x)), colour="--fv-sequential"),
    ]
    if push.folds:
        single = _finite(push.single(x))
        curves.append(Curve("one preimage", x, single, colour="--fv-group-2", dash="dot"))
    return curves


@dataclass(frozen=True)
class Marked:
    """What is read off at a marked point.

    Attributes:
        x, slope: T(u) and T′(u).
        p: p(x), by the slopes at all preimages.
        weighed: p(x) as the mass of a short piece around x over its length: no slope occurs.
        length: of that piece.
        mass_in_u, mass_in_x: of the band of u, by the base's distribution function, and ∫ p(x) dx
            over the band's image.
        lengths: of the band, and of its image; infinite at an end of the line.
    """

    x: float
    slope: float
    p: float
    weighed: float
    length: float
    mass_in_u: float
    mass_in_x: float
    lengths: tuple[float, float]

    @property
    def loss(self) -> float:
        """−log p(x)."""
        return -math.log(self.p) if self.p > 0 else math.inf

    @classmethod
    def at(
        cls, push: Pushforward, quantile: Callable[[Tensor], Tensor], u: float, length: float
    ) -> Marked:
        """The numbers at u.

        Args:
            quantile: the inverse of the base's distribution function.
            length: of the piece around x.
        """
        point = torch.tensor([u], dtype=torch.float64)
        x, slope = push.function(point)
        band = min(max(math.floor(BANDS * float(push.cdf(point))), 0), BANDS - 1)
        shares = torch.tensor([band, band + 1], dtype=torch.float64) / BANDS
        ends = quantile(shares)
        within = ends.clamp(*push.ends)
        low, high = within.tolist()
        inner = torch.linspace(low, high, POINTS, dtype=torch.float64)
        image = push.function(torch.cat([ends, inner]))[0]
        return cls(
            x=float(x),
            slope=float(slope),
            p=float(push.prob(x)),
            weighed=float(push.mass(x - length / 2, x + length / 2)) / length,
            length=length,
            mass_in_u=float(push.cdf(within).diff()),
            mass_in_x=push.carried(low, high),
            lengths=(float(ends.diff()), float(image.max() - image.min())),
        )


def highest(push: Pushforward) -> tuple[float, float]:
    """Where the density of x is highest, and how high; infinite where T turns."""
    u = torch.linspace(*push.ends, 8_001, dtype=torch.float64)
    x, density = push.function(u)[0], along(push)
    top = int(density.argmax())
    return round(float(x[top]), 6) + 0.0, float(density[top])


def along(push: Pushforward) -> Tensor:
    """p_u(u) / |T′(u)| on a fine grid of u: of a map that does not turn, the density of x."""
    u = torch.linspace(*push.ends, 8_001, dtype=torch.float64)
    return push.base_prob(u) / push.function(u)[1].abs()


def humps(push: Pushforward) -> int:
    """How many humps the density of x has: between two there is a dip of a tenth.

    Of a map that does not turn.
    """
    density = along(push)
    count, level, climbing = 0, 0.0, True
    for value in (density / density.max()).tolist():
        if climbing and value < 0.9 * level:
            count, level, climbing = count + (level > 0.05), value, False
        elif not climbing and value > level / 0.9:
            level, climbing = value, True
        else:
            level = (max if climbing else min)(level, value)
    return count


def _finite(values: Tensor) -> Tensor:
    return torch.where(values.isfinite(), values, torch.nan)
