"""Divergences of one pair of distributions, measured on both sides of a bijection, and shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import ipywidgets as widgets
import torch
from torch import Generator, Tensor

from flowviz.flows import Flow
from flowviz.objectives import Estimate, divergence, mmd, pareto, sliced_wasserstein
from flowviz.targets import Target
from flowviz.widgets.layout import classed
from flowviz.widgets.readouts import Readout, format_estimate, format_number

KL = "KL(p*‖p)"
RATIOS = {
    KL: "kl",
    "KL(p‖p*)": "reverse_kl",
    "TV": "total_variation",
    "χ²": "chi_squared",
    "JS": "jensen_shannon",
}
"""What depends on the ratio p*/p alone, and is the same on both sides."""
SLICED = "sliced W₁"
DISTANCES = (SLICED, "MMD²")
"""What depends on how far apart points are, and is not."""
SAMPLES = 3_000
"""Of p*, and as many of p."""
PROJECTIONS = 64
BANDWIDTH = 0.5
MMD_SAMPLES = 400
"""Each is held against each other."""
RELATIVE, ABSOLUTE = 2e-3, 1e-4
"""Two numbers that differ by less are one, but for rounding in float32."""
CLOSED = 1e-3
"""A median round trip below that comes back."""
ROUNDING = 1e-7
"""A divergence below that is 0."""
TRUSTED = 0.7
"""Up to this k̂ of its weights a mean is told by samples (see :func:`~pareto.pareto_k`)."""
HEAVY = "heavy tail"

_HELP = {
    "TV": "Total variation",
    "χ²": "Pearson's: the mean of (p*/p − 1)² over p. Where p*/p has a heavy tail (Pareto k̂ over "
    f"{TRUSTED:g}) samples do not tell it, and it may be infinite",
    "JS": "Jensen–Shannon, in nats; at most log 2",
    SLICED: "The mean over directions of the Wasserstein distance along them, 2/π of W₁ for a "
    "shift; above 0 for finite samples, by what the error allows for",
    "MMD²": "Of a Gaussian kernel of width ½, unbiased: it may be below 0",
}
_SIDES = (
    '<div class="fv-pair"><div></div><div class="fv-readout-name">in x</div><div></div>'
    '<div class="fv-readout-name">in u</div></div>'
)


def ratio_in_x(flow: Flow, target: Target, x: Tensor) -> Tensor:
    """log p*(x) − log p(x), p(x) = p_u(T⁻¹(x)) |det J_{T⁻¹}(x)|: ``[N, 2]`` to ``[N]``."""
    return target.log_prob(x) - flow.log_prob(x)


def ratio_in_u(flow: Flow, target: Target, u: Tensor) -> Tensor:
    """log p*_u(u) − log p_u(u): ``[N, 2]`` to ``[N]``. It needs no inverse of T."""
    return pulled_back(flow, target, u) - flow.base.log_prob(u)


def pulled_back(flow: Flow, target: Target, u: Tensor) -> Tensor:
    """log p*_u(u) = log p*(T(u)) + log|det J_T(u)|: the target as the base sees it."""
    x, logabsdet = flow(u)
    return target.log_prob(x) + logabsdet


@dataclass(frozen=True)
class Side:
    """Samples of p* and of p on one side, with log p*/p at each.

    Attributes:
        target, model: samples ``[N, 2]`` of p* and of p.
        at_target, at_model: log p*/p there, ``[N]``.
    """

    target: Tensor
    model: Tensor
    at_target: Tensor
    at_model: Tensor

    def divergences(self, seed: int, *, agree: bool) -> dict[str, Estimate]:
        """All of RATIOS and DISTANCES, in nats where they have a unit.

        Args:
            seed: of the directions along which W₁ is had.
            agree: whether T⁻¹ undoes T. If not, draws by T are none of the density by T⁻¹, and
                KL(p*‖p) is had from draws of p* alone.
        """
        found = {name: self._divergence(kind) for name, kind in RATIOS.items()}
        if not agree:
            found[KL] = Estimate.of(self.at_target)
        if self.tail > pareto.HEAVY:
            value = found["χ²"].value
            found["χ²"] = Estimate(value, torch.full_like(value, math.inf))
        directions = Generator(device=self.model.device).manual_seed(seed)
        found[SLICED] = sliced_wasserstein(
            self.target, self.model, order=1, projections=PROJECTIONS, generator=directions
        )
        few = self.target[:MMD_SAMPLES], self.model[:MMD_SAMPLES]
        found["MMD²"] = mmd(*few, bandwidths=(BANDWIDTH,))
        return found

    @property
    def tail(self) -> float:
        """k̂ of p*/p over p*, whose mean is χ² + 1; ∞ where p is 0 at a sample."""
        usable = bool((self.at_target < math.inf).all())  # false for NaN too
        return pareto.pareto_k(self.at_target) if usable else math.inf

    def _divergence(self, name: str) -> Estimate:
        """∫ p f(p*/p), over the even mixture m of p* and p, where p/m and p*/m are at most 2."""
        kind = divergence(name)
        halves = []
        for t in (self.at_target, self.at_model):
            # f(r) p/m = (f(r)/r) p*/m: each where it does not overflow.
            high, low = 2 * torch.sigmoid(t), 2 * torch.sigmoid(-t)
            halves.append(Estimate.of(torch.where(t > 0, kind.f_over_r(t) * high, kind.f(t) * low)))
        value = (halves[0].value + halves[1].value) / 2
        error = torch.hypot(halves[0].standard_error, halves[1].standard_error) / 2
        return Estimate(value, error)


def alike(x: float, u: float) -> bool:
    """Whether two numbers are one, but for rounding."""
    return x == u or math.isclose(x, u, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def told_apart(x: float, u: float) -> tuple[str, str]:
    """Two numbers in words: with digits in which they differ, or as one where they are alike."""
    if alike(x, u):
        return (format_number(x),) * 2
    for digits in range(3, 7):
        texts = format_number(x, digits), format_number(u, digits)
        if texts[0] != texts[1]:
            break
    return texts


class Pair(Readout):
    """One number on both sides: in x above, in u below, and between them =, ≠ or ≈.

    ≈ says that two estimates differ by no more than their standard errors.

    Attributes:
        said: both as they are written, without their standard errors.
    """

    said = ("", "")

    def show_pair(self, x: Estimate, u: Estimate, *, heavy: bool = False) -> None:
        """Show both, with their standard errors.

        Args:
            heavy: whether samples do not tell them.
        """
        pair = [(float(e.value), float(e.standard_error)) for e in (x, u)]
        equal = alike(pair[0][0], pair[1][0])
        close = abs(pair[0][0] - pair[1][0]) <= math.hypot(pair[0][1], pair[1][1])
        # A ratio is taken at the same samples on both sides: there no error excuses a difference.
        sign = "=" if equal else "≈" if close and self.name in DISTANCES else "≠"
        texts = (HEAVY, HEAVY) if heavy else _in_words(pair, equal)
        self.said = _value(texts[0]), _value(texts[1])
        self.text = f"{texts[0]} in x {sign} {texts[1]} in u"
        difference = f"difference {format_number(pair[0][0] - pair[1][0], 2)}"
        title = escape("; ".join(filter(None, (self.help, self.text, difference))))
        kind = "fv-pair-equal" if equal else "fv-pair-differs"
        self.value = (
            f'<div class="fv-pair {kind}" title="{title}"><div class="fv-readout-name">'
            f"{escape(self.name)}</div>{_cell(texts[0])}<div>{sign}</div>{_cell(texts[1])}</div>"
        )


def _in_words(pair: Sequence[tuple[float, float]], equal: bool) -> tuple[str, str]:
    """Two estimates, as :func:`told_apart` has two numbers."""
    x, u = (_estimate(*one) for one in pair)
    if equal:
        return x, x
    if x != u:
        return x, u
    error = x.partition(" ± ")[2]
    first, second = told_apart(pair[0][0], pair[1][0])
    return f"{first} ± {error}", f"{second} ± {error}"


def _value(text: str) -> str:
    """An estimate as it is written, without its standard error."""
    value, _, error = text.partition(" ± ")
    return value.lstrip("(") + error.partition(")")[2]


def _estimate(value: float, error: float) -> str:
    return "0" if abs(value) < ROUNDING else format_estimate(value, error)


class TwoSides:
    """The divergences between a target and a flow, in x and in u, from the same samples.

    Attributes:
        widget: a :class:`Pair` for each of RATIOS and DISTANCES.
        x, u: the numbers on either side, by name.
        equal: whether the two are one, but for rounding, by name.
        round_trip: the median of ‖T⁻¹(T(u)) − u‖ over the base.
    """

    def __init__(self) -> None:
        names = (*RATIOS, *DISTANCES)
        self._pairs = {name: Pair(name, help=_HELP.get(name, "In nats")) for name in names}
        sides = classed(widgets.HTML(_SIDES), "fv-pair-sides")
        self.widget = classed(widgets.HBox([sides, *self._pairs.values()]), "fv-pairs")
        self.x: dict[str, float] = {}
        self.u: dict[str, float] = {}
        self.equal: dict[str, bool] = {}
        self.round_trip = math.nan

    @property
    def said(self) -> dict[str, tuple[str, str]]:
        """Both as they are written, by name."""
        return {name: pair.said for name, pair in self._pairs.items()}

    @torch.no_grad()
    def measure(self, flow: Flow, target: Target, seed: int) -> None:
        """Measure with SAMPLES draws of both distributions, and show what came out."""
        generator = Generator(device=flow.like.device).manual_seed(seed)
        there = target.sample(SAMPLES, generator, flow.like.device, flow.like.dtype)
        u = flow.base.sample(SAMPLES, generator)
        back, x = flow.inverse(there)[0], flow(u)[0]
        sides = [
            Side(there, x, ratio_in_x(flow, target, there), ratio_in_x(flow, target, x)),
            Side(back, u, ratio_in_u(flow, target, back), ratio_in_u(flow, target, u)),
        ]
        missed = torch.linalg.vector_norm(flow.inverse(x)[0] - u, dim=-1)
        self.round_trip = float(missed.median())
        agree = self.round_trip < CLOSED
        in_x, in_u = (side.divergences(seed, agree=agree) for side in sides)
        heavy = any(side.tail > TRUSTED for side in sides)
        for name, pair in self._pairs.items():
            pair.show_pair(in_x[name], in_u[name], heavy=heavy and name == "χ²")
        self.x = {name: float(one.value) for name, one in in_x.items()}
        self.u = {name: float(one.value) for name, one in in_u.items()}
        self.equal = {name: alike(self.x[name], self.u[name]) for name in self.x}


def _cell(text: str) -> str:
    if text == HEAVY:
        return f'<div class="fv-pair-words">{HEAVY}</div>'
    value, _, error = text.partition(" ± ")
    small = f'<span class="fv-pair-error">± {escape(error)}</span>' if error else ""
    return f'<div class="fv-pair-value">{escape(value)}{small}</div>'
