"""Mistakes in linear flows and in flows on images."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from flowviz.flows import linear
from flowviz.flows.image import ConvolutionalCoupling, Unsqueeze
from flowviz.flows.linear import (
    QR,
    SVD,
    Dense,
    OrthogonalCayley,
    OrthogonalExponential,
    Permutation,
    Triangular,
    convolution,
    dense,
    qr,
)

Patch = pytest.MonkeyPatch


def permutation_inverted_by_itself(patch: Patch) -> None:
    def wrong(
        self: Permutation, dim: int, generator: Generator | None = None, *, order: object = None
    ) -> None:
        super(Permutation, self).__init__(dim)
        # A cycle: for a mere swap the inverse permutation is the permutation itself.
        self.register_buffer("permutation", torch.arange(dim).roll(1))
        self.register_buffer("inverse_permutation", torch.arange(dim).roll(1))

    patch.setattr(Permutation, "__init__", wrong)


def triangular_solved_from_the_other_side(patch: Patch) -> None:
    solve = torch.linalg.solve_triangular
    patch.setattr(
        torch.linalg,
        "solve_triangular",
        lambda A, b, *, upper, left=True, **k: solve(A.mT, b, upper=not upper, left=left, **k),
    )


def triangular_with_the_diagonal_for_its_logarithm(patch: Patch) -> None:
    def wrong(self: Triangular) -> Tensor:
        return self._strict(self.off_diagonal) + torch.diag(self.log_diagonal)

    patch.setattr(Triangular, "matrix", wrong)


def qr_transposed_rotation(patch: Patch) -> None:
    factors = QR.factors

    def inverse(self: QR, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        Q, R = factors(self)
        y = ((z - self.shift) @ Q.mT).reshape(-1, self.dim)
        y = torch.linalg.solve_triangular(R.mT, y, upper=False, left=False)
        return y.reshape(z.shape), -self.log_diagonal.sum().expand(z.shape[:-1])

    patch.setattr(QR, "_inverse", inverse)


def qr_reflections_of_half_the_length(patch: Patch) -> None:
    """I − vvᵀ/‖v‖² is a projection, not a reflection."""

    def wrong(raw: Tensor) -> Tensor:
        eye = torch.eye(len(raw), dtype=raw.dtype)
        product = eye
        for v in (raw.tril(-1) + eye).mT:
            product = product - torch.outer(product @ v, v) / (v @ v)
        return product + 1e-3 * eye

    patch.setattr(qr, "householder", wrong)


def svd_right_factor_not_transposed(patch: Patch) -> None:
    def wrong(self: SVD, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        W = self.matrix()
        inverse = W.mT / torch.exp(2 * self.log_singular)
        logabsdet = -self.log_singular.sum().expand(z.shape[:-1])
        return (z - self.shift) @ inverse.mT, logabsdet

    patch.setattr(SVD, "_inverse", wrong)


def exponential_by_a_truncated_series(patch: Patch) -> None:
    def wrong(self: OrthogonalExponential) -> Tensor:
        S, term = self.skew(), torch.eye(self.dim, dtype=self.lower.dtype)
        total = term
        for k in range(1, 9):
            term = term @ S / k
            total = total + term
        return total

    patch.setattr(OrthogonalExponential, "matrix", wrong)


def exponential_without_its_polish(patch: Patch) -> None:
    """Torch's own is orthogonal to 10⁻¹¹ only, at some norms."""
    patch.setattr(OrthogonalExponential, "matrix", lambda self: torch.matrix_exp(self.skew()))


def exponential_of_a_matrix_that_is_not_skew(patch: Patch) -> None:
    patch.setattr(OrthogonalExponential, "skew", lambda self: self.lower.tril(-1))


def cayley_with_one_sign_for_both(patch: Patch) -> None:
    def wrong(self: OrthogonalCayley) -> Tensor:
        eye = torch.eye(self.dim, dtype=self.lower.dtype)
        return torch.linalg.solve(eye + 2 * self.skew(), eye + self.skew())

    patch.setattr(OrthogonalCayley, "matrix", wrong)


def dense_determinant_without_its_logarithm(patch: Patch) -> None:
    right = dense._inverse_and_log_determinant

    def wrong(W: Tensor) -> tuple[Tensor, Tensor]:
        inverse, logabsdet = right(W)
        return inverse, logabsdet.exp()

    patch.setattr(dense, "_inverse_and_log_determinant", wrong)


def dense_inverse_by_the_transpose(patch: Patch) -> None:
    def wrong(self: Dense, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        W = self.matrix()
        logabsdet = -torch.linalg.slogdet(W).logabsdet.expand(z.shape[:-1])
        return (z - self.shift) @ W, logabsdet

    patch.setattr(Dense, "_inverse", wrong)


def convolution_without_the_number_of_pixels(patch: Patch) -> None:
    forward = convolution.PerPixel._forward

    def wrong(self: linear.Conv1x1, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        image, logabsdet = forward(self, z, context)
        return image, logabsdet * self.shape[0] / self.dim

    patch.setattr(convolution.PerPixel, "_forward", wrong)


def convolution_over_pixels_instead_of_channels(patch: Patch) -> None:
    def wrong(self: linear.Conv1x1, z: Tensor) -> Tensor:
        return z.unflatten(-1, (-1, self.bijection.dim))

    patch.setattr(convolution.PerPixel, "_pixels", wrong)


def image_coupling_that_swaps_its_halves_once(patch: Patch) -> None:
    def split(self: ConvolutionalCoupling, z: Tensor) -> tuple[Tensor, Tensor]:
        moved, kept = z.split(self._sizes[::-1], -1)
        return kept, moved

    patch.setattr(ConvolutionalCoupling, "split", split)


def image_coupling_blind_to_its_reach(patch: Patch) -> None:
    patch.setattr("flowviz.flows.image.coupling.REACH", 0)


def unsqueeze_in_another_order(patch: Patch) -> None:
    forward = Unsqueeze._forward

    def wrong(self: Unsqueeze, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        image, logabsdet = forward(self, z, context)
        return image.flip(-1), logabsdet

    patch.setattr(Unsqueeze, "_forward", wrong)


MUTATIONS = [
    (permutation_inverted_by_itself, "permutation"),
    (triangular_solved_from_the_other_side, "triangular"),
    (triangular_with_the_diagonal_for_its_logarithm, "triangular"),
    (qr_transposed_rotation, "qr"),
    (qr_reflections_of_half_the_length, "qr"),
    (svd_right_factor_not_transposed, "svd"),
    (exponential_by_a_truncated_series, "orthogonal_exponential"),
    (exponential_without_its_polish, "orthogonal_exponential"),
    (exponential_of_a_matrix_that_is_not_skew, "orthogonal_exponential"),
    (cayley_with_one_sign_for_both, "orthogonal_cayley"),
    (dense_determinant_without_its_logarithm, "dense"),
    (dense_inverse_by_the_transpose, "dense"),
    (image_coupling_that_swaps_its_halves_once, "glow_image"),
    (unsqueeze_in_another_order, "glow_image"),
]

# At D = 4, the smallest image, one pixel is left after squeezing: test_image.py judges these.
MORE_THAN_ONE_PIXEL = [
    convolution_without_the_number_of_pixels,
    convolution_over_pixels_instead_of_channels,
    image_coupling_blind_to_its_reach,
]
