"""Mistakes in the splines: their knots, their pieces, their roots and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers import (
    CubicSpline,
    LinearSpline,
    QuadraticSpline,
    RationalQuadraticSpline,
    cubic_spline,
    spline,
)

Patch = pytest.MonkeyPatch
Tensors = tuple[Tensor, ...]


def linear_density_without_the_width(patch: Patch) -> None:
    terms = LinearSpline._terms

    def wrong(self: LinearSpline, z: Tensor, piece: Tensors) -> Tensors:
        slope, offset = terms(self, z, piece)
        return slope * (2 * self.bound / self.bins), offset

    patch.setattr(LinearSpline, "_terms", wrong)


def quadratic_area_of_half_the_outer_bins(patch: Patch) -> None:
    """A public library takes the outer bins' share of the area twice by half."""
    knots = QuadraticSpline._knots

    def wrong(self: QuadraticSpline, rows: Tensor) -> tuple[Tensor, Tensors]:
        table, kept = knots(self, rows)
        table = table.clone()
        table[2, 1:-1] *= 1.1
        return table, kept

    patch.setattr(QuadraticSpline, "_knots", wrong)


def quadratic_gradient_without_the_constraint(patch: Patch) -> None:
    pull = QuadraticSpline._pull_knots

    def wrong(self: QuadraticSpline, g: Tensor, index: Tensor, kept: Tensors) -> Tensor:
        shares, raw, free, hats, area, *rest = kept
        return pull(self, g, index, (shares, raw, free, hats, area * 1e9, *rest))

    patch.setattr(QuadraticSpline, "_pull_knots", wrong)


def cubic_slopes_without_the_limit(patch: Patch) -> None:
    """The parabola's slope alone: the cubic turns back where a steep bin meets a flat one."""
    patch.setattr(torch, "minimum", lambda a, b: b)


def cubic_floor_of_the_outer_bins_too_low(patch: Patch) -> None:
    patch.setattr(cubic_spline, "EDGE_SLOPE", 0.0)


def cubic_root_of_another_branch(patch: Patch) -> None:
    atan2 = torch.atan2
    patch.setattr(torch, "atan2", lambda a, b: atan2(a, b) + 2 * torch.pi)


def cubic_root_without_the_reflection(patch: Patch) -> None:
    root = cubic_spline._unit_root
    patch.setattr(cubic_spline, "_unit_root", lambda rise, α, β: root(rise, β, α))


def inverse_log_derivative_without_the_way_through_z(patch: Patch) -> None:
    patch.setattr(
        RationalQuadraticSpline,
        "_steepness",
        lambda self, piece, terms: torch.zeros_like(terms[0]),
    )


def softmax_gradient_without_its_mean(patch: Patch) -> None:
    patch.setattr(spline, "pull_softmax", lambda g, shares: shares * g)


def cubic_gradient_of_the_neighbouring_piece(patch: Patch) -> None:
    pull = CubicSpline._pull_knots

    def wrong(self: CubicSpline, g: Tensor, index: Tensor, kept: Tensors) -> Tensor:
        return pull(self, g, (index + 1).clamp_max(self.bins), kept)

    patch.setattr(CubicSpline, "_pull_knots", wrong)


MUTATIONS = [
    (linear_density_without_the_width, "linear_spline_coupling"),
    (quadratic_area_of_half_the_outer_bins, "quadratic_spline_coupling"),
    (quadratic_gradient_without_the_constraint, "quadratic_spline_coupling"),
    (cubic_slopes_without_the_limit, "cubic_spline_coupling"),
    (cubic_floor_of_the_outer_bins_too_low, "cubic_spline_coupling"),
    (cubic_root_of_another_branch, "cubic_spline_coupling"),
    (cubic_root_without_the_reflection, "cubic_spline_autoregressive"),
    (inverse_log_derivative_without_the_way_through_z, "rq_spline_coupling"),
    (softmax_gradient_without_its_mean, "linear_spline_autoregressive"),
    (cubic_gradient_of_the_neighbouring_piece, "cubic_spline_coupling"),
]
