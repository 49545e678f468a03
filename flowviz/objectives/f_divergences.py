"""f-divergences from density ratios (section 2.3.4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.objectives.estimate import LIKELY, Estimate
from flowviz.objectives.pareto import FEWEST, lack_variance

LOG_2 = math.log(2)

FAR = 1000.0
"""From here on e^t is ∞, and e^−t is 0, in every dtype."""

ROUNDING = 1e-3
"""What a mass, or a divergence in nats, may be off by without a word."""

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FDivergence:
    """D_f(p ‖ q) = E_q[f(p/q)], f convex with f(1) = 0 and, here, f ≥ 0.

    All functions take t = log(p/q), so that no ratio overflows before it must. At t = ±∞, where
    one of the densities is 0, they have their limits.

    A mean over draws of q does not see what p has where q is 0, nor one over draws of p what q has
    where p is 0. But f + c (r − 1) is the same divergence for every c: with c = −f′(∞), or f(0),
    what is not seen counts nothing.

    Attributes:
        name: in the registry.
        title: what menus show.
        equation: f(r), in LaTeX.
        power: α of the α-divergence it is or, in its growth, is like: f(0) is finite for α > 0
            alone, f′(∞) for α < 1, and the variance of means is that of powers of r.
        f: f(e^t).
        f_over_r: f(e^t) e^{−t}.
        under_q: f(e^t) − f′(∞) (e^t − 1), whose mean over q is the divergence; f(e^t) for α ≥ 1.
        under_p: (f(e^t) − f(0)) e^{−t} + f(0), whose mean over p is; f(e^t) e^{−t} for α ≤ 0.
        witness: f′(e^t), the critic at which the variational bound is tight.
        penalty: f*(f′(e^t)), the conjugate at that critic.
    """

    name: str
    title: str
    equation: str
    power: float
    f: Function
    f_over_r: Function
    under_q: Function
    under_p: Function
    witness: Function
    penalty: Function


def alpha_divergence(alpha: float) -> FDivergence:
    """f(r) = (r^α − 1 − α (r − 1)) / (α (α − 1)), with the two KLs as its limits at 1 and 0.

    α = 2 is half of χ², α = 1/2 four times the squared Hellinger distance.

    Raises:
        ValueError: α is 0 or 1, where the formula has no value: take ``"kl"`` (α = 1) or
            ``"reverse_kl"`` (α = 0); or it is not finite.
    """
    if not arguments.is_real(alpha) or not math.isfinite(alpha) or alpha in (0, 1):
        raise ValueError(
            f"alpha must be finite and neither 0 ('reverse_kl') nor 1 ('kl'), got {alpha!r}"
        )
    scale = alpha * (alpha - 1)

    def f(t: Tensor) -> Tensor:
        return _power(alpha, t) / scale

    def f_over_r(t: Tensor) -> Tensor:
        return _power(1 - alpha, -t) / scale

    return FDivergence(
        name=f"alpha({alpha:g})",
        title=f"α-divergence, α = {alpha:g}",
        equation=r"\frac{r^\alpha - 1 - \alpha(r - 1)}{\alpha(\alpha - 1)}",
        power=alpha,
        f=f,
        f_over_r=f_over_r,
        under_q=f if alpha > 1 else lambda t: torch.expm1(alpha * t) / scale,
        under_p=f_over_r if alpha < 0 else lambda t: torch.expm1((alpha - 1) * t) / scale,
        witness=lambda t: torch.expm1((alpha - 1) * t) / (alpha - 1),
        penalty=lambda t: torch.expm1(alpha * t) / alpha,
    )


def names() -> list[str]:
    """The named f-divergences; :func:`alpha_divergence` makes the others."""
    return list(_DIVERGENCES)


def divergence(name: str | FDivergence) -> FDivergence:
    """The f-divergence of that name.

    Raises:
        ValueError: there is none.
    """
    if isinstance(name, FDivergence):
        return name
    return arguments.named("f-divergence", name, _DIVERGENCES)


def f_divergence(
    name: str | FDivergence,
    flow: Flow,
    log_prob: Callable[[Tensor], Tensor],
    *,
    n: int | None = None,
    x: Tensor | None = None,
    generator: Generator | None = None,
) -> Estimate:
    """D_f(p* ‖ p_x), where both densities are known and normalised.

    Over ``n`` draws of the flow as E_{p_x}[f(p*/p_x)], or over samples ``x`` of p* as
    E_{p*}[f(p*/p_x) p_x/p*], either with the c (r − 1) added to f by which nothing is missed where
    the other density alone is above 0. The same number, of another variance; both ways carry the
    gradient in the flow's parameters, the first through the draws.

    Where f′(∞) = ∞, as for ``"kl"`` and ``"chi_squared"``, draws of the flow do for a flow that
    covers the target, as a far tail that no draw meets leaves no trace: take samples ``x`` where
    there are some. Where f(0) = ∞, as for
    ``"reverse_kl"``, samples of the target never do.

    Args:
        name: one of ``flowviz.objectives.f_divergences.names()``, or an :class:`FDivergence`.
        flow: p_x.
        log_prob: log p*, ``[N, D] -> [N]``.
        n: draws from the flow, ≥ 1; give this or ``x``.
        x: samples of p* ``[N, D]``, N ≥ 1.
        generator: of the draws.

    Returns:
        The estimate; its standard error is ∞ where the terms show no variance, or the draws of the
        flow seem to miss a part of the target and f′(∞) = ∞.

    Raises:
        ValueError: an unknown name, both or neither of ``n`` and ``x``, a wrong shape, ``x`` where
            f(0) = ∞, or p* is 0 at one of ``x``.
        FloatingPointError: ``log_prob`` is NaN somewhere, or both densities are 0 there; the draws
            of the flow surely miss a part of the target where f′(∞) = ∞; the estimate is surely
            below 0, as one of the densities is not normalised.
    """
    kind = divergence(name)
    arguments.instance("flow", flow, Flow)
    arguments.function("log_prob", log_prob)
    if (n is None) == (x is None):
        raise ValueError("give either n, to draw from the flow, or samples x of the target")
    if x is None:
        x, log_q = flow.rsample_and_log_prob(arguments.whole("n", n, 1), generator=generator)
        log_p = arguments.values("log_prob", log_prob(x), x)
        estimate = _over_q(kind, log_p - log_q, log_p)
    else:
        if kind.power <= 0:
            raise ValueError(
                f"{kind.title}: f(0) is infinite, and samples of the target do not show where it "
                "is 0; give n, to draw from the flow"
            )
        arguments.array("x", x, "[N, D]")
        log_q = flow.log_prob(x)
        log_p = positive_at_samples(arguments.values("log_prob", log_prob(x), x))
        estimate = _over_p(kind, log_p - log_q, log_p)
    return not_below_zero(estimate, len(x))


def _over_q(kind: FDivergence, t: Tensor, log_p: Tensor) -> Estimate:
    terms = kind.under_q(t)
    estimate = Estimate.of(terms).unless_nan("log_prob", log_p)
    if estimate.is_infinite() or heavy_over_q(kind, t, terms):
        return estimate.without_error()
    return _met(kind, t, estimate) if kind.power >= 1 else estimate


def _met(kind: FDivergence, t: Tensor, estimate: Estimate) -> Estimate:
    """``estimate``, unless draws with ratios e^t, ``t [N]``, seem to miss a part of the target."""
    mass = Estimate.of(torch.exp(t.detach()))
    if len(t) < FEWEST or not mass.is_below(1 - ROUNDING, LIKELY):
        return estimate
    if mass.is_below(1 - ROUNDING):
        raise FloatingPointError(
            f"{kind.title}: {len(t)} draws of the flow meet {float(mass.value):.3g} ± "
            f"{float(mass.standard_error):.1g} of the target's mass of 1, and what they miss "
            "counts without bound; give samples x of the target"
        )
    return estimate.without_error()


def _over_p(kind: FDivergence, t: Tensor, log_p: Tensor) -> Estimate:
    terms = kind.under_p(t)
    estimate = Estimate.of(terms).unless_nan("log_prob", log_p)
    unknown = estimate.is_infinite() or heavy_over_p(kind, t, terms)
    return estimate.without_error() if unknown else estimate


def heavy_over_q(kind: FDivergence, t: Tensor, terms: Tensor) -> bool:
    """Whether ``terms [N]`` at draws of q, which grow as r^α, r = e^t, show no variance.

    That of r^α is finite for 0 ≤ α ≤ ½, whatever the two densities are.
    """
    if 0 <= kind.power <= 0.5:
        return False
    return _heavy(terms, t > 0 if kind.power > 0.5 else t < 0)


def heavy_over_p(kind: FDivergence, t: Tensor, terms: Tensor) -> bool:
    """Whether ``terms [N]`` at draws of p, which grow as r^(α − 1), show no variance.

    That of r^(α − 1) is finite for ½ ≤ α ≤ 1, whatever the two densities are.
    """
    if 0.5 <= kind.power <= 1:
        return False
    return _heavy(terms, t > 0 if kind.power > 1 else t < 0)


def _heavy(terms: Tensor, far: Tensor) -> bool:
    """Whether ``terms [N]`` show no variance in the tail where ``far [N]``."""
    return lack_variance(torch.where(far, terms.detach().abs(), 0.0).log())


def positive_at_samples(log_p: Tensor) -> Tensor:
    """``log_p [N]``, the logarithm of a density at samples of it.

    Raises:
        ValueError: the density is 0 at one, which no sample of it can be.
    """
    if not log_p.is_meta and bool((zero := log_p == -math.inf).any()):
        raise ValueError(
            f"log_prob is −∞ at {int(zero.sum())} of {len(log_p)} samples of the target: they are "
            "not samples of that density"
        )
    return log_p


def not_below_zero(estimate: Estimate, n: int) -> Estimate:
    """``estimate`` of a divergence, from ``n`` terms.

    Raises:
        FloatingPointError: it is surely below 0, which no divergence is.
    """
    if n >= FEWEST and estimate.is_below(-ROUNDING):
        raise FloatingPointError(
            f"the estimate is {float(estimate.value.detach()):.3g} ± "
            f"{float(estimate.standard_error):.1g}, and no divergence is below 0: log_prob or "
            "the flow's density does not integrate to 1"
        )
    return estimate


def _kl(t: Tensor) -> Tensor:
    """r log r − r + 1, r = e^t: the sum of its halves left and right of r = 1, where it is 0."""
    below, above = t.clamp(-FAR, 0), t.clamp_min(0)
    return (
        below * torch.exp(below)
        - torch.expm1(below)
        + torch.exp(above) * (above + torch.expm1(-above))
    )


def _reverse_kl(t: Tensor) -> Tensor:
    """−log r + r − 1, r = e^t."""
    return torch.expm1(t) - t.clamp_max(FAR)


def _power(alpha: float, t: Tensor) -> Tensor:
    """r^α − 1 − α (r − 1), r = e^t: from its halves, and right of 1 by the larger power."""
    below, above = t.clamp_max(0), t.clamp_min(0)
    left = torch.expm1(alpha * below) - alpha * torch.expm1(below)
    if alpha > 1:
        right = (alpha - 1) * torch.expm1(-alpha * above) - alpha * torch.expm1((1 - alpha) * above)
    else:
        right = torch.expm1((alpha - 1) * above) + (alpha - 1) * torch.expm1(-above)
    return left + torch.exp(max(alpha, 1.0) * above) * right


def _jensen_shannon(t: Tensor) -> Tensor:
    """½ (r log r − (1 + r) log((1 + r)/2)), r = e^t."""
    t = t.clamp(-FAR, FAR)
    return -0.5 * (torch.exp(t) * _log_mean(-t) + _log_mean(t))


def _log_mean(t: Tensor) -> Tensor:
    """log((1 + e^t)/2)."""
    return F.softplus(t) - LOG_2


def _jensen_shannon_without_zero(t: Tensor) -> Tensor:
    """½ (log r − (1 + 1/r) log(1 + r)) + log 2, r = e^t: as r → 0 it goes as ½ log r."""
    near = t.clamp(-40.0, FAR)  # below, log(1 + r)/r is 1
    return LOG_2 - 0.5 * (F.softplus(-t) + torch.exp(-near) * F.softplus(near))


_DIVERGENCES = {
    kind.name: kind
    for kind in (
        FDivergence(
            name="kl",
            title="Kullback–Leibler, forward",
            equation=r"r \log r - r + 1",
            power=1,
            f=_kl,
            f_over_r=lambda t: _reverse_kl(-t),
            under_q=_kl,
            under_p=lambda t: t,
            witness=lambda t: t,
            penalty=torch.expm1,
        ),
        FDivergence(
            name="reverse_kl",
            title="Kullback–Leibler, reverse",
            equation=r"-\log r + r - 1",
            power=0,
            f=_reverse_kl,
            f_over_r=lambda t: _kl(-t),
            under_q=lambda t: -t,
            under_p=lambda t: _kl(-t),
            witness=lambda t: -torch.expm1(-t),
            penalty=lambda t: t,
        ),
        FDivergence(
            name="jensen_shannon",
            title="Jensen–Shannon",
            equation=r"\tfrac12\left(r \log r - (1 + r)\log\tfrac{1 + r}{2}\right)",
            power=0.5,
            f=_jensen_shannon,
            f_over_r=lambda t: _jensen_shannon(-t),
            under_q=lambda t: _jensen_shannon_without_zero(-t),
            under_p=_jensen_shannon_without_zero,
            witness=lambda t: -0.5 * _log_mean(-t),
            penalty=lambda t: 0.5 * _log_mean(t),
        ),
        FDivergence(
            name="squared_hellinger",
            title="Squared Hellinger",
            equation=r"\tfrac12(\sqrt r - 1)^2",
            power=0.5,
            f=lambda t: 0.5 * torch.expm1(0.5 * t).square(),
            f_over_r=lambda t: 0.5 * torch.expm1(-0.5 * t).square(),
            under_q=lambda t: -torch.expm1(0.5 * t),
            under_p=lambda t: -torch.expm1(-0.5 * t),
            witness=lambda t: -0.5 * torch.expm1(-0.5 * t),
            penalty=lambda t: 0.5 * torch.expm1(0.5 * t),
        ),
        FDivergence(
            name="total_variation",
            title="Total variation",
            equation=r"\tfrac12|r - 1|",
            power=0.5,
            f=lambda t: 0.5 * torch.expm1(t).abs(),
            f_over_r=lambda t: 0.5 * torch.expm1(-t).abs(),
            under_q=lambda t: -torch.expm1(t.clamp_max(0)),
            under_p=lambda t: -torch.expm1(-t.clamp_min(0)),
            witness=lambda t: 0.5 * torch.sign(t),
            penalty=lambda t: 0.5 * torch.sign(t),
        ),
        FDivergence(
            name="chi_squared",
            title="χ², Pearson",
            equation=r"(r - 1)^2",
            power=2,
            f=lambda t: torch.expm1(t).square(),
            f_over_r=lambda t: 4 * torch.sinh(0.5 * t).square(),
            under_q=lambda t: torch.expm1(t).square(),
            under_p=torch.expm1,
            witness=lambda t: 2 * torch.expm1(t),
            penalty=lambda t: torch.expm1(2 * t),
        ),
    )
}
