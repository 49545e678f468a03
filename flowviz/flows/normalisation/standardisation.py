"""Standardising data and contexts as fixed layers of a flow."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.bijection import Bijection


class Standardisation(Bijection):
    """x = m + s ⊙ z, which inverts z = (x − m) / s; m and s are set from data and not learned.

    Args:
        location: m ``[D]``.
        scale: s ``[D]``, each > 0.
    """

    location: Tensor
    scale: Tensor

    def __init__(self, location: Tensor, scale: Tensor) -> None:
        super().__init__(len(location))
        self.register_buffer("location", location)
        self.register_buffer("scale", scale)

    def jacobian_mask(self) -> Tensor:
        return torch.eye(self.dim, dtype=torch.bool)

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.location + self.scale * z, self.scale.log().sum().expand(z.shape[:-1])

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return (z - self.location) / self.scale, -self.scale.log().sum().expand(z.shape[:-1])


class StandardisedContext(Bijection):
    """T(z; (c − m) / s): a conditional layer whose context is standardised first.

    Args:
        bijection: T, with a context of C ≥ 1 features.
        location: m ``[C]``.
        scale: s ``[C]``, each > 0; ∞ for a feature that T is not to see.
    """

    location: Tensor
    scale: Tensor

    def __init__(self, bijection: Bijection, location: Tensor, scale: Tensor) -> None:
        arguments.instance("bijection", bijection, Bijection)
        super().__init__(bijection.dim, bijection.context)
        self.bijection = bijection
        self.exact_inverse = bijection.exact_inverse
        self.exact_logabsdet = bijection.exact_logabsdet
        self.tolerance = bijection.tolerance
        self.register_buffer("location", location)
        self.register_buffer("scale", scale)

    def jacobian_mask(self) -> Tensor:
        return self.bijection.jacobian_mask()

    def describe(self) -> str:
        return self.bijection.describe()

    def _standard(self, context: Tensor | None) -> Tensor | None:
        return None if context is None else (context - self.location) / self.scale

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.bijection._forward(z, self._standard(context))

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.bijection._inverse(z, self._standard(context))

    def _stretches(self, n: int) -> list[Bijection]:
        return [
            StandardisedContext(stretch, self.location, self.scale)
            for stretch in self.bijection._stretches(n)
        ]

    def _image(self, z: Tensor, context: Tensor | None, inverse: bool) -> tuple[Tensor, Tensor]:
        return self.bijection._image(z, self._standard(context), inverse)
