"""Closed forms of divergences on the line, and their estimates from samples where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from flowviz.objectives.estimate import Estimate
from flowviz.objectives.integral_probability_metrics import mmd, wasserstein_1d
from flowviz.objectives.on_the_line import BANDWIDTH, MEASURES, NODES, quadrature
from flowviz.targets.line import Line

SAMPLES = 8_000
"""Of p*, and as many of p."""
MMD_SAMPLES = 1_000
"""Each is held against each other."""


def closed_form(name: str, target: Line, model: Line) -> float | None:
    """The divergence of two Gaussians, or of two uniform densities, by its formula.

    None where the two are of other families, or there is no formula. Finite values alone: where
    the divergence is infinite (:func:`~flowviz.objectives.on_the_line.why_infinite`) the formula
    does not hold.
    """
    if target.family != model.family:
        return None
    forms = {"normal": _NORMAL, "uniform": _UNIFORM}.get(target.family, {})
    if name not in forms:
        return None
    d = float(target.centre) - float(model.centre)
    return forms[name](d, float(target.width), float(model.width))


def estimate(name: str, target: Line, model: Line, seed: int) -> Estimate:
    """The divergence from SAMPLES draws of both: that of an f-divergence over their mixture.

    ∫ p f(p*/p) is a mean over m = (p* + p)/2 of what is bounded unless f(r) or f(r)/r is not. Its
    standard error is :func:`standard_error`: the draws themselves need not show the tail that
    makes it.
    """
    generator = Generator().manual_seed(seed)
    x, y = (line.sample(SAMPLES, generator).detach() for line in (target, model))
    if name == "wasserstein":
        return wasserstein_1d(x, y)
    if name == "mmd":
        return mmd(x[:MMD_SAMPLES, None], y[:MMD_SAMPLES, None], bandwidths=(BANDWIDTH,))
    means = [over_mixture(name, target, model, points).mean() for points in (x, y)]
    error = torch.tensor(standard_error(name, target, model), dtype=torch.float64)
    return Estimate((means[0] + means[1]) / 2, error)


def over_mixture(name: str, target: Line, model: Line, x: Tensor) -> Tensor:
    """p f(p*/p) / m at points ``[N]``: the terms whose mean over m is an f-divergence."""
    log_p, log_q = target.log_prob(x), model.log_prob(x)
    t = torch.where(log_p.isneginf() & log_q.isneginf(), 0.0, log_p - log_q)
    kind, high, low = MEASURES[name].kind, 2 * torch.sigmoid(t), 2 * torch.sigmoid(-t)
    return torch.where(t > 0, kind.f_over_r(t) * high, kind.f(t) * low)


def standard_error(name: str, target: Line, model: Line) -> float:
    """That of :func:`estimate` of a finite f-divergence; ∞ where its terms have no variance.

    By quadrature: a variance that is made far in a tail is not seen in draws, and draws with a
    long but finite tail look as if they had none.
    """
    if lacks_variance(name, target, model):
        return math.inf
    x, weights = quadrature(target, model, NODES)
    terms, variances = over_mixture(name, target, model, x), []
    for line in (target, model):
        mass = line.log_prob(x).exp() * weights
        seen = mass > 0
        mass, found = mass[seen], terms[seen]
        scale = found.abs().max().clamp_min(1.0)  # squares of what is large would overflow
        apart = found / scale - (mass * found / scale).sum()
        variances.append(scale * (mass * apart.square()).sum().sqrt())
    error = float(torch.hypot(*variances)) / (2 * math.sqrt(SAMPLES))
    return math.inf if math.isnan(error) else error


def lacks_variance(name: str, target: Line, model: Line) -> bool:
    """Whether the terms of :func:`estimate` of a finite f-divergence have no second moment.

    For KL it is ∫ p log²(p/q), p the density that stands first: log² grows as x⁴ where q falls as
    a Gaussian does, and Student's density with 3 degrees of freedom has no fourth moment. For χ²
    it is that of p*³/p². All others have bounded terms.
    """
    theirs, ours = target.kind.tail, model.kind.tail
    if name == "chi_squared" and math.isfinite(theirs) and 0 < ours < math.inf:
        broad, narrow = float(target.width) * theirs, float(model.width) * ours
        return 3 * narrow**2 <= 2 * broad**2
    first, second = (ours, theirs) if name == "reverse_kl" else (theirs, ours)
    return name in ("kl", "reverse_kl") and math.isinf(first) and math.isfinite(second)


def few_draws(name: str, target: Line, model: Line, seed: int, n: int = 30) -> float:
    """A KL as the mean of the log ratio over n draws of the density that stands first.

    It has the right expectation and no sign: near 0 about every other one is below it.

    Args:
        name: ``"kl"`` or ``"reverse_kl"``.
    """
    first, second = (target, model) if name == "kl" else (model, target)
    x = first.sample(n, Generator().manual_seed(seed))
    return float((first.log_prob(x) - second.log_prob(x)).mean())


# ---- N(m*, s*²) and N(m, s²), d = m* − m -------------------------------------------------------


def _normal_kl(d: float, target: float, model: float) -> float:
    return math.log(model / target) + (target**2 + d**2) / (2 * model**2) - 0.5


def _normal_hellinger(d: float, target: float, model: float) -> float:
    both = target**2 + model**2
    return 1 - math.sqrt(2 * target * model / both) * math.exp(-(d**2) / (4 * both))


def _normal_tv(d: float, target: float, model: float) -> float:
    """Between the points where the densities cross: the roots of a quadratic, or one point."""
    a = 1 / model**2 - 1 / target**2
    b = 2 * d / target**2  # around the model's centre
    c = -(d**2) / target**2 + 2 * math.log(model / target)
    if abs(a) < 1e-12:
        if d == 0:
            return 0.0
        roots = [-c / b]
    else:
        root = math.sqrt(max(b * b - 4 * a * c, 0.0))
        roots = sorted([(-b - root) / (2 * a), (-b + root) / (2 * a)])
    at = torch.tensor(roots, dtype=torch.float64)
    mass: Tensor = torch.special.ndtr((at - d) / target) - torch.special.ndtr(at / model)
    return abs(float(mass[-1] - mass[0])) if len(roots) == 2 else abs(float(mass[0]))


def _normal_chi_squared(d: float, target: float, model: float) -> float:
    left = 2 * model**2 - target**2
    exponent = d**2 / left
    if exponent > 700:
        return math.inf
    return model**2 / (target * math.sqrt(left)) * math.exp(exponent) - 1


def _normal_wasserstein(d: float, target: float, model: float) -> float:
    """E|d + (s* − s) Z|: the quantiles differ by that."""
    scale = abs(target - model)
    if scale == 0:
        return abs(d)
    folded = scale * math.sqrt(2 / math.pi) * math.exp(-(d**2) / (2 * scale**2))
    return folded + abs(d) * math.erf(abs(d) / (scale * math.sqrt(2)))


def _normal_mmd(d: float, target: float, model: float) -> float:
    def mean(variance: float, shift: float) -> float:
        total = BANDWIDTH**2 + variance
        return BANDWIDTH / math.sqrt(total) * math.exp(-(shift**2) / (2 * total))

    own = mean(2 * target**2, 0) + mean(2 * model**2, 0)
    return own - 2 * mean(target**2 + model**2, d)


_NORMAL: dict[str, Callable[[float, float, float], float]] = {
    "kl": _normal_kl,
    "reverse_kl": lambda d, target, model: _normal_kl(d, model, target),
    "squared_hellinger": _normal_hellinger,
    "total_variation": _normal_tv,
    "chi_squared": _normal_chi_squared,
    "wasserstein": _normal_wasserstein,
    "mmd": _normal_mmd,
}


# ---- U[m* − w*, m* + w*] and U[m − w, m + w], d = m* − m ---------------------------------------


def _overlap(d: float, target: float, model: float) -> float:
    """The length of the interval where both are above 0."""
    return max(0.0, min(d + target, model) - max(d - target, -model))


def _uniform_js(d: float, target: float, model: float) -> float:
    both = _overlap(d, target, model)
    value = 0.0
    for own, other in ((2 * target, 2 * model), (2 * model, 2 * target)):
        shared = both / own
        value += (1 - shared) * math.log(2) + shared * math.log(2 / (1 + own / other))
    return value / 2


def _uniform_wasserstein(d: float, target: float, model: float) -> float:
    """E|d + (w* − w) V|, V uniform on [−1, 1]."""
    d, scale = abs(d), abs(target - model)
    return d if d >= scale else (d**2 + scale**2) / (2 * scale)


_UNIFORM: dict[str, Callable[[float, float, float], float]] = {
    "kl": lambda d, target, model: math.log(model / target),
    "reverse_kl": lambda d, target, model: math.log(target / model),
    "jensen_shannon": _uniform_js,
    "squared_hellinger": lambda d, target, model: (
        1 - _overlap(d, target, model) / (2 * math.sqrt(target * model))
    ),
    "total_variation": lambda d, target, model: (
        1 - _overlap(d, target, model) / (2 * max(target, model))
    ),
    "chi_squared": lambda d, target, model: model / target - 1,
    "wasserstein": _uniform_wasserstein,
}
