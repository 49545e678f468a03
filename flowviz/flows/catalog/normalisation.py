"""Normalisation and depth."""

from __future__ import annotations

from typing import Any

from torch import Generator

from flowviz.arguments import whole
from flowviz.flows.autoregressive.transformers import Affine
from flowviz.flows.bijection import Bijection, Composition
from flowviz.flows.catalog import autoregressive as ar
from flowviz.flows.catalog.entry import NETWORK, Entry, Layers
from flowviz.flows.linear import Diagonal
from flowviz.flows.normalisation import ActNorm, BatchNorm, MultiScale


def _multi_scale(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    scales = whole("scales", settings["scales"], 1)
    # The last scale is that of a single coordinate, however many are asked for.
    dims = [dim]
    while len(dims) < scales and dims[-1] > 1:
        dims.append(dims[-1] - dims[-1] // 2)
    return list(MultiScale(_real_nvp(d, layers, settings) for d in dims))


def _real_nvp(dim: int, layers: int, settings: dict[str, Any]) -> Bijection:
    if dim == 1:  # There is nothing to couple.
        return ar.layer(Affine(), ar.MASKED, 1, 0, settings) if settings["context"] else Diagonal(1)
    return Composition(
        ar.layer(Affine(), ar.COUPLING, dim, n, settings) for n in reversed(range(layers))
    )


ENTRIES = (
    Entry(
        name="actnorm",
        title="Activation normalisation",
        family="Normalisation",
        reference="Kingma & Dhariwal 2018",
        equation=r"z' = \exp(s) \odot z + b",
        fast_forward=True,
        fast_inverse=True,
        jacobian="diagonal",
        determinant_cost="O(D)",
        inverse_cost="closed, O(D)",
        build=lambda dim, layers, _, generator: [ActNorm(dim) for _ in range(layers)],
        layers=1,
    ),
    Entry(
        name="batch_norm",
        title="Batch normalisation",
        family="Normalisation",
        reference="Dinh, Sohl-Dickstein & Bengio 2017; Papamakarios, Pavlakou & Murray 2017",
        equation=r"u = \exp(s) \odot \frac{x - m}{\sqrt{v + \epsilon}} + b",
        fast_forward=True,
        fast_inverse=True,
        jacobian="diagonal",
        determinant_cost="O(D)",
        inverse_cost="closed, O(D), with the running statistics",
        build=lambda dim, layers, _, generator: [BatchNorm(dim) for _ in range(layers)],
        layers=1,
    ),
    Entry(
        name="multi_scale",
        title="Multi-scale Real NVP",
        family="Normalisation",
        reference="Dinh, Sohl-Dickstein & Bengio 2017",
        equation=r"x = T_1\!\left(u_{\le D/2},\, T_2(u_{>D/2})\right)",
        fast_forward=True,
        fast_inverse=True,
        jacobian="block triangular",
        determinant_cost="O(D)",
        inverse_cost="closed, 1 pass",
        build=_multi_scale,
        options={**NETWORK, "scales": 2},
        min_dim=2,
    ),
)
