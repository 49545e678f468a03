"""Markov chain Monte Carlo in x, and in u with a flow as the preconditioner (section 6.2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.inference.diagnostics import effective_sample_size, r_hat

LogDensity = Callable[[Tensor], Tensor]
"""log p̃: ``[C, D] -> [C]``."""

TARGET_ACCEPTANCE = {"random_walk": 0.35, "hmc": 0.8}

DIVERGENCE = 1000.0
"""The error of the energy, in nats, from which on a trajectory counts as lost (as Stan's does)."""


@dataclass(frozen=True)
class Chains:
    """What C parallel chains did after their warm-up.

    Attributes:
        x: ``[S, C, D]``.
        acceptance: the share of the proposals that were accepted.
        step_size: as adapted in the warm-up.
        evaluations: of log p̃ or of its gradient, by one chain, warm-up included.
    """

    x: Tensor
    acceptance: float
    step_size: float
    evaluations: int

    def r_hat(self) -> Tensor:
        """R̂ ``[D]``: see :func:`flowviz.inference.diagnostics.r_hat`."""
        return r_hat(self.x)

    def effective_sample_size(self) -> Tensor:
        """ESS ``[D]`` of all chains together."""
        return effective_sample_size(self.x)

    def efficiency(self) -> Tensor:
        """ESS per evaluation ``[D]``: what the samples cost."""
        return self.effective_sample_size() / (self.evaluations * self.x.shape[1])


def random_walk(
    log_density: LogDensity,
    start: Tensor,
    steps: int,
    *,
    warmup: int = 500,
    step_size: float = 0.5,
    generator: torch.Generator | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Chains:
    """Random-walk Metropolis: propose x + ε N(0, I), accept by the ratio of densities.

    The step size is adapted in the warm-up towards an acceptance of 0.35, then kept.

    Args:
        log_density: log p̃, unnormalised.
        start: ``[C, D]``, one row a chain, where log p̃ is finite.
        steps: S, draws kept of every chain.
        warmup: draws made before, and dropped.
        step_size: ε, the first guess.
        generator: of all draws.
        cancelled: asked before every step; the chains end early when it says yes.

    Raises:
        ValueError: a setting out of range, or log p̃ not finite at the start.
    """

    counted = _Counted(log_density)

    def propose(x: Tensor, log_p: Tensor, ε: float) -> tuple[Tensor, Tensor, Tensor]:
        moved = x + ε * _normal(x, generator)
        value = counted(moved)
        return moved, value, value - log_p

    with torch.no_grad():
        walk = _Walk("random_walk", propose, generator)
        return walk.run(counted, start, steps, warmup, step_size, cancelled)


def hmc(
    log_density: LogDensity,
    start: Tensor,
    steps: int,
    *,
    warmup: int = 500,
    step_size: float = 0.2,
    leapfrog: int = 10,
    generator: torch.Generator | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Chains:
    """Hamiltonian Monte Carlo: momentum N(0, I), leapfrog steps, Metropolis on the energy.

    Neal 2011. The step size is adapted in the warm-up towards an acceptance of 0.8, then kept.

    Args:
        log_density: log p̃, unnormalised, differentiable.
        start, steps, warmup, generator, cancelled: as of :func:`random_walk`.
        step_size: ε of the leapfrog, the first guess.
        leapfrog: at most so many of them make a proposal, ≥ 1. The number is drawn anew each
            time: a trajectory of a whole period would end where it began (Neal 2011).

    Raises:
        ValueError: a setting out of range, or log p̃ not finite at the start, or without gradient.
    """
    arguments.whole("leapfrog", leapfrog, 1)

    counted = _Counted(log_density)

    def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = counted(x)
            if not value.requires_grad:
                raise ValueError("hmc needs the gradient of log_density, whose values carry none")
            return value.detach(), torch.autograd.grad(value.sum(), x)[0]

    def propose(x: Tensor, log_p: Tensor, ε: float) -> tuple[Tensor, Tensor, Tensor]:
        momentum = _normal(x, generator)
        start = 0.5 * momentum.square().sum(-1) - log_p
        _, slope = gradient(x)
        # A trajectory that leaves all bounds ends where it was: densities refuse what is not
        # finite, and it would not be accepted.
        lost = torch.zeros_like(log_p, dtype=torch.bool)
        count = torch.randint(1, leapfrog + 1, (), generator=generator, device=x.device)
        for _ in range(int(count)):
            momentum = momentum + 0.5 * ε * slope
            moved = x + ε * momentum
            lost = lost | ~moved.isfinite().all(-1)
            x = torch.where(lost[:, None], x, moved)
            value, slope = gradient(x)
            momentum = momentum + 0.5 * ε * slope
            energy = 0.5 * momentum.square().sum(-1) - value
            lost = lost | ~(energy < start + DIVERGENCE)
        return x, value, torch.where(lost, -math.inf, start - energy)

    walk = _Walk("hmc", propose, generator)
    return walk.run(counted, start, steps, warmup, step_size, cancelled)


def pulled_back(flow: Flow, log_density: LogDensity) -> LogDensity:
    """log p̃(T(u)) + log|det J_T(u)|: the target as the base sees it.

    Where the flow fits, this is nearly p_u itself, and any sampler moves freely in it (Hoffman
    et al. 2019). Run a sampler on it, then take the chains to the data by :func:`pushed_forward`.

    Raises:
        ValueError: when called, if ``log_density`` yields another shape than ``[C]``.
    """
    arguments.instance("flow", flow, Flow)
    arguments.function("log_density", log_density)

    def log_density_of_u(u: Tensor) -> Tensor:
        x, logabsdet = flow(u)
        return arguments.values("log_density", log_density(x), x) + logabsdet

    return log_density_of_u


@torch.no_grad()
def pushed_forward(flow: Flow, chains: Chains) -> Chains:
    """The chains of u as chains of x = T(u)."""
    arguments.instance("flow", flow, Flow)
    x, _ = flow(arguments.instance("chains", chains, Chains).x)
    return Chains(x, chains.acceptance, chains.step_size, chains.evaluations)


class _Counted:
    """log p̃, and how often it was evaluated."""

    def __init__(self, log_density: LogDensity) -> None:
        self.log_density = log_density
        self.calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.log_density(x)


class _Walk:
    """A Metropolis chain around a proposal, its step size adapted by dual averaging.

    Nesterov's scheme as in Hoffman & Gelman 2014, section 3.2.
    """

    def __init__(
        self,
        kind: str,
        propose: Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor, Tensor]],
        generator: torch.Generator | None,
    ) -> None:
        self.wanted = TARGET_ACCEPTANCE[kind]
        self.propose = propose
        self.generator = generator

    def run(
        self,
        log_density: _Counted,
        start: Tensor,
        steps: int,
        warmup: int,
        step_size: float,
        cancelled: Callable[[], bool],
    ) -> Chains:
        arguments.array("start", start, "[C, D]")
        arguments.whole("steps", steps, 1)
        arguments.whole("warmup", warmup, 0)
        arguments.positive("step_size", step_size)
        arguments.function("log_density", log_density.log_density)
        x = start.detach().clone()
        log_p = arguments.values("log_density", log_density(x), x).detach()
        if not log_p.isfinite().all():
            raise ValueError(f"log_density must be finite at the start, got {log_p.tolist()}")
        sizes = _dual_averaging(step_size, self.wanted, warmup)
        ε = next(sizes)
        kept: list[Tensor] = []
        accepted = 0.0
        for step in range(warmup + steps):
            if cancelled():
                break
            proposal, value, log_ratio = self.propose(x, log_p, ε)
            # A proposal of NaN energy, where a trajectory has left all bounds, is refused.
            chance = torch.exp(log_ratio.clamp(max=0)).nan_to_num(0.0)
            take = _uniform(chance, self.generator) < chance
            x = torch.where(take[:, None], proposal, x)
            log_p = torch.where(take, value, log_p)
            if step < warmup:
                ε = sizes.send(float(chance.mean()))
            else:
                kept.append(x)
                accepted += float(take.double().mean())
        done = len(kept)
        drawn = torch.stack(kept) if kept else x.new_zeros(0, *x.shape)
        return Chains(drawn, accepted / max(done, 1), ε, log_density.calls)


def _dual_averaging(first: float, wanted: float, rounds: int) -> Generator[float, float, None]:
    """Yield step sizes; sent the acceptance that the last one gave, ``rounds`` times."""
    centre, drift, mean = math.log(10 * first), 0.0, math.log(first)
    ε = first
    for t in range(1, rounds + 1):
        acceptance = yield ε
        drift += (wanted - acceptance - drift) / (t + 10)
        log_ε = centre - math.sqrt(t) / 0.05 * drift
        share = t**-0.75
        mean += share * (log_ε - mean)
        ε = math.exp(log_ε) if t < rounds else math.exp(mean)
    yield ε


def _normal(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _uniform(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
