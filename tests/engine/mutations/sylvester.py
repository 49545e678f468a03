"""Mistakes in the Sylvester flow."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flowviz.flows.matrix_determinant_lemma import Sylvester, planar, sylvester

Patch = pytest.MonkeyPatch


def sylvester_back_substituted_from_the_first(patch: Patch) -> None:
    """From the first coordinate to the last, as for lower triangular matrices."""
    solve = sylvester._solve

    def wrong(image: Tensor, R: Tensor, R_tilde: Tensor, b: Tensor) -> Tensor:
        turned = (matrix.flip(0, 1).triu() for matrix in (R, R_tilde))
        return solve(image.flip(-1), *turned, b.flip(0)).flip(-1)

    patch.setattr(sylvester, "_solve", wrong)


def sylvester_with_lower_triangles(patch: Patch) -> None:
    """R R̃ is then no triangle's product that the diagonal could stand for."""
    triangle = sylvester._triangle
    patch.setattr(sylvester, "_triangle", lambda raw: triangle(raw) + raw.tril(-1))


def sylvester_with_columns_that_are_not_orthonormal(patch: Patch) -> None:
    patch.setattr(Sylvester, "Q", lambda self: self.reflections)


def sylvester_rotated_back_by_the_transpose(patch: Patch) -> None:
    def wrong(self: Sylvester, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        Q, (R, R_tilde) = self.Q(), self.triangles()
        bump = sylvester._solve(z @ Q, R, R_tilde, self.b)
        return z - bump @ (R @ Q.mT), -sylvester._log_determinant(bump, R, R_tilde)

    patch.setattr(Sylvester, "_inverse", wrong)


def sylvester_diagonal_unconstrained(patch: Patch) -> None:
    patch.setattr(sylvester, "_triangle", lambda raw: raw.triu())


def sylvester_determinant_of_one_triangle(patch: Patch) -> None:
    patch.setattr(sylvester, "_slopes", lambda R, R_tilde: 1 + R.diagonal())


def sylvester_root_without_gradient_of_its_slope(patch: Patch) -> None:
    backward = sylvester._Root.backward

    def wrong(ctx: object, gradient: Tensor) -> tuple[Tensor, Tensor]:
        along_t, along_slope = backward(ctx, gradient)
        return along_t, torch.zeros_like(along_slope)

    patch.setattr(sylvester._Root, "backward", staticmethod(wrong))


def sylvester_root_stopped_early(patch: Patch) -> None:
    patch.setattr(planar, "ITERATIONS", 3)


MUTATIONS = [
    (sylvester_back_substituted_from_the_first, "sylvester"),
    (sylvester_with_lower_triangles, "sylvester"),
    (sylvester_with_columns_that_are_not_orthonormal, "sylvester"),
    (sylvester_rotated_back_by_the_transpose, "sylvester"),
    (sylvester_diagonal_unconstrained, "sylvester"),
    (sylvester_determinant_of_one_triangle, "sylvester"),
    (sylvester_root_without_gradient_of_its_slope, "sylvester"),
    (sylvester_root_stopped_early, "sylvester"),
]
