"""How a flow was made, so that its file can hold more than its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """What ``catalog.make`` was asked for, and whether :meth:`Flow.standardised` followed.

    Attributes:
        name: of the family.
        dim: D.
        layers: K.
        options: all of the family's, those left out included.
        data: whether the data are standardised.
        context: whether the context is.
    """

    name: str
    dim: int
    layers: int
    options: Mapping[str, Any]
    data: bool = False
    context: bool = False
