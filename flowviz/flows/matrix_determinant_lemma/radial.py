"""The radial flow."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from flowviz.flows.bijection import Bijection


class Radial(Bijection):
    """z' = z + β/(α + r) (z − z₀), r = ‖z − z₀‖  (section 3.3.2; Rezende & Mohamed 2015).

    α = softplus(·) > 0, and β = −α + s with s = softplus(·) > 0, so that β > −α. Then
    log|det J| = (D − 1) log(1 + β/(α + r)) + log(1 + αβ/(α + r)²), computed from α and s, all of
    whose terms are positive.

    The inverse is closed: with r' = ‖z' − z₀‖, r is the non-negative root of
    r² + (α + β − r') r − α r' = 0.

    Args:
        dim: D.
        generator: draws the start.
    """

    def __init__(self, dim: int, generator: Generator | None = None) -> None:
        super().__init__(dim)
        self.z0 = nn.Parameter(torch.randn(dim, generator=generator))
        self.raw_alpha = nn.Parameter(torch.zeros(()))
        self.raw_s = nn.Parameter(0.1 * torch.randn((), generator=generator))

    @property
    def alpha(self) -> Tensor:
        """α > 0."""
        return F.softplus(self.raw_alpha)

    @property
    def s(self) -> Tensor:
        """s = α + β > 0."""
        return F.softplus(self.raw_s)

    @property
    def beta(self) -> Tensor:
        """β > −α."""
        return self.s - self.alpha

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        offset = z - self.z0
        r = torch.linalg.vector_norm(offset, dim=-1)
        α, s = self.alpha, self.s
        scale = (s + r) / (α + r)
        return self.z0 + scale.unsqueeze(-1) * offset, self._log_determinant(r, α, s)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        offset = z - self.z0
        image_r = torch.linalg.vector_norm(offset, dim=-1)
        α, s = self.alpha, self.s
        p = s - image_r
        q = α * image_r
        root = torch.sqrt(p.square() + 4 * q)
        # Each branch adds numbers of one sign, so that neither cancels. At r' = 0, p = s > 0.
        positive = p > 0
        r = torch.where(positive, 2 * q, root - p) / torch.where(positive, p + root, 2.0)
        scale = (α + r) / (s + r)
        return self.z0 + scale.unsqueeze(-1) * offset, -self._log_determinant(r, α, s)

    def _log_determinant(self, r: Tensor, α: Tensor, s: Tensor) -> Tensor:
        across = torch.log(r + s) - torch.log(r + α)
        along = torch.log(r.square() + 2 * α * r + α * s) - 2 * torch.log(r + α)
        return (self.dim - 1) * across + along
