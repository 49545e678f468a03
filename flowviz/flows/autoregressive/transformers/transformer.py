"""What a transformer is: a strictly increasing function of one coordinate, with parameters."""

from __future__ import annotations

from torch import Tensor, nn


class Transformer(nn.Module):
    """z'ᵢ = τ(zᵢ; hᵢ), strictly increasing in zᵢ (section 3.1).

    All methods act element by element. At h = 0 every transformer is the identity, but for
    :class:`MonotoneIntegral`, whose network is one of its own.

    Attributes:
        title: what layer strips call it.
        parameters_per_dim: P, the number of entries of hᵢ, all unconstrained.
        exact_inverse: False where the inverse is found numerically.
    """

    title: str
    parameters_per_dim: int
    exact_inverse: bool = True

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """``z [...]`` and ``h [..., P]`` to ``z' [...]`` and ``log ∂τ/∂z [...]``."""
        raise NotImplementedError

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """``z' [...]`` and ``h [..., P]`` to ``z [...]`` and ``log ∂τ⁻¹/∂z' [...]``."""
        raise NotImplementedError
