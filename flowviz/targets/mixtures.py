"""log p(x) = logsumexp_m [log w_m + log N(x; μ_m, L_m L_mᵀ)]: mixtures of Gaussians.

A curve with Gaussian noise is one of these too: with components spaced no wider than their own
standard deviation the mixture equals the continuous convolution to about 1e-8 (the trapezoid
rule's error for a Gaussian, 2 exp(−2π²σ²/h²)), and so its sampler and its density agree exactly.
"""

from __future__ import annotations

import math

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from flowviz.grid import Integral, Window
from flowviz.targets.log_sum_exp import log_sum_exp
from flowviz.targets.target import Target

MOST_MODES = 12
"""Of more components, none is a mode of its own: they make up a curve."""
MARGIN = 2.5
"""A mode stays so many standard deviations, along either axis, inside the window."""


class GaussianMixture(Target):
    """log p(x) = logsumexp_m [log w_m + log N(x; μ_m, L_m L_mᵀ)].

    Args:
        means: ``[M, 2]``.
        scale_tril: lower-triangular L, ``[M, 2, 2]`` or one for all ``[2, 2]``; or a number or
            ``[M]``: standard deviations of round components.
        weights: ``[M]``, positive, any sum; equal if left out.
    """

    def __init__(
        self,
        name: str,
        title: str,
        window: Window,
        about: str,
        means: Tensor,
        scale_tril: Tensor | float,
        weights: Tensor | None = None,
        note: str = "",
    ) -> None:
        super().__init__(name, title, window, about, note)
        self._means = means.double()
        count = len(means)
        scale = torch.as_tensor(scale_tril, dtype=torch.float64)
        if scale.dim() <= 1:
            scale = scale.expand(count)[:, None, None] * torch.eye(2, dtype=torch.float64)
        self._scale_tril = scale.expand(count, 2, 2)
        self._weights = torch.ones(count) if weights is None else weights
        self._weights = self._weights.double() / self._weights.double().sum()
        a, b, c = (self._scale_tril[:, i, j] for i, j in ((0, 0), (1, 0), (1, 1)))
        # L⁻¹ of a 2 × 2 lower-triangular L, and each component's log normaliser.
        self._whitening = torch.stack([1 / a, -b / (a * c), 1 / c])
        self._log_scale = self._weights.log() - (a * c).log() - math.log(2 * math.pi)
        self._log_z = Integral(0.0, 0.0)

    @property
    def modes(self) -> Tensor | None:
        """The centres of the components ``[M, 2]``, where these are few: each is a mode."""
        return self._means if len(self._means) <= MOST_MODES else None

    @property
    def room(self) -> tuple[Tensor, Tensor]:
        """The least and the largest coordinates that a mode may have, each ``[M, 2]``.

        A mode has little mass beyond the window then (0.6 % at most on a side).
        """
        xmin, xmax, ymin, ymax = self.window
        low, high = torch.tensor([[xmin, ymin], [xmax, ymax]], dtype=torch.float64)
        reach = MARGIN * torch.linalg.vector_norm(self._scale_tril, dim=-1)
        return low + reach, high - reach

    def moved(self, modes: ArrayLike) -> GaussianMixture:
        """The same components about other centres, in the same window.

        >>> apart = targets.make("cross").moved([[-1, 0], [1, 0]])  # doctest: +SKIP

        Args:
            modes: ``[M, 2]``.

        Raises:
            ValueError: the target has no modes (:attr:`modes`), another number of them, or one
                would lie too near the window's edge (:attr:`room`).
        """
        if self.modes is None:
            raise ValueError(f"the target {self.title} has no modes that could be moved")
        means = torch.as_tensor(modes, dtype=torch.float64)
        if means.shape != self._means.shape:
            count = len(self._means)
            raise ValueError(
                f"the target {self.title} has {count} {'mode' if count == 1 else 'modes'} (x, y), "
                f"not {list(means.shape)}"
            )
        low, high = self.room
        beyond = ((means < low) | (means > high) | means.isnan()).any(-1)
        if bool(beyond.any()):
            i = int(beyond.nonzero()[0])
            (xmin, ymin), (xmax, ymax) = low[i].tolist(), high[i].tolist()
            raise ValueError(
                f"mode {i + 1} of {self.title} stays inside the picture: its centre has x from "
                f"{xmin:.3g} to {xmax:.3g} and y from {ymin:.3g} to {ymax:.3g}".replace("-", "−")
            )
        return self.around(means)

    def around(self, means: Tensor) -> GaussianMixture:
        """The same components about other centres ``[M, 2]``, wherever these lie."""
        named = self.name, self.title, self.window, self.about
        return GaussianMixture(*named, means, self._scale_tril, self._weights)

    def responsibilities(self, x: Tensor) -> Tensor:
        """The share of each component in p(x): ``[..., 2]`` to ``[..., M]``, of sum 1.

        Under the mixture itself their means are its weights (Bishop 2006, section 9.2.2). Of
        components that lie apart, the nearest has all but nothing less than 1.
        """
        return torch.softmax(self._components(x), -1)

    @property
    def weights(self) -> Tensor:
        """Of the components, ``[M]``, of sum 1."""
        return self._weights

    def _components(self, x: Tensor) -> Tensor:
        """log w_m + log N(x; μ_m, L_m L_mᵀ): ``[..., 2]`` to ``[..., M]``."""
        means, whitening, log_scale = self._as(x, self._means, self._whitening, self._log_scale)
        dx, dy = (x.unsqueeze(-2) - means).unbind(-1)
        first = whitening[0] * dx
        second = whitening[1] * dx + whitening[2] * dy
        return log_scale - 0.5 * (first * first + second * second)

    def _log_density(self, x: Tensor) -> Tensor:
        return log_sum_exp(self._components, x, len(self._means))

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        weights, means, scale = (
            c.to(device) for c in (self._weights, self._means, self._scale_tril)
        )
        u = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        which = torch.searchsorted(weights.cumsum(0), u).clamp(max=len(means) - 1)
        noise = torch.randn(n, 2, generator=generator, device=device, dtype=torch.float64)
        return means[which] + (scale[which] @ noise.unsqueeze(-1)).squeeze(-1)


class Pinwheel(GaussianMixture):
    """log p(x) = log p_arms(R(−ω‖x‖) x): elongated Gaussians, twisted about the origin.

    A rotation by an angle that depends on the radius alone preserves volume, so the density of
    the twisted mixture is that of the straight one, read at the untwisted point.

    Args:
        arms: how many. twist: ω, radians per unit of radius.
    """

    def __init__(self, arms: int = 5, twist: float = 0.75) -> None:
        angles = torch.arange(arms, dtype=torch.float64) * (2 * math.pi / arms)
        along = torch.stack([angles.cos(), angles.sin()], dim=-1)
        across = torch.stack([-angles.sin(), angles.cos()], dim=-1)
        axes = torch.stack([along * 0.62, across * 0.2], dim=-1)
        super().__init__(
            "pinwheel",
            "Pinwheel",
            (-4.0, 4.0, -4.0, 4.0),
            f"{arms} arms, twisted about the origin.",
            2.0 * along,
            torch.linalg.cholesky(axes @ axes.mT),
        )
        self._twist = twist

    @property
    def modes(self) -> None:
        """None: the arms are twisted, and none is where its component has its centre."""
        return None

    def _log_density(self, x: Tensor) -> Tensor:
        return super()._log_density(self._turn(x, -self._twist))

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        return self._turn(super()._draw(n, generator, device), self._twist)

    @staticmethod
    def _turn(x: Tensor, rate: float) -> Tensor:
        angle = rate * torch.linalg.vector_norm(x, dim=-1)
        cos, sin = angle.cos(), angle.sin()
        a, b = x.unbind(-1)
        return torch.stack([cos * a - sin * b, sin * a + cos * b], dim=-1)


def _arc(
    centre: tuple[float, float], radius: float, start: float, stop: float, count: int
) -> Tensor:
    """``count`` points on a circular arc, angles in radians, evenly spaced, ``[count, 2]``."""
    angle = torch.linspace(start, stop, count, dtype=torch.float64)
    unit = torch.stack([angle.cos(), angle.sin()], dim=-1)
    return torch.tensor(centre, dtype=torch.float64) + radius * unit


def _circle(radius: float, count: int) -> Tensor:
    """``count`` points evenly round a whole circle, ``[count, 2]``."""
    return _arc((0.0, 0.0), radius, 0.0, 2 * math.pi * (1 - 1 / count), count)


def eight_gaussians() -> Target:
    """Eight equal round Gaussians, σ = 0.35, on a circle of radius 3."""
    return GaussianMixture(
        "eight_gaussians",
        "Eight Gaussians",
        (-4.5, 4.5, -4.5, 4.5),
        "Eight equal round modes on a circle, with almost nothing between them.",
        _circle(3.0, 8),
        0.35,
    )


def grid_gaussians() -> Target:
    """Nine equal round Gaussians, σ = 0.35, on a 3 × 3 grid of spacing 2."""
    line = torch.tensor([-2.0, 0.0, 2.0])
    return GaussianMixture(
        "grid_gaussians",
        "Grid of Gaussians",
        (-4.0, 4.0, -4.0, 4.0),
        "Nine equal round modes on a grid.",
        torch.cartesian_prod(line, line),
        0.35,
    )


def correlated_gaussian() -> Target:
    """A Gaussian with standard deviations 1.2 and correlation 0.9."""
    covariance = 1.44 * torch.tensor([[1.0, 0.9], [0.9, 1.0]], dtype=torch.float64)
    return GaussianMixture(
        "correlated_gaussian",
        "Correlated Gaussian",
        (-4.0, 4.0, -4.0, 4.0),
        "One Gaussian with correlation 0.9: a linear flow fits it exactly.",
        torch.zeros(1, 2),
        torch.linalg.cholesky(covariance),
    )


def cross() -> Target:
    """Two Gaussians at right angles, standard deviations 1.4 along and 0.3 across."""
    scale = torch.tensor([[[1.4, 0.0], [0.0, 0.3]], [[0.3, 0.0], [0.0, 1.4]]])
    return GaussianMixture(
        "cross",
        "Cross",
        (-4.5, 4.5, -4.5, 4.5),
        "A long thin mode across a tall thin one.",
        torch.zeros(2, 2),
        scale,
    )


def two_moons() -> Target:
    """Two interleaving half circles of radius 2 with Gaussian noise, σ = 0.2."""
    upper = _arc((-1.0, -0.5), 2.0, 0.0, math.pi, 40)
    lower = _arc((1.0, 0.5), 2.0, math.pi, 2 * math.pi, 40)
    return GaussianMixture(
        "two_moons",
        "Two moons",
        (-3.8, 3.8, -3.8, 3.8),
        "Two interleaving half circles.",
        torch.cat([upper, lower]),
        0.2,
    )


def spirals() -> Target:
    """Two Archimedean arms r = 0.15 + 0.34 θ, θ to 3π, uniform in arc length, σ = 0.17."""
    theta = torch.linspace(0, 3 * math.pi, 4001, dtype=torch.float64)
    arm = (0.15 + 0.34 * theta).unsqueeze(-1) * torch.stack([theta.cos(), theta.sin()], dim=-1)
    length = torch.cat([torch.zeros(1), (arm[1:] - arm[:-1]).norm(dim=-1).cumsum(0)])
    even = torch.linspace(0, float(length[-1]), 96, dtype=torch.float64)
    arm = arm[torch.searchsorted(length, even).clamp(max=len(arm) - 1)]
    return GaussianMixture(
        "spirals",
        "Spirals",
        (-4.5, 4.5, -4.5, 4.5),
        "Two arms wound round each other.",
        torch.cat([arm, -arm]),
        0.17,
    )


def smiley() -> Target:
    """A circle, two eyes and a mouth, each a curve or a spot with Gaussian noise."""
    outline, mouth = _circle(3.0, 96), _arc((0.0, 0.1), 1.6, -2.6, -0.54, 24)
    eyes = torch.tensor([[-1.0, 0.9], [1.0, 0.9]], dtype=torch.float64)
    counts = torch.tensor([96, 2, 24])
    shares = torch.tensor([0.6, 0.18, 0.22]) / counts
    widths = torch.tensor([0.2, 0.26, 0.18])
    return GaussianMixture(
        "smiley",
        "Smiley",
        (-4.0, 4.0, -4.0, 4.0),
        "A face: a ring round three separate parts.",
        torch.cat([outline, eyes, mouth]),
        widths.repeat_interleave(counts),
        shares.repeat_interleave(counts),
    )


def crescent() -> Target:
    """Angle from a von Mises distribution (κ = 2) on a circle of radius 2.4, Gaussian noise 0.3."""
    centres = _circle(2.4, 96)
    return GaussianMixture(
        "crescent",
        "Crescent",
        (-4.0, 4.0, -4.0, 4.0),
        "One curved mode that fades towards its two ends.",
        centres,
        0.3,
        (2.0 * centres[:, 0] / 2.4).exp(),
    )
