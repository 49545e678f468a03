"""What accuracy costs a continuous-time flow: one trained field, two libraries."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable

import torch
from peers import BATCH
from torch import Generator, Tensor

from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.flows.continuous import AdaptiveSteps
from flowviz.training import Adam

STEPS, RATE, ROUNDS = 300, 0.02, 15
INTRODUCTION = f"""\
One CNF, trained on two moons for {STEPS} steps and then solved by flowviz and by zuko to several
tolerances: the mean error of log p (against float64 and a tolerance of 1e-10) at {BATCH} points,
and the milliseconds of a loss and its gradient: `python tests/benchmarks/peers.py --accuracy`.
zuko's adaptive steps are common to the batch and its gradient is the adjoint's; flowviz's are each
point's own and its gradient goes through the steps."""


def accuracy() -> str:
    """The table: a line for each library and tolerance, all taking turns."""
    from zuko.transforms import FreeFormJacobianTransform

    flow, x = _trained()
    exact = _solved(copy.deepcopy(flow).double(), 1e-10)(x.double())
    field = flow.bijections[0].network
    parameters = tuple(flow.parameters())

    def zuko(rtol: float) -> Callable[[Tensor], Tensor]:
        backwards = FreeFormJacobianTransform(
            lambda t, z: -field.velocity(1 - t, z), phi=parameters, atol=rtol / 10, rtol=rtol
        )

        def log_prob(x: Tensor) -> Tensor:
            u, logabsdet = backwards.call_and_ladj(x)
            return flow.base.log_prob(u) + logabsdet

        return log_prob

    runs = {("flowviz", r): _solved(copy.deepcopy(flow), r) for r in (1e-4, 1e-5, 1e-6)}
    runs |= {("zuko", r): zuko(r) for r in (1e-3, 1e-4, 1e-5, 1e-6)}
    times: dict[tuple[str, float], list[float]] = {key: [] for key in runs}
    for _ in range(ROUNDS):
        for key, log_prob in runs.items():
            started = time.process_time()
            (-log_prob(x).mean()).backward()
            times[key].append(time.process_time() - started)
    lines = [INTRODUCTION, "", "| | rtol | mean error, nats | ms |", "|---|--:|--:|--:|"]
    for (library, rtol), log_prob in runs.items():
        with torch.no_grad():
            error = float((log_prob(x).double() - exact).abs().mean())
        ms = 1e3 * statistics.median(times[library, rtol])
        lines.append(f"| {library} | {rtol:.0e} | {error:.0e} | {ms:.0f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _trained() -> tuple[Flow, Tensor]:
    target, generator = targets.make("two_moons"), Generator().manual_seed(0)
    flow = catalog.make("cnf", layers=1, seed=0)
    optimizer = Adam(flow.parameters(), RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (-flow.log_prob(target.sample(BATCH, generator)).mean()).backward()
        optimizer.step()
    return flow, target.sample(BATCH, generator)


def _solved(flow: Flow, rtol: float) -> Callable[[Tensor], Tensor]:
    flow.bijections[0].solver = AdaptiveSteps(rtol)
    return flow.log_prob
