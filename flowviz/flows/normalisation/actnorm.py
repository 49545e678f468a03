"""Activation normalisation."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz.flows.linear.diagonal import Diagonal
from flowviz.flows.numerics.transforms import transformed

MIN_STD = 1e-3


class ActNorm(Diagonal):
    """z' = exp(s) ⊙ z + b, set once from data (Glow, Kingma & Dhariwal 2018, section 3.1).

    The first batch that passes in training mode, in whichever direction, leaves that direction
    with mean 0 and variance 1 in every coordinate; from then on s and b are ordinary parameters.
    A batch of fewer than two points, or with a value that is not finite, cannot set them and
    passes unchanged; so does one within a transform of ``torch.func``, which sets nothing.
    """

    initialised: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("initialised", torch.tensor(False))

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if (statistics := self._first_statistics(z)) is not None:
            mean, std = statistics
            self.log_scale.data.copy_(-std.log())
            self.shift.data.copy_(-mean / std)
        return super()._forward(z, context)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if (statistics := self._first_statistics(z)) is not None:
            mean, std = statistics
            self.log_scale.data.copy_(std.log())
            self.shift.data.copy_(mean)
        return super()._inverse(z, context)

    @torch.no_grad()
    def _first_statistics(self, z: Tensor) -> tuple[Tensor, Tensor] | None:
        """Mean and standard deviation ``[D]`` of the batch that initialises, else None."""
        rows = z.reshape(-1, self.dim)
        if not self.training or len(rows) < 2 or z.is_meta or transformed() or self.initialised:
            return None
        if not rows.isfinite().all():
            return None
        self.initialised.fill_(True)
        return rows.mean(0), rows.std(0, correction=0).clamp_min(MIN_STD)
