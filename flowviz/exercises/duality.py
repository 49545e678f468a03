"""The tasks of the lesson on the ratio p*/p: one number on both sides of a flow."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from flowviz.exercises.registry import options
from flowviz.exercises.submission import read_numbers
from flowviz.exercises.values import ValueSlip, judge_choice, judge_number, judge_values
from flowviz.flows import Flow, catalog

# ------------------------------------------------------------------ three numbers by hand

JS = math.log(4 / 3) / 2 + (math.log(2 / 3) + math.log(2)) / 4
"""Of U[0, 1] and U[0, 2]: the mixture is ¾ on [0, 1] and ¼ on [1, 2]."""
SWAPPED = 0.75 * math.log(3 / 2) + 0.25 * math.log(1 / 2)
"""KL(m‖p)."""


def uniform_divergences(submission: object) -> str:
    """Judge (JS, TV, W₁) of U[0, 1] and U[0, 2]: 0.216, ½ and ½."""
    js, tv, w1 = read_numbers(submission, "JS, TV, W₁")
    judge_number(
        js,
        "JS",
        JS,
        {
            JS
            / math.log(2): "JS: that is in bits; natural logarithms, and so nats, are asked for.",
            2 * JS: "JS: a half is missing. It is the mean of the two KLs to the mixture, not "
            "their sum.",
            math.log(4 / 3): "JS: that is KL(p*‖m) alone; JS is the mean of it and KL(p‖m).",
            math.log(4 / 3) / 2: "JS: the second half is missing, ½ KL(p‖m).",
            JS - math.log(4 / 3) / 2: "JS: the first half is missing, ½ KL(p*‖m).",
            math.sqrt(JS): "JS: that is its root, the Jensen–Shannon distance.",
            math.log(2): "JS: log 2 is KL(p*‖p), and what JS cannot exceed.",
            SWAPPED: "JS: that is KL(m‖p). The mixture stands second, KL(p*‖m) and KL(p‖m); the "
            "other way round one of the two is infinite.",
        },
        "JS: with m = (p* + p)/2, which is ¾ on [0, 1] and ¼ on [1, 2], it is ½ KL(p*‖m) + "
        "½ KL(p‖m).",
    )
    judge_number(
        tv,
        "TV",
        0.5,
        {
            1.0: "TV: a half is missing. ∫|p* − p| is 1, and TV is half of it.",
            0.25: "TV: the half is taken twice.",
            0.0: "TV: p* − p has the integral 0; its absolute value is asked for.",
        },
        "TV: ½ ∫|p* − p|, where |p* − p| is ½ on all of [0, 2].",
    )
    judge_number(
        w1,
        "W₁",
        0.5,
        {
            1.0: "W₁: 1 is the farthest that a piece of mass goes, from 1 to 2. W₁ is the mean.",
            0.25: "W₁: a factor of 2. The piece of mass at x goes to 2x, by x; the mean of x over "
            "[0, 1] is asked for.",
            math.sqrt(1 / 3): "W₁: that is W₂, the root of the mean square.",
            1 / 3: "W₁: that is the mean of the squares; the mean of the distances is asked for.",
        },
        "W₁: the mean distance when mass is moved in order, the quantile x to the quantile 2x.",
    )
    return (
        "JS = 0.216, and both of the others ½. All mass of p* goes to the right by x, ½ on "
        "average; the ratio is 2 on [0, 1] and 0 on [1, 2]."
    )


# ------------------------------------------------------------------ latents that look normal

GOOD, DEPENDENCE, LARGE, CLOSE = READINGS = options("normal_latents")
"""What may be taken to follow from normal histograms of the latents; DEPENDENCE does."""


def normal_latents(submission: object) -> str:
    """Judge what follows where each coordinate of u = T⁻¹(x) has a normal histogram."""
    reasons = {
        GOOD: "a histogram shows one coordinate at a time. Let u₂ = ± u₁ with a random sign: both "
        "are normal, and uncorrelated, yet p*_u lies on two lines and KL is infinite.",
        LARGE: "that cannot be: KL depends on the ratio alone, and is one number in u and in x. "
        "What was measured here is no KL.",
        CLOSE: "distances are not carried along: where T stretches, W₁ in x is larger than in u.",
    }
    judge_choice(submission, READINGS, reasons)
    return (
        "KL(p*_u‖p_u) = KL(p*_x‖p_x): if u were normal as a whole, the fit would be exact. "
        "Histograms of single coordinates do not see how the coordinates hang together."
    )


# ------------------------------------------------------------------ the target pulled back


def pulled_back(submission: object) -> str:
    """Judge ``log_prob_u(flow, target, u)``, log p*_u(u) = log p*(T(u)) + log|det J_T(u)|."""
    judge_values(
        submission,
        "flow, target, u",
        "log p*_u(u)",
        [_by_three, _case(6, seed=1), _case(5, seed=2)],
        _pulled_back,
        _SLIPS,
    )
    return (
        "no inverse is needed. For p* = N(0, 4) and T(u) = 3u it makes "
        "KL = log 3/2 + 4/18 − ½ = 0.128, in u as in x."
    )


class Triple:
    """T(u) = 3u on the line, with the interface of a flow: what the lesson computes by hand."""

    class _Base:
        @staticmethod
        def log_prob(u: Tensor) -> Tensor:
            return _gaussian(u, 1.0)

    base = _Base()

    def forward(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return 3 * u, torch.full(u.shape[:-1], math.log(3), dtype=u.dtype)

    __call__ = forward

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x / 3, torch.full(x.shape[:-1], -math.log(3), dtype=x.dtype)

    def log_prob(self, x: Tensor) -> Tensor:
        return _gaussian(x, 3.0)


class GaussianTarget:
    """p* = N(0, 4), coordinate by coordinate."""

    def log_prob(self, x: Tensor) -> Tensor:
        """``[..., D] -> [...]``."""
        return _gaussian(x, 2.0)


def _gaussian(x: Tensor, deviation: float) -> Tensor:
    squares = (x / deviation).square().sum(-1)
    return -0.5 * squares - x.shape[-1] * (math.log(deviation) + 0.5 * math.log(2 * math.pi))


def _by_three() -> tuple[Triple, GaussianTarget, Tensor]:
    return Triple(), GaussianTarget(), torch.linspace(-2, 2, 7, dtype=torch.float64).unsqueeze(-1)


def _case(n: int, seed: int) -> Callable[[], tuple[Flow, GaussianTarget, Tensor]]:
    """A flow that bends, float64, away from its start, and base points ``[n, 2]``."""

    def make() -> tuple[Flow, GaussianTarget, Tensor]:
        flow = catalog.make("rq_spline_coupling", layers=2, hidden=(8,), seed=seed).double()
        generator = Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in flow.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(0.4 * noise)
        flow.eval().requires_grad_(False)
        return flow, GaussianTarget(), torch.randn(n, 2, generator=generator, dtype=torch.float64)

    return make


def _pulled_back(flow: Flow, target: GaussianTarget, u: Tensor) -> Tensor:
    x, logabsdet = flow.forward(u)
    return target.log_prob(x) + logabsdet


_BACKWARD = (
    "T⁻¹ is applied where T is needed: u is of the base already, flow.forward(u) takes it to x."
)

_SLIPS = [
    ValueSlip(
        lambda flow, target, u: target.log_prob(flow.forward(u)[0]) - flow.forward(u)[1],
        "the sign of the log-det: p*_u(u) = p*(T(u)) |det J_T(u)|. Where T stretches, much of p* "
        "lies over little of u, so that p*_u is the larger.",
    ),
    ValueSlip(
        lambda flow, target, u: target.log_prob(flow.forward(u)[0]),
        "log|det J_T| is missing: without it p*_u has not the integral 1.",
    ),
    ValueSlip(
        lambda flow, target, u: target.log_prob(u) + flow.forward(u)[1],
        "log p* is evaluated at u; it belongs to the data, so evaluate it at x = T(u).",
    ),
    ValueSlip(
        lambda flow, target, u: target.log_prob(u),
        "the flow does not occur: log p* is evaluated at u. Take x = T(u), and log|det J_T|.",
    ),
    ValueSlip(
        lambda flow, target, u: target.log_prob(flow.inverse(u)[0]) + flow.inverse(u)[1],
        _BACKWARD,
    ),
    ValueSlip(
        lambda flow, target, u: target.log_prob(flow.inverse(u)[0]) - flow.inverse(u)[1],
        _BACKWARD,
    ),
    ValueSlip(
        lambda flow, target, u: _pulled_back(flow, target, u) - flow.base.log_prob(u),
        "that is log p*_u/p_u, the ratio; log p*_u alone is asked for.",
    ),
    ValueSlip(
        lambda flow, target, u: flow.base.log_prob(u) - flow.forward(u)[1],
        "that is log p_x(T(u)), the model pushed forward. The target is to be pulled back.",
    ),
    ValueSlip(
        lambda flow, target, u: target.log_prob(flow.forward(u)[0]) + flow.forward(u)[1].exp(),
        "|det J| stands where log|det J| belongs: flow.forward returns the logarithm already.",
    ),
    ValueSlip(
        lambda flow, target, u: _pulled_back(flow, target, u).exp(),
        "this is the density; its logarithm is asked for.",
    ),
    ValueSlip(
        lambda flow, target, u: _pulled_back(flow, target, u) / math.log(2),
        "that is in bits, a logarithm to the base 2; nats are asked for.",
    ),
]
