"""Flows made of conditional CDFs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.autoregressive.transformers import GaussianMixtureCDF
from flowviz.flows.catalog.autoregressive import MASKED, autoregressive
from flowviz.flows.catalog.entry import NETWORK, Entry, Layers
from flowviz.flows.constructions import TabulatedMap


def _tabulated(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    bins = settings["bins"]
    arguments.whole("bins", bins, 1)

    def normal(x: Tensor) -> Tensor:
        return -0.5 * x.square().sum(-1)

    # The table of the normal is nearly the identity: it is what training starts from.
    return [TabulatedMap.of(normal, (-4, 4, -4, 4), bins) for _ in range(layers)]


ENTRIES: tuple[Entry, ...] = (
    autoregressive(
        "mixture_autoregressive",
        "Autoregressive mixtures",
        "Papamakarios et al. 2021, section 3.1.3",
        r"u_i = \Phi^{-1}\!\Big(\sum_k w_k\, \Phi\big(\tfrac{x_i - \mu_k}{\sigma_k}\big)\Big),"
        r"\quad (w, \mu, \sigma) = c_i(x_{<i})",
        lambda settings: GaussianMixtureCDF(settings["components"]),
        replace(MASKED, family="Autoregressive: conditional CDFs"),
        inverse="a root a coordinate",
        options={**NETWORK, "components": 8},
    ),
    Entry(
        name="tabulated",
        title="Tabulated density",
        family="Constructions",
        reference="Papamakarios et al. 2021, section 2.2",
        equation=r"u_1 = \Phi^{-1}(F(x_1)),\quad u_2 = \Phi^{-1}(F(x_2 \mid x_1))",
        fast_forward=True,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="closed",
        inverse_cost="closed, no network",
        build=_tabulated,
        # One is universal; what more layers would give, a finer table gives.
        layers=1,
        options={"bins": 16},
        min_dim=2,
        max_dim=2,
    ),
)
