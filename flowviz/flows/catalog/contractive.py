"""Contractive residual flows.

A block's closed direction is z + g(z), and the other one an iteration. Maximum likelihood asks for
the density of data, and so the block maps data to base, as in Behrmann et al. 2019: a training
step takes one pass a block, and only drawing samples iterates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Generator

from flowviz.flows.bijection import Inverse
from flowviz.flows.catalog.entry import NETWORK, Build, Entry, Layers
from flowviz.flows.contractive import (
    ContractiveDenseNet,
    ContractiveMLP,
    ContractiveResidual,
    Exact,
    Hutchinson,
    RussianRoulette,
    Series,
)
from flowviz.flows.contractive.log_determinant import LogDeterminant
from flowviz.flows.contractive.network import ContractiveNetwork


def _mlp(dim: int, settings: dict[str, Any]) -> ContractiveNetwork:
    return ContractiveMLP(
        dim,
        settings["hidden"],
        settings["context"],
        settings["lipschitz"],
        settings["activation"],
    )


def _dense(dim: int, settings: dict[str, Any]) -> ContractiveNetwork:
    return ContractiveDenseNet(dim, settings["hidden"], settings["context"], settings["lipschitz"])


def _residual(
    network: Callable[[int, dict[str, Any]], ContractiveNetwork],
    log_determinant: Callable[[dict[str, Any]], LogDeterminant],
) -> Build:
    def build(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
        return [
            Inverse(ContractiveResidual(network(dim, settings), log_determinant(settings)))
            for _ in range(layers)
        ]

    return build


_DENSE = {**NETWORK, "lipschitz": 0.9}
_MLP = {**_DENSE, "activation": "lipswish"}
_INVERSE_COST = "Banach iteration, at most 2 log ε/log L passes; shortened by Newton's method"


def _entry(
    name: str, title: str, reference: str, determinant_cost: str, build: Build, **more: Any
) -> Entry:
    return Entry(
        name=name,
        title=title,
        family="Residual: contractive",
        reference=reference,
        equation=r"u = x + g(x),\quad \mathrm{Lip}(g) \le c < 1",
        fast_forward=True,
        fast_inverse=True,
        exact_inverse=False,
        jacobian="dense",
        determinant_cost=determinant_cost,
        inverse_cost=_INVERSE_COST,
        build=build,
        **{"options": _MLP, **more},
    )


ENTRIES = (
    _entry(
        "contractive",
        "Contractive residual",
        "Behrmann et al. 2019",
        "O(D³), D tangents",
        _residual(_mlp, lambda _: Exact()),
    ),
    _entry(
        "contractive_series",
        "Contractive residual, truncated series",
        "Behrmann et al. 2019",
        "O(nD³), truncated at n terms",
        _residual(_mlp, lambda settings: Series(settings["terms"])),
        exact_logabsdet=False,
        options={**_MLP, "terms": 10},
    ),
    _entry(
        "contractive_hutchinson",
        "Contractive residual, Hutchinson traces",
        "Behrmann et al. 2019",
        "O(nD), n products with a random vector, truncated",
        _residual(_mlp, lambda settings: Hutchinson(settings["terms"])),
        exact_logabsdet=False,
        options={**_MLP, "terms": 10},
    ),
    _entry(
        "contractive_roulette",
        "Residual flow, Russian roulette",
        "Chen, Behrmann, Duvenaud & Jacobsen 2019",
        "O(D/(1 − c)) on average, unbiased estimate",
        _residual(_mlp, lambda settings: RussianRoulette(settings["lipschitz"])),
        exact_logabsdet=False,
        page="each pass draws how many terms of its series there are",
    ),
    _entry(
        "contractive_dense",
        "i-DenseNet",
        "Perugachi-Diaz, Tomczak & Bhulai 2021",
        "O(D³), D tangents",
        _residual(_dense, lambda _: Exact()),
        options=_DENSE,
    ),
)
