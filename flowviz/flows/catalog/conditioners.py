"""Conditioners other than masks and couplings, with affine transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowviz.arguments import whole
from flowviz.flows.autoregressive.conditioners import (
    Attention,
    BlockCoupling,
    Conditioner,
    Recurrent,
    Separate,
)
from flowviz.flows.autoregressive.transformers import Affine
from flowviz.flows.catalog import autoregressive as ar
from flowviz.flows.catalog.entry import NETWORK, Entry

FAMILY = "Autoregressive: other conditioners"


def _ordered(
    conditioner: Callable[..., Conditioner],
) -> Callable[[int, int, int, dict[str, Any]], Conditioner]:
    return lambda dim, outputs, layer, settings: conditioner(
        dim,
        outputs,
        order=ar.order(dim, layer),
        hidden=settings["hidden"],
        context=settings["context"],
    )


def _blocks(dim: int, outputs: int, layer: int, settings: dict[str, Any]) -> Conditioner:
    return BlockCoupling(
        dim,
        outputs,
        parts=min(whole("parts", settings["parts"], 1), dim),
        reverse=layer % 2 == 1,
        hidden=settings["hidden"],
        context=settings["context"],
    )


SEPARATE = ar.Conditioning(_ordered(Separate), FAMILY)
RECURRENT = ar.Conditioning(
    _ordered(Recurrent),
    FAMILY,
    passes="D steps",
    fast=(False, False),
    determinant_cost="O(D), after D steps",
)
ATTENTION = ar.Conditioning(_ordered(Attention), FAMILY)
BLOCKS = ar.Conditioning(_blocks, FAMILY, passes="K passes", fast=(True, True))


def _affine(
    name: str,
    title: str,
    reference: str,
    equation: str,
    conditioning: ar.Conditioning,
    **options: int,
) -> Entry:
    return ar.autoregressive(
        name,
        title,
        reference,
        equation,
        lambda _: Affine(),
        conditioning,
        options={**NETWORK, **options},
    )


ENTRIES = (
    _affine(
        "separate_affine",
        "Affine, separate networks",
        "Papamakarios et al. 2021",
        r"u_i = \alpha_i x_i + \beta_i,\quad (\alpha_i, \beta_i) = \mathrm{NN}_i(x_{<i})",
        SEPARATE,
    ),
    _affine(
        "recurrent_af",
        "Recurrent autoregressive",
        "Oliva et al. 2018",
        r"u_i = \alpha(s_i)\, x_i + \beta(s_i),\quad s_i = \mathrm{GRU}(x_{i-1}, s_{i-1})",
        RECURRENT,
    ),
    _affine(
        "attention_af",
        "Affine, masked by attention",
        "Vaswani et al. 2017; Fakoor et al. 2020",
        r"u_i = \alpha_i x_i + \beta_i,\quad "
        r"(\alpha_i, \beta_i) = \mathrm{Attention}_i(0, x_1, \dots, x_{i-1})",
        ATTENTION,
    ),
    _affine(
        "block_coupling",
        "Block coupling, K parts",
        "Papamakarios et al. 2021",
        r"u_{(k)} = \alpha(x_{(<k)})\, x_{(k)} + \beta(x_{(<k)}),\quad k = 1, \dots, K",
        BLOCKS,
        parts=3,
    ),
)
