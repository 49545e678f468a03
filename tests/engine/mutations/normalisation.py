"""Mistakes in batch normalisation in evaluation, and in the multi-scale architecture.

Those of batch normalisation in training are in test_normalisation.py, with the tests that see them.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flowviz.flows.normalisation import BatchNorm, Partial, batch_norm

Patch = pytest.MonkeyPatch


# Batch normalisation


def _used(patch: Patch) -> None:
    """Layers that have seen data: at the start their statistics are 0 and 1, which hides much."""
    init = BatchNorm.__init__

    def used(self: BatchNorm, dim: int) -> None:
        init(self, dim)
        self.running_mean.fill_(0.5)
        self.running_var.fill_(3.0)

    patch.setattr(BatchNorm, "__init__", used)


def batch_norm_determinant_without_the_variance(patch: Patch) -> None:
    forward = BatchNorm._forward
    _used(patch)

    def wrong(self: BatchNorm, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        image, _ = forward(self, z, context)
        return image, -self.log_scale.sum().expand(z.shape[:-1])

    patch.setattr(BatchNorm, "_forward", wrong)


def batch_norm_variance_for_standard_deviation(patch: Patch) -> None:
    forward = BatchNorm._forward
    _used(patch)

    def wrong(self: BatchNorm, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        image, logabsdet = forward(self, z, context)
        std = torch.sqrt(self.running_var + batch_norm.EPSILON)
        return (image - self.running_mean) * std + self.running_mean, logabsdet + std.log().sum()

    patch.setattr(BatchNorm, "_forward", wrong)


def batch_norm_epsilon_in_one_direction(patch: Patch) -> None:
    forward = BatchNorm._forward

    def wrong(self: BatchNorm, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(batch_norm, "EPSILON", 0.0)
            return forward(self, z, context)

    patch.setattr(BatchNorm, "_forward", wrong)


def batch_norm_by_the_batch_in_evaluation(patch: Patch) -> None:
    def wrong(self: BatchNorm, z: Tensor) -> tuple[Tensor, Tensor]:
        rows = z.reshape(-1, self.dim)
        if len(rows) < 2:
            return self.running_mean, self.running_var
        return rows.mean(0), rows.var(0, correction=0)

    patch.setattr(BatchNorm, "_statistics", wrong)


# Multi-scale


def scales_without_their_determinant(patch: Patch) -> None:
    forward = Partial._forward

    def wrong(self: Partial, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        image, _ = forward(self, z, context)
        return image, z.new_zeros(z.shape[:-1])

    patch.setattr(Partial, "_forward", wrong)


def scales_rejoined_the_wrong_way_round(patch: Patch) -> None:
    def wrong(self: Partial, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        kept, rest = z.split(self._sizes, -1)
        rest, logabsdet = self.bijection._forward(rest, context)
        return torch.cat([rest, kept], -1), logabsdet

    patch.setattr(Partial, "_forward", wrong)


def scales_factored_out_at_the_other_end(patch: Patch) -> None:
    def wrong(self: Partial, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        rest, kept = z.split(self._sizes[::-1], -1)
        rest, logabsdet = self.bijection._inverse(rest, context)
        return torch.cat([rest, kept], -1), logabsdet

    patch.setattr(Partial, "_inverse", wrong)


def scales_that_drop_their_gradient(patch: Patch) -> None:
    inverse = Partial._inverse

    def wrong(self: Partial, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        image, logabsdet = inverse(self, z, context)
        return image.detach(), logabsdet.detach()

    patch.setattr(Partial, "_inverse", wrong)


MUTATIONS = [
    (batch_norm_determinant_without_the_variance, "batch_norm"),
    (batch_norm_variance_for_standard_deviation, "batch_norm"),
    (batch_norm_epsilon_in_one_direction, "batch_norm"),
    (batch_norm_by_the_batch_in_evaluation, "batch_norm"),
    (scales_without_their_determinant, "multi_scale"),
    (scales_rejoined_the_wrong_way_round, "multi_scale"),
    (scales_factored_out_at_the_other_end, "multi_scale"),
    (scales_that_drop_their_gradient, "multi_scale"),
]
