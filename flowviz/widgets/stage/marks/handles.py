"""Points that one drags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from flowviz.widgets.stage.marks.arrays import chosen, shaped
from flowviz.widgets.stage.marks.base import Mark


@dataclass(frozen=True, eq=False)
class Handles(Mark):
    """Points that one drags, with mouse, finger or arrow keys.

    Args:
        points: ``[M, 2]``.
        labels: a name for each, shown beside it and read out; or none.
        shape: "point" (round) or "knot" (diamond).
        noun: what labels number, read out before each: "mode" where they are "1", "2", ….

    Raises:
        ValueError, TypeError: shapes that do not fit, labels of another number.
    """

    points: Any
    labels: Sequence[str] = field(default=())
    shape: str = "point"
    noun: str = ""

    kind: ClassVar[str] = "handles"

    def __post_init__(self) -> None:
        points = shaped(self.points, "Handles points", "M 2")
        labels = [str(label) for label in self.labels]
        if labels and len(labels) != len(points):
            raise ValueError(f"Handles have {len(points)} points but {len(labels)} labels")
        chosen(self.shape, "Handles shape", ("point", "knot"))
        self._set(points=points, labels=labels)

    def __eq__(self, other: object) -> bool:
        # By content, so that a callback may put handles back without being called for ever.
        return isinstance(other, Handles) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> dict[str, Any]:
        # A handful of numbers that also travel back: plain lists, null for what is not finite.
        points = [[v if math.isfinite(v) else None for v in p] for p in self.points.tolist()]
        return {
            "points": points,
            "labels": list(self.labels),
            "shape": self.shape,
            "noun": self.noun,
        }

    @classmethod
    def from_json(cls, sent_back: dict[str, Any]) -> Handles:
        """The record that :meth:`to_json` describes."""
        points = [[math.nan if v is None else v for v in p] for p in sent_back["points"]]
        kept = (sent_back[name] for name in ("labels", "shape", "noun"))
        return cls(np.reshape(points, (-1, 2)), *kept)
