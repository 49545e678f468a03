"""Mistakes in couplings, masks, splines, planar and radial flows, PLU and composition."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowviz.flows.autoregressive.conditioners import Coupling, coupling, masked
from flowviz.flows.autoregressive.transformers import Affine, RationalQuadraticSpline, spline
from flowviz.flows.bijection import Composition, Inverse
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import PLU
from flowviz.flows.matrix_determinant_lemma import Planar, Radial, planar

Patch = pytest.MonkeyPatch


# Planar


def planar_without_the_square(patch: Patch) -> None:
    def constrained(self: Planar) -> tuple[Tensor, Tensor]:
        wu = self.w @ self.u
        slope = planar.MIN_SLOPE + F.softplus(wu + planar.SHIFT)
        return self.u + (slope - 1 - wu) * self.w / self.w.norm(), slope

    patch.setattr(Planar, "_constrained", constrained)


def planar_unconstrained(patch: Patch) -> None:
    patch.setattr(Planar, "_constrained", lambda self: (self.u, 1 + self.w @ self.u))


def planar_derivative_without_the_square(patch: Patch) -> None:
    patch.setattr(planar, "_derivative", lambda bump, slope: bump + slope * (1 - bump))


def planar_root_stopped_early(patch: Patch) -> None:
    patch.setattr(planar, "ITERATIONS", 3)


def planar_root_started_from_the_other_side(patch: Patch) -> None:
    patch.setattr(planar, "_start", lambda image, slope: 20 * image)
    patch.setattr(planar, "ITERATIONS", 4)


def planar_root_without_gradient(patch: Patch) -> None:
    newton = planar.newton
    patch.setattr(planar, "newton", lambda *arguments: newton(*arguments).detach())


# Radial


def radial_squared_norm(patch: Patch) -> None:
    norm = torch.linalg.vector_norm
    patch.setattr(torch.linalg, "vector_norm", lambda x, dim=None: norm(x, dim=dim).square())


def radial_norm_over_the_batch(patch: Patch) -> None:
    norm = torch.linalg.vector_norm
    patch.setattr(torch.linalg, "vector_norm", lambda x, dim=None: norm(x).expand(x.shape[:-1]))


def radial_other_root(patch: Patch) -> None:
    inverse = Radial._inverse

    def other(self: Radial, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        mirrored = 2 * self.z0 - z
        x, logabsdet = inverse(self, mirrored, context)
        return x, logabsdet

    patch.setattr(Radial, "_inverse", other)


def radial_one_dimension_too_many(patch: Patch) -> None:
    original = Radial._log_determinant

    def wrong(self: Radial, r: Tensor, α: Tensor, s: Tensor) -> Tensor:
        return original(self, r, α, s) + torch.log(r + s) - torch.log(r + α)

    patch.setattr(Radial, "_log_determinant", wrong)


# Splines


def _spline_knots(patch: Patch, change: Callable[[Tensor], None]) -> None:
    knots = RationalQuadraticSpline._knots

    def wrong(self: RationalQuadraticSpline, rows: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        table, kept = knots(self, rows)
        table = table.clone()
        change(table)
        return table, kept

    patch.setattr(RationalQuadraticSpline, "_knots", wrong)


def spline_boundary_slope_before_the_minimum(patch: Patch) -> None:
    def change(table: Tensor) -> None:
        table[2, 0] += 0.3
        table[2, -1] += 0.3

    _spline_knots(patch, change)


def spline_gap_at_the_bound(patch: Patch) -> None:
    def change(table: Tensor) -> None:
        table[1, -1] -= 0.2

    _spline_knots(patch, change)


def spline_bins_searched_along_the_wrong_axis(patch: Patch) -> None:
    knots, search = RationalQuadraticSpline._knots, spline._search
    seen: list[Tensor] = []

    def remember(self: RationalQuadraticSpline, rows: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        table, kept = knots(self, rows)
        seen[:] = [table[0]]
        return table, kept

    patch.setattr(RationalQuadraticSpline, "_knots", remember)
    patch.setattr(spline, "_search", lambda positions, z: search(seen[0], z))


def _spline_root(patch: Patch, root_of: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    def wrong(self: RationalQuadraticSpline, image: Tensor, piece: tuple[Tensor, ...]) -> Tensor:
        x0, y0, width, height, s, d0, d1 = piece
        rise = (image - y0) / height
        excess = rise * (d0 + d1 - 2 * s)
        return x0 + width * root_of(s - d0 + excess, d0 - excess, -s * rise)

    patch.setattr(RationalQuadraticSpline, "_root", wrong)


def spline_other_root(patch: Patch) -> None:
    def wrong(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        root = torch.sqrt((b.square() - 4 * a * c).clamp_min(0))
        return ((-b - root) / (2 * a)).clamp(0, 1)

    _spline_root(patch, wrong)


def spline_textbook_root(patch: Patch) -> None:
    """(−b + √disc) / 2a: right in exact arithmetic, and 0/0 for equal slopes."""

    def wrong(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        root = torch.sqrt((b.square() - 4 * a * c).clamp_min(0))
        return (root - b) / (2 * a)

    _spline_root(patch, wrong)


def spline_unclamped(patch: Patch) -> None:
    """`where` chooses after the formula has seen points outside: its NaN poisons the gradient."""
    patch.setattr(Tensor, "clamp", lambda self, *bounds: self)


# Autoregressive


def affine_log_scale_of_the_other_direction(patch: Patch) -> None:
    def wrong(self: Affine, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._unpack(h, 1)
        return (z - shift) * torch.exp(-log_scale), log_scale

    patch.setattr(Affine, "inverse", wrong)


def affine_shift_after_the_scale(patch: Patch) -> None:
    def wrong(self: Affine, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._unpack(h, 1)
        return z * torch.exp(-log_scale) - shift, -log_scale

    patch.setattr(Affine, "inverse", wrong)


def coupling_moves_what_it_keeps(patch: Patch) -> None:
    def wrong(self: Coupling, seen: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([seen, moved] if self.swap else [moved, seen], -1)

    patch.setattr(Coupling, "join", wrong)


def coupling_conditioned_on_all(patch: Patch) -> None:
    split = Coupling.split

    def wrong(self: Coupling, z: Tensor) -> tuple[Tensor, Tensor]:
        seen, moved = split(self, z)
        return seen + 0.1 * z.sum(-1, keepdim=True), moved

    patch.setattr(Coupling, "split", wrong)


def _masks(patch: Patch, change: Callable[[list[Tensor], int], None]) -> None:
    """Change the masks of every masked network as it is built."""
    init = masked.Masked.__init__

    def wrong(self: masked.Masked, *arguments: object, **options: object) -> None:
        init(self, *arguments, **options)  # type: ignore[arg-type]
        change([layer.mask for layer in self.network], self.parameters_per_dim)

    patch.setattr(masked.Masked, "__init__", wrong)


def masked_output_sees_itself(patch: Patch) -> None:
    """≥ in the output mask, where > is needed."""

    def change(masks: list[Tensor], _: int) -> None:
        masks[-1].fill_(1)

    _masks(patch, change)


def masked_hidden_too_strict(patch: Patch) -> None:
    """> in the hidden masks, where ≥ is needed: connections are lost."""

    def change(masks: list[Tensor], _: int) -> None:
        masks[0][:, 0] = 0

    _masks(patch, change)


def masked_inverse_in_the_wrong_order(patch: Patch) -> None:
    init = masked.Masked.__init__

    def wrong(self: masked.Masked, *arguments: object, **options: object) -> None:
        init(self, *arguments, **options)  # type: ignore[arg-type]
        self.groups = tuple(reversed(self.groups))

    patch.setattr(masked.Masked, "__init__", wrong)


def masked_inverse_in_one_pass(patch: Patch) -> None:
    init = masked.Masked.__init__

    def wrong(self: masked.Masked, *arguments: object, **options: object) -> None:
        init(self, *arguments, **options)  # type: ignore[arg-type]
        self.groups = (list(range(self.dim)),)

    patch.setattr(masked.Masked, "__init__", wrong)


def masked_inverse_with_the_units_unsorted(patch: Patch) -> None:
    init = masked.Masked.__init__

    def wrong(self: masked.Masked, *arguments: object, **options: object) -> None:
        init(self, *arguments, **options)  # type: ignore[arg-type]
        self._arrangement_1.copy_(torch.arange(len(self._arrangement_1)))

    patch.setattr(masked.Masked, "__init__", wrong)


def masked_inverse_a_degree_late(patch: Patch) -> None:
    """The hidden units that the last solved coordinate sets are left out."""
    init = masked.Masked.__init__

    def wrong(self: masked.Masked, *arguments: object, **options: object) -> None:
        init(self, *arguments, **options)  # type: ignore[arg-type]
        starts = self._starts[1]
        self._starts[1] = [0, *starts[:-1]]

    patch.setattr(masked.Masked, "__init__", wrong)


# Linear and normalisation


def plu_permuted_the_wrong_way(patch: Patch) -> None:
    init = PLU.__init__

    def wrong(self: PLU, dim: int, generator: torch.Generator | None = None) -> None:
        init(self, dim, generator)
        # A cycle: for a mere swap the inverse permutation is the permutation itself.
        self.permutation = torch.arange(dim).roll(1)
        self.inverse_permutation = torch.arange(dim).roll(1)

    patch.setattr(PLU, "__init__", wrong)


def plu_sign_of_the_determinant_in_the_logarithm(patch: Patch) -> None:
    forward = PLU._forward

    def wrong(self: PLU, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        image, logabsdet = forward(self, z, context)
        return image, logabsdet * 0 + (self.sign * torch.exp(self.log_diagonal)).sum()

    patch.setattr(PLU, "_forward", wrong)


# Composition


def inverse_keeps_the_sign(patch: Patch) -> None:
    def wrong(self: Inverse, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        image, logabsdet = self.bijection._inverse(z, context)
        return image, -logabsdet

    patch.setattr(Inverse, "_forward", wrong)


def base_without_its_constant(patch: Patch) -> None:
    patch.setattr(StandardNormal, "_log_prob", lambda self, u: -0.5 * u.square().sum(-1))


def base_constant_of_one_dimension(patch: Patch) -> None:
    patch.setattr(
        StandardNormal,
        "_log_prob",
        lambda self, u: -0.5 * (u.square().sum(-1) + math.log(2 * math.pi)),
    )


def layers_inverted_in_forward_order(patch: Patch) -> None:
    steps = Composition._steps

    def wrong(self: Composition, z: Tensor, context: None, inverse: bool):  # type: ignore[no-untyped-def]
        if not inverse:
            yield from steps(self, z, context, inverse)
            return
        for layer in self:
            z, logabsdet = layer._inverse(z, None)
            yield z, logabsdet

    patch.setattr(Composition, "_steps", wrong)


def batch_shares_its_mean(patch: Patch) -> None:
    forward = Affine.inverse

    def wrong(self: Affine, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        image, log_derivative = forward(self, z, h)
        return image, log_derivative + 1e-6 * z.mean()

    patch.setattr(Affine, "inverse", wrong)


def networks_without_gradient(patch: Patch) -> None:
    patch.setattr(
        coupling.Coupling,
        "forward",
        lambda self, seen, context: (
            self.network(seen.detach()).detach().unflatten(-1, (-1, self.parameters_per_dim))
        ),
    )


def hidden_units_that_are_dead(patch: Patch) -> None:
    patch.setattr(F, "silu", torch.zeros_like)


MUTATIONS = [
    (planar_without_the_square, "planar"),
    (planar_unconstrained, "planar"),
    (planar_derivative_without_the_square, "planar"),
    (planar_root_stopped_early, "planar"),
    (planar_root_started_from_the_other_side, "planar"),
    (planar_root_without_gradient, "planar"),
    (radial_squared_norm, "radial"),
    (radial_norm_over_the_batch, "radial"),
    (radial_other_root, "radial"),
    (radial_one_dimension_too_many, "radial"),
    (spline_boundary_slope_before_the_minimum, "rq_spline_coupling"),
    (spline_gap_at_the_bound, "rq_spline_coupling"),
    (spline_bins_searched_along_the_wrong_axis, "rq_spline_coupling"),
    (spline_other_root, "rq_spline_coupling"),
    (spline_textbook_root, "rq_spline_coupling"),
    (spline_unclamped, "rq_spline_coupling"),
    (affine_log_scale_of_the_other_direction, "real_nvp"),
    (affine_shift_after_the_scale, "maf"),
    (coupling_moves_what_it_keeps, "real_nvp"),
    (coupling_conditioned_on_all, "nice"),
    (masked_output_sees_itself, "iaf"),
    (masked_hidden_too_strict, "iaf"),
    (masked_inverse_in_the_wrong_order, "maf"),
    (masked_inverse_in_one_pass, "maf"),
    (masked_inverse_with_the_units_unsorted, "maf"),
    (masked_inverse_a_degree_late, "iaf"),
    (plu_permuted_the_wrong_way, "plu"),
    (plu_sign_of_the_determinant_in_the_logarithm, "plu"),
    (inverse_keeps_the_sign, "maf"),
    (base_without_its_constant, "plu"),
    (base_constant_of_one_dimension, "actnorm"),
    (layers_inverted_in_forward_order, "glow"),
    (batch_shares_its_mean, "real_nvp"),
    (networks_without_gradient, "real_nvp"),
    (hidden_units_that_are_dead, "rq_spline_coupling"),
]
