"""The multi-scale architecture: half of the coordinates leave at each scale."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor

from flowviz.arguments import instance
from flowviz.flows.bijection import Bijection, Composition


class MultiScale(Composition):
    """T = T_1 ∘ (id ⊕ T_2) ∘ … ∘ (id ⊕ T_S), T_s on the last D_s coordinates, D = D_1 > D_2 > ….

    From data to base, T_1⁻¹ maps all coordinates, D − D_2 of them are factored out as they are,
    T_2⁻¹ maps the rest, and so on; from base to data they are joined again (Dinh et al. 2017;
    section 3.4). Each part factored out adds its own base log-density: under a base of
    independent coordinates these sum to that of all D, so that the log-density is exact.

    The layers of a scale that is a composition are layers here too, each to be seen in a trace.

    Args:
        scales: T_1, …, T_S, on decreasing numbers of coordinates; those that take a context take
            one of the same size.

    Raises:
        ValueError: the numbers of coordinates do not decrease, or there is no scale.
    """

    def __init__(self, scales: Iterable[Bijection]) -> None:
        scales = [instance("a scale", scale, Bijection) for scale in scales]
        dims = [scale.dim for scale in scales]
        if not dims or any(d <= next_d for d, next_d in pairwise(dims)):
            raise ValueError(
                f"a multi-scale flow needs scales on decreasing numbers of coordinates, got {dims}"
            )
        super().__init__(
            layer if layer.dim == dims[0] else Partial(dims[0], layer)
            for scale in reversed(scales)
            for layer in (scale if isinstance(scale, Composition) else [scale])
        )


class Partial(Bijection):
    """z' = (z_{≤D−d}, T(z_{>D−d})): T on the last d of D coordinates, the others unchanged.

    Args:
        dim: D.
        bijection: T, on d ≤ D coordinates.

    Raises:
        ValueError: T has more than D coordinates.
    """

    def __init__(self, dim: int, bijection: Bijection) -> None:
        super().__init__(dim, instance("bijection", bijection, Bijection).context)
        if bijection.dim > dim:
            raise ValueError(f"{bijection.describe()} maps {bijection.dim} of {dim} coordinates")
        self.bijection = bijection
        self.exact_inverse = bijection.exact_inverse
        self.exact_logabsdet = bijection.exact_logabsdet
        self.tolerance = bijection.tolerance
        self._sizes = [dim - bijection.dim, bijection.dim]

    def describe(self) -> str:
        return f"{self.bijection.describe()} of the last {self.bijection.dim}"

    def jacobian_mask(self) -> Tensor:
        unchanged = torch.eye(self._sizes[0], dtype=torch.bool)
        return torch.block_diag(unchanged, self.bijection.jacobian_mask()).bool()

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        kept, rest = z.split(self._sizes, -1)
        rest, logabsdet = self.bijection._forward(rest, context)
        return torch.cat([kept, rest], -1), logabsdet

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        kept, rest = z.split(self._sizes, -1)
        rest, logabsdet = self.bijection._inverse(rest, context)
        return torch.cat([kept, rest], -1), logabsdet
