"""Points carried through the states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flowviz.widgets.stage.marks.arrays import at_least, chosen, sent, shaped
from flowviz.widgets.stage.marks.base import PALETTES, Mark, Range


@dataclass(frozen=True, eq=False)
class Particles(Mark):
    """Points carried through the states.

    Args:
        states: ``[K+1, N, 2]``, or ``[N, 2]`` for points that stand still.
        values: ``[N]`` or ``[K+1, N]``: colours them by ``palette`` over ``value_range``.
        palette: "ink", "forward" or "reverse" without values; also "sequential", "diverging",
            "cyclic" (angles), "groups" or "bands" (whole numbers: four colours, ten) with them.
        value_range: (low, high); by default the values' own, symmetric if diverging.
        size: diameter in css pixels; by default smaller where there are many.
        opacity: 0 to 1; by default less where there are many.
        label: what the points are; with values, what the colour means (the legend's title).

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown palette, an empty range.
    """

    states: Any
    values: Any = None
    palette: str = "ink"
    value_range: Range | None = None
    size: float | None = None
    opacity: float | None = None
    label: str = ""

    kind: ClassVar[str] = "particles"

    def __post_init__(self) -> None:
        states = shaped(self.states, "Particles states", "K+1 N 2")
        chosen(self.palette, "Particles palette", PALETTES)
        at_least(self.size, "Particles size", 0.5, 40)
        at_least(self.opacity, "Particles opacity", 0, 1)
        self._set(states=states)
        self._take_values("K+1 N", states.shape[0], {"N": states.shape[1]})

    @property
    def frames(self) -> int:
        return int(self.states.shape[0])

    @property
    def missing(self) -> int:
        """How many of the points are not finite in some state."""
        return int((~np.isfinite(self.states).all(axis=(0, 2))).sum())

    def to_json(self) -> dict[str, Any]:
        return {
            "states": sent(self.states),
            "values": sent(self.values),
            "palette": self.palette,
            "value_range": self.value_range,
            "size": self.size,
            "opacity": self.opacity,
            "label": self.label,
            "missing": self.missing,
        }
