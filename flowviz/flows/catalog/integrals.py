"""Monotone by integration: UMNN and sums of squares."""

from __future__ import annotations

from flowviz.flows.autoregressive.transformers import MonotoneIntegral, SumOfSquares
from flowviz.flows.catalog.autoregressive import MASKED, autoregressive
from flowviz.flows.catalog.entry import NETWORK

ENTRIES = (
    autoregressive(
        "umnn",
        "UMNN-MAF",
        "Wehenkel & Louppe 2019",
        r"u_i = \beta_i(x_{<i}) + \int_0^{x_i} g(t; h_i(x_{<i}))\, dt,\quad g > 0",
        lambda _: MonotoneIntegral(),
        MASKED,
        inverse="Newton, bracketed",
    ),
    autoregressive(
        "sos",
        "Sum-of-squares polynomial",
        "Jaini, Selby & Yu 2019",
        r"u_i = \beta_i + \int_0^{x_i} \sum_k \Bigl(\sum_\ell a_{ik\ell}\, t^\ell\Bigr)^2 dt",
        lambda settings: SumOfSquares(settings["polynomials"], settings["degree"]),
        MASKED,
        inverse="Newton, bracketed",
        options={**NETWORK, "polynomials": 3, "degree": 2},
    ),
)
