"""Targets of two equal modes on an axis, at ±m: Gaussians, whose tails overlap, and discs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from flowviz.two_modes.normal import log_phi, log_tail_phi, number

NODES = 4_096
"""Of a quadrature over half the axis; a multiple of half the cells of every table."""
FAR = 9.0
"""Standard deviations: what a Gaussian has beyond, 1e-19 of it, is left out."""
TABULATED = 4.0
"""As many beyond a mode a table ends; what lies farther out is carried exactly."""


class Modes(ABC):
    """A target of two equal modes at ±m along the axis, of standard deviation s each way.

    Args:
        apart: 2m, how far apart they are.
        width: s.

    Both may be tensors ``[]`` that are known to be positive: then no number is looked at, and what
    is a number here is one as well.

    Attributes:
        end: nothing, or next to nothing, lies beyond.
        reach: of a mode; between both reaches is the bridge.
        tabulated: where a table ends.
    """

    m: Any
    s: Any
    end: Any
    reach: Any
    tabulated: Any

    def __init__(self, apart: float | Tensor, width: float | Tensor) -> None:
        if not isinstance(apart, Tensor) and not (apart > 0 and width > 0):
            raise ValueError(f"apart and width are positive, got {apart} and {width}")
        self.m, self.s = apart / 2, width

    @property
    def bridge(self) -> Any:
        """Half the length of what lies between the modes; 0 where they touch."""
        between = self.m - self.reach
        return between.clamp(min=0.0) if isinstance(between, Tensor) else max(0.0, between)

    @abstractmethod
    def log_density(self, x: Tensor) -> Tensor:
        """log q(x) along the axis."""

    @abstractmethod
    def log_tail(self, x: Tensor) -> Tensor:
        """log of the mass beyond x ≥ 0."""

    @abstractmethod
    def log_central(self, x: Tensor) -> Tensor:
        """log of the mass between 0 and x ≥ 0."""

    @abstractmethod
    def nodes(self) -> tuple[Tensor, Tensor]:
        """x ≥ 0 and weights that sum to 1: Σ w f(x) ≈ ∫ q f for an even f."""

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws ``[count, 2]``: along, across. They use no distribution function."""

    @property
    def log_slope(self) -> Tensor:
        """log T′ in the middle of the exact map, its largest; infinite where q is 0 there."""
        zero = number(0.0)
        return log_phi(zero) - self.log_density(zero)

    def share(self, half: float) -> float:
        """The mass within ±half of the middle."""
        return float(2 * self.log_central(number(half)).exp()) if half else 0.0

    def half_width(self, x: Tensor) -> Tensor:
        """How far the target reaches across the axis at x; infinite for Gaussians."""
        return torch.full_like(x, math.inf)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p*(x) of points ``[N, 2]``: along, across."""
        return self.log_density(x[:, 0]) + self.log_across(x)

    def log_across(self, x: Tensor) -> Tensor:
        """log p*(x₂ | x₁), ``[N]``."""
        return log_phi(x[:, 1] / self.s) - number(self.s).log()


class Gaussians(Modes):
    """½ N(−m, s²) + ½ N(m, s²) along the axis, N(0, s²) across it."""

    def __init__(self, apart: float | Tensor, width: float | Tensor) -> None:
        super().__init__(apart, width)
        self.end, self.reach = self.m + FAR * self.s, 3 * self.s
        self.tabulated = self.m + TABULATED * self.s

    def log_density(self, x: Tensor) -> Tensor:
        near, far = ((x - side * self.m) / self.s for side in (1, -1))
        return torch.logaddexp(log_phi(near), log_phi(far)) - number(2 * self.s).log()

    def log_tail(self, x: Tensor) -> Tensor:
        near, far = ((x - side * self.m) / self.s for side in (1, -1))
        return torch.logaddexp(log_tail_phi(near), log_tail_phi(far)) - math.log(2)

    def log_central(self, x: Tensor) -> Tensor:
        # ½ [Φ(−a) − Φ(−b)] with a = (m − x)/s, b = (m + x)/s: small, without cancellation.
        near = log_tail_phi((self.m - x) / self.s)
        far = log_tail_phi((self.m + x) / self.s)
        return near + torch.log(-torch.expm1(far - near)) - math.log(2)

    def nodes(self) -> tuple[Tensor, Tensor]:
        # Midpoints, their cells aligned with those of a table.
        parts = [midpoints(0.0, self.tabulated), midpoints(self.tabulated, self.end)]
        x = torch.cat([middles for middles, _ in parts])
        steps = torch.cat([step + 0 * middles for middles, step in parts])
        return x, 2 * steps * self.log_density(x).exp()

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        x = self.s * torch.randn(count, 2, generator=generator, dtype=torch.float64)
        x[:, 0] += self.m * _signs(count, generator)
        return x


class Discs(Modes):
    """The uniform distribution on two discs of radius 2s: nothing lies between them.

    Where that would make them overlap they are smaller, and touch.
    """

    def __init__(self, apart: float | Tensor, width: float | Tensor) -> None:
        least = torch.minimum(number(width), apart / 4) if isinstance(apart, Tensor) else None
        super().__init__(apart, min(width, apart / 4) if least is None else least)
        self.radius = self.reach = 2 * self.s
        self.end = self.tabulated = self.m + self.radius

    def log_density(self, x: Tensor) -> Tensor:
        chords = self._half_width(x - self.m) + self._half_width(x + self.m)
        return (chords / (math.pi * self.radius**2)).log()  # 2w over twice the area πR²

    def log_tail(self, x: Tensor) -> Tensor:
        return (self._beyond(x - self.m) / 2 + self._beyond(x + self.m) / 2).log()

    def log_central(self, x: Tensor) -> Tensor:
        # By symmetry half of what one disc has between −x and x.
        return ((self._beyond(-x - self.m) - self._beyond(x - self.m)) / 2).log()

    def nodes(self) -> tuple[Tensor, Tensor]:
        # x = m + R sin θ: the square roots at the rims are smooth in θ.
        angles, step = midpoints(-math.pi / 2, math.pi / 2)
        x = self.m + self.radius * angles.sin()
        return x.abs(), 2 / math.pi * angles.cos() ** 2 * step

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        radii, turns = torch.rand(2, count, generator=generator, dtype=torch.float64)
        angles, radii = 2 * math.pi * turns, self.radius * radii.sqrt()
        x = torch.stack([radii * angles.cos(), radii * angles.sin()], dim=-1)
        x[:, 0] += self.m * _signs(count, generator)
        return x

    def half_width(self, x: Tensor) -> Tensor:
        return self._half_width(x.abs() - self.m)

    def log_across(self, x: Tensor) -> Tensor:
        width = self.half_width(x[:, 0])
        return torch.where(x[:, 1].abs() < width, -torch.log(2 * width), -math.inf)

    def _half_width(self, d: Tensor) -> Tensor:
        return (self.radius**2 - d**2).clamp(min=0).sqrt()

    def _beyond(self, d: Tensor) -> Tensor:
        """The share of one disc beyond a chord at distance d from its centre."""
        r = (d / self.radius).clamp(-1, 1)
        return (r.acos() - r * (1 - r**2).clamp(min=0).sqrt()) / math.pi


def midpoints(low: Any, high: Any) -> tuple[Tensor, Any]:
    """The middles of NODES equal cells, and their length."""
    step = (high - low) / NODES
    return low + step * (torch.arange(NODES, dtype=torch.float64) + 0.5), step


def _signs(count: int, generator: torch.Generator) -> Tensor:
    return 2.0 * (torch.rand(count, generator=generator) < 0.5).double() - 1
