"""The maps of the line and the bases that a panel offers, with the code that makes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flowviz.flows.distributions import Base, StandardNormal, UniformBox
from flowviz.flows.line import Map, Pushforward, density, spline_of, spline_through
from flowviz.panels.parts.knots import BOUND

MAPS = {
    "knots": "Through the knots",
    "affine": "x = a·u + b",
    "exp": "x = eᵘ",
    "square": "x = u²",
    "quantile": "x = Φ⁻¹(P(u))",
}
SEEN = {"knots": BOUND, "affine": 2.0}
"""Of these maps x is seen as far as ±this at least, so that what they squeeze is seen squeezed."""
BASES = {"normal": "Gaussian N(0, 1)", "uniform": "Uniform on [0, 1]"}

LEAST_SCALE = 0.05
"""Of the slope of an affine map, without its sign."""
POINT = "With a = 0 all the mass lies on one point: no density there."
BANDS = 10
"""The base's mass is cut into so many equal parts."""


@dataclass(frozen=True)
class LineBase:
    """A base on the line.

    Attributes:
        cdf, quantile: its distribution function and that one's inverse.
        ends: u between which its mass lies, to 10⁻¹⁰.
        window: what a picture shows of u.
        marked: where the marked point may be.
        mode: where the density is highest; None where it is flat.
        code: the lines that make ``base``, ``cdf``.
    """

    base: Base
    cdf: Callable[[Tensor], Tensor]
    quantile: Callable[[Tensor], Tensor]
    ends: tuple[float, float]
    window: tuple[float, float]
    marked: tuple[float, float]
    mode: float | None
    code: Sequence[str]

    @property
    def cuts(self) -> Tensor:
        """Where one band ends and the next begins, ``[BANDS − 1]``."""
        return self.quantile(torch.arange(1, BANDS, dtype=torch.float64) / BANDS)


def line_base(name: str) -> LineBase:
    """The base of that name."""
    if name == "uniform":
        return LineBase(
            UniformBox(1).double(),
            lambda u: u.clamp(0, 1),
            lambda share: share,
            (0.0, 1.0),
            (-0.125, 1.125),
            (0.01, 0.99),
            None,
            ["base, cdf = UniformBox(1).double(), lambda u: u.clamp(0, 1)"],
        )
    return LineBase(
        StandardNormal(1).double(),
        torch.special.ndtr,
        torch.special.ndtri,
        (-6.5, 6.5),
        (-BOUND, BOUND),
        (-BOUND, BOUND),
        0.0,
        ["base, cdf = StandardNormal(1).double(), torch.special.ndtr"],
    )


def pushforward(settings: Any, numbers: Tensor | None = None) -> Pushforward:
    """The distribution of x that the settings ``map``, ``base``, ``knots``, ``scale`` and
    ``shift`` say.

    Args:
        numbers: the knots ``[K, 2]``, or the ``scale`` and the ``shift`` ``[2]``, in the place of
            the settings' own: they are known to make a map.

    Raises:
        ValueError: the settings' knots make no map.
    """
    base = line_base(settings.base)
    low, high = base.ends
    function = _map(settings, base, numbers)
    edges: Sequence[float] | Tensor = (low, high)
    if settings.map == "square" and low < 0:
        edges = (low, 0.0, high)
    if settings.map == "knots" and settings.fold:
        # Between any two of them it is monotone, wherever they are.
        places = torch.tensor(settings.knots).double() if numbers is None else numbers
        ends = places.new_tensor([low, high])
        edges = torch.cat([ends[:1], places[:, 0].clamp(low, high), ends[1:]])
    return Pushforward(base.base, base.cdf, function, edges)


def map_code(settings: Any) -> list[str]:
    """The lines that make ``base``, ``cdf``, the map ``T`` and ``edges``."""
    base = line_base(settings.base)
    points = [list(point) for point in settings.knots]
    a, b = settings.scale, settings.shift
    made = {
        "knots": [f"T = spline_through({points}, {BOUND:g})"],
        "affine": [f"T = lambda u: ({a!r} * u + {b!r}, torch.full_like(u, {a!r}))"],
        "exp": ["T = lambda u: (u.exp(), u.exp())"],
        "square": ["T = lambda u: (u**2, 2 * u)"],
        "quantile": [
            "def T(u):",
            "    x = torch.special.ndtri(cdf(u))",
            "    normal = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)",
            "    return x, base.log_prob(u[..., None]).exp() / normal",
        ],
    }[settings.map]
    edges = ", ".join(f"{float(u):g}" for u in pushforward(settings).edges)
    return [*base.code, *made, f"edges = ({edges})  # between them T is monotone"]


def _map(settings: Any, base: LineBase, numbers: Tensor | None) -> Map:
    """T with T′."""
    if settings.map == "knots":
        given = settings.knots
        return spline_through(given, BOUND) if numbers is None else spline_of(numbers, BOUND)
    if settings.map == "affine":
        a, b = (settings.scale, settings.shift) if numbers is None else numbers
        return lambda u: (a * u + b, a * torch.ones_like(u))
    if settings.map == "exp":
        return lambda u: (u.exp(), u.exp())
    if settings.map == "square":
        return lambda u: (u.square(), 2 * u)

    def quantile(u: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.special.ndtri(base.cdf(u))
        return x, density(base.base, u) * math.sqrt(2 * math.pi) * torch.exp(x.square() / 2)

    return quantile
