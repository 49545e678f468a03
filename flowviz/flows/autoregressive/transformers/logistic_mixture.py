"""The mixture-of-logistics transformer of Flow++."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers.affine import Affine
from flowviz.flows.autoregressive.transformers.sigmoids import (
    bounded,
    check_components,
    invert_combination,
    sigmoid_combination,
)
from flowviz.flows.autoregressive.transformers.transformer import Transformer


class LogisticMixture(Transformer):
    """τ(z) = α (ε z + (1 − ε) σ⁻¹(F(z))) + β, F(z) = Σ_k w_k σ((z − μ_k)/s_k).

    F is the CDF of a mixture of logistics, whose logit is then scaled and shifted (Flow++, Ho et
    al. 2019). ε and the bound on log s are those of
    :class:`~flowviz.flows.autoregressive.transformers.sigmoids.Sigmoids`, the bound on log α that
    of :class:`~flowviz.flows.autoregressive.transformers.affine.Affine`.

    P = 3K + 2: the weights (through a softmax), μ, log s; log α, β.

    Args:
        components: K ≥ 1.
    """

    title = "logistic mixture"
    exact_inverse = False

    def __init__(self, components: int = 8) -> None:
        super().__init__()
        self.components = check_components(components)
        self.parameters_per_dim = 3 * components + 2
        self.affine = Affine()

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        mixture, affine = h.split([3 * self.components, 2], -1)
        z, of_mixture = sigmoid_combination(z, *self._unpack(mixture))
        z, of_affine = self.affine(z, affine)
        return z, of_mixture + of_affine

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        mixture, affine = h.split([3 * self.components, 2], -1)
        z, of_affine = self.affine.inverse(z, affine)
        z, of_mixture = invert_combination(z, *self._unpack(mixture))
        return z, of_mixture + of_affine

    def _unpack(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, μ, log_s = h.movedim(-1, 0).contiguous().unflatten(0, (3, -1)).unbind(0)
        log_slope = -bounded(log_s)
        return logits, log_slope, -μ * torch.exp(log_slope)
