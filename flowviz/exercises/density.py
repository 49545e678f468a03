"""The tasks of the lesson on the change of variables: a density is mass per length."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from flowviz.exercises.registry import options
from flowviz.exercises.values import ValueSlip, judge_choice, judge_number, judge_values

LOG_2PI = math.log(2 * math.pi)
_AT_PEAK = -LOG_2PI / 2
"""log p_u(0) of the standard Gaussian."""

# ------------------------------------------------------------------ a squeezed Gaussian by hand


def squeezed_log_density(submission: object) -> str:
    """Judge log p_x(0) of x = 0.1 u, u ~ N(0, 1): −½ log 2π + log 10."""
    stretch = math.log(10)
    judge_number(
        submission,
        "log p(0)",
        _AT_PEAK + stretch,
        {
            _AT_PEAK: "the Jacobian is missing: this is log p_u(0), as if nothing had been "
            "squeezed.",
            _AT_PEAK - stretch: "the sign: T squeezes, so the density grows. log|T′| = log 0.1 "
            "is subtracted.",
            math.exp(_AT_PEAK + stretch): "3.989 is the density itself; its logarithm is asked "
            "for.",
            -_AT_PEAK - stretch: "the sign: this is −log p(0), a loss. log p(0) is asked for.",
            stretch: "log p_u(0) is missing: this is −log|T′| alone.",
            -LOG_2PI + stretch: "a half is missing: the Gaussian has −½ log 2π.",
            _AT_PEAK + stretch / 2: "the factor is 1/|T′|, the whole of it: log 10, and not half "
            "of that.",
            _AT_PEAK + 2 * stretch: "the factor is 1/|T′| = 10. That the variance is 0.01 says "
            "the same; it does not come on top.",
            (_AT_PEAK + stretch) / stretch: "that is the logarithm to the base 10; the natural "
            "one is asked for.",
            _AT_PEAK + 0.1: "the slope itself is added; −log of it belongs there.",
            _AT_PEAK - 0.1: "the slope itself is subtracted; its logarithm belongs there.",
        },
        "u = T⁻¹(0) = 0, then log p_u(0) − log|T′(0)|, with T′ = 0.1.",
    )
    return (
        "−0.919 + 2.303 = 1.384, a density of 3.989: the same mass on a tenth of the length. A "
        "positive log-density, or a negative loss, is nothing unusual."
    )


# ------------------------------------------------------------------ a loss below zero

BUG, PROBABILITY, UNIT, BETTER = VERDICTS = options("negative_loss")
"""What may be said of a loss of −0.88; it is ``UNIT``."""


def negative_loss(submission: object) -> str:
    """Judge what a mean −log p of −0.88 on held-out data says."""
    reasons = {
        BUG: "−log p is positive where p < 1, and p is a density: where mass lies on a short "
        "piece it exceeds 1. The squeezed Gaussian of task 1 has −1.384 at its peak.",
        PROBABILITY: "p is no probability. A probability is the area over a piece of x; that "
        "never exceeds 1, however high the density is.",
        BETTER: "measure x in another unit and the sign may change with the very same fit: from "
        "metres to millimetres the loss rises by log 1000 = 6.91.",
    }
    judge_choice(submission, VERDICTS, reasons)
    return (
        "a density has the unit 1/[x], and its logarithm moves with the unit. Losses compare "
        "where the data and their units are the same; 0 is no special number."
    )


# ------------------------------------------------------------------ a log-density


def lognormal_log_density(submission: object) -> str:
    """Judge ``log_density(x, a)``: log p_x(x) of x = e^{a u}, u ~ N(0, 1), ``[N]``."""
    judge_values(
        submission,
        "x, a",
        "log p",
        [_case(6, 2.0), _case(7, -0.5)],
        lambda x, a: _combined(lambda base, inner, outer: base - inner - outer)(x, a),
        _SLIPS,
    )
    return "u = T⁻¹(x) in the base's density, and |T′(u)| = |a| x divides it, for a < 0 too."


def _case(n: int, a: float) -> Callable[[], tuple[Tensor, Tensor]]:
    """Points of x around 1, float64, and a as a tensor."""

    def make() -> tuple[Tensor, Tensor]:
        u = torch.randn(n, generator=Generator().manual_seed(n), dtype=torch.float64)
        u = u + 0.3  # at u = 0 many mistakes vanish
        scale = torch.tensor(a, dtype=torch.float64)
        return torch.exp(scale * u), scale

    return make


Parts = Callable[[Tensor, Tensor, Tensor], Tensor]


def _normal(u: Tensor) -> Tensor:
    return -(u**2) / 2 - LOG_2PI / 2


def _combined(combine: Parts) -> Callable[[Tensor, Tensor], Tensor]:
    """Of log p_u(T⁻¹(x)), log|a| and log x."""
    return lambda x, a: combine(_normal(x.log() / a), a.abs().log(), x.log())


def _slip(combine: Parts, reason: str) -> ValueSlip:
    return ValueSlip(_combined(combine), reason)


_FORTH = "T is applied where T⁻¹ is needed: x has been through T already, and u = log(x) / a."

_SLIPS = [
    _slip(
        lambda base, inner, outer: base,
        "the Jacobian is missing: this is log p_u at T⁻¹(x). Its area over x is no longer 1.",
    ),
    _slip(
        lambda base, inner, outer: base + inner + outer,
        "the sign of the Jacobian: where T stretches, the mass lies on more length, and the "
        "density falls. Subtract log|T′|.",
    ),
    ValueSlip(
        lambda x, a: _normal(x.log() / a) - a.log() - x.log(),
        "|·| is forgotten: with a < 0 the map falls, T′ = a x is negative, and log a is no number. "
        "Lengths are stretched by |a| x.",
    ),
    _slip(
        lambda base, inner, outer: base - outer,
        "half of the Jacobian is missing: T′(u) = a·e^{a u}, and of it the factor |a| is left out.",
    ),
    _slip(
        lambda base, inner, outer: base - inner,
        "half of the Jacobian is missing: T′(u) = a·e^{a u} = a x, and of it x is left out.",
    ),
    ValueSlip(
        lambda x, a: _normal(x) - a.abs().log() - x.log(),
        "p_u is evaluated at x, the wrong point: it belongs to the base, so take u = log(x) / a.",
    ),
    ValueSlip(
        lambda x, a: _normal(x.log()) - a.abs().log() - x.log(),
        "p_u is evaluated at log x, the wrong point: from x = e^{a u} it follows that "
        "u = log(x) / a.",
    ),
    ValueSlip(
        lambda x, a: _normal(x.log() * a) - a.abs().log() - x.log(),
        "p_u is evaluated at a log x, the wrong point: the inverse divides by a.",
    ),
    ValueSlip(
        lambda x, a: _normal(x.log() / a) - a.abs().log() - a * x,
        "T′ is evaluated at x, the wrong point: T′(u) = a·e^{a u} belongs at u = T⁻¹(x), where it "
        "is a x.",
    ),
    ValueSlip(lambda x, a: _normal((a * x).exp()) - a.abs().log() - a * x, _FORTH),
    ValueSlip(lambda x, a: _normal((a * x).exp()) + a.abs().log() + a * x, _FORTH),
    ValueSlip(
        lambda x, a: -((x.log() / a) ** 2) - LOG_2PI / 2 - a.abs().log() - x.log(),
        "a half is missing: the Gaussian's exponent is −½u².",
    ),
    ValueSlip(
        lambda x, a: -((x.log() / a) ** 2) / 2 - LOG_2PI - a.abs().log() - x.log(),
        "a half is missing: the Gaussian's constant is −½ log 2π.",
    ),
    _slip(
        lambda base, inner, outer: base + LOG_2PI / 2 - inner - outer,
        "the Gaussian's constant is missing, −½ log 2π: without it the area is not 1.",
    ),
    _slip(
        lambda base, inner, outer: (base - inner - outer).exp(),
        "this is the density; its logarithm is asked for.",
    ),
    _slip(
        lambda base, inner, outer: -(base - inner - outer),
        "the sign: this is −log p, a loss.",
    ),
    _slip(
        lambda base, inner, outer: base - (inner + outer).exp(),
        "the slope itself is subtracted; its logarithm belongs there.",
    ),
]
