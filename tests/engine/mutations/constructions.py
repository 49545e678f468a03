"""Mistakes in conditional CDFs and in the map of a tabulated density."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers import GaussianMixtureCDF, conditional_cdf
from flowviz.flows.constructions import tabulated

Patch = pytest.MonkeyPatch


def mixture_density_over_the_uniform(patch: Patch) -> None:
    """log p, the log-det of the map to the uniform, where the base is the normal."""

    def wrong(self: GaussianMixtureCDF, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        image, _ = self._to_normal(x, h)
        return image, self.to_uniform(x, h)[1]

    patch.setattr(GaussianMixtureCDF, "forward", wrong)


def mixture_quantile_of_the_cdf_alone(patch: Patch) -> None:
    """Φ⁻¹(F) where F is almost 1."""
    patch.setattr(
        conditional_cdf, "quantile", lambda below, above: torch.special.ndtri(torch.exp(below))
    )


def mixture_of_weights_that_do_not_sum_to_one(patch: Patch) -> None:
    mixture = GaussianMixtureCDF.mixture

    def wrong(self: GaussianMixtureCDF, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_w, μ, log_σ = mixture(self, h)
        return log_w + 0.1, μ, log_σ

    patch.setattr(GaussianMixtureCDF, "mixture", wrong)


def mixture_root_without_gradient(patch: Patch) -> None:
    bracketed = conditional_cdf.bracketed
    patch.setattr(conditional_cdf, "bracketed", lambda *arguments: bracketed(*arguments).detach())


def table_of_the_nearest_column(patch: Patch) -> None:
    """The conditional of the cell, not interpolated: a jump at every node of x₁."""

    def wrong(self: tabulated.TabulatedMap, density: Tensor, x1: Tensor) -> tabulated._Conditional:
        low, h = self._axes[0]
        k, _ = tabulated._cell((x1 - low) / h, len(density) - 1)
        return tabulated._Conditional(density[k], *self._axes[1])

    patch.setattr(tabulated.TabulatedMap, "_second", wrong)


def table_whose_rows_are_not_normalised(patch: Patch) -> None:
    """p(x₁, ·) in place of p(· | x₁): the CDF does not end at 1."""
    init = tabulated._Conditional.__init__

    def wrong(self: tabulated._Conditional, density: Tensor, low: float, h: float) -> None:
        init(self, density, low, h)
        if density.ndim > 1:
            mass = h * density.sum(-1, keepdim=True)
            self.density, self.below = mass * self.density, mass * self.below

    patch.setattr(tabulated._Conditional, "__init__", wrong)


def table_one_cell_behind(patch: Patch) -> None:
    init = tabulated._Conditional.__init__

    def wrong(self: tabulated._Conditional, density: Tensor, low: float, h: float) -> None:
        init(self, density, low, h)
        self.below = torch.cat([self.below[..., :1], self.below[..., :-1]], -1)

    patch.setattr(tabulated._Conditional, "__init__", wrong)


def table_inverted_as_steps(patch: Patch) -> None:
    patch.setattr(tabulated, "_root", lambda d0, d1, area: area / (0.5 * (d0 + d1)))


def table_without_the_normal(patch: Patch) -> None:
    """The log-det of the map to the uniform, where the base is the normal."""
    to_normal = tabulated._Conditional.to_normal

    def wrong(self: tabulated._Conditional, x: Tensor) -> tuple[Tensor, Tensor]:
        z, log_slope = to_normal(self, x)
        return z, log_slope - 0.5 * z.square()

    patch.setattr(tabulated._Conditional, "to_normal", wrong)


MUTATIONS = [
    (mixture_density_over_the_uniform, "mixture_autoregressive"),
    (mixture_quantile_of_the_cdf_alone, "mixture_autoregressive"),
    (mixture_of_weights_that_do_not_sum_to_one, "mixture_autoregressive"),
    (mixture_root_without_gradient, "mixture_autoregressive"),
    (table_of_the_nearest_column, "tabulated"),
    (table_whose_rows_are_not_normalised, "tabulated"),
    (table_one_cell_behind, "tabulated"),
    (table_inverted_as_steps, "tabulated"),
    (table_without_the_normal, "tabulated"),
]
