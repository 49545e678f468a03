"""log|det(I + J_g)|: exactly, by its power series, and by unbiased estimates of it.

log det(I + J) = tr log(I + J) = Σ_{k≥1} (−1)ᵏ⁺¹ tr(Jᵏ)/k, which converges as ‖J‖ ≤ L < 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.contractive.network import Linearised
from flowviz.flows.numerics.noise import NOISES, Noise, drawn, probe
from flowviz.flows.numerics.transforms import transformed


class LogDeterminant:
    """Turns g, linearised at a batch of points, into log|det(I + J_g)| ``[...]``."""

    exact = False

    def __call__(self, g: Linearised, generator: Generator | None = None) -> Tensor:
        """``[...]``; the randomness comes from ``generator``, from torch's own when None."""
        raise NotImplementedError


class Exact(LogDeterminant):
    """J_g in one pass of D tangents, then its determinant: O(D³)."""

    exact = True

    def __call__(self, g: Linearised, generator: Generator | None = None) -> Tensor:
        return log_det_of_identity_plus(g.jacobian())


class Series(LogDeterminant):
    """Σ_{k=1}ⁿ (−1)ᵏ⁺¹ tr(Jᵏ)/k with exact traces: biased by at most :meth:`bias_bound`.

    Args:
        terms: n ≥ 1.
    """

    def __init__(self, terms: int = 10) -> None:
        self.terms = _checked_terms(terms)

    def __call__(self, g: Linearised, generator: Generator | None = None) -> Tensor:
        J = g.jacobian()
        power, total = J, _trace(J)
        for k in range(2, self.terms + 1):
            power = power @ J
            total = total + (-1) ** (k + 1) / k * _trace(power)
        return total

    def bias_bound(self, dim: int, lipschitz: float) -> float:
        """D Lⁿ⁺¹/((n + 1)(1 − L)) ≥ D Σ_{k>n} Lᵏ/k."""
        n = self.terms
        return dim * lipschitz ** (n + 1) / ((n + 1) * (1 - lipschitz))


class Hutchinson(LogDeterminant):
    """Σ_{k=1}ⁿ (−1)ᵏ⁺¹ vᵀJᵏv/k with E[vvᵀ] = I: each trace estimated, in n products with J.

    One v for each point and call, the same in all terms. As biased as :class:`Series`.

    Args:
        terms: n ≥ 1.
        noise: of v, ``"rademacher"`` (±1, of the smaller variance) or ``"gaussian"``.
    """

    def __init__(self, terms: int = 10, noise: Noise = "rademacher") -> None:
        self.terms, self.noise = _checked_terms(terms), _checked_noise(noise)

    def __call__(self, g: Linearised, generator: Generator | None = None) -> Tensor:
        v, times_J = probe(g.value, self.noise, generator), g.products(self.terms)
        u, total = v, torch.zeros_like(g.value[..., 0])
        for k in range(1, self.terms + 1):
            u = times_J(u)
            total = total + (-1) ** (k + 1) / k * (v * u).sum(-1)
        return total


class RussianRoulette(LogDeterminant):
    """Σ_{k=1}ᴺ (−1)ᵏ⁺¹ vᵀJᵏv/(k P(N ≥ k)), N geometric: unbiased  (Chen et al. 2019).

    P(N ≥ k) = (1 − p)ᵏ⁻¹, one N for each call. The variance is finite only if L²/(1 − p) < 1;
    p = 1 − L makes that ratio L, with 1/(1 − L) terms on average.

    The gradient is estimated by the Neumann series, with the same N and v and without the 1/k:
    ∂ log det(I + J) = tr((I + J)⁻¹ ∂J) ≈ vᵀ ∂J Σ_{j=0}ᴺ⁻¹ (−1)ʲ Jʲv/P(N ≥ j + 1). It holds one
    product in memory instead of N. Its value estimates something else and is never used.
    The estimate has first derivatives only.

    Args:
        lipschitz: L < 1, a bound on Lip(g).
        stop: p, 0 < p < 1 − L²; 1 − L when None.
        noise: as :class:`Hutchinson` takes it.

    Raises:
        ValueError: the variance would be infinite.
    """

    def __init__(
        self, lipschitz: float, stop: float | None = None, noise: Noise = "rademacher"
    ) -> None:
        self.lipschitz = arguments.positive("lipschitz", lipschitz)
        self.noise = _checked_noise(noise)
        self.stop = 1 - lipschitz if stop is None else arguments.finite("stop", stop)
        if not 0 < self.stop < 1 or self.variance_ratio >= 1:
            raise ValueError(
                f"stop must be between 0 and 1 − lipschitz² = {1 - lipschitz**2:.3g}, where the "
                f"variance is finite; got {stop!r}"
            )

    @property
    def variance_ratio(self) -> float:
        """L²/(1 − p): the ratio of the series that bounds the variance, < 1 where it is finite."""
        return self.lipschitz**2 / (1 - self.stop)

    def __call__(self, g: Linearised, generator: Generator | None = None) -> Tensor:
        v = probe(g.value, self.noise, generator)
        terms = self._number_of_terms(generator)
        with torch.no_grad():
            times_J = g.products(terms)
            u, total, neumann = v, torch.zeros_like(g.value[..., 0]), torch.zeros_like(v)
            for k in range(1, terms + 1):
                weight = (-1) ** (k + 1) / self.reaches(k)
                neumann = neumann + weight * u
                u = times_J(u)
                total = total + weight / k * (v * u).sum(-1)
        # A transform of torch.func differentiates them, whatever no_grad says.
        total, neumann = total.detach(), neumann.detach()
        return _with_gradient_of(total, lambda: (v * g.products(1)(neumann)).sum(-1))

    def reaches(self, k: int) -> float:
        """P(N ≥ k)."""
        return (1 - self.stop) ** (k - 1)

    def _number_of_terms(self, generator: Generator | None) -> int:
        # On the generator's own device, the CPU for torch's own: no waiting for another one.
        device = "cpu" if generator is None else generator.device
        number = torch.empty((), device=device)
        return int(drawn(lambda: number.geometric_(self.stop, generator=generator)))


def log_det_of_identity_plus(J: Tensor) -> Tensor:
    """log|det(I + J)| ``[...]`` of ``J [..., D, D]``, whose determinant is positive."""
    if J.shape[-1] == 1:
        return torch.log1p(J[..., 0, 0])
    if J.shape[-1] == 2:
        a, b, c, d = J.flatten(-2).unbind(-1)
        return torch.log1p(a + d + (a * d - b * c))
    eye = torch.eye(J.shape[-1], dtype=J.dtype, device=J.device)
    return torch.linalg.slogdet(eye + J).logabsdet


def _with_gradient_of(value: Tensor, surrogate: Callable[[], Tensor]) -> Tensor:
    """``value`` as it is, with the gradient of ``surrogate``, whose value does not count."""
    if not torch.is_grad_enabled() and not transformed():
        return value
    other = surrogate()
    return value + (other - other.detach())


def _trace(J: Tensor) -> Tensor:
    return J.diagonal(dim1=-2, dim2=-1).sum(-1)


def _checked_terms(terms: int) -> int:
    arguments.whole("terms", terms, 1)
    return terms


def _checked_noise(noise: Noise) -> Noise:
    if noise not in NOISES:
        raise ValueError(f"noise must be one of {', '.join(NOISES)}, got {noise!r}")
    return noise
