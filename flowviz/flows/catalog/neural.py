"""Neural monotone transformers: mixtures of logistic CDFs, NAF, B-NAF."""

from __future__ import annotations

from typing import Any

from torch import Generator

from flowviz import arguments
from flowviz.flows.autoregressive import BlockNeural
from flowviz.flows.autoregressive.transformers import (
    LogisticMixture,
    Sigmoids,
    Stages,
    Transformer,
)
from flowviz.flows.bijection import Inverse
from flowviz.flows.catalog import autoregressive as ar
from flowviz.flows.catalog.entry import NETWORK, Entry, Layers


def _deep(settings: dict[str, Any]) -> Transformer:
    stages = arguments.whole("stages", settings["stages"], 1)
    return Stages(Sigmoids(settings["components"]) for _ in range(stages))


def _bnaf(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    return [
        Inverse(
            BlockNeural(
                dim,
                order=ar.order(dim, layers - 1 - layer),
                hidden=settings["hidden"],
                context=settings["context"],
            )
        )
        for layer in range(layers)
    ]


MIXTURE = {**NETWORK, "components": 8}

ENTRIES = (
    ar.autoregressive(
        "flow_plus_plus",
        "Flow++",
        "Ho, Chen, Srinivas, Duan & Abbeel 2019",
        r"u_{\le d} = x_{\le d},\quad u_{>d} = \alpha\, \sigma^{-1}\!\Big(\sum_k w_k\, "
        r"\sigma\big(\tfrac{x_{>d} - \mu_k}{s_k}\big)\Big) + \beta",
        lambda settings: LogisticMixture(settings["components"]),
        ar.COUPLING,
        inverse="a root a coordinate",
        options=MIXTURE,
    ),
    ar.autoregressive(
        "naf",
        "NAF",
        "Huang, Krueger, Lacoste & Courville 2018",
        r"u_i = \sigma^{-1}\!\Big(\sum_k w_k\, \sigma(a_k x_i + b_k)\Big),\quad "
        r"(w, a, b) = c_i(x_{<i})",
        lambda settings: Sigmoids(settings["components"]),
        ar.MASKED,
        inverse="a root a coordinate",
        options=MIXTURE,
    ),
    ar.autoregressive(
        "deep_naf",
        "NAF, deep",
        "Huang, Krueger, Lacoste & Courville 2018",
        r"u_i = \tau_S \circ \dots \circ \tau_1(x_i),\quad "
        r"\tau_s(x) = \sigma^{-1}\!\Big(\sum_k w_{sk}\, \sigma(a_{sk} x + b_{sk})\Big)",
        _deep,
        ar.MASKED,
        inverse="S roots a coordinate",
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
