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
from flowviz.objectives.estimate import Estimate

LOG_2 = math.log(2)

FAR = 1000.0
"""From here on e^t is ∞, and e^−t is 0, in every dtype."""

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FDivergence:
    """D_f(p ‖ q) = E_q[f(p/q)], f convex with f(1) = 0 and, here, f ≥ 0.

    All functions take t = log(p/q), so that no ratio overflows before it must. At t = ±∞, where
    one of the densities is 0, they have their limits.

    Attributes:
        name: in the registry.
        title: what menus show.
        equation: f(r), in LaTeX.
        under_q: f(e^t), whose mean over q is the divergence.
        under_p: f(e^t) e^{−t}, whose mean over p is the divergence.
        witness: f′(e^t), the critic at which the variational bound is tight.
        penalty: f*(f′(e^t)), the conjugate at that critic.
    """

    name: str
    title: str
    equation: str
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
    return FDivergence(
        name=f"alpha({alpha:g})",
        title=f"α-divergence, α = {alpha:g}",
        equation=r"\frac{r^\alpha - 1 - \alpha(r - 1)}{\alpha(\alpha - 1)}",
        under_q=lambda t: _power(alpha, t) / scale,
        under_p=lambda t: _power(1 - alpha, -t) / scale,
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
    E_{p*}[f(p*/p_x) p_x/p*]: the same number, of another variance. Both ways carry the gradient
    in the flow's parameters, the first through the draws.

    Args:
        name: one of ``flowviz.objectives.f_divergences.names()``, or an :class:`FDivergence`.
        flow: p_x.
        log_prob: log p*, ``[N, D] -> [N]``.
        n: draws from the flow, ≥ 1; give this or ``x``.
        x: samples of p* ``[N, D]``, N ≥ 1.
        generator: of the draws.

    Raises:
        ValueError: an unknown name, both or neither of ``n`` and ``x``, or a wrong shape.
        FloatingPointError: ``log_prob`` is NaN somewhere, or both densities are 0 there.
    """
    kind = divergence(name)
    arguments.instance("flow", flow, Flow)
    arguments.function("log_prob", log_prob)
    if (n is None) == (x is None):
        raise ValueError("give either n, to draw from the flow, or samples x of the target")
    if x is not None:
        arguments.array("x", x, "[N, D]")
        log_q, mean = flow.log_prob(x), kind.under_p
    else:
        x, log_q = flow.rsample_and_log_prob(arguments.whole("n", n, 1), generator=generator)
        mean = kind.under_q
    log_p = arguments.values("log_prob", log_prob(x), x)
    return Estimate.of(mean(log_p - log_q)).unless_nan("log_prob", log_p)


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


_DIVERGENCES = {
    kind.name: kind
    for kind in (
        FDivergence(
            name="kl",
            title="Kullback–Leibler, forward",
            equation=r"r \log r - r + 1",
            under_q=_kl,
            under_p=lambda t: _reverse_kl(-t),
            witness=lambda t: t,
            penalty=torch.expm1,
        ),
        FDivergence(
            name="reverse_kl",
            title="Kullback–Leibler, reverse",
            equation=r"-\log r + r - 1",
            under_q=_reverse_kl,
            under_p=lambda t: _kl(-t),
            witness=lambda t: -torch.expm1(-t),
            penalty=lambda t: t,
        ),
        FDivergence(
            name="jensen_shannon",
            title="Jensen–Shannon",
            equation=r"\tfrac12\left(r \log r - (1 + r)\log\tfrac{1 + r}{2}\right)",
            under_q=_jensen_shannon,
            under_p=lambda t: _jensen_shannon(-t),
            witness=lambda t: -0.5 * _log_mean(-t),
            penalty=lambda t: 0.5 * _log_mean(t),
        ),
        FDivergence(
            name="squared_hellinger",
            title="Squared Hellinger",
            equation=r"\tfrac12(\sqrt r - 1)^2",
            under_q=lambda t: 0.5 * torch.expm1(0.5 * t).square(),
            under_p=lambda t: 0.5 * torch.expm1(-0.5 * t).square(),
            witness=lambda t: -0.5 * torch.expm1(-0.5 * t),
            penalty=lambda t: 0.5 * torch.expm1(0.5 * t),
        ),
        FDivergence(
            name="total_variation",
            title="Total variation",
            equation=r"\tfrac12|r - 1|",
            under_q=lambda t: 0.5 * torch.expm1(t).abs(),
            under_p=lambda t: 0.5 * torch.expm1(-t).abs(),
            witness=lambda t: 0.5 * torch.sign(t),
            penalty=lambda t: 0.5 * torch.sign(t),
        ),
        FDivergence(
            name="chi_squared",
            title="χ², Pearson",
            equation=r"(r - 1)^2",
            under_q=lambda t: torch.expm1(t).square(),
            under_p=lambda t: 4 * torch.sinh(0.5 * t).square(),
            witness=lambda t: 2 * torch.expm1(t),
            penalty=lambda t: torch.expm1(2 * t),
        ),
    )
}
