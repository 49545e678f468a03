"""A bijection held against automatic differentiation, in numbers that a panel can show."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from flowviz.flows.bijection import Bijection, jacobian


@dataclass(frozen=True)
class Check:
    """The largest errors over the points checked; all are 0 for a perfect bijection.

    Attributes:
        round_trip: ‖T⁻¹(T(z)) − z‖∞.
        logabsdet: forward log|det J| against ``slogdet`` of the autodiff Jacobian.
        inverse_logabsdet: the same of the inverse map, at T(z).
        cancellation: |log|det J_T(z)| + log|det J_{T⁻¹}(T(z))||.
        structure: the largest |∂z'ᵢ/∂zⱼ| where the structure says zero.
        monotone: whether every ∂z'ᵢ/∂zᵢ is positive; None where the family does not promise it.
    """

    round_trip: float
    logabsdet: float
    inverse_logabsdet: float
    cancellation: float
    structure: float
    monotone: bool | None

    def worst(self) -> float:
        """The largest of the errors."""
        return max(
            self.round_trip,
            self.logabsdet,
            self.inverse_logabsdet,
            self.cancellation,
            self.structure,
        )


def check(bijection: Bijection, z: Tensor, context: Tensor | None = None) -> Check:
    """Check ``bijection`` at the points ``z [N, D]``, in both directions.

    Raises:
        ValueError: there are no points, they have another shape, or they are not finite.
        TypeError: ``bijection`` is none, or ``z`` is not a floating-point tensor.
    """
    if not isinstance(bijection, Bijection):
        hint = "; a flow's is flow.transform" if isinstance(bijection, nn.Module) else ""
        raise TypeError(f"check takes a bijection, got {type(bijection).__name__}{hint}")
    bijection._checked(z, context)
    if z.ndim != 2 or len(z) == 0:
        raise ValueError(f"check takes points [N, {bijection.dim}], N ≥ 1; got {list(z.shape)}")
    if not z.isfinite().all():
        raise ValueError("check takes finite points, and these hold NaN or infinity")
    with torch.no_grad():
        image, logabsdet = bijection(z, context)
        back, inverse_logabsdet = bijection.inverse(image, context)
    J = jacobian(bijection, z, context).detach()
    inverse_J = jacobian(bijection.inverse, image, context).detach()
    mask = bijection.jacobian_mask().to(z.device)
    triangular = bool(
        (mask & mask.mT).logical_and(~torch.eye(len(mask), dtype=torch.bool, device=z.device)).sum()
        == 0
    )
    return Check(
        round_trip=_largest(back - z),
        logabsdet=_largest(logabsdet - torch.linalg.slogdet(J).logabsdet),
        inverse_logabsdet=_largest(inverse_logabsdet - torch.linalg.slogdet(inverse_J).logabsdet),
        cancellation=_largest(logabsdet + inverse_logabsdet),
        structure=_largest(J * ~mask),
        monotone=bool((J.diagonal(dim1=-2, dim2=-1) > 0).all()) if triangular else None,
    )


def _largest(errors: Tensor) -> float:
    return float(errors.abs().max())
