"""The tasks of the lesson on what flows can be, and on the one thing that no flow can do."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from flowviz.exercises.registry import options
from flowviz.exercises.result import Wrong
from flowviz.exercises.submission import read_numbers
from flowviz.exercises.values import ValueSlip, judge_choice, judge_number, judge_values

# ------------------------------------------------------------------ the slope between two modes

M, S = 3.0, 0.5
LOG_SLOPE = math.log(S) + M**2 / (2 * S**2)
"""log of s exp(m²/2s²) = φ(0)/q(0) for q = ½ N(−3, ½²) + ½ N(3, ½²): 17.307."""

_SLOPES = {
    M**2 / (2 * S**2): "18 is m²/2s² alone. Either the factor s = ½ is missing, for a Gaussian of "
    "standard deviation s has the height 1/(s√2π), or only one of the two modes is counted: each "
    "has half of the mass, and both reach the middle.",
    LOG_SLOPE / math.log(10): "that is log₁₀; nats are natural logarithms.",
    LOG_SLOPE + math.log(S): "that is log|det J| in the plane, where s is the slope across the "
    "axis. The slope along it alone is asked for.",
    math.log(S) + M**2 / (2 * S): "s = ½ is the standard deviation: its square, ¼, stands in the "
    "exponent.",
    math.log(S) / 2 + M**2 / (2 * S): "½ is the standard deviation s, not the variance: s² = ¼.",
    math.log(S) + M**2 / S**2: "the exponent of a Gaussian is −(x − m)²/2s²: the 2 is missing.",
    math.log(S) + (2 * M) ** 2 / (2 * S**2): "6 is how far the modes are from each other; either "
    "is 3 from the middle.",
    -LOG_SLOPE: "the sign: that is the slope of T⁻¹, which squeezes what T stretches. "
    "T′(u) = φ(u)/q(T(u)).",
    math.log(S * math.sqrt(2 * math.pi)) + M**2 / (2 * S**2): "the base's own density is missing: "
    "T′(0) = φ(0)/q(0), and φ(0) = 1/√2π is not 1.",
}


def log_slope(submission: object) -> str:
    """Judge log T′(0) in nats, to one decimal: 17.3."""
    lone = isinstance(submission, (int, float)) or getattr(submission, "ndim", None) == 0
    (number,) = read_numbers((submission,) if lone else submission, "log slope")
    if abs(number / math.exp(LOG_SLOPE) - 1) < 0.02:
        raise Wrong("that is the slope itself; its logarithm is asked for.")
    judge_number(
        number,
        "log slope",
        LOG_SLOPE,
        _SLOPES,
        "That is not it: T′(u) = φ(u)/q(T(u)), and by symmetry T(0) = 0: compute φ(0) and q(0).",
        decimals=1,
    )
    return (
        "log T′(0) = log s + m²/2s² = 17.3: what is there is stretched 33 million times, to be "
        "as thin as the target is between its modes."
    )


# ------------------------------------------------------------------ two discs


def two_discs(submission: object) -> str:
    """Judge whether a Real NVP can equal two discs that do not touch: it leaves a bridge."""
    universal, bridge, gaussian = options("two_discs")
    reasons = {
        universal: "with more layers KL falls as far as one likes, and is never 0. Each layer is "
        "continuous, and so are all of them together: the plane is in one piece, and what "
        "becomes of it too. Two discs are two pieces.",
        gaussian: "one affine layer with fixed numbers does no more than that. In a Real NVP the "
        "scale and the shift depend on the other coordinate, so that a stack of layers bends the "
        "plane, and comes near two discs. It is something else that it cannot do.",
    }
    judge_choice(submission, (universal, bridge, gaussian), reasons)
    return (
        "the plane is in one piece, and so is its image under a continuous map. Between the discs "
        "some mass m stays, and KL(p*‖p) ≥ −log(1 − m) > 0, whatever the layers are."
    )


# ------------------------------------------------------------------ Rosenblatt's map


def rosenblatt_map(submission: object) -> str:
    """Judge ``rosenblatt(x, rho)``, (Φ(x₁), Φ((x₂ − ρx₁)/√(1 − ρ²))) for points ``[N, 2]``."""
    judge_values(submission, "x, rho", "u", _CASES, _rosenblatt, _ROSENBLATT_SLIPS)
    return (
        "the first coordinate by its own distribution function, the second by that given the "
        "first. If x is drawn from this Gaussian, u is uniform on the square; the point (1, 1) "
        "goes to (0.841, 0.631) for ρ = 0.8."
    )


def _case(points: list[list[float]], rho: float) -> Callable[[], tuple[Tensor, float]]:
    return lambda: (torch.tensor(points, dtype=torch.float64), rho)


_CASES = [
    _case([[1.0, 1.0], [0.3, -1.2], [-0.7, 0.4]], 0.8),
    _case([[0.5, 2.0]], -0.4),
    _case([[-1.5, 0.2], [0.0, 1.0]], 0.0),
]


def _conditioned(scale: Callable[[float], float]) -> Callable[[Tensor, float], Tensor]:
    """The map whose second coordinate is divided by ``scale(rho)``."""

    def wrong(x: Tensor, rho: float) -> Tensor:
        return _pair(ndtr(x[:, 0]), ndtr((x[:, 1] - rho * x[:, 0]) / scale(rho)))

    return wrong


def _deviation(rho: float) -> float:
    return math.sqrt(1 - rho**2)


def _pair(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([first, second], dim=-1)


_rosenblatt = _conditioned(_deviation)


def _standardised(x: Tensor, rho: float) -> Tensor:
    return _pair(x[:, 0], (x[:, 1] - rho * x[:, 0]) / _deviation(rho))


def _second(value: Callable[[Tensor, float], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """The map with another second coordinate."""
    return lambda x, rho: _pair(ndtr(x[:, 0]), value(x, rho))


_ROSENBLATT_SLIPS = [
    ValueSlip(
        lambda x, rho: _rosenblatt(x.flip(-1), rho).flip(-1),
        "the order: this takes x₂ by its own distribution function and x₁ given x₂. That is a "
        "Rosenblatt map too, of the other order; asked for is x₁ first.",
    ),
    ValueSlip(
        lambda x, rho: _rosenblatt(x, rho).flip(-1),
        "the two results are exchanged: u₁ belongs to x₁, and stands first.",
    ),
    ValueSlip(
        lambda x, rho: _rosenblatt(x.flip(-1), rho),
        "the coordinates are exchanged: the first to be taken is x₁ = x[:, 0].",
    ),
    ValueSlip(
        lambda x, rho: ndtr(x),
        "x₂ is taken by its own distribution function. Asked for is that given x₁: without it u "
        "keeps the correlation of x.",
    ),
    ValueSlip(
        _conditioned(lambda rho: 1 - rho**2),
        "1 − ρ² is the variance of x₂ given x₁; Φ wants the distance in standard deviations, so "
        "divide by √(1 − ρ²).",
    ),
    ValueSlip(
        _conditioned(lambda rho: 1.0),
        "x₂ given x₁ has the standard deviation √(1 − ρ²), not 1: divide by it.",
    ),
    ValueSlip(
        _conditioned(lambda rho: math.sqrt(1 - rho)),
        "the variance of x₂ given x₁ is 1 − ρ²: ρ is not squared here.",
    ),
    ValueSlip(
        _second(lambda x, rho: ndtr((x[:, 1] + rho * x[:, 0]) / _deviation(rho))),
        "the sign: the mean of x₂ given x₁ is +ρx₁, and is taken off.",
    ),
    ValueSlip(
        _second(lambda x, rho: ndtr((x[:, 1] - rho * x[:, 1]) / _deviation(rho))),
        "x₂ is conditioned on itself: its mean given x₁ is ρx₁.",
    ),
    ValueSlip(
        _second(lambda x, rho: ndtr((x[:, 1] - x[:, 0]) / _deviation(rho))),
        "the mean of x₂ given x₁ is ρx₁, not x₁.",
    ),
    ValueSlip(
        _second(lambda x, rho: ndtr(x[:, 1] / _deviation(rho))),
        "the mean of x₂ given x₁ is ρx₁; here nothing is taken off.",
    ),
    ValueSlip(
        _second(lambda x, rho: ndtr((x[:, 1] - rho * ndtr(x[:, 0])) / _deviation(rho))),
        "x₂ is conditioned on u₁; its mean is ρx₁, of x₁ itself.",
    ),
    ValueSlip(
        _standardised,
        "Φ is missing: this is the map to a standard normal, and u is to be uniform on the square.",
    ),
    ValueSlip(
        lambda x, rho: _density(_standardised(x, rho)),
        "these are densities φ; a distribution function Φ, the area up to the point, is needed.",
    ),
    ValueSlip(
        lambda x, rho: 1 - _rosenblatt(x, rho),
        "this is the mass above each point; a distribution function is the mass below.",
    ),
    ValueSlip(
        lambda x, rho: _backwards(x.clamp(0.001, 0.999), rho),
        "this is the inverse, from u to x.",
    ),
]


def _density(z: Tensor) -> Tensor:
    return torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def _backwards(u: Tensor, rho: float) -> Tensor:
    """x of u."""
    z = ndtri(u)
    return _pair(z[:, 0], rho * z[:, 0] + _deviation(rho) * z[:, 1])
