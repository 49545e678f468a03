"""Increasing maps along the axis that carry a Gaussian to two modes, and one across it for each.

Rosenblatt's construction (1952; Papamakarios et al. 2021, section 2.2): along the axis
T₁ = F⁻¹ ∘ Φ for the distribution function F of the model, across it F(· | x₁)⁻¹ ∘ Φ. The slope is
φ(u₁)/p(x₁): where the density is low it is large, and where that is zero there is none.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from flowviz.flows.numerics.repeat import repeated
from flowviz.objectives import Estimate
from flowviz.two_modes.normal import log_phi, number
from flowviz.two_modes.targets import Modes

HALVINGS = 50
"""Of an interval: to 1e-14."""


class Map(ABC):
    """An increasing map along the axis, with one across it for every x₁.

    Attributes:
        target: the modes.
        edge: within ±edge it is not the map to the target, but the steepest that is allowed.
        neck: half the width of the bridge, where a target without mass there needs one.
    """

    edge: Any = 0.0
    neck: Any = 0.0

    def __init__(self, target: Modes) -> None:
        self.target = target

    # ---- along the axis ------------------------------------------------------------------------

    @abstractmethod
    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) of the model along the axis."""

    @abstractmethod
    def central(self, x: Tensor) -> Tensor:
        """The model's mass between 0 and x ≥ 0, exact to a relative error."""

    @abstractmethod
    def tail(self, x: Tensor) -> Tensor:
        """The model's mass beyond x ≥ 0, exact to a relative error."""

    @property
    def may_tear(self) -> bool:
        """Whether it is continuous thanks to a cap alone."""
        return False

    @property
    @abstractmethod
    def largest_log_slope(self) -> float:
        """max log T₁′, in nats."""

    def inverse(self, x: Tensor) -> Tensor:
        """u₁ = Φ⁻¹(F(x₁)): from the middle where there is little mass yet, else from the end."""
        size = x.abs()
        central = self.central(size)
        near = math.sqrt(2) * torch.erfinv((2 * central).clamp(max=0.99))
        far = -torch.special.ndtri(self.tail(size).clamp(min=1e-300))
        return torch.sign(x) * torch.where(central < 0.25, near, far)

    def forward(self, u: Tensor) -> Tensor:
        """x₁ = F⁻¹(Φ(u₁)), by bisection."""
        central = torch.erf(u.abs() / math.sqrt(2)) / 2
        tail, end = torch.special.ndtr(-u.abs()), number(self.target.end)

        def halve(low: Tensor, high: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
            middle = (low + high) / 2
            under = torch.where(
                central < 0.25, self.central(middle) < central, self.tail(middle) > tail
            )
            left = end + (high - low) > end  # to rounding, in whatever precision
            return (torch.where(under, middle, low), torch.where(under, high, middle)), left

        whole = torch.zeros_like(u), end.expand(u.shape)
        (low, high), _ = repeated(halve, whole, HALVINGS)
        return torch.sign(u) * (low + high) / 2

    def log_slope(self, u: Tensor, x: Tensor) -> Tensor:
        """log T₁′(u) at x = T₁(u): log φ(u) − log p(x)."""
        return log_phi(u) - self.log_density(x)

    def share(self, half: float) -> float:
        """The model's mass within ±half of the middle."""
        return float(2 * self.central(number(half))) if half else 0.0

    # ---- in the plane --------------------------------------------------------------------------

    def carry(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """T(u) of points ``[N, 2]``, and the logarithms of its slopes along and across ``[N, 2]``.

        The Jacobian is triangular, so that log|det J_T| is their sum.
        """
        along = self.forward(u[:, 0])
        slope = self.log_slope(u[:, 0], along)
        width = self.half_width(along)
        s = self.target.s
        round_ = torch.isinf(width)
        across = torch.where(round_, s * u[:, 1], width * (2 * torch.special.ndtr(u[:, 1]) - 1))
        spread = width.log() + math.log(2) + log_phi(u[:, 1])
        log_across = torch.where(round_, number(s).log(), spread)
        return torch.stack([along, across], -1), torch.stack([slope, log_across], -1)

    def half_width(self, x: Tensor) -> Tensor:
        """How far the model reaches across the axis at x: as the target, or the bridge's neck."""
        width = self.target.half_width(x)
        between = (x.abs() < self.target.m) & (width < self.neck)
        return torch.where(between, self.neck, width)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of points ``[N, 2]``."""
        width = self.half_width(x[:, 0])
        flat = torch.where(x[:, 1].abs() <= width, -torch.log(2 * width), -math.inf)
        s = self.target.s
        bell = log_phi(x[:, 1] / s) - number(s).log()
        return self.log_density(x[:, 0]) + torch.where(torch.isinf(width), bell, flat)

    def divergence(self) -> Tensor:
        """KL(p*‖p) in nats ``[]``, by quadrature."""
        x, weights = self.target.nodes()
        terms = weights * (self._log_ratio(x) + self._cost_across(x))
        # A node on a disc's rim may be rounded out of it.
        return torch.where(self.target.log_density(x).isfinite(), terms, 0.0).sum()

    def kl(self) -> float:
        """The same as a number."""
        return float(self.divergence())

    def kl_sampled(self, count: int, seed: int) -> Estimate:
        """KL(p*‖p) in nats, from draws of p* and as many of p, ``count`` together.

        It is the mean of (p*/m)(log r − 1) + p/m over their even mixture m, with r = p*/p: what
        p* has in the bridge, where its own draws hardly ever fall, is seen by those of p.
        """
        generator = torch.Generator().manual_seed(seed)
        there = self.target.sample(count // 2, generator)
        u = torch.randn(count // 2, 2, generator=generator, dtype=torch.float64)
        halves = []
        for x in (there, self.carry(u)[0]):
            log_r = self.target.log_prob(x) - self.log_prob(x)
            log_r = log_r.clamp(min=-700.0)  # the target has nothing there
            of_target, of_model = 2 * torch.sigmoid(log_r), 2 * torch.sigmoid(-log_r)
            halves.append(Estimate.of(of_target * (log_r - 1) + of_model))
        value = (halves[0].value + halves[1].value) / 2
        error = torch.hypot(halves[0].standard_error, halves[1].standard_error) / 2
        return Estimate(value, error)

    def _log_ratio(self, x: Tensor) -> Tensor:
        return self.target.log_density(x) - self.log_density(x)

    def _cost_across(self, x: Tensor) -> Tensor:
        """KL of the conditionals across the axis at x."""
        ratio = (self.half_width(x) / self.target.half_width(x)).log()
        return torch.where(ratio.isnan(), 0.0, ratio)


class Affine(Map):
    """One affine layer, x = σ u: the Gaussian with the target's own mean and variances."""

    @property
    def scale(self) -> Tensor:
        """√(m² + s²)."""
        return (number(self.target.m).square() + self.target.s**2).sqrt()

    def log_density(self, x: Tensor) -> Tensor:
        return log_phi(x / self.scale) - self.scale.log()

    def central(self, x: Tensor) -> Tensor:
        return torch.erf(x / self.scale / math.sqrt(2)) / 2

    def tail(self, x: Tensor) -> Tensor:
        return torch.special.ndtr(-x / self.scale)

    def forward(self, u: Tensor) -> Tensor:
        return self.scale * u

    @property
    def largest_log_slope(self) -> float:
        return float(self.scale.log())

    def half_width(self, x: Tensor) -> Tensor:
        return torch.full_like(x, math.inf)

    def _cost_across(self, x: Tensor) -> Tensor:
        width = self.target.half_width(x)
        # Uniform on ±w against N(0, s²); the mean of x₂² is w²/3.
        spread = number(2 * math.pi * self.target.s**2)
        cost = -torch.log(2 * width) + spread.log() / 2
        cost = cost + width**2 / (6 * self.target.s**2)
        return torch.where(torch.isinf(width), torch.zeros_like(x), cost)
