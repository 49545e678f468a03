"""What the catalogue says of a family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Generator

from flowviz.flows.bijection import Bijection

Structure = Literal[
    "dense",
    "triangular",
    "block triangular",
    "diagonal",
    "permutation",
    "identity plus rank one",
    "identity plus low rank",
]

Layers = list[Bijection]
Build = Callable[[int, int, dict[str, Any], Generator], Layers]
"""``(dim, layers, settings, generator)`` to the bijections; ``settings`` holds every option."""


@dataclass(frozen=True)
class Entry:
    """A family of flows.

    Attributes:
        name: the key in the registry.
        title: what menus show.
        family: the section of the review that it belongs to.
        reference: authors, year.
        equation: one layer, in LaTeX.
        fast_forward: sampling takes a number of network passes that does not grow with D.
        fast_inverse: the same of density evaluation.
        jacobian: structure of one layer's Jacobian.
        determinant_cost: of one layer, in D.
        inverse_cost: of the direction that is not the equation's own, and how it is found.
        build: makes the bijections.
        exact_inverse: the inverse is closed; otherwise it is found iteratively.
        exact_logabsdet: the log-determinant is exact; otherwise truncated or estimated.
        page: why a web page cannot play its passes (:meth:`Flow.program`); "" where it can.
        layers: how many layers are made when nothing is said.
        pace: how many times the learning rate of other families its training wants.
        options: the settings that the family has besides ``layers``, with their defaults;
            ``hidden``, ``bins`` and ``context`` mean the same wherever they occur.
        min_dim, max_dim, dim_multiple: which D the family takes.
    """

    name: str
    title: str
    family: str
    reference: str
    equation: str
    fast_forward: bool
    fast_inverse: bool
    jacobian: Structure
    determinant_cost: str
    inverse_cost: str
    build: Build
    exact_inverse: bool = True
    exact_logabsdet: bool = True
    page: str = ""
    layers: int = 4
    pace: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    min_dim: int = 1
    max_dim: int | None = None
    dim_multiple: int = 1

    def allows(self, dim: int) -> bool:
        """Whether the family takes D = ``dim``."""
        at_most = self.max_dim is None or dim <= self.max_dim
        return self.min_dim <= dim and at_most and dim % self.dim_multiple == 0

    def directions_in_words(self) -> str:
        """Which directions take a fixed number of network passes."""
        words = {
            (True, True): "both",
            (True, False): "base → data",
            (False, True): "data → base",
            (False, False): "neither",
        }
        return words[self.fast_forward, self.fast_inverse]

    def exactness_in_words(self) -> str:
        """How inverse and log-determinant are found."""
        inverse = "closed" if self.exact_inverse else "iterated"
        return f"{inverse}, {'exact' if self.exact_logabsdet else 'estimated'}"

    def _repr_markdown_(self) -> str:
        """What a notebook shows of it."""
        return (
            f"**{self.title}** ({self.reference})\n\n$${self.equation}$$\n\n"
            f"Jacobian: {self.jacobian}; determinant {self.determinant_cost}; "
            f"inverse {self.inverse_cost}. Fast: {self.directions_in_words()}. "
            f"Inverse and log-determinant: {self.exactness_in_words()}. {self.dims_in_words()}."
        )

    def dims_in_words(self) -> str:
        """Which D the family takes, for messages."""
        if self.max_dim == self.min_dim:
            return f"dim = {self.min_dim}"
        words = f"dim ≥ {self.min_dim}"
        if self.max_dim is not None:
            words += f" and ≤ {self.max_dim}"
        if self.dim_multiple > 1:
            words += f", a multiple of {self.dim_multiple}"
        return words


NETWORK = {"hidden": (64, 64), "context": 0}
"""The options of a family whose conditioner is a network."""

MASKED = {**NETWORK, "residual": False}
"""The options of a family whose conditioner is a masked network, and that alone."""

SPLINE = {"hidden": (64, 64), "bins": 8, "context": 0}
"""The options of a family with splines."""
