"""Which passes of a flow there are programs of."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.continuous import AdaptiveSteps, Continuous, FixedSteps
from flowviz.flows.continuous.straight_paths import continuous_layers, velocity_losses
from flowviz.flows.flow import Flow
from flowviz.flows.normalisation.actnorm import ActNorm
from flowviz.flows.programs.lowering import Unlowered
from flowviz.flows.programs.program import Given, Outputs, Program, written
from flowviz.flows.programs.sizes import FEW, MORE, for_any_number
from flowviz.flows.recording.tape import Unsteady

STEPS = 8
"""Of the fourth-order Runge–Kutta method over the unit of time, in the place of adaptive ones:
their number depends on the points."""


def _forward(flow: Flow, inputs: Given, parameters: Given) -> Outputs:
    with torch.no_grad():
        return _trace(flow, inputs["z"], inputs.get("context"), inverse=False)


def _inverse(flow: Flow, inputs: Given, parameters: Given) -> Outputs:
    with torch.no_grad():
        return _trace(flow, inputs["z"], inputs.get("context"), inverse=True)


def _trace(flow: Flow, z: Tensor, context: Tensor | None, inverse: bool) -> Outputs:
    states, logabsdets = [z], []
    for state, logabsdet in flow.transform._steps(z, context, inverse):
        states.append(state)
        logabsdets.append(-logabsdet if inverse else logabsdet)
    order = slice(None, None, -1 if inverse else 1)
    return {"states": states[order], "logabsdet": logabsdets[order]}


def _log_prob(flow: Flow, inputs: Given, parameters: Given) -> Outputs:
    with torch.no_grad():
        u, log_prob = flow._inverse_and_log_prob(inputs["z"], inputs.get("context"))
    return {"log_prob": log_prob, "u": u}


def _descent(flow: Flow, inputs: Given, parameters: Given) -> Outputs:
    z = inputs["z"]
    _, log_prob = flow._inverse_and_log_prob(z, inputs.get("context"))
    return {"losses": -log_prob.detach(), "gradients": _gradients(-log_prob, parameters)}


def _matching_descent(flow: Flow, inputs: Given, parameters: Given) -> Outputs:
    x = inputs["z"]
    u = flow.base.sample(len(x))
    # Made of normal noise, as a page draws it: so the same draws can be compared with PyTorch.
    noise = torch.randn(len(x), len(continuous_layers(flow)), dtype=x.dtype, device=x.device)
    losses = velocity_losses(flow, x, u, torch.special.erfc(-math.sqrt(0.5) * noise) / 2)
    return {"losses": losses.detach(), "gradients": _gradients(losses, parameters)}


def _pulled_descent(flow: Flow, inputs: Given, parameters: Given) -> Outputs:
    """Of reverse KL to a density that is given at x = T(z), with its gradient there."""
    x, log_prob = flow._forward_and_log_prob(inputs["z"], inputs.get("context"))
    losses = log_prob - inputs["log_density"]
    # As far as the gradient goes log p*(x) is x · ∇log p*(x), of a fixed slope.
    moved = log_prob - (inputs["pull"] * x).sum(-1)
    return {"losses": losses.detach(), "gradients": _gradients(moved, parameters)}


def _gradients(losses: Tensor, parameters: Given) -> list[Tensor]:
    """Of the mean loss to each parameter."""
    wanted = [p for p in parameters.values() if p.requires_grad]
    found = torch.autograd.grad(losses.sum(), wanted, materialize_grads=True)
    # Divided at the end, so that no table in between depends on how many points there are.
    return [gradient / len(losses) for gradient in found]


MATCHING, PULLED = "matching_descent", "pulled_descent"
Pass = Callable[[Flow, Given, Given], Outputs]
PASSES: dict[str, Pass] = {
    "forward": _forward,
    "inverse": _inverse,
    "log_prob": _log_prob,
    "descent": _descent,
    MATCHING: _matching_descent,
    PULLED: _pulled_descent,
}
"""What each yields, of its inputs and of what the flow has learned."""

TRAINING = ("descent", MATCHING, PULLED)


def program(flow: Flow, kind: str, stretches: int = 1) -> Program:
    """See :meth:`flowviz.flows.flow.Flow.program`."""
    run = arguments.named("program", kind, PASSES)
    arguments.whole("stretches", stretches, 1)
    # A copy for each, as a pass may leave other statistics.
    copies = [_prepared(flow, training=kind in TRAINING) for _ in (FEW, MORE)]
    said = {
        "kind": kind,
        "title": " · ".join(layer.describe() for layer in flow.transform),
        "dim": flow.dim,
        "context": flow.context,
    }
    try:
        return for_any_number(
            *(
                _of_size(c, run, said, n, stretches)
                for c, n in zip(copies, (FEW, MORE), strict=True)
            )
        )
    except (Unlowered, Unsteady) as error:
        raise ValueError(f"the flow has no program {kind!r}: {error}") from error


def _prepared(flow: Flow, training: bool) -> Flow:
    """A copy whose passes take the same steps whatever the points are.

    Raises:
        ValueError: a layer is still to be set by its first batch.
    """
    flow = copy.deepcopy(flow).train(training)
    for layer in flow.modules():
        if isinstance(layer, ActNorm):
            if training and not layer.initialised:
                raise ValueError(
                    f"the flow has no program of its training yet: {layer.describe()} is set by "
                    "the first batch; make one step of training before"
                )
            layer.eval()  # It looks at its batch no more.
        if isinstance(layer, Continuous) and isinstance(layer.solver, AdaptiveSteps):
            t0, t1 = layer._interval
            layer.solver = FixedSteps("rk4", math.ceil(STEPS * abs(t1 - t0) - 1e-9))
    return flow


def numbers(flow: Flow) -> np.ndarray:
    """What the flow has learned, one tensor after the other, as its programs order it, float32."""
    flat = [t.detach().cpu().reshape(-1).float() for t in _learned(flow)]
    return torch.cat([torch.zeros(0), *flat]).numpy()


def learn(flow: Flow, given: np.ndarray) -> None:
    """Let the flow have learned these, which are ordered as :func:`numbers` orders them.

    Raises:
        ValueError: they are not as many as the flow has, or not finite.
    """
    tensors = _learned(flow)
    wanted = sum(t.numel() for t in tensors)
    if given.shape != (wanted,):
        raise ValueError(f"the flow has learned {wanted} numbers, got {list(given.shape)}")
    if not np.isfinite(given).all():
        raise ValueError("not all that was learned is finite")
    for layer in flow.modules():
        if isinstance(layer, ActNorm):
            layer.initialised.fill_(True)  # No batch is to set what has been learned.
    at = 0
    for tensor in tensors:
        part = torch.from_numpy(given[at : at + tensor.numel()].copy())
        tensor.data.copy_(part.reshape(tensor.shape))
        at += tensor.numel()


def place(flow: Flow, tensor: Tensor) -> int:
    """Where a tensor that the flow has learned begins in its :func:`numbers`.

    Raises:
        ValueError: the flow has it not.
    """
    at = 0
    for own in _learned(flow):
        if own is tensor:
            return at
        at += own.numel()
    raise ValueError("the flow has not learned that tensor")


def beside(flow: Flow, values: Iterable[tuple[Tensor, Tensor]]) -> np.ndarray:
    """What belongs to tensors that the flow has learned, where its :func:`numbers` have those.

    Args:
        values: tensors of the flow's, and something of the same shape for each; 0 for all others.

    Raises:
        ValueError: the flow has not learned one of them.
    """
    found = np.zeros_like(numbers(flow))
    for tensor, value in values:
        at = place(flow, tensor)
        found[at : at + tensor.numel()] = value.detach().cpu().reshape(-1).float().numpy()
    return found


def apart(flow: Flow, given: np.ndarray, tensors: Iterable[Tensor]) -> list[Tensor]:
    """The parts that belong to tensors that the flow has learned: :func:`beside` taken apart.

    Raises:
        ValueError: the flow has not learned one of them, or has not as many numbers.
    """
    wanted = len(numbers(flow))
    if given.shape != (wanted,):
        raise ValueError(f"the flow has learned {wanted} numbers, got {list(given.shape)}")
    starts = [(place(flow, tensor), tensor) for tensor in tensors]
    return [
        torch.from_numpy(given[at : at + tensor.numel()].copy()).reshape(tensor.shape)
        for at, tensor in starts
    ]


def _learned(flow: Flow) -> list[Tensor]:
    """The tensors that the flow has learned, in the order of its programs."""
    places = (there[0] for there in _places(flow).values())
    return [tensor for table, leaf in places if (tensor := table[leaf]) is not None]


def _of_size(flow: Flow, run: Pass, said: Mapping[str, object], n: int, stretches: int) -> Program:
    generator = torch.Generator().manual_seed(0)
    inputs = {"z": torch.randn(n, flow.dim, generator=generator).to(flow.like)}
    if flow.context:
        inputs["context"] = torch.randn(n, flow.context, generator=generator).to(flow.like)
    if run is _pulled_descent:
        inputs["log_density"], inputs["pull"] = inputs["z"].sum(-1), inputs["z"].clone()
    places = _places(flow)

    def function(inputs: Given, learned: Given) -> Outputs:
        for name, tensor in learned.items():
            for table, leaf in places[name]:
                table[leaf] = tensor
        return run(flow.unrolled(stretches) if stretches > 1 else flow, inputs, learned)

    learned = {
        name: tensor
        for name, ((table, leaf), *_) in places.items()
        if (tensor := table[leaf]) is not None
    }
    return written(function, inputs, learned, said)


_Place = tuple[dict[str, "Tensor | None"], str]


def _places(flow: nn.Module) -> dict[str, list[_Place]]:
    """Where what training moves is kept: the parameters, and statistics that batches move.

    A tensor that two modules share is in two places.
    """
    places: dict[str, list[_Place]] = {}
    names: dict[int, str] = {}
    for path, module in flow.named_modules():
        moved = getattr(module, "statistics", ())
        for table, leaves in ((module._parameters, module._parameters), (module._buffers, moved)):
            for leaf in leaves:
                tensor = table[leaf]
                if tensor is not None:
                    name = names.setdefault(id(tensor), f"{path}.{leaf}".removeprefix("."))
                    places.setdefault(name, []).append((table, leaf))
    return places
