"""Linear flows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Generator

from flowviz.flows.bijection import Bijection
from flowviz.flows.catalog.entry import Build, Entry, Layers
from flowviz.flows.linear import (
    PLU,
    QR,
    SVD,
    Dense,
    Diagonal,
    OrthogonalCayley,
    OrthogonalExponential,
    Permutation,
    Shift,
    Triangular,
)


def _of(layer: Callable[[int, Generator], Bijection]) -> Build:
    return lambda dim, layers, _, generator: [layer(dim, generator) for _ in range(layers)]


def _permutation(dim: int, layers: int, settings: dict[str, Any], generator: Generator) -> Layers:
    if settings["order"] not in ("reverse", "random"):
        raise ValueError(f"order is 'reverse' or 'random', got {settings['order']!r}")
    draw = generator if settings["order"] == "random" else None
    blocks: Layers = []
    for _ in range(layers):
        # A permutation has nothing to learn: the shift is what training moves.
        blocks += [Permutation(dim, draw), Shift(dim)]
    return blocks


def _triangular(dim: int, layers: int, _: dict[str, Any], generator: Generator) -> Layers:
    return [Triangular(dim, generator, upper=layer % 2 == 1) for layer in range(layers)]


def _rotation(rotation: Callable[[int, Generator], Bijection]) -> Build:
    """A sphere turned is the same sphere: the axes are scaled before they are turned."""

    def build(dim: int, layers: int, _: dict[str, Any], generator: Generator) -> Layers:
        blocks: Layers = []
        for _layer in range(layers):
            blocks += [Diagonal(dim), rotation(dim, generator)]
        return blocks

    return build


ENTRIES = (
    Entry(
        name="permutation",
        title="Permutation",
        family="Linear",
        reference="Dinh, Sohl-Dickstein & Bengio 2017",
        equation=r"z'_i = z_{\pi(i)} + b_i",
        fast_forward=True,
        fast_inverse=True,
        jacobian="permutation",
        determinant_cost="none, |det| = 1",
        inverse_cost="closed, O(D)",
        build=_permutation,
        layers=1,
        options={"order": "reverse"},
    ),
    Entry(
        name="triangular",
        title="Linear, triangular",
        family="Linear",
        reference="Papamakarios et al. 2021, section 3.2",
        equation=r"z' = L z + b",
        fast_forward=True,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="triangular solve, O(D²)",
        build=_triangular,
        layers=1,
    ),
    Entry(
        name="plu",
        title="Linear, PLU",
        family="Linear",
        reference="Kingma & Dhariwal 2018",
        equation=r"z' = P L U z + b",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="O(D)",
        inverse_cost="triangular solves, O(D²)",
        build=_of(PLU),
        layers=1,
    ),
    Entry(
        name="qr",
        title="Linear, QR",
        family="Linear",
        reference="Hoogeboom, van den Berg & Welling 2019",
        equation=r"z' = Q R z + b,\quad Q = -H_1 \cdots H_D",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="O(D)",
        inverse_cost="transpose and triangular solve, O(D²)",
        build=_of(QR),
        layers=1,
    ),
    Entry(
        name="svd",
        title="Linear, SVD",
        family="Linear",
        reference="Zhang, Lei & Dhillon 2018",
        equation=r"z' = U\, \mathrm{diag}(e^s)\, V^\top z + b",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="O(D)",
        inverse_cost="transposes, O(D²)",
        build=_of(SVD),
        layers=1,
    ),
    Entry(
        name="orthogonal_exponential",
        title="Rotation, matrix exponential",
        family="Linear",
        reference="Golinski, Lezcano-Casado & Rainforth 2019",
        equation=r"z' = \exp(A - A^\top)\,(e^s \odot z + b)",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="none for the rotation, O(D) for the scaling",
        inverse_cost="transpose, O(D²)",
        build=_rotation(OrthogonalExponential),
        layers=1,
    ),
    Entry(
        name="orthogonal_cayley",
        title="Rotation, Cayley map",
        family="Linear",
        reference="Golinski, Lezcano-Casado & Rainforth 2019",
        equation=r"z' = (I - S)^{-1}(I + S)\,(e^s \odot z + b),\quad S = A - A^\top",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="none for the rotation, O(D) for the scaling",
        inverse_cost="transpose, O(D²)",
        build=_rotation(OrthogonalCayley),
        layers=1,
    ),
    Entry(
        name="dense",
        title="Linear, dense",
        family="Linear",
        reference="Papamakarios et al. 2021, section 3.2",
        equation=r"z' = W z + b",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="O(D³), slogdet",
        inverse_cost="linear solve, O(D³)",
        build=_of(Dense),
        layers=1,
    ),
)
