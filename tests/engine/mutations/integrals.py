"""Mistakes in UMNN and in sums of squares."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers import MonotoneIntegral, SumOfSquares
from flowviz.flows.autoregressive.transformers import monotone_integral as umnn
from flowviz.flows.autoregressive.transformers import sum_of_squares as sos

Patch = pytest.MonkeyPatch


def sos_floor_in_the_log_derivative_only(patch: Patch) -> None:
    def wrong(self: SumOfSquares, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        image, log_slope = forward(self, z, h)
        return image, torch.log(torch.exp(log_slope) + 0.01)

    forward = SumOfSquares.forward
    patch.setattr(SumOfSquares, "forward", wrong)


def sos_clamped_in_the_tails(patch: Patch) -> None:
    solve = sos.inverse_of_integral
    patch.setattr(
        sos,
        "inverse_of_integral",
        lambda function, value, bound: solve(function, value, bound).clamp(-bound, bound),
    )


def sos_root_without_gradient(patch: Patch) -> None:
    solve = sos.inverse_of_integral
    patch.setattr(sos, "inverse_of_integral", lambda *arguments: solve(*arguments).detach())


def umnn_log_derivative_of_the_image(patch: Patch) -> None:
    """−log g at z' in place of the root."""

    def wrong(self: MonotoneIntegral, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        x = inverse(self, z, h)[0]
        return x, -self(z, h)[1]

    inverse = MonotoneIntegral.inverse
    patch.setattr(MonotoneIntegral, "inverse", wrong)


def _backward(patch: Patch, change: Any) -> None:
    backward = umnn._Integral.backward

    def wrong(ctx: Any, d_area: Tensor, d_log: Tensor) -> tuple[Tensor | None, ...]:
        return change(backward(ctx, d_area, d_log), d_area, d_log)

    patch.setattr(umnn._Integral, "backward", staticmethod(wrong))


def umnn_point_without_the_slope_of_its_log(patch: Patch) -> None:
    """∂ log g / ∂z is forgotten: the area alone is differentiated in z."""
    apply = umnn._Integral.apply

    def wrong(settings: tuple[int, float], z: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        return apply(settings, z, *rest)[0], apply(settings, z.detach(), *rest)[1]

    patch.setattr(umnn._Integral, "apply", wrong)


def umnn_weights_not_integrated(patch: Patch) -> None:
    """Leibniz's rule by halves: the weights see log g, and not the area."""

    def change(gradients: Any, d_area: Tensor, d_log: Tensor) -> Any:
        return (*gradients[:3], 0.5 * gradients[3], *gradients[4:])

    _backward(patch, change)


def umnn_with_one_node(patch: Patch) -> None:
    """The integral is not that of g: finite differences see another slope."""
    init = MonotoneIntegral.__init__

    def wrong(self: MonotoneIntegral, **options: Any) -> None:
        init(self, **options)
        self.nodes = 1

    patch.setattr(MonotoneIntegral, "__init__", wrong)


MUTATIONS = [
    (sos_floor_in_the_log_derivative_only, "sos"),
    (sos_clamped_in_the_tails, "sos"),
    (sos_root_without_gradient, "sos"),
]

# Judged in test_integrals.py on a small network: a gradient check that fails goes through every
# parameter, to say which one.
UMNN = [
    umnn_log_derivative_of_the_image,
    umnn_point_without_the_slope_of_its_log,
    umnn_weights_not_integrated,
    umnn_with_one_node,
]
