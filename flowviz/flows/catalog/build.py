"""Layers that several families are built from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowviz.flows.autoregressive import Autoregressive
from flowviz.flows.autoregressive.conditioners import Coupling, Masked
from flowviz.flows.autoregressive.transformers import Transformer
from flowviz.flows.bijection import Bijection, Inverse
from flowviz.flows.catalog.entry import Layers


def coupling(transformer: Transformer, dim: int, layer: int, settings: dict[str, Any]) -> Bijection:
    """Layer number ``layer`` of a coupling flow: the halves change places from one to the next."""
    conditioner = Coupling(
        dim,
        transformer.parameters_per_dim,
        swap=layer % 2 == 1,
        hidden=settings["hidden"],
        context=settings["context"],
    )
    return Autoregressive(transformer, conditioner)


def masked(transformer: Transformer, dim: int, layer: int, settings: dict[str, Any]) -> Bijection:
    """Layer number ``layer`` of a masked autoregressive flow, fast from base to data."""
    # Reversing the order in every other layer lets each coordinate be last once.
    order: Sequence[int] = range(dim) if layer % 2 == 0 else range(dim)[::-1]
    conditioner = Masked(
        dim,
        transformer.parameters_per_dim,
        order=order,
        hidden=settings["hidden"],
        context=settings["context"],
        residual=settings.get("residual", False),
    )
    return Autoregressive(transformer, conditioner)


def masked_from_data(
    transformer: Transformer, dim: int, layers: int, settings: dict[str, Any]
) -> Layers:
    """The layers of a masked autoregressive flow that is fast from data to base, as MAF is."""
    return [Inverse(masked(transformer, dim, layer, settings)) for layer in range(layers)]
