"""A vector field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flowviz.widgets.stage.marks.arrays import at_least, chosen, sent, shaped
from flowviz.widgets.stage.marks.base import LINE_COLOURS, Mark


@dataclass(frozen=True, eq=False)
class Field(Mark):
    """A vector field as arrows.

    Args:
        points: where the arrows start, ``[M, 2]``.
        vectors: ``[M, 2]`` or ``[K+1, M, 2]``.
        length: data units that a vector of length 1 is drawn as; by default such that the longest
            (of the 95 % shortest) fill the spacing of the points.
        palette: "ink", "forward", "reverse", "muted" or "accent".
        opacity: 0 to 1.

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown colour.
    """

    points: Any
    vectors: Any
    length: float | None = None
    palette: str = "muted"
    opacity: float = 0.9

    kind: ClassVar[str] = "fields"

    def __post_init__(self) -> None:
        points = shaped(self.points, "Field points", "M 2")
        vectors = shaped(self.vectors, "Field vectors", "K+1 M 2")
        if vectors.shape[1] != points.shape[0]:
            raise ValueError(
                f"Field has {points.shape[0]} points but vectors for {vectors.shape[1]}"
            )
        chosen(self.palette, "Field palette", LINE_COLOURS)
        at_least(self.opacity, "Field opacity", 0, 1)
        at_least(self.length, "Field length", 0)
        length = self.length
        if length is None:
            norms = np.linalg.norm(vectors, axis=-1)
            norms = norms[np.isfinite(norms)]
            longest = float(np.quantile(norms, 0.95)) if norms.size else 0.0
            spans = np.ptp(points[np.isfinite(points).all(axis=1)], axis=0) if points.size else [0]
            spacing = math.sqrt(max(float(np.prod(spans)), 1e-12) / max(len(points), 1))
            length = spacing / longest if longest > 0 else 1.0
        self._set(points=points, vectors=vectors, length=float(length))

    @property
    def frames(self) -> int:
        return int(self.vectors.shape[0])

    def to_json(self) -> dict[str, Any]:
        return {
            "points": sent(self.points),
            "vectors": sent(self.vectors),
            "length": self.length,
            "palette": self.palette,
            "opacity": self.opacity,
        }
