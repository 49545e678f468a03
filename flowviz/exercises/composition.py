"""The tasks of the lesson on stacks of layers: log-determinants add, each at its own point."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from flowviz.exercises.registry import options
from flowviz.exercises.values import ValueSlip, judge_choice, judge_number, judge_values
from flowviz.flows import Bijection, catalog

Layers = Sequence[Bijection]

# ------------------------------------------------------------------ a total by hand


def total_log_det(submission: object) -> str:
    """Judge log|det J_T| at u = 0 of T₁(u) = u + 1, T₂(z) = z³ + z: T₂′(1) = 4, so log 4."""
    judge_number(
        submission,
        "the total",
        math.log(4),
        {
            0.0: "T₂ is evaluated at u = 0, where its slope is 1. It acts on z₁ = T₁(0).",
            -math.log(4): "the sign: that is the log-det of the inverse, data → base.",
            4.0: "4 is the slope of the whole; its logarithm is asked for.",
            math.log10(4): "that is the logarithm to the base 10; the natural one is asked for.",
            2.0: "that is the logarithm to the base 2; the natural one is asked for.",
            math.log(3): "the slope of T₂ is 3z² + 1: its second term is missing.",
            math.log(2): "log 2 is the logarithm of the value T₂(1); its slope there is asked for.",
            math.log(13): "T₂ is evaluated at x = T₂(T₁(0)), its own output. It acts on z₁.",
            math.log(16): "log 4 is counted twice: T₁ shifts, and its own log-det is 0.",
        },
        "Wanted are the slope of T₁ at 0 and that of T₂ at T₁(0), their logarithms added.",
    )
    return (
        "log 1 + log 4 = 1.386: T₁ keeps lengths, and T₂ stretches them fourfold at z₁ = 1, where "
        "it acts."
    )


# ------------------------------------------------------------------ a test that shows too little

ALL, INVERTIBLE, LINEAR, NONE = options("linear_test")


def linear_test(submission: object) -> str:
    """Judge for which layers a test on linear ones shows that ``sum(layer(u)[1] for …)`` is right:
    for linear layers.
    """
    reasons = {
        ALL: "a sum does not depend on the order of its terms, but each term here depends on the "
        "point. Task 1 is a counterexample: 0 in place of log 4.",
        INVERTIBLE: "both layers of task 1 are invertible, and there it gives 0 in place of log 4.",
        NONE: "it does show something: a linear layer has the same Jacobian everywhere, so that "
        "any point will do.",
    }
    judge_choice(submission, (ALL, INVERTIBLE, LINEAR, NONE), reasons)
    return (
        "a linear layer has the same Jacobian everywhere, so that any point would have done. A "
        "test of a log-det needs layers that bend."
    )


# ------------------------------------------------------------------ the inverse of a list


def inverse_of_layers(submission: object) -> str:
    """Judge ``inverse(layers, x)``: T⁻¹(x), ``[N, D]``, and log|det J_{T⁻¹}(x)|, ``[N]``."""
    judge_values(
        submission,
        "layers, x",
        "u, log-det",
        [_case(3, 6, seed=1), _case(4, 5, seed=2)],
        _inverse,
        _SLIPS,
    )
    return "the last layer is undone first, and every log-det is taken where its layer is undone."


def _inverse(layers: Layers, z: Tensor) -> tuple[Tensor, Tensor]:
    total = torch.zeros(z.shape[:-1]).to(z)
    for layer in reversed(layers):
        z, logabsdet = layer.inverse(z)
        total = total + logabsdet
    return z, total


def _log_dets(layers: Layers, z: Tensor) -> tuple[Tensor, Tensor]:
    """log|det J| of each inverse along the way, ``[K, N]``, and of each at x itself."""
    along, at_x = [], [layer.inverse(z)[1] for layer in layers]
    for layer in reversed(layers):
        z, logabsdet = layer.inverse(z)
        along.append(logabsdet)
    return torch.stack(along), torch.stack(at_x)


def _total(combine: Callable[[Tensor, Tensor], Tensor], reason: str) -> ValueSlip:
    """A wrong total: a combination of the log-dets along the way, and of those at x."""
    return ValueSlip(lambda layers, x: combine(*_log_dets(layers, x)), reason, part=1)


def _unreversed(layers: Layers, z: Tensor) -> tuple[Tensor, Tensor]:
    return _inverse(layers[::-1], z)


def _forth(layers: Layers, z: Tensor) -> tuple[Tensor, Tensor]:
    """The layers applied where they are to be undone."""
    total = torch.zeros(z.shape[:-1]).to(z)
    for layer in layers:
        z, logabsdet = layer(z)
        total = total + logabsdet
    return z, total


def _of_outputs(layers: Layers, z: Tensor) -> Tensor:
    """−Σ log|det J_{T_k}| with each taken at its output z_k."""
    total = torch.zeros(z.shape[:-1]).to(z)
    for layer in reversed(layers):
        total = total - layer(z)[1]
        z, _ = layer.inverse(z)
    return total


_ORDER = (
    "the order: T = T_K ∘ … ∘ T₁, so the last layer is undone first. Go through the list from its "
    "end."
)
_FORTH = (
    "the layers are applied where they are to be undone: data → base goes by layer.inverse(z), "
    "from the last layer to the first."
)

_SLIPS = [
    ValueSlip(lambda layers, x: _unreversed(layers, x)[0], _ORDER, part=0),
    ValueSlip(lambda layers, x: _forth(layers, x)[0], _FORTH, part=0),
    ValueSlip(lambda layers, x: _forth(layers[::-1], x)[0], _FORTH, part=0),
    ValueSlip(
        lambda layers, x: layers[-1].inverse(x)[0],
        "only the last layer is undone: hand its result on to the layer before it.",
        part=0,
    ),
    ValueSlip(
        lambda layers, x: layers[0].inverse(x)[0],
        "every layer is given x itself: hand the result of one on to the next.",
        part=0,
    ),
    _total(
        lambda along, at_x: -along.sum(0),
        "the sign of the log-det: this is that of T. layer.inverse returns that of the inverse, "
        "which is added.",
    ),
    _total(
        lambda along, at_x: at_x.sum(0),
        "all log-dets are evaluated at x. Each belongs at the state where its layer is undone: "
        "after x comes z_{K−1}, then z_{K−2}.",
    ),
    _total(
        lambda along, at_x: -at_x.sum(0),
        "all log-dets are evaluated at x, and with the wrong sign.",
    ),
    _total(
        lambda along, at_x: along[-1],
        "this is the log-det of one layer, the one undone last: add those of all.",
    ),
    _total(
        lambda along, at_x: along[0],
        "this is the log-det of one layer, the one undone first: add those of all.",
    ),
    _total(
        lambda along, at_x: along[1:].sum(0),
        "a part is missing: the log-det of the layer that is undone first is not in the sum.",
    ),
    _total(
        lambda along, at_x: along[:-1].sum(0),
        "a part is missing: the log-det of the layer that is undone last is not in the sum.",
    ),
    _total(
        lambda along, at_x: along.prod(0),
        "determinants multiply; their logarithms add.",
    ),
    _total(
        lambda along, at_x: along.sum(0).exp(),
        "this is |det J| itself; its logarithm is asked for.",
    ),
    _total(
        lambda along, at_x: along.mean(0),
        "this is the mean over the layers; their sum is asked for.",
    ),
    ValueSlip(
        _of_outputs,
        "log|det J_T| of a layer is taken at its output z_k. It belongs at its input, z_{k−1}.",
        part=1,
    ),
    ValueSlip(
        lambda layers, x: -_of_outputs(layers, x),
        "log|det J_T| of a layer is taken at its output z_k, and with the wrong sign: it belongs "
        "at z_{k−1}, and the inverse's is minus it.",
        part=1,
    ),
]


def _case(layers: int, n: int, seed: int) -> Callable[[], tuple[list[Bijection], Tensor]]:
    """Layers that bend, float64, away from their start, and points ``[n, 2]``.

    Splines, for the log-det of an affine coupling is the same at its input and at its output.
    """

    def make() -> tuple[list[Bijection], Tensor]:
        flow = catalog.make("rq_spline_coupling", layers=layers, hidden=(8,), seed=seed).double()
        generator = Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in flow.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(0.4 * noise)
        flow.eval().requires_grad_(False)
        return list(flow.transform), torch.randn(n, 2, generator=generator, dtype=torch.float64)

    return make
