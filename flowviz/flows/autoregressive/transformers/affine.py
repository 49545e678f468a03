"""The affine transformer of Real NVP, MAF, IAF and Glow."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers.transformer import Transformer

LOG_SCALE_BOUND = 5.0


class Affine(Transformer):
    """τ(z; α, β) = α z + β, log α = B tanh(a / B)  (section 3.1.1).

    Real NVP (Dinh et al. 2017), IAF (Kingma et al. 2016), MAF (Papamakarios et al. 2017). The
    bound B = 5 keeps α within [e⁻⁵, e⁵]: never zero, never overflowing.

    P = 2: a, β.
    """

    title = "affine"
    parameters_per_dim = 2

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._unpack(h, 1)
        return torch.addcmul(shift, z, torch.exp(log_scale)), log_scale

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        log_derivative, shift = self._unpack(h, -1)
        return (z - shift) * torch.exp(log_derivative), log_derivative

    @staticmethod
    def _unpack(h: Tensor, sign: int) -> tuple[Tensor, Tensor]:
        """± log α and β."""
        a, shift = h.unbind(-1)
        return torch.tanh(a * (sign / LOG_SCALE_BOUND)) * LOG_SCALE_BOUND, shift
