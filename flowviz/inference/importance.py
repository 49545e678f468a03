"""Importance sampling with a flow as the proposal (section 6.2.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.objectives import Estimate, pareto

Function = Callable[[Tensor], Tensor]
"""f: ``[N, D] -> [N]``."""


@dataclass(frozen=True)
class ImportanceSample:
    """Draws of a proposal q, weighted to stand for p̃/Z.

    Attributes:
        x: ``[N, D]``, from q.
        log_weights: log(p̃/q) ``[N]``.
    """

    x: Tensor
    log_weights: Tensor

    def weights(self) -> Tensor:
        """The weights ``[N]``, normalised to sum to 1."""
        return torch.softmax(self.log_weights, 0)

    def normaliser(self) -> Estimate:
        """log Z with its standard error, by the delta method; E[w] itself is unbiased.

        The standard error is ∞ where the weights show no variance, as :meth:`pareto_k` above 0.4
        tells. No draw shows what p̃ has where q is 0, and log Z then lacks it.
        """
        n = len(self.x)
        value = torch.logsumexp(self.log_weights, 0) - torch.tensor(float(n)).log().to(self.x)
        relative = torch.exp(self.log_weights - value)
        return self._with_error(value, relative.std() / n**0.5)

    def expectation(self, function: Function) -> Estimate:
        """E_p[f] = Σ w f / Σ w, self-normalised: biased by O(1/N).

        The standard error is that of the delta method, ∞ as that of :meth:`normaliser`.

        Args:
            function: f, ``[N, D] -> [N]``.

        Raises:
            ValueError: the values have another shape.
        """
        weights, values = self.weights(), self._values(function)
        mean = (weights * values).sum()
        return self._with_error(mean, (weights * (values - mean)).square().sum().sqrt())

    def running(self, function: Function) -> tuple[Tensor, Tensor]:
        """The estimate from the first 1, 2, …, N draws and its standard errors, both ``[N]``.

        NaN as long as no draw has had a weight; the errors are ∞ where all the weights together
        show no variance. Raises as :meth:`expectation`.
        """
        values, log_w = self._values(function).double(), self.log_weights.double()
        # Sums of logarithms, which do not underflow before a large weight: of f from its least
        # value on, as a logarithm has no sign.
        least = values.min()
        log_f = (values - least).log()
        log_total = log_w.logcumsumexp(0)

        def ratio(power: int, moment: Tensor) -> Tensor:
            return torch.exp((power * log_w + moment).logcumsumexp(0) - power * log_total)

        mean = ratio(1, log_f)
        # Σ w² (f − m)² for the running m, from three sums.
        spread = (
            ratio(2, 2 * log_f)
            - 2 * mean * ratio(2, log_f)
            + mean.square() * ratio(2, torch.zeros_like(log_f))
        )
        errors = spread.clamp_min(0).sqrt()
        if pareto.lack_variance(self.log_weights):
            errors = torch.where(mean.isnan(), errors, torch.inf)
        return (least + mean).to(self.x), errors.to(self.x)

    def effective_sample_size(self) -> float:
        """(Σ w)² / Σ w²: N for equal weights, 1 where one draw has them all (Kong 1992)."""
        return float(1 / self.weights().square().sum())

    def pareto_k(self) -> float:
        """k̂ of the weights: see :func:`flowviz.inference.pareto_k`."""
        return pareto.pareto_k(self.log_weights)

    def resample(self, n: int, generator: Generator | None = None) -> Tensor:
        """``n`` draws ``[n, D]`` of p, some of them equal: the sample redrawn by its weights."""
        arguments.whole("n", n, 1)
        index = torch.multinomial(self.weights(), n, replacement=True, generator=generator)
        return self.x[index]

    def _with_error(self, value: Tensor, error: Tensor) -> Estimate:
        estimate = Estimate(value, error)
        return estimate.without_error() if pareto.lack_variance(self.log_weights) else estimate

    def _values(self, function: Function) -> Tensor:
        arguments.function("function", function)
        return arguments.values("function", function(self.x), self.x)


@torch.no_grad()
def importance_sampling(
    flow: Flow,
    log_density: Function,
    n: int,
    context: Tensor | None = None,
    generator: Generator | None = None,
) -> ImportanceSample:
    """Draw from the flow and weight by w = p̃/q.

    Args:
        flow: q, whose support must cover p̃'s.
        log_density: log p̃, unnormalised, ``[N, D] -> [N]``; −∞ outside its support.
        n: N ≥ 2.
        context: as the flow takes it.
        generator: of the draws.

    Raises:
        ValueError: n < 2, the values have another shape, p̃ is 0 at every draw, or ∞ or NaN at any.
    """
    return ImportanceSample(*_weighted_draws(flow, log_density, n, context, generator))


def weight_variance(
    flow: Flow,
    log_density: Function,
    n: int,
    context: Tensor | None = None,
    generator: Generator | None = None,
) -> Estimate:
    """log(1 + Var_q[w] / E_q[w]²) = log(N/ESS), what the best proposal minimises.

    Reparametrised, so that it trains the flow (χ variational inference, Dieng, Tran, Ranganath,
    Paisley & Blei 2017). It weights the places that q forgets more than either KL does; its
    gradient has a high variance where the weights do, so start from a flow fitted by KL. The
    standard error is ∞ where the weights' squares show no variance.

    Args: as of :func:`importance_sampling`.
    """
    x, log_w = _weighted_draws(flow, log_density, n, context, generator)
    first, second = torch.logsumexp(log_w, 0), torch.logsumexp(2 * log_w, 0)
    value = second - 2 * first + torch.tensor(float(n)).log().to(x)
    # Delta method: the influence of draw i on the logarithm of the ratio of moments.
    w = n * torch.softmax(log_w.detach(), 0)
    influence = w.square() / w.square().mean() - 2 * w
    estimate = Estimate(value, influence.std() / n**0.5)
    return estimate.without_error() if pareto.lack_variance(2 * log_w) else estimate


def _weighted_draws(
    flow: Flow,
    log_density: Function,
    n: int,
    context: Tensor | None,
    generator: Generator | None,
) -> tuple[Tensor, Tensor]:
    """Draws ``[N, D]`` of the flow and their log-weights ``[N]``."""
    arguments.instance("flow", flow, Flow)
    arguments.function("log_density", log_density)
    x, log_q = flow.rsample_and_log_prob(arguments.whole("n", n, 2), context, generator)
    log_w = arguments.values("log_density", log_density(x), x) - log_q
    if highest_weight(log_w) == -math.inf:
        raise ValueError(f"log_density is −∞ at all {len(x)} draws: the proposal misses the target")
    return x, log_w


def highest_weight(log_w: Tensor) -> float:
    """The largest of the log-weights ``[N]``.

    Raises:
        ValueError: one is NaN or +∞.
    """
    highest = float(log_w.detach().max())
    if not highest < math.inf:
        name, bad = ("NaN", log_w.isnan()) if math.isnan(highest) else ("+∞", log_w.isposinf())
        raise ValueError(f"log_density is {name} at {int(bad.sum())} of {len(log_w)} draws")
    return highest
