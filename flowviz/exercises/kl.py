"""The tasks of the lesson on forward and reverse KL."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from flowviz.exercises.loss import Slip, judge_loss
from flowviz.exercises.result import Wrong
from flowviz.exercises.submission import read_numbers
from flowviz.exercises.watch import INVERSE, T
from flowviz.flows import Flow, catalog

# ------------------------------------------------------------------ forward KL from samples


def forward_kl(submission: object) -> str:
    """Judge ``loss(flow, x)``, −(1/N) Σ log p_x(x_n) with its gradient."""
    asked = judge_loss(
        submission,
        "flow, x",
        [_samples(24, seed=1), _samples(7, seed=2)],
        lambda flow, x: -flow.log_prob(x).mean(),
        _FORWARD_SLIPS,
    )
    right = "value and gradient are those of −(1/N) Σ log p_x(xₙ)."
    if T in asked:
        return (
            f"{right} But it asked for T as well, which forward KL can do without: "
            "flow.inverse(x) gives all that is needed of the flow."
        )
    return f"{right} It asked for samples and T⁻¹ only."


def _samples(n: int, seed: int) -> Callable[[], tuple[Flow, Tensor]]:
    return lambda: (_flow(seed), 0.5 + 1.5 * _normal(n, seed))


def _pushed(flow: Flow, x: Tensor) -> tuple[Tensor, Tensor]:
    """log p_u and log|det J| where T is applied to data, which has been through T already."""
    z, logabsdet = flow.forward(x)
    return flow.base.log_prob(z), logabsdet


_FORWARD_SLIPS = [
    Slip(
        lambda flow, x: flow.log_prob(x).mean(),
        "the sign: this is the mean log-likelihood. A trainer minimises, so the loss is minus it.",
    ),
    Slip(
        lambda flow, x: -flow.log_prob(x).sum(),
        "this is the sum over the samples. The expectation is estimated by the mean, or else the "
        "size of the step grows with the batch.",
    ),
    Slip(
        lambda flow, x: -flow.base.log_prob(flow.inverse(x)[0]).mean(),
        "log|det J| is missing. Without it the flow gains by crushing all data onto the mode of "
        "p_u, whatever volume that costs.",
    ),
    Slip(
        lambda flow, x: -(flow.base.log_prob(flow.inverse(x)[0]) - flow.inverse(x)[1]).mean(),
        "log|det J| has the wrong sign: flow.inverse returns that of T⁻¹, which is added.",
    ),
    Slip(
        lambda flow, x: -sum(_pushed(flow, x)).mean(),  # type: ignore[union-attr]
        "T is applied where T⁻¹ is needed: data go back to the base by flow.inverse(x).",
    ),
    Slip(
        lambda flow, x: -(_pushed(flow, x)[0] - _pushed(flow, x)[1]).mean(),
        "T is applied where T⁻¹ is needed: data go back to the base by flow.inverse(x).",
    ),
    Slip(
        lambda flow, x: -_pushed(flow, x)[0].mean(),
        "T is applied where T⁻¹ is needed, and log|det J| is missing: use both results of "
        "flow.inverse(x).",
    ),
    Slip(
        lambda flow, x: -(flow.base.log_prob(x) + flow.inverse(x)[1]).mean(),
        "p_u is evaluated at the data x; it belongs to the base, so evaluate it at u = T⁻¹(x).",
    ),
    Slip(
        lambda flow, x: -flow.base.log_prob(x).mean(),
        "the flow does not occur: p_u is evaluated at the data x. Take u = T⁻¹(x), and log|det J|.",
    ),
    Slip(
        lambda flow, x: -flow.log_prob(x).exp().mean().log(),
        "this is the log of the mean density. Maximum likelihood wants the mean of the logs.",
    ),
    Slip(
        lambda flow, x: -flow.log_prob(x).exp().mean(),
        "the logarithm is missing: this is the mean density.",
    ),
]


# ------------------------------------------------------------------ reverse KL from log p̃


def reverse_kl(submission: object) -> str:
    """Judge ``loss(flow, target, u)``, (1/N) Σ log p_u − log|det J_T| − log p̃(T(u_n))."""
    asked = judge_loss(
        submission,
        "flow, target, u",
        [_draws(24, seed=3), _draws(7, seed=4)],
        _reverse_loss,
        _REVERSE_SLIPS,
    )
    right = "value and gradient are those of KL(p_x ‖ p*) − log Z."
    if INVERSE in asked:
        return (
            f"{right} But it asked for T⁻¹ as well, as flow.log_prob does, and for many flows that "
            "is the expensive direction. At x = T(u) it is not needed: "
            "log p_x(x) = log p_u(u) − log|det J_T(u)|, all from flow.forward(u)."
        )
    return f"{right} It asked for T and log p̃ only."


class UnnormalisedTarget:
    """p̃(x) = e² · ½[𝒩(x; m, I) + 𝒩(x; −m, I)], m = (1.5, 0.5): log Z = 2, and no sampler.

    Its ``log_prob`` is there to be recognised when it is used where ``log_density`` was asked for.
    """

    log_z = 2.0
    has_density = True
    has_samples = False

    def log_density(self, x: Tensor) -> Tensor:
        """log p̃, ``[..., 2] -> [...]``."""
        centre = torch.tensor([1.5, 0.5]).to(x)
        squares = torch.stack([(x - centre).square().sum(-1), (x + centre).square().sum(-1)])
        return self.log_z + torch.logsumexp(-0.5 * squares, 0) - math.log(4 * math.pi)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p*, normalised."""
        return self.log_density(x) - self.log_z

    def sample(self, *_: object, **__: object) -> Tensor:
        """There is none."""
        raise Wrong(
            "this target cannot be sampled. The expectation of the reverse KL is over the model: "
            "its samples are x = T(u)."
        )


def _draws(n: int, seed: int) -> Callable[[], tuple[Flow, UnnormalisedTarget, Tensor]]:
    return lambda: (_flow(seed), UnnormalisedTarget(), _normal(n, seed))


def _reverse_loss(flow: Flow, target: UnnormalisedTarget, u: Tensor) -> Tensor:
    x, logabsdet = flow.forward(u)
    return (flow.base.log_prob(u) - logabsdet - target.log_density(x)).mean()


def _parts(flow: Flow, target: UnnormalisedTarget, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log p_u(u), log|det J_T(u)| and log p̃(T(u)), a row each."""
    x, logabsdet = flow.forward(u)
    return flow.base.log_prob(u), logabsdet, target.log_density(x)


def _slip(combine: Callable[[Tensor, Tensor, Tensor], Tensor], reason: str) -> Slip:
    """A wrong combination of the three parts."""
    return Slip(lambda flow, target, u: combine(*_parts(flow, target, u)).mean(), reason)


def _frozen_samples(flow: Flow, target: UnnormalisedTarget, u: Tensor) -> Tensor:
    x = flow.forward(u)[0].detach()
    return (flow.log_prob(x) - target.log_density(x)).mean()


def _frozen_points(flow: Flow, target: UnnormalisedTarget, u: Tensor) -> Tensor:
    x, logabsdet = flow.forward(u)
    return (flow.base.log_prob(u) - logabsdet - target.log_density(x.detach())).mean()


_DETACHED = (
    "the value is right, but the samples x are detached, so log p̃ sends no gradient back to the "
    "flow. Reparametrisation means that x = T(u) stays a function of the parameters."
)

_REVERSE_SLIPS = [
    Slip(
        lambda flow, target, u: -_reverse_loss(flow, target, u),
        "the sign: this is minus the divergence. Minimising it drives the model away from p*.",
    ),
    Slip(
        lambda flow, target, u: len(u) * _reverse_loss(flow, target, u),
        "this is the sum over the draws. The expectation is estimated by the mean, or else the "
        "size of the step grows with the batch.",
    ),
    _slip(
        lambda base, logabsdet, density: base - density,
        "log|det J_T| is missing. Without it nothing keeps the model from collapsing onto the "
        "highest point of p̃.",
    ),
    _slip(
        lambda base, logabsdet, density: base + logabsdet - density,
        "log|det J_T| has the wrong sign: log p_x(T(u)) = log p_u(u) − log|det J_T(u)|.",
    ),
    Slip(
        lambda flow, target, u: _reverse_loss(flow, target, u) + target.log_z,
        "this used the normalised log_prob. Its gradient is the same, but it needs log Z, which "
        "is unknown in the problems that reverse KL is for: use target.log_density.",
    ),
    _slip(
        lambda base, logabsdet, density: -logabsdet - density,
        "log p_u(u) is missing. With a fixed base the gradient is the same, but the number is "
        "then no divergence: it cannot be compared with −log Z.",
    ),
    _slip(
        lambda base, logabsdet, density: base - logabsdet,
        "log p̃ does not occur: this is minus the model's entropy, blind to the target.",
    ),
    Slip(
        lambda flow, target, u: (
            flow.base.log_prob(u) - flow.forward(u)[1] - target.log_density(u)
        ).mean(),
        "log p̃ is evaluated at u; the model's samples are x = T(u).",
    ),
    Slip(
        lambda flow, target, u: (flow.log_prob(u) - target.log_density(u)).mean(),
        "u is treated as data: it comes from the base. The model's samples are x = T(u), where "
        "both densities are to be evaluated.",
    ),
    Slip(
        lambda flow, target, u: (
            flow.base.log_prob(flow.forward(u)[0])
            - flow.forward(u)[1]
            - target.log_density(flow.forward(u)[0])
        ).mean(),
        "p_u is evaluated at x; it belongs to the base, so evaluate it at u.",
    ),
    _slip(
        lambda base, logabsdet, density: base - logabsdet - density.exp(),
        "p̃ stands where log p̃ belongs: target.log_density is a logarithm already.",
    ),
    Slip(_frozen_samples, _DETACHED),
    Slip(_frozen_points, _DETACHED),
]


# ------------------------------------------------------------------ the nearest Gaussian


def best_gaussian(submission: object) -> str:
    """Judge (mean, standard deviation) of the Gaussian nearest in forward KL to
    ¾ 𝒩(−2, ½²) + ¼ 𝒩(2, ½²): by moment matching −1 and √3.25.
    """
    mean, deviation = read_numbers(submission, "mean, standard deviation")
    if deviation <= 0:
        raise Wrong("a standard deviation is positive.")
    if _near(mean, -2) or _near(mean, 2):
        raise Wrong(
            "that Gaussian sits on one mode, which is what reverse KL settles for. Forward KL "
            "averages over all of p*."
        )
    if _near(mean, 0):
        raise Wrong("the mean: the two modes do not weigh the same, −2 has three quarters.")
    if _near(mean, 1):
        raise Wrong("the mean has the wrong sign: the heavier mode is the one at −2.")
    if not _near(mean, -1):
        raise Wrong("the mean: forward KL wants E[x] under p*, ¾ · (−2) + ¼ · 2.")
    for wrong, reason in _DEVIATIONS:
        if _near(deviation, wrong):
            raise Wrong(reason)
    if not _near(deviation, math.sqrt(3.25)):
        raise Wrong(
            "the mean is right, the standard deviation is not: forward KL wants the variance of "
            "p*, within the modes and between them."
        )
    if abs(mean + 1) > _THREE_DECIMALS or abs(deviation - math.sqrt(3.25)) > _THREE_DECIMALS:
        raise Wrong("close, and the way is right: give three decimals of both.")
    return (
        "mean −1 and standard deviation √3.25 ≈ 1.803. The nearest Gaussian has the moments of p*, "
        "and its own mode lies where p* has little mass."
    )


_THREE_DECIMALS = 0.0005 + 1e-9  # rounded, the last digit is off by a half at most

_DEVIATIONS = [
    (3.25, "3.25 is the variance; its root is asked for."),
    (math.sqrt(3), "√3 is the spread between the modes alone: add the variance within them, ½²."),
    (0.5, "½ is the spread within one mode alone: add the variance between the modes."),
    (
        math.sqrt(4.25),
        "√4.25 is the root of E[x²]: take the square of the mean off to get the variance.",
    ),
    (
        math.sqrt(3) + 0.5,
        "variances add up, standard deviations do not: the root of the sum is asked for.",
    ),
    (
        math.sqrt(3.5),
        "the standard deviation within a mode is ½, so its variance is ¼, not ½.",
    ),
]


def _near(number: float, wanted: float) -> bool:
    """Near enough to see what it was meant to be."""
    return abs(number - wanted) < 0.01


# ------------------------------------------------------------------ what the losses are tried on


def _flow(seed: int) -> Flow:
    """A small flow in float64, away from its start, where many wrong losses would agree."""
    flow = catalog.make("real_nvp", layers=2, hidden=(8,), seed=seed).double()
    generator = Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.3 * noise)
    return flow.eval()


def _normal(n: int, seed: int) -> Tensor:
    generator = Generator().manual_seed(100 + seed)
    return torch.randn(n, 2, generator=generator, dtype=torch.float64)
