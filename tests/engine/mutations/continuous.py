"""Mistakes in the solvers, traces and gradients of continuous-time flows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from torch import Tensor

from flowviz.flows.continuous import (
    AdaptiveSteps,
    Continuous,
    MLPField,
    PlanarField,
    gradients,
)
from flowviz.flows.continuous import continuous as layer

Patch = pytest.MonkeyPatch


def trace_with_a_minus(patch: Patch) -> None:
    _changed_trace(patch, MLPField, lambda trace: -trace)


def planar_trace_with_a_minus(patch: Patch) -> None:
    _changed_trace(patch, PlanarField, lambda trace: -trace)


def trace_without_a_coordinate(patch: Patch) -> None:
    _changed_trace(patch, MLPField, lambda trace: 0.99 * trace)


def _changed_trace(
    patch: Patch, field: type[MLPField | PlanarField], change: Callable[[Tensor], Tensor]
) -> None:
    forward = field.forward

    def wrong(self, *arguments, **options):  # type: ignore[no-untyped-def]
        g, trace, saved = forward(self, *arguments, **options)
        return g, None if trace is None else change(trace), saved

    patch.setattr(field, "forward", wrong)


def inverse_not_backwards_in_time(patch: Patch) -> None:
    """Minus the field, but its time still runs from 0 to 1."""
    patch.setattr(Continuous, "_inverse", lambda self, z, context: _mirrored(self, z, context))


def _mirrored(self: Continuous, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    forward = self.network.forward
    self.network.forward = lambda t, *a, **o: forward(1 - t, *a, **o)  # type: ignore[assignment]
    try:
        return self._solve(z, context, 1.0, 0.0)
    finally:
        del self.network.forward


def log_det_of_the_other_direction(patch: Patch) -> None:
    inverse = Continuous._inverse

    def wrong(self: Continuous, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        u, logabsdet = inverse(self, z, context)
        return u, -logabsdet

    patch.setattr(Continuous, "_inverse", wrong)


def weight_of_a_stage_slipped(patch: Patch) -> None:
    init = AdaptiveSteps.__init__

    def wrong(self: AdaptiveSteps, rtol: float = 1e-5) -> None:
        init(self, rtol)
        b = self.tableau.b
        slipped = (b[3], b[1], b[2], b[0], *b[4:])
        self.tableau = dataclasses.replace(self.tableau, b=slipped)

    patch.setattr(AdaptiveSteps, "__init__", wrong)


def gradient_with_a_sign_wrong(patch: Patch) -> None:
    pullback = MLPField.pullback

    def wrong(self, saved, weights, g_bar, trace_bar, bars):  # type: ignore[no-untyped-def]
        return pullback(self, saved, weights, g_bar, -trace_bar, bars)

    patch.setattr(MLPField, "pullback", wrong)


def adjoint_with_the_sign_wrong(patch: Patch) -> None:
    """The adjoint in place of backpropagation, solved with +(∂g/∂z)ᵀ λ."""
    grad = gradients._grad

    def wrong(outputs, inputs, bars, **options):  # type: ignore[no-untyped-def]
        found = grad(outputs, inputs, bars, **options)
        return tuple(-x for x in found) if options.get("keep") else found

    patch.setattr(gradients, "_grad", wrong)
    patch.setitem(layer.GRADIENTS, "backprop", gradients.adjoint)


MUTATIONS = [
    (trace_with_a_minus, "cnf"),
    (planar_trace_with_a_minus, "planar_cnf"),
    (trace_without_a_coordinate, "cnf"),
    (inverse_not_backwards_in_time, "cnf"),
    (log_det_of_the_other_direction, "planar_cnf"),
    (weight_of_a_stage_slipped, "cnf"),
    (gradient_with_a_sign_wrong, "cnf"),
    (adjoint_with_the_sign_wrong, "cnf"),
]
