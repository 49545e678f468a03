"""Conditioners other than masks and couplings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Generator

from flowviz.arguments import whole
from flowviz.flows.autoregressive import Autoregressive
from flowviz.flows.autoregressive.conditioners import (
    Attention,
    BlockCoupling,
    Conditioner,
    Recurrent,
    Separate,
)
from flowviz.flows.autoregressive.transformers import Affine
from flowviz.flows.bijection import Inverse
from flowviz.flows.catalog.entry import NETWORK, Entry, Layers


def _affine(
    conditioner: Callable[..., Conditioner],
) -> Callable[[int, int, dict[str, Any], Generator], Layers]:
    """Affine layers with the conditioner, fast from data to base where it is fast at all."""

    def build(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
        affine = Affine()
        # Reversing the order in every other layer lets each coordinate be last once.
        orders: list[Sequence[int]] = [range(dim), range(dim)[::-1]]
        return [
            Inverse(
                Autoregressive(
                    affine,
                    conditioner(
                        dim,
                        affine.parameters_per_dim,
                        order=orders[layer % 2],
                        hidden=settings["hidden"],
                        context=settings["context"],
                    ),
                )
            )
            for layer in range(layers)
        ]

    return build


def _block_coupling(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    parts = whole("parts", settings["parts"], 1)
    affine = Affine()
    conditioners = [
        BlockCoupling(
            dim,
            affine.parameters_per_dim,
            parts=min(parts, dim),
            reverse=layer % 2 == 1,
            hidden=settings["hidden"],
            context=settings["context"],
        )
        for layer in range(layers)
    ]
    return [Inverse(Autoregressive(affine, conditioner)) for conditioner in conditioners]


ENTRIES = (
    Entry(
        name="separate_affine",
        title="Affine, separate networks",
        family="Autoregressive: other conditioners",
        reference="Papamakarios et al. 2021",
        equation=r"u_i = \alpha_i x_i + \beta_i,\quad "
        r"(\alpha_i, \beta_i) = \mathrm{NN}_i(x_{<i})",
        fast_forward=False,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="closed, D passes",
        build=_affine(Separate),
        options=NETWORK,
    ),
    Entry(
        name="recurrent_af",
        title="Recurrent autoregressive",
        family="Autoregressive: other conditioners",
        reference="Oliva et al. 2018",
        equation=r"u_i = \alpha(s_i)\, x_i + \beta(s_i),\quad "
        r"s_i = \mathrm{GRU}(x_{i-1}, s_{i-1})",
        fast_forward=False,
        fast_inverse=False,
        jacobian="triangular",
        determinant_cost="O(D), after D steps",
        inverse_cost="closed, D steps",
        build=_affine(Recurrent),
        options=NETWORK,
    ),
    Entry(
        name="attention_af",
        title="Affine, masked by attention",
        family="Autoregressive: other conditioners",
        reference="Vaswani et al. 2017; Fakoor et al. 2020",
        equation=r"u_i = \alpha_i x_i + \beta_i,\quad "
        r"(\alpha_i, \beta_i) = \mathrm{Attention}_i(0, x_1, \dots, x_{i-1})",
        fast_forward=False,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="closed, D passes",
        build=_affine(Attention),
        options=NETWORK,
    ),
    Entry(
        name="block_coupling",
        title="Block coupling, K parts",
        family="Autoregressive: other conditioners",
        reference="Papamakarios et al. 2021",
        equation=r"u_{(k)} = \alpha(x_{(<k)})\, x_{(k)} + \beta(x_{(<k)}),\quad k = 1, \dots, K",
        fast_forward=True,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="closed, K passes",
        build=_block_coupling,
        options={**NETWORK, "parts": 3},
    ),
)
