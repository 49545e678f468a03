"""Which passes of a flow there are programs of."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.continuous import AdaptiveSteps, Continuous, FixedSteps
from flowviz.flows.flow import Flow
from flowviz.flows.programs.program import Outputs, Program, written
from flowviz.flows.programs.sizes import FEW, MORE, for_any_number


def _forward(flow: Flow, z: Tensor, wanted: Sequence[Tensor]) -> Outputs:
    with torch.no_grad():
        return _trace(flow, z, inverse=False)


def _inverse(flow: Flow, z: Tensor, wanted: Sequence[Tensor]) -> Outputs:
    with torch.no_grad():
        return _trace(flow, z, inverse=True)


def _trace(flow: Flow, z: Tensor, inverse: bool) -> Outputs:
    states, logabsdets = [z], []
    for state, logabsdet in flow.transform._steps(z, None, inverse):
        states.append(state)
        logabsdets.append(-logabsdet if inverse else logabsdet)
    order = slice(None, None, -1 if inverse else 1)
    return {"states": states[order], "logabsdet": logabsdets[order]}


def _log_prob(flow: Flow, z: Tensor, wanted: Sequence[Tensor]) -> Outputs:
    with torch.no_grad():
        u, log_prob = flow._inverse_and_log_prob(z, None)
    return {"log_prob": log_prob, "u": u}


def _descent(flow: Flow, z: Tensor, wanted: Sequence[Tensor]) -> Outputs:
    _, log_prob = flow._inverse_and_log_prob(z, None)
    # Divided at the end, so that no number in between depends on how many points there are.
    gradients = torch.autograd.grad(-log_prob.sum(), wanted, materialize_grads=True)
    return {"log_prob": log_prob.detach(), "gradients": [g / len(z) for g in gradients]}


PASSES: dict[str, Callable[[Flow, Tensor, Sequence[Tensor]], Outputs]] = {
    "forward": _forward,
    "inverse": _inverse,
    "log_prob": _log_prob,
    "descent": _descent,
}
"""What each yields, of points ``[N, D]`` and of the parameters that are trained."""


def program(flow: Flow, kind: str) -> Program:
    run = PASSES[arguments.named("program", kind, PASSES)] if False else PASSES[kind]
    flow = _with_fixed_steps(flow)
    return for_any_number(*(_of_size(flow, run, kind, n) for n in (FEW, MORE)))


STEPS = 8
"""Of the fourth-order Runge–Kutta method over the unit of time."""


def _with_fixed_steps(flow: Flow) -> Flow:
    """The flow, its adaptive solvers replaced: their steps depend on the points."""
    layers = []
    for layer in flow.transform:
        if isinstance(layer, Continuous) and isinstance(layer.solver, AdaptiveSteps):
            layer = copy.copy(layer)
            t0, t1 = layer._interval
            layer.solver = FixedSteps("rk4", math.ceil(STEPS * abs(t1 - t0) - 1e-9))
        layers.append(layer)
    return Flow(flow.base, layers)


def _of_size(flow, run, kind, n) -> Program:
    parameters = {k: p for k, p in flow.named_parameters() if p.requires_grad}
    z = torch.randn(n, flow.dim, generator=torch.Generator().manual_seed(0)).to(flow.like)

    def function(z: Tensor, *values: Tensor) -> Outputs:
        def call(z):
            return run(flow, z, values)
        return _with(flow, dict(zip(parameters, values, strict=True)), lambda: run(flow, z, values))

    said = {"kind": kind, "title": type(flow).__name__, "dim": flow.dim}
    return written(function, {"z": z}, parameters, said)


def _with(flow: nn.Module, values, call):
    places = []
    for name, value in values.items():
        owner, _, leaf = name.rpartition(".")
        module = flow.get_submodule(owner)
        places.append((module._parameters, leaf, module._parameters[leaf]))
        module._parameters[leaf] = value
    try:
        return call()
    finally:
        for table, leaf, own in places:
            table[leaf] = own
