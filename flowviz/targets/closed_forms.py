"""Targets that are written as a formula: each with its exact sampler and its log Z."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from flowviz.grid import Integral, Window
from flowviz.targets.target import Target

_WALL = 0.05


def log_soft_box(t: Tensor, low: float, high: float, width: float = _WALL) -> Tensor:
    """log [σ((t − low)/s) σ((high − t)/s)]: about 0 inside, falling by 1/s per unit outside.

    Up to the constant 1 − exp(−(high − low)/s), which is 1 to machine precision here, this is
    the density of a uniform draw from [low, high] plus logistic noise of scale s, times
    high − low: a bounded support whose edges have gradients, with a known integral and sampler.
    """
    return logsigmoid((t - low) / width) + logsigmoid((high - t) / width)


def draw_soft_box(
    n: int,
    low: float,
    high: float,
    generator: torch.Generator | None,
    device: torch.device,
    width: float = _WALL,
) -> Tensor:
    """``[n]`` draws from the density ∝ exp(:func:`log_soft_box`)."""
    u = torch.rand(2, n, generator=generator, device=device, dtype=torch.float64)
    return low + (high - low) * u[0] + width * u[1].logit(eps=1e-12)


def _draw_radius(
    n: int, radius: float, width: float, generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """``[n]`` draws from p(r) ∝ r exp(−½((r − R)/s)²), r > 0, by rejection from N(R, s²).

    Proposals beyond R + 6 s (one in a thousand million) are refused, so that r has a bound.
    """
    bound = radius + 6 * width
    accepted, have = [torch.empty(0, dtype=torch.float64, device=device)], 0
    while have < n:
        count = 2 * (n - have) + 16
        noise = torch.randn(count, generator=generator, device=device, dtype=torch.float64)
        u = torch.rand(count, generator=generator, device=device, dtype=torch.float64)
        r = radius + width * noise
        kept = r[(r > 0) & (r < bound) & (u * bound < r)]
        accepted.append(kept)
        have += len(kept)
    return torch.cat(accepted)[:n]


def _polar(r: Tensor, generator: torch.Generator | None, device: torch.device) -> Tensor:
    """Points ``[n, 2]`` at radii ``r [n]`` and uniform angles."""
    u = torch.rand(len(r), generator=generator, device=device, dtype=torch.float64)
    angle = 2 * math.pi * u
    return torch.stack([r * angle.cos(), r * angle.sin()], dim=-1)


class Circles(Target):
    """log p̃(x) = log Σ_k exp(−½((‖x‖ − R_k)/s)²), R = 1.3, 3.0, s = 0.22."""

    radii = (1.3, 3.0)
    width = 0.22

    def __init__(self) -> None:
        super().__init__(
            "circles",
            "Circles",
            (-4.0, 4.0, -4.0, 4.0),
            "Two concentric rings: no flow on the plane can cut the hole clean.",
        )
        s = self.width
        # ∫ r exp(−½((r − R)/s)²) dr over r > 0, in closed form.
        self._masses = [
            2
            * math.pi
            * (
                s * s * math.exp(-0.5 * (r / s) ** 2)
                + r * s * math.sqrt(math.pi / 2) * (1 + math.erf(r / (s * math.sqrt(2))))
            )
            for r in self.radii
        ]
        self._log_z = Integral(math.log(sum(self._masses)), 0.0)

    def _log_density(self, x: Tensor) -> Tensor:
        r = torch.linalg.vector_norm(x, dim=-1)
        first, second = (-0.5 * ((r - radius) / self.width) ** 2 for radius in self.radii)
        return torch.logaddexp(first, second)

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        u = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        inner = u < self._masses[0] / sum(self._masses)
        r = torch.stack(
            [_draw_radius(n, radius, self.width, generator, device) for radius in self.radii]
        )
        return _polar(torch.where(inner, r[0], r[1]), generator, device)


class Checkerboard(Target):
    """log p(x) = log of eight soft squares of side 2 on [−4, 4]², logistic edges of scale 0.05.

    A hard checkerboard has no gradient anywhere; here each square is a uniform density plus
    logistic noise, which reverse KL can use: outside, log p falls by 20 per unit.
    """

    def __init__(self) -> None:
        super().__init__(
            "checkerboard",
            "Checkerboard",
            (-4.5, 4.5, -4.5, 4.5),
            "Eight equal squares that touch at their corners.",
        )
        squares = [(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0]
        self._squares = torch.tensor(squares)
        self._log_z = Integral(math.log(4.0 * len(squares)), 0.0)

    def _log_density(self, x: Tensor) -> Tensor:
        low = torch.tensor([-4.0, -2.0, 0.0, 2.0], dtype=x.dtype, device=x.device)
        edges = x.unsqueeze(-1) - low
        log_side = logsigmoid(edges / _WALL) + logsigmoid((2.0 - edges) / _WALL)
        i, j = self._squares.to(x.device).unbind(-1)
        return (log_side[..., 0, :][..., i] + log_side[..., 1, :][..., j]).logsumexp(-1)

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        which = torch.randint(len(self._squares), (n,), generator=generator, device=device)
        inside = [draw_soft_box(n, 0.0, 2.0, generator, device) for _ in range(2)]
        return -4.0 + 2.0 * self._squares.to(device)[which] + torch.stack(inside, dim=-1)


class Banana(Target):
    """log p̃(x, y) = −½(x/1.2)² − ½((y + 2.2 − 0.6x²)/0.35)².

    Rosenbrock's curved valley y ≈ x², rescaled to fit a window, with Gaussian walls, as in
    Haario, Saksman and Tamminen (1999).
    """

    def __init__(self) -> None:
        super().__init__(
            "banana",
            "Banana",
            (-4.5, 4.5, -4.5, 4.5),
            "Rosenbrock's curved valley: y given x is Gaussian about a parabola.",
        )
        self._log_z = Integral(math.log(2 * math.pi * 1.2 * 0.35), 0.0)

    def _log_density(self, x: Tensor) -> Tensor:
        a, b = x.unbind(-1)
        return -0.5 * (a / 1.2) ** 2 - 0.5 * ((b + 2.2 - 0.6 * a * a) / 0.35) ** 2

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        a, b = torch.randn(2, n, generator=generator, device=device, dtype=torch.float64)
        a = 1.2 * a
        return torch.stack([a, 0.35 * b - 2.2 + 0.6 * a * a], dim=-1)


class Funnel(Target):
    """log p̃(x, v) = −½(v/1.3)² − ½ x² e^{−v} − ½ v: v ~ N(0, 1.3²), x | v ~ N(0, e^v).

    Neal, *Slice sampling* (2003), in two dimensions, with standard deviation 1.3 for v instead of
    3, so that both the neck and the mouth can be seen in one window. The vertical axis is v.
    """

    def __init__(self) -> None:
        super().__init__(
            "funnel",
            "Funnel",
            (-6.0, 6.0, -6.0, 6.0),
            "Neal's funnel: the width in x changes fiftyfold along the vertical axis.",
        )
        self._log_z = Integral(math.log(2 * math.pi * 1.3), 0.0)

    def _log_density(self, x: Tensor) -> Tensor:
        a, v = x.unbind(-1)
        # Far below, at 34 standard deviations in float32, the neck narrows no further: there e^−v
        # would overflow, and the gradient be NaN.
        steepest = 0.5 * math.log(torch.finfo(x.dtype).max)
        return -0.5 * ((v / 1.3) ** 2 + a * a * (-v).clamp(max=steepest).exp() + v)

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        a, v = torch.randn(2, n, generator=generator, device=device, dtype=torch.float64)
        v = 1.3 * v
        return torch.stack([a * (0.5 * v).exp(), v], dim=-1)


class HeavyTailed(Target):
    """log p(x) = −3/2 Σ_i log(2 + x_i²): two independent Student t with 2 degrees of freedom.

    Their variance is infinite. The window holds 95 % of the mass.
    """

    def __init__(self) -> None:
        super().__init__(
            "heavy_tailed",
            "Heavy tails",
            (-6.0, 6.0, -6.0, 6.0),
            "Independent Student t with 2 degrees of freedom: infinite variance.",
            "5 % of the mass lies outside the window, however far one looks some remains.",
        )
        self._log_z = Integral(0.0, 0.0)

    def _log_density(self, x: Tensor) -> Tensor:
        return -1.5 * (2.0 + x * x).log().sum(-1)

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        # The quantile function of t₂ in closed form.
        u = torch.rand(n, 2, generator=generator, device=device, dtype=torch.float64)
        u = u.clamp(1e-15, 1 - 1e-15)
        return (2 * u - 1) / (2 * u * (1 - u)).sqrt()


class RingEnergy(Target):
    """U₁(z) = ½((‖z‖ − 2)/0.4)² − ln(e^{−½((z₁−2)/0.6)²} + e^{−½((z₁+2)/0.6)²}); p̃ = e^{−U}.

    Rezende and Mohamed, *Variational Inference with Normalizing Flows* (2015), table 1. Sampled
    by exact rejection from the ring alone.
    """

    def __init__(self) -> None:
        super().__init__(
            "energy_1",
            "Ring energy U₁",
            (-4.0, 4.0, -4.0, 4.0),
            "A ring that is dense on its left and right: two modes, faintly joined.",
        )

    def _log_density(self, x: Tensor) -> Tensor:
        r = torch.linalg.vector_norm(x, dim=-1)
        return -0.5 * ((r - 2.0) / 0.4) ** 2 + self._log_sides(x[..., 0])

    @staticmethod
    def _log_sides(a: Tensor) -> Tensor:
        return torch.logaddexp(-0.5 * ((a - 2.0) / 0.6) ** 2, -0.5 * ((a + 2.0) / 0.6) ** 2)

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        ceiling = 1 + math.exp(-0.5 * (4 / 0.6) ** 2)
        accepted, have = [torch.empty(0, 2, dtype=torch.float64, device=device)], 0
        while have < n:
            count = 3 * (n - have) + 16
            ring = _polar(_draw_radius(count, 2.0, 0.4, generator, device), generator, device)
            u = torch.rand(count, generator=generator, device=device, dtype=torch.float64)
            accepted.append(ring[u * ceiling < self._log_sides(ring[:, 0]).exp()])
            have += len(accepted[-1])
        return torch.cat(accepted)[:n]


class WaveEnergy(Target):
    """p̃(z) = e^{−U(z)} = [Σ_k e^{−½((z₂ − c_k(z₁))/s_k)²}] · box(z₁), of one or two curves c_k.

    U₂, U₃ and U₄ of Rezende and Mohamed (2015), table 1, with w₁ = sin(2πz₁/4),
    w₂ = 3 e^{−½((z₁−1)/0.6)²} and w₃ = 3 σ((z₁−1)/0.3). Those energies are periodic or flat along
    z₁, so e^{−U} has no finite integral on the plane; the paper's figures stop at |z₁| = 4, and
    here a smooth wall does (:func:`log_soft_box`). Then Z = 8 √(2π) Σ s_k exactly, and z₁, the
    curve and z₂ are drawn exactly, one after another.
    """

    def __init__(
        self, name: str, title: str, about: str, window: Window, widths: tuple[float, ...]
    ) -> None:
        super().__init__(name, title, window, about)
        self._widths = widths
        self._log_z = Integral(math.log(8 * math.sqrt(2 * math.pi) * sum(widths)), 0.0)

    def _curves(self, a: Tensor) -> list[Tensor]:
        wave = (0.5 * math.pi * a).sin()
        if self.name == "energy_2":
            return [wave]
        if self.name == "energy_3":
            return [wave, wave - 3 * (-0.5 * ((a - 1) / 0.6) ** 2).exp()]
        return [wave, wave - 3 * ((a - 1) / 0.3).sigmoid()]

    def _log_density(self, x: Tensor) -> Tensor:
        a, b = x.unbind(-1)
        terms = [
            -0.5 * ((b - curve) / width) ** 2
            for curve, width in zip(self._curves(a), self._widths, strict=True)
        ]
        total = terms[0] if len(terms) == 1 else torch.logaddexp(*terms)
        return total + log_soft_box(a, -4.0, 4.0)

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        a = draw_soft_box(n, -4.0, 4.0, generator, device)
        widths = torch.tensor(self._widths, dtype=torch.float64, device=device)
        u = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        which = (u > widths[0] / widths.sum()).long()
        curves = torch.stack(self._curves(a), dim=-1)
        noise = torch.randn(n, generator=generator, device=device, dtype=torch.float64)
        b = curves.gather(-1, which.unsqueeze(-1)).squeeze(-1) + widths[which] * noise
        return torch.stack([a, b], dim=-1)


def energy_2() -> Target:
    """U₂(z) = ½((z₂ − w₁)/0.4)²."""
    return WaveEnergy(
        "energy_2",
        "Wave energy U₂",
        "A band along a sine wave.",
        (-4.5, 4.5, -4.5, 4.5),
        (0.4,),
    )


def energy_3() -> Target:
    """U₃(z) = −ln(e^{−½((z₂−w₁)/0.35)²} + e^{−½((z₂−w₁+w₂)/0.35)²})."""
    return WaveEnergy(
        "energy_3",
        "Split wave energy U₃",
        "A sine wave that splits in two and joins again.",
        (-4.5, 4.5, -4.5, 4.5),
        (0.35, 0.35),
    )


def energy_4() -> Target:
    """U₄(z) = −ln(e^{−½((z₂−w₁)/0.4)²} + e^{−½((z₂−w₁+w₃)/0.35)²})."""
    return WaveEnergy(
        "energy_4",
        "Forked wave energy U₄",
        "A sine wave that forks in two.",
        (-4.5, 4.5, -5.0, 4.0),
        (0.4, 0.35),
    )
