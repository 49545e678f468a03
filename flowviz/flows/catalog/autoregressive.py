"""Autoregressive families: what a transformer and a conditioner determine between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Generator

from flowviz.flows.autoregressive import Autoregressive
from flowviz.flows.autoregressive.conditioners import Conditioner, Coupling, Masked
from flowviz.flows.autoregressive.transformers import Transformer
from flowviz.flows.bijection import Bijection, Inverse
from flowviz.flows.catalog.entry import NETWORK, Build, Entry, Layers, Structure

Direction = Literal["base to data", "data to base", "half and half"]
"""Which way the layers' own direction goes; half and half: data to base in those next to the base.

Coupling splines are as expressive either way. With all of them from base to data maximum
likelihood takes several times the steps, with all from data to base the reverse KL loses modes;
with half and half both do as well as the better of the two.
"""


@dataclass(frozen=True)
class Conditioning:
    """A kind of conditioner, and what families with it have in common.

    Attributes:
        make: ``(dim, P, layer, settings)`` to the conditioner of the layer of that number, counted
            from the data: the one next to them sees the coordinates in their own order.
        family: the section of the review.
        jacobian: structure of a layer's Jacobian.
        passes: what the direction that is not the layer's own takes.
        fast: whether the layer's own direction takes a fixed number of passes, and the other.
        determinant_cost: of one layer.
        min_dim: the least D.
    """

    make: Callable[[int, int, int, dict[str, Any]], Conditioner]
    family: str
    jacobian: Structure = "triangular"
    passes: str = "D passes"
    fast: tuple[bool, bool] = (True, False)
    determinant_cost: str = "O(D)"
    min_dim: int = 1


def order(dim: int, layer: int) -> Sequence[int]:
    """Reversing the order in every other layer lets each coordinate be last once."""
    return range(dim) if layer % 2 == 0 else range(dim)[::-1]


def _coupling(dim: int, outputs: int, layer: int, settings: dict[str, Any]) -> Conditioner:
    """The halves change places from one layer to the next."""
    hidden, context = settings["hidden"], settings["context"]
    return Coupling(dim, outputs, swap=layer % 2 == 1, hidden=hidden, context=context)


def _masked(dim: int, outputs: int, layer: int, settings: dict[str, Any]) -> Conditioner:
    return Masked(
        dim,
        outputs,
        order=order(dim, layer),
        hidden=settings["hidden"],
        context=settings["context"],
        residual=settings.get("residual", False),
    )


COUPLING = Conditioning(
    _coupling,
    family="Autoregressive: coupling",
    jacobian="block triangular",
    passes="1 pass",
    fast=(True, True),
    min_dim=2,
)
MASKED = Conditioning(_masked, family="Autoregressive: masked")


def layer(
    transformer: Transformer,
    conditioning: Conditioning,
    dim: int,
    number: int,
    settings: dict[str, Any],
) -> Bijection:
    """Layer number ``number`` of a flow, counted from the data."""
    conditioner = conditioning.make(dim, transformer.parameters_per_dim, number, settings)
    return Autoregressive(transformer, conditioner)


def autoregressive(
    name: str,
    title: str,
    reference: str,
    equation: str,
    transformer: Callable[[dict[str, Any]], Transformer],
    conditioning: Conditioning,
    direction: Direction = "data to base",
    *,
    inverse: str = "closed",
    options: dict[str, Any] = NETWORK,
    layers: int = 4,
    build: Build | None = None,
) -> Entry:
    """The entry of a family.

    Args:
        name, title, reference, equation, options, layers: of the :class:`Entry`.
        transformer: made of the settings, for each layer anew.
        conditioning: the kind of conditioner.
        direction: see :data:`Direction`.
        inverse: what the transformer's inverse takes.
        build: where the flow is more than those layers.
    """
    own, other = conditioning.fast
    forth = direction != "data to base"
    return Entry(
        name=name,
        title=title,
        family=conditioning.family,
        reference=reference,
        equation=equation,
        fast_forward=own if forth else other,
        fast_inverse=other if forth else own,
        jacobian=conditioning.jacobian,
        determinant_cost=conditioning.determinant_cost,
        inverse_cost=f"{inverse}, {conditioning.passes}",
        build=build or _build(transformer, conditioning, direction),
        exact_inverse=inverse == "closed",
        layers=layers,
        options=options,
        min_dim=conditioning.min_dim,
    )


def _build(
    transformer: Callable[[dict[str, Any]], Transformer],
    conditioning: Conditioning,
    direction: Direction,
) -> Build:
    def build(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
        numbers = reversed(range(layers))
        made = [layer(transformer(settings), conditioning, dim, n, settings) for n in numbers]
        turned = {"base to data": 0, "half and half": layers // 2, "data to base": layers}
        return [Inverse(b) if i < turned[direction] else b for i, b in enumerate(made)]

    return build
