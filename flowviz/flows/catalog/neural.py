"""Neural monotone transformers: mixtures of logistic CDFs, NAF, B-NAF."""

from __future__ import annotations

from typing import Any

from torch import Generator

from flowviz import arguments
from flowviz.flows.autoregressive import BlockNeural
from flowviz.flows.autoregressive.transformers import LogisticMixture, Sigmoids, Stages
from flowviz.flows.bijection import Inverse
from flowviz.flows.catalog.build import coupling, masked_from_data
from flowviz.flows.catalog.entry import NETWORK, Entry, Layers


def _flow_plus_plus(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    mixture = LogisticMixture(settings["components"])
    return [Inverse(coupling(mixture, dim, layer, settings)) for layer in range(layers)]


def _naf(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    sigmoids = Sigmoids(settings["components"])
    return masked_from_data(sigmoids, dim, layers, settings)


def _deep_naf(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    stages = settings["stages"]
    arguments.whole("stages", stages, 1)
    deep = Stages(Sigmoids(settings["components"]) for _ in range(stages))
    return masked_from_data(deep, dim, layers, settings)


def _bnaf(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    orders = (range(dim), range(dim)[::-1])
    return [
        Inverse(
            BlockNeural(
                dim,
                order=orders[layer % 2],
                hidden=settings["hidden"],
                context=settings["context"],
            )
        )
        for layer in range(layers)
    ]


MIXTURE = {**NETWORK, "components": 8}

ENTRIES = (
    Entry(
        name="flow_plus_plus",
        title="Flow++",
        family="Autoregressive: coupling",
        reference="Ho, Chen, Srinivas, Duan & Abbeel 2019",
        equation=r"u_{\le d} = x_{\le d},\quad u_{>d} = \alpha\, \sigma^{-1}\!\Big(\sum_k w_k\, "
        r"\sigma\big(\tfrac{x_{>d} - \mu_k}{s_k}\big)\Big) + \beta",
        fast_forward=True,
        fast_inverse=True,
        jacobian="block triangular",
        determinant_cost="O(D)",
        inverse_cost="a root a coordinate, 1 pass",
        build=_flow_plus_plus,
        exact_inverse=False,
        options=MIXTURE,
        min_dim=2,
    ),
    Entry(
        name="naf",
        title="NAF",
        family="Autoregressive: masked",
        reference="Huang, Krueger, Lacoste & Courville 2018",
        equation=r"u_i = \sigma^{-1}\!\Big(\sum_k w_k\, \sigma(a_k x_i + b_k)\Big),\quad "
        r"(w, a, b) = c_i(x_{<i})",
        fast_forward=False,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="a root a coordinate, D passes",
        build=_naf,
        exact_inverse=False,
        options=MIXTURE,
    ),
    Entry(
        name="deep_naf",
        title="NAF, deep",
        family="Autoregressive: masked",
        reference="Huang, Krueger, Lacoste & Courville 2018",
        equation=r"u_i = \tau_S \circ \dots \circ \tau_1(x_i),\quad "
        r"\tau_s(x) = \sigma^{-1}\!\Big(\sum_k w_{sk}\, \sigma(a_{sk} x + b_{sk})\Big)",
        fast_forward=False,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="S roots a coordinate, D passes",
        build=_deep_naf,
        exact_inverse=False,
        options={**MIXTURE, "stages": 2},
    ),
    Entry(
        name="bnaf",
        title="B-NAF",
        family="Autoregressive: masked",
        reference="De Cao, Titov & Aziz 2020",
        equation=r"u_i = (1 - g_i)\, x_i + g_i f_i(x_{\le i}),\quad "
        r"f = W_L \tanh(\cdots \tanh(W_1 x)),\quad W_{ii} > 0,\ W_{i<j} = 0",
        fast_forward=False,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="a root a coordinate, D after one another",
        build=_bnaf,
        exact_inverse=False,
        options=NETWORK,
    ),
)
