"""Residual flows whose determinant the matrix determinant lemma gives."""

from __future__ import annotations

from typing import Any

from torch import Generator

from flowviz.flows.catalog.entry import Entry, Layers
from flowviz.flows.matrix_determinant_lemma import Planar, Radial, Sylvester


def _sylvester(dim: int, layers: int, settings: dict[str, Any], generator: Generator) -> Layers:
    rank = min(dim, 2) if settings["rank"] is None else settings["rank"]
    return [Sylvester(dim, rank, generator) for _ in range(layers)]


ENTRIES = (
    Entry(
        name="planar",
        title="Planar",
        family="Residual: matrix determinant lemma",
        reference="Rezende & Mohamed 2015",
        equation=r"z' = z + v \tanh(w^\top z + b)",
        fast_forward=True,
        fast_inverse=True,
        exact_inverse=False,
        jacobian="identity plus rank one",
        determinant_cost="O(D)",
        inverse_cost="Newton's method for one scalar, O(D)",
        build=lambda dim, layers, _, generator: [Planar(dim, generator) for _ in range(layers)],
        layers=16,
    ),
    Entry(
        name="radial",
        title="Radial",
        family="Residual: matrix determinant lemma",
        reference="Rezende & Mohamed 2015",
        equation=r"z' = z + \frac{\beta}{\alpha + r}(z - z_0)",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="O(D)",
        inverse_cost="closed, O(D)",
        build=lambda dim, layers, _, generator: [Radial(dim, generator) for _ in range(layers)],
        layers=16,
    ),
    Entry(
        name="sylvester",
        title="Sylvester",
        family="Residual: matrix determinant lemma",
        reference="van den Berg, Hasenclever, Tomczak & Welling 2018",
        equation=r"z' = z + Q R \tanh(\tilde R Q^\top z + b)",
        fast_forward=True,
        fast_inverse=True,
        exact_inverse=False,
        jacobian="identity plus low rank",
        determinant_cost="O(M), M the rank",
        inverse_cost="Newton's method for M scalars in turn, O(DM)",
        build=_sylvester,
        layers=8,
        # Two columns, or one in one dimension.
        options={"rank": None},
    ),
)
