"""Autoregressive models as flows: the transformer is the CDF of a conditional."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowviz.flows.autoregressive.transformers.affine import Affine
from flowviz.flows.autoregressive.transformers.sigmoids import check_components
from flowviz.flows.autoregressive.transformers.transformer import Transformer
from flowviz.flows.numerics.normal_tails import log_cdf, mills_ratio, quantile, reverse_hazard
from flowviz.flows.numerics.root import bracketed

MEAN_BOUND = 10.0
LOG_SCALE_BOUND = 5.0
BACKGROUND = 1e-3


class ConditionalCDF(Transformer):
    """u = F(x; h), the CDF of a conditional p(x; h): data to the uniform (section 3.1.3).

    An autoregressive model p(xᵢ | x_{<i}) is the flow of this transformer over the uniform, with
    log ∂u/∂x = log p. As a transformer of ℝ it goes on to the normal,
    τ(x) = Φ⁻¹(F(x; h)), which is the same flow over the standard normal.

    A conditional gives :meth:`tails`.
    """

    def tails(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """log F, log(1 − F), and the hazards p/F and p/(1 − F) at ``x [...]``."""
        raise NotImplementedError

    def to_uniform(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """F(x; h) and log p(x; h), both ``[...]``."""
        log_below, _, reverse, _ = self.tails(x, h)
        return torch.exp(log_below), log_below + torch.log(reverse)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        image, slope = self._to_normal(z, h)
        return image, torch.log(slope)

    def _to_normal(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        log_below, log_above, reverse, hazard = self.tails(x, h)
        image = quantile(log_below, log_above)
        # p / φ(z'), as a quotient of two hazards of the nearer tail: neither p nor φ underflows.
        lower = log_below < log_above
        slope = torch.where(lower, reverse, hazard) * mills_ratio(torch.where(lower, -image, image))
        return image, slope


class GaussianCDF(ConditionalCDF):
    """F(x) = Φ(α x + β): Gaussian conditionals, 𝒩(−β/α, 1/α²).

    Over the normal it is Φ⁻¹(Φ(α x + β)) = α x + β, the affine flow, and has the same P = 2:
    a, β, with log α = B tanh(a / B).
    """

    title = "Gaussian CDF"
    parameters_per_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.affine = Affine()

    def tails(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        s, log_slope = self.affine(x, h)
        α = torch.exp(log_slope)
        return log_cdf(s), log_cdf(-s), α * reverse_hazard(s), α * reverse_hazard(-s)

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return self.affine.inverse(z, h)


class GaussianMixtureCDF(ConditionalCDF):
    """F(x) = η Φ(x) + (1 − η) Σ_k w_k Φ((x − μ_k)/σ_k): conditionals that are mixtures.

    η = 10⁻³ of the mass is a background 𝒩(0, 1): far from all components the density, and with it
    the derivative of τ, would be zero to rounding, and there would be no inverse left.
    μ = 10 tanh(·/10), log σ = B tanh(·/B), B = 5. The inverse is a numerical root.

    P = 3K: the weights (through a softmax), μ, log σ. At h = 0, F = Φ and τ is the identity.

    Args:
        components: K ≥ 1.
    """

    title = "Gaussian mixture CDF"
    exact_inverse = False

    def __init__(self, components: int = 8) -> None:
        super().__init__()
        self.components = check_components(components)
        self.parameters_per_dim = 3 * components

    def tails(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        log_w, μ, log_σ = self.mixture(h)
        α = torch.exp(-log_σ)
        s = α * (x - μ)
        below, above = log_w + log_cdf(s), log_w + log_cdf(-s)
        log_below, log_above = torch.logsumexp(below, 0), torch.logsumexp(above, 0)
        reverse = (torch.softmax(below, 0) * α * reverse_hazard(s)).sum(0)
        hazard = (torch.softmax(above, 0) * α * reverse_hazard(-s)).sum(0)
        return log_below, log_above, reverse, hazard

    def mixture(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log w, μ and log σ of the K components and the background, ``[K + 1, ...]`` each."""
        logits, μ, log_σ = h.movedim(-1, 0).contiguous().unflatten(0, (3, -1)).unbind(0)
        standard = torch.zeros_like(logits[:1])
        log_w = F.log_softmax(logits, 0) + math.log1p(-BACKGROUND)
        return (
            torch.cat([log_w, standard + math.log(BACKGROUND)]),
            torch.cat([MEAN_BOUND * torch.tanh(μ / MEAN_BOUND), standard]),
            torch.cat([LOG_SCALE_BOUND * torch.tanh(log_σ / LOG_SCALE_BOUND), standard]),
        )

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            log_w, μ, log_σ = self.mixture(h)
            # The quantile of the mixture lies between those of its components.
            start = (torch.exp(log_w) * (μ + torch.exp(log_σ) * z)).sum(0)
            solvable = start.isfinite()
        # What is not finite has no root: NaN, without a search that would find none.
        image = torch.where(solvable, z, torch.nan)
        h = torch.where(solvable.unsqueeze(-1), h, 0)
        x = bracketed(lambda x: self._to_normal(x, h), image, start)
        return x, -self.forward(x, h)[1]
