"""Monotone by integration: UMNN and sums of squares."""

from __future__ import annotations

from typing import Any

from torch import Generator

from flowviz.flows.autoregressive.transformers import MonotoneIntegral, SumOfSquares
from flowviz.flows.bijection import Inverse
from flowviz.flows.catalog.build import masked, masked_from_data
from flowviz.flows.catalog.entry import NETWORK, Entry, Layers


def _umnn(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    return [Inverse(masked(MonotoneIntegral(), dim, layer, settings)) for layer in range(layers)]


def _sos(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    polynomial = SumOfSquares(settings["polynomials"], settings["degree"])
    return masked_from_data(polynomial, dim, layers, settings)


ENTRIES = (
    Entry(
        name="umnn",
        title="UMNN-MAF",
        family="Autoregressive: masked",
        reference="Wehenkel & Louppe 2019",
        equation=r"u_i = \beta_i(x_{<i}) + \int_0^{x_i} g(t; h_i(x_{<i}))\, dt,\quad g > 0",
        fast_forward=False,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="Newton, bracketed, D passes",
        build=_umnn,
        exact_inverse=False,
        options=NETWORK,
    ),
    Entry(
        name="sos",
        title="Sum-of-squares polynomial",
        family="Autoregressive: masked",
        reference="Jaini, Selby & Yu 2019",
        equation=r"u_i = \beta_i + \int_0^{x_i} \sum_k \Bigl(\sum_\ell a_{ik\ell}\,"
        r" t^\ell\Bigr)^2 dt",
        fast_forward=False,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="Newton, bracketed, D passes",
        build=_sos,
        exact_inverse=False,
        options={**NETWORK, "polynomials": 3, "degree": 2},
    ),
)
