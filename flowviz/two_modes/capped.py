"""The best map to two modes whose slope is nowhere above a cap."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from flowviz.flows.numerics.repeat import repeated
from flowviz.two_modes.maps import HALVINGS, Map
from flowviz.two_modes.normal import log_phi, log_tail_phi, number
from flowviz.two_modes.targets import Modes


class Capped(Map):
    """The best increasing map whose slope is nowhere above L: of least KL(p*‖p) along the axis.

    With g = T₁⁻¹ it has the least E_q[g²/2 − log g′] of all with g′ ≥ 1/L. Where the constraint is
    slack, the Euler–Lagrange equation says that the model is the target over one constant,
    p = q/C; where it binds, in |x| < x*, the model is the base spread out, p(x) = φ(x/L)/L. The
    slope is continuous at x*, which is therefore where both Mills ratios agree:
    (1 − F(x*))/q(x*) = L (1 − Φ(x*/L))/φ(x*/L), and C = (1 − F(x*))/(1 − Φ(x*/L)).

    Args:
        target: the modes.
        cap: L; infinite for none, and then p = q: where q is 0 the map jumps. It may be a tensor
            ``[]`` that is known to be above s, as the target's numbers may.

    Raises:
        ValueError: L is not above s, the slope that no map to these modes is without.
    """

    def __init__(self, target: Modes, cap: float | Tensor = math.inf) -> None:
        super().__init__(target)
        known = isinstance(target.s, Tensor) or isinstance(cap, Tensor)
        if not known and not cap > target.s:
            raise ValueError(f"a cap is above s = {target.s}, got {cap}")
        self.cap = number(cap)
        edge = self._edge()
        neck = target.half_width(edge)
        self.neck = torch.where((edge > 0) & neck.isfinite(), neck, 0.0)
        log_c = target.log_tail(edge) - log_tail_phi(edge / self.cap)
        self.log_c = torch.where(edge > 0, log_c, 0.0)
        self.edge = edge

    @property
    def needed(self) -> float:
        """log of the slope that the exact map has in the middle: its largest; infinite for none."""
        return float(self.target.log_slope)

    @property
    def may_tear(self) -> bool:
        return math.isinf(self.needed)

    @property
    def largest_log_slope(self) -> float:
        return min(self.needed, float(self.cap.log()))

    def _edge(self) -> Tensor:
        """x*; 0 where the cap does not bind."""
        target, zero = self.target, number(0.0)
        needed, log_cap = target.log_slope, self.cap.log()

        def halve(low: Tensor, high: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
            x = (low + high) / 2
            ratio = target.log_tail(x) - target.log_density(x)
            v = x / self.cap
            under = ratio > log_cap + log_tail_phi(v) - log_phi(v)
            left = (low < x) & (x < high)
            return (torch.where(under, x, low), torch.where(under, high, x)), left

        (low, high), _ = repeated(halve, (zero, number(target.end)), HALVINGS)
        uncapped = torch.where(needed.isfinite(), 0.0, number(target.bridge))
        capped = torch.where(needed <= log_cap, 0.0, (low + high) / 2)
        return torch.where(self.cap.isinf(), uncapped, capped)

    def log_density(self, x: Tensor) -> Tensor:
        outside = self.target.log_density(x) - self.log_c
        inside = log_phi(x / self.cap) - self.cap.log()
        return torch.where(x.abs() < self.edge, inside, outside)

    def central(self, x: Tensor) -> Tensor:
        exact = self.target.log_central(x).exp()
        within = torch.erf(torch.minimum(x, self.edge) / self.cap / math.sqrt(2)) / 2
        more = (exact - self.target.log_central(self.edge).exp()).clamp(min=0) / self.log_c.exp()
        capped = within + torch.where(x > self.edge, more, 0.0)
        return torch.where(self.edge > 0, capped, exact)

    def tail(self, x: Tensor) -> Tensor:
        outside = (self.target.log_tail(x) - self.log_c).exp()
        inside = torch.special.ndtr(-x / self.cap)
        return torch.where(x < self.edge, inside, outside)
