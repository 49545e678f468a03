"""Mistakes in contractive residual flows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from flowviz.flows.contractive import activations, dense, fixed_point, network, residual
from flowviz.flows.contractive import log_determinant as log_determinants
from flowviz.flows.contractive.log_determinant import Exact, RussianRoulette, Series
from flowviz.flows.contractive.network import ContractiveMLP, Linearised

Patch = pytest.MonkeyPatch


def contractive_norm_of_the_last_layer_only(patch: Patch) -> None:
    bounded = network.bounded
    patch.setattr(network, "bounded", lambda w, c: w if c == 1.0 else bounded(w, c))


def contractive_dense_norm_of_the_last_layer_only(patch: Patch) -> None:
    bounded = dense.bounded
    patch.setattr(dense, "bounded", lambda w, c: w if c == 1.0 else bounded(w, c))


def norm_without_gradient(patch: Patch) -> None:
    bounded = network.bounded
    patch.setattr(network, "bounded", lambda w, c: w * bounded(w.detach(), c) / w.detach())


def norm_is_stale(patch: Patch) -> None:
    """The factors of the first use, kept whatever the weights become."""
    tensors = ContractiveMLP.tensors

    def wrong(self: ContractiveMLP) -> tuple[Tensor, ...]:
        depth = len(self.linears)
        new = tensors(self)
        if not hasattr(self, "_factors"):
            raw = [linear.weight.detach() for linear in self.linears]
            self._factors = [(n / w).detach() for n, w in zip(new[:depth], raw, strict=True)]
        kept = [f * m.weight for f, m in zip(self._factors, self.linears, strict=True)]
        return (*kept, *new[depth:])

    patch.setattr(ContractiveMLP, "tensors", wrong)


def contractive_logarithm_replaced_by_its_derivative(patch: Patch) -> None:
    """tr Jᵏ in place of tr(Jᵏ)/k: the derivative's series, taken for the logarithm's."""

    def wrong(self: Exact, g: Linearised, generator: torch.Generator | None = None) -> Tensor:
        J = g.jacobian()
        eye = torch.eye(J.shape[-1], dtype=J.dtype)
        return torch.linalg.solve(eye + J, J).diagonal(dim1=-2, dim2=-1).sum(-1)

    patch.setattr(Exact, "__call__", wrong)


def contractive_logarithm_of_i_minus_j(patch: Patch) -> None:
    right = log_determinants.log_det_of_identity_plus
    patch.setattr(log_determinants, "log_det_of_identity_plus", lambda J: right(-J))


def contractive_log_determinant_is_the_trace(patch: Patch) -> None:
    patch.setattr(Exact, "__call__", lambda self, g, generator=None: Series(1)(g))


def contractive_slope_without_its_curvature(patch: Patch) -> None:
    """φ′ taken for a constant: right values, wrong gradients of the log-det."""
    apply = activations._LipSwish.apply

    def wrong(x: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = apply(x, beta)
        return value, slope.detach()

    patch.setattr(activations._LipSwish, "apply", wrong)


def contractive_fixed_point_stopped_on_the_squared_step(patch: Patch) -> None:
    """‖step‖² ≤ ε is reached with half of the digits."""

    def wrong(g: Any, image: Tensor, context: None, tensors: tuple[Tensor, ...]) -> Tensor:
        z = image
        for _ in range(400):
            following = image - g(z, context, tensors).value
            step, z = following - z, following
            if bool((step.square().sum(-1) <= torch.finfo(z.dtype).eps).all()):
                break
        return z

    patch.setattr(fixed_point, "_solve", wrong)


def contractive_inverse_without_implicit_gradient(patch: Patch) -> None:
    solve = residual.fixed_point
    patch.setattr(residual, "fixed_point", lambda *arguments: solve(*arguments).detach())


def contractive_implicit_gradient_not_transposed(patch: Patch) -> None:
    solve = fixed_point.solve_identity_plus

    def wrong(J: Tensor, b: Tensor) -> Tensor:
        # Only the backward pass solves with the transpose, which is not contiguous for D > 1.
        return solve(J.mT if torch._C._current_autograd_node() is not None else J, b)

    patch.setattr(fixed_point, "solve_identity_plus", wrong)


def contractive_dense_more_than_its_share(patch: Patch) -> None:
    """Φ not divided by its Lipschitz constant, and η̂ not normalised."""
    patch.setattr(dense, "CONCATENATED_SLOPE", 0.2)


# Seen by test_contractive.py alone: estimators, and what depends on a history of updates


def series_without_the_division(patch: Patch) -> None:
    def wrong(self: Series, g: Linearised, generator: torch.Generator | None = None) -> Tensor:
        J, power, total = g.jacobian(), g.jacobian(), 0.0
        for k in range(1, self.terms + 1):
            total = total + (-1) ** (k + 1) * log_determinants._trace(power)
            power = power @ J
        return total

    patch.setattr(Series, "__call__", wrong)


def series_without_alternating_signs(patch: Patch) -> None:
    series = Series.__call__

    def wrong(self: Series, g: Linearised, generator: torch.Generator | None = None) -> Tensor:
        return -series(self, Linearised(g.value, lambda t: -g.push(t)))

    patch.setattr(Series, "__call__", wrong)


def roulette_without_the_survival_probability(patch: Patch) -> None:
    patch.setattr(RussianRoulette, "reaches", lambda self, k: 1.0)


def roulette_survival_off_by_one(patch: Patch) -> None:
    patch.setattr(RussianRoulette, "reaches", lambda self, k: (1 - self.stop) ** k)


def roulette_value_of_the_gradient_series(patch: Patch) -> None:
    """What the surrogate of the gradient happens to be is returned as the logarithm."""
    patch.setattr(log_determinants, "_with_gradient_of", lambda value, surrogate: surrogate())


def _with_other_neumann_weights(patch: Patch, factor: Callable[[int], float]) -> None:
    def wrong(
        self: RussianRoulette, g: Linearised, generator: torch.Generator | None = None
    ) -> Tensor:
        u = v = log_determinants.probe(g.value, self.noise, generator)
        neumann = torch.zeros_like(v)
        for k in range(1, self._number_of_terms(generator) + 1):
            neumann = neumann + factor(k) / self.reaches(k) * u
            u = g.products(1)(u).detach()
        return (v * g.products(1)(neumann)).sum(-1)

    patch.setattr(RussianRoulette, "__call__", wrong)


def gradient_series_with_the_division(patch: Patch) -> None:
    _with_other_neumann_weights(patch, lambda k: (-1) ** (k + 1) / k)


def gradient_series_without_signs(patch: Patch) -> None:
    _with_other_neumann_weights(patch, lambda k: 1.0)


MUTATIONS = [
    (contractive_norm_of_the_last_layer_only, "contractive"),
    (contractive_dense_norm_of_the_last_layer_only, "contractive_dense"),
    (contractive_logarithm_replaced_by_its_derivative, "contractive"),
    (contractive_logarithm_of_i_minus_j, "contractive"),
    (contractive_log_determinant_is_the_trace, "contractive"),
    (contractive_slope_without_its_curvature, "contractive"),
    (contractive_fixed_point_stopped_on_the_squared_step, "contractive"),
    (contractive_inverse_without_implicit_gradient, "contractive"),
    (contractive_implicit_gradient_not_transposed, "contractive"),
    (contractive_dense_more_than_its_share, "contractive_dense"),
]
