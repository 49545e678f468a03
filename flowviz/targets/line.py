"""Densities on the line: location-scale families with all that divergences in 1-D need.

>>> from flowviz.targets.line import Line
>>> Line("uniform", 0.5, 0.5)  # U[0, 1]  # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from flowviz import arguments

Function = Callable[[Tensor], Tensor]

_BUMP, _SD = 2.0, 0.5
_DEGREES = 3.0
_LOG_NORMAL = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Family:
    """A density of z that is even, and its location-scale family x = centre + width · z.

    Attributes:
        name: in the registry.
        title: what menus show.
        log_density: log p(z).
        cdf: P(Z ≤ z).
        characteristic: E cos(ωZ), which is E exp(iωZ) as p is even.
        draw: so many samples of Z, float64.
        bound: the density is 0 where |z| is larger; ∞ for none.
        tail: σ where it falls as exp(−z²/(2σ²)) in the end; 0 for bounded ones, ∞ for powers of z.
    """

    name: str
    title: str
    log_density: Function
    cdf: Function
    characteristic: Function
    draw: Callable[[int, Generator], Tensor]
    bound: float
    tail: float


class Line:
    """One member of a family: the density of centre + width · Z.

    Args:
        family: one of ``FAMILIES``.
        centre, width: numbers, or tensors that carry a gradient or stand for many members; a
            tensor's last axis, of length 1, is the one that x has. The width is the standard
            deviation of ``normal``, half the interval of ``uniform``, the scale of ``student``
            (3 degrees of freedom); ``two_bumps`` are ½ N(±2, ½²) times it.

    Attributes:
        kind: the family.
        centre, width: tensors, float64.

    Raises:
        ValueError: an unknown family, or a width that is not above 0.
    """

    def __init__(self, family: str, centre: Tensor | float, width: Tensor | float) -> None:
        self.kind: Family = arguments.named("family", family, FAMILIES)
        self.centre = torch.as_tensor(centre, dtype=torch.float64)
        self.width = torch.as_tensor(width, dtype=torch.float64)
        if not bool((self.width > 0).all()):
            raise ValueError(f"a width is above 0, got {width}")

    @classmethod
    def known(cls, family: str, centre: Tensor, width: Tensor) -> Line:
        """The same of tensors, the width known to be above 0: no number is looked at."""
        line = cls.__new__(cls)
        line.kind, line.centre, line.width = FAMILIES[family], centre, width
        return line

    @property
    def family(self) -> str:
        """The family's name."""
        return self.kind.name

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x); −∞ where the density is 0."""
        return self.kind.log_density((x - self.centre) / self.width) - self.width.log()

    def cdf(self, x: Tensor) -> Tensor:
        """P(X ≤ x)."""
        return self.kind.cdf((x - self.centre) / self.width)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """So many draws ``[n]``, float64."""
        generator = generator or torch.default_generator
        return self.centre + self.width * self.kind.draw(n, generator)

    @property
    def edges(self) -> list[Tensor]:
        """Where the density jumps to 0, from left to right: two, or none."""
        if math.isinf(self.kind.bound):
            return []
        reach = self.kind.bound * self.width
        return [self.centre - reach, self.centre + reach]


def _normal_log(z: Tensor) -> Tensor:
    return -0.5 * z.square() - _LOG_NORMAL


def _normal_draw(n: int, generator: Generator) -> Tensor:
    return torch.randn(n, generator=generator, dtype=torch.float64)


def _bumps_log(z: Tensor) -> Tensor:
    left, right = (_normal_log((z - at) / _SD) for at in (-_BUMP, _BUMP))
    return torch.logaddexp(left, right) - math.log(2 * _SD)


def _bumps_cdf(z: Tensor) -> Tensor:
    left, right = (torch.special.ndtr((z - at) / _SD) for at in (-_BUMP, _BUMP))
    return 0.5 * (left + right)


def _bumps_draw(n: int, generator: Generator) -> Tensor:
    sides = torch.randint(0, 2, (n,), generator=generator).double().mul(2).sub(1)
    return _BUMP * sides + _SD * _normal_draw(n, generator)


def _uniform_log(z: Tensor) -> Tensor:
    return torch.where(z.abs() <= 1, torch.full_like(z, -math.log(2)), -math.inf)


def _student_log(z: Tensor) -> Tensor:
    constant = math.log(2 / (math.pi * math.sqrt(_DEGREES)))
    return constant - 2 * torch.log1p(z.square() / _DEGREES)


def _student_cdf(z: Tensor) -> Tensor:
    t = z / math.sqrt(_DEGREES)
    # Far to the left the sum of the terms loses all its digits: 1/(3π |t|³) is what is left of it.
    near = 0.5 + (t / (1 + t.square()) + torch.atan(t)) / math.pi
    far = 2 / (3 * math.pi * t.abs().clamp_min(1.0) ** 3)
    return torch.where(t < -1e4, far, torch.where(t > 1e4, 1 - far, near))


def _student_draw(n: int, generator: Generator) -> Tensor:
    squares = torch.randn(n, 3, generator=generator, dtype=torch.float64).square().sum(-1)
    return _normal_draw(n, generator) * (_DEGREES / squares).sqrt()


def _student_characteristic(w: Tensor) -> Tensor:
    t = math.sqrt(_DEGREES) * w.abs()
    return (1 + t) * torch.exp(-t)


FAMILIES = {
    family.name: family
    for family in (
        Family(
            name="normal",
            title="Gaussian",
            log_density=_normal_log,
            cdf=torch.special.ndtr,
            characteristic=lambda w: torch.exp(-0.5 * w.square()),
            draw=_normal_draw,
            bound=math.inf,
            tail=1.0,
        ),
        Family(
            name="two_bumps",
            title="Two bumps",
            log_density=_bumps_log,
            cdf=_bumps_cdf,
            characteristic=lambda w: torch.cos(_BUMP * w) * torch.exp(-0.5 * (_SD * w).square()),
            draw=_bumps_draw,
            bound=math.inf,
            tail=_SD,
        ),
        Family(
            name="uniform",
            title="Uniform",
            log_density=_uniform_log,
            cdf=lambda z: (0.5 * (z + 1)).clamp(0, 1),
            characteristic=lambda w: torch.special.sinc(w / math.pi),
            draw=lambda n, g: 2 * torch.rand(n, generator=g, dtype=torch.float64) - 1,
            bound=1.0,
            tail=0.0,
        ),
        Family(
            name="student",
            title="Student, heavy tails",
            log_density=_student_log,
            cdf=_student_cdf,
            characteristic=_student_characteristic,
            draw=_student_draw,
            bound=math.inf,
            tail=math.inf,
        ),
    )
}
"""By name."""
