"""The map from a tabulated density to the normal: universality by construction."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection
from flowviz.flows.numerics.normal_tails import cdf, quantile
from flowviz.grid import Window, check_window

# The mass beyond each edge of the window, and the Φ⁻¹ of it.
TAIL = 1e-4
EDGE = 3.719016485455681
# The part of the mass of every conditional that is spread evenly over the window.
FLOOR = 1e-3
# Log-densities further below the highest are raised to this: far below the floor.
LOG_RANGE = 60.0


class TabulatedMap(Bijection):
    """u₁ = F(x₁), u₂ = F(x₂ | x₁): the conditional CDFs of a density on the plane.

    They take any density to the uniform on the unit square, and every density is so a flow over
    the uniform (section 2.2). Here z = Φ⁻¹(u) goes on to the standard normal: the *inverse*
    direction is data → base, z₁ = Φ⁻¹(F(x₁)), z₂ = Φ⁻¹(F(x₂ | x₁)); *forward* solves for x.

    The density is given by its logarithm at the nodes of a grid over a window, and is bilinear in
    every cell. Its marginal is then piecewise linear, and so, at fixed x₁, is its conditional;
    the CDFs are piecewise quadratic: exact, with an exact inverse and log-determinant.

    Within the window 10⁻³ of the mass of F(x₁) and of every F(x₂ | x₁) is spread evenly, so that
    no conditional density is zero. Beyond each edge lies 10⁻⁴ of it, as the tail of a normal that
    meets the density at the edge: there z is linear in x, with the slope that it has at the edge.

    Args:
        log_density: unnormalised, at the nodes, ``[n+1, m+1]``: x₁ ascending along the first
            dimension, x₂ along the second. It stays as it is; what training adds to it is
            ``correction``, a parameter of the same shape that starts at 0.
        window: ``(x₁ min, x₁ max, x₂ min, x₂ max)``.

    Raises:
        ValueError: the table or the window is none, or the table holds NaN or infinity.
    """

    log_density: Tensor

    def __init__(self, log_density: Tensor, window: Window) -> None:
        super().__init__(2)
        if not isinstance(log_density, Tensor) or not log_density.is_floating_point():
            raise TypeError(f"log_density must be a table of numbers, got {log_density!r}")
        if log_density.ndim != 2 or min(log_density.shape) < 2:
            raise ValueError(
                "a tabulated density needs a table [n+1, m+1] of at least one cell, "
                f"got shape {list(log_density.shape)}"
            )
        if not log_density.is_meta and not log_density.isfinite().all():
            raise ValueError("the table of log-densities holds NaN or infinity")
        self.window = check_window(window)
        self.register_buffer("log_density", log_density.detach().clone())
        self.correction = nn.Parameter(torch.zeros_like(self.log_density))
        xmin, xmax, ymin, ymax = self.window
        self._axes = tuple(
            (low, (high - low) / (nodes - 1))
            for low, high, nodes in zip((xmin, ymin), (xmax, ymax), log_density.shape, strict=True)
        )

    @classmethod
    def of(
        cls, log_density: Callable[[Tensor], Tensor], window: Window, cells: int = 64
    ) -> TabulatedMap:
        """The map of a density: ``log_density`` of points ``[N, 2]`` at the nodes of a grid.

        Args:
            log_density: unnormalised; −∞ where the density is zero.
            window: ``(x₁ min, x₁ max, x₂ min, x₂ max)``.
            cells: n = m ≥ 1.

        Raises:
            TypeError: ``log_density`` is not a function.
            ValueError: ``cells`` is no whole number ≥ 1, the window is none, or the log-density
                is not one number for each point, NaN or +∞ somewhere, or −∞ everywhere.
        """
        arguments.function("log_density", log_density)
        arguments.whole("cells", cells, 1)
        xmin, xmax, ymin, ymax = check_window(window)
        axes = [torch.linspace(*ends, cells + 1) for ends in ((xmin, xmax), (ymin, ymax))]
        with torch.no_grad():
            points = torch.cartesian_prod(*axes)
            values = arguments.values("log_density", log_density(points), points)
        values = values.reshape(cells + 1, cells + 1)
        highest = values.max()
        if not highest.isfinite():
            raise ValueError(f"the log-density is {float(highest)} at its highest node")
        return cls(values.clamp_min(highest - LOG_RANGE), window)

    def describe(self) -> str:
        return "tabulated"

    def jacobian_mask(self) -> Tensor:
        return torch.ones(2, 2).tril() > 0

    def density(self) -> Tensor:
        """The table's density, normalised over the window, at the nodes ``[n+1, m+1]``."""
        (_, h1), (_, h2) = self._axes
        log_p = self.log_density + self.correction
        weights = h1 * h2 * _trapezoid(log_p, 0) * _trapezoid(log_p, 1)
        log_mass = torch.logsumexp((log_p + torch.log(weights)).flatten(), 0)
        return torch.exp(log_p - log_mass)

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        density = self.density()
        x1, log_slope1 = self._first(density).from_normal(z[..., 0])
        x2, log_slope2 = self._second(density, x1).from_normal(z[..., 1])
        return torch.stack([x1, x2], -1), log_slope1 + log_slope2

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        density = self.density()
        x1, x2 = z.unbind(-1)
        z1, log_slope1 = self._first(density).to_normal(x1)
        z2, log_slope2 = self._second(density, x1).to_normal(x2)
        return torch.stack([z1, z2], -1), log_slope1 + log_slope2

    def _first(self, density: Tensor) -> _Conditional:
        """p(x₁)."""
        marginal = self._axes[1][1] * (_trapezoid(density, 1) * density).sum(1)
        return _Conditional(marginal, *self._axes[0])

    def _second(self, density: Tensor, x1: Tensor) -> _Conditional:
        """p(x₂ | x₁): beyond the window what it is at the edge."""
        low, h = self._axes[0]
        k, θ = _cell((x1 - low) / h, len(density) - 1)
        θ = θ.unsqueeze(-1)
        left, right = (density[i.unsqueeze(-1)].squeeze(-2) for i in (k, k + 1))
        return _Conditional((1 - θ) * left + θ * right, *self._axes[1])


class _Conditional:
    """Φ⁻¹(F(x)) of a piecewise linear density on the line, and its inverse.

    Args:
        density: at the nodes, in any unit, ``[..., n+1]``.
        low: the first node.
        h: the distance of the nodes.
    """

    def __init__(self, density: Tensor, low: float, h: float) -> None:
        self.low, self.h, self.cells = low, h, density.shape[-1] - 1
        mass = h * (_trapezoid(density, -1) * density).sum(-1, keepdim=True)
        even = FLOOR / (self.cells * h)
        self.density = (1 - 2 * TAIL) * ((1 - FLOOR) * density / mass + even)
        areas = 0.5 * h * (self.density[..., 1:] + self.density[..., :-1])
        edge = torch.full_like(areas[..., :1], TAIL)
        # F and 1 − F at the nodes, each a sum of positive terms: exact digits in both tails.
        self.below = torch.cat([edge, TAIL + areas.cumsum(-1)], -1)
        self.above = torch.cat([TAIL + areas.flip(-1).cumsum(-1).flip(-1), edge], -1)

    def to_normal(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z ``[...]`` and log ∂z/∂x of ``x [...]``."""
        inside = x.clamp(self.low, self.low + self.cells * self.h)
        k, θ = _cell((inside - self.low) / self.h, self.cells)
        d0, d1 = self._at(self.density, k), self._at(self.density, k + 1)
        rest = 1 - θ
        below = self._at(self.below, k) + self.h * θ * (d0 * (1 - θ / 2) + d1 * θ / 2)
        above = self._at(self.above, k + 1) + self.h * rest * (d1 * (1 - rest / 2) + d0 * rest / 2)
        z = quantile(torch.log(below), torch.log(above))
        slope = (d0 * rest + d1 * θ) * _one_over_normal_density(z)
        return z + (x - inside) * slope, torch.log(slope)

    def from_normal(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """x ``[...]`` and log ∂x/∂z of ``z [...]``."""
        inside = z.clamp(-EDGE, EDGE)
        lower = inside < 0
        # Beyond the edges exactly the table's ends: the density may rise steeply from there.
        below = torch.where(z < inside, TAIL, cdf(inside))
        above = torch.where(z > inside, TAIL, cdf(-inside))
        passed = torch.where(
            lower.unsqueeze(-1),
            self.below[..., 1:-1] <= below.unsqueeze(-1),
            self.above[..., 1:-1] >= above.unsqueeze(-1),
        )
        k = passed.sum(-1)
        d0, d1 = self._at(self.density, k), self._at(self.density, k + 1)
        from_left = _root(d0, d1, (below - self._at(self.below, k)) / self.h)
        from_right = _root(d1, d0, (above - self._at(self.above, k + 1)) / self.h)
        θ = torch.where(lower, from_left, 1 - from_right)
        slope = (d0 * (1 - θ) + d1 * θ) * _one_over_normal_density(inside)
        return self.low + (k + θ) * self.h + (z - inside) / slope, -torch.log(slope)

    def _at(self, nodes: Tensor, k: Tensor) -> Tensor:
        if nodes.ndim == 1:
            # A single index without dimension would be read as a number, which vmap has none of.
            return nodes[k.unsqueeze(-1)].squeeze(-1)
        return torch.gather(nodes, -1, k.unsqueeze(-1)).squeeze(-1)


def _trapezoid(values: Tensor, dim: int) -> Tensor:
    """The weights 1/2, 1, …, 1, 1/2 along a dimension, to be broadcast against ``values``."""
    shape = [1] * values.ndim
    shape[dim] = values.shape[dim]
    weights = torch.ones(shape, dtype=values.dtype, device=values.device)
    for end in (0, -1):
        weights.select(dim, end).fill_(0.5)
    return weights


def _cell(position: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """The number k of the cell that holds ``position``, in cells, and the place in it, 0 to 1."""
    position = position.clamp(0, cells)
    k = position.detach().long().clamp(0, cells - 1)
    return k, position - k


def _one_over_normal_density(z: Tensor) -> Tensor:
    return math.sqrt(2 * math.pi) * torch.exp(0.5 * z.square())


def _root(d0: Tensor, d1: Tensor, area: Tensor) -> Tensor:
    """The θ with d₀ θ + (d₁ − d₀) θ²/2 = ``area``, the form that divides by positive terms."""
    # The root of the discriminant is the density at θ, which is at least the lower of the two.
    least = torch.minimum(d0, d1).detach().square()
    return 2 * area / (d0 + torch.sqrt(torch.maximum(d0.square() + 2 * (d1 - d0) * area, least)))
