"""A grid of the base space, warped by the layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from flowviz.widgets.stage.marks.arrays import chosen, sent, shaped
from flowviz.widgets.stage.marks.base import Mark, Range


@dataclass(frozen=True, eq=False)
class Grid(Mark):
    """A grid of the base space, warped by the layers, its cells coloured.

    Args:
        states: vertices ``[K+1, R, C, 2]`` (or ``[R, C, 2]``).
        values: ``[R-1, C-1]`` or ``[K+1, R-1, C-1]``, for each cell; log|det J| up to each state.
        palette: "diverging" (purple squeezes, green stretches) or "sequential".
        value_range: by default symmetric, over the 95 % of each state's cells with the least
            |value|, so that one stretched cell does not flatten the rest.
        weights: ``[R-1, C-1]``, 0 to 1: how much of its colour a cell shows, such as the base's
            mass in it over the largest; by default all of it.
        lines: whether the grid's lines are drawn.
        label: the legend's title.

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown palette, an empty range.
    """

    states: Any
    values: Any = None
    palette: str = "diverging"
    value_range: Range | None = None
    weights: Any = None
    lines: bool = True
    label: str = "log|det J|"

    kind: ClassVar[str] = "grids"

    def __post_init__(self) -> None:
        states = shaped(self.states, "Grid states", "K+1 R C 2")
        frames, rows, columns, _ = states.shape
        if rows < 2 or columns < 2:
            raise ValueError(f"Grid states need R ≥ 2 and C ≥ 2 vertices, got {rows} × {columns}")
        chosen(self.palette, "Grid palette", ("diverging", "sequential"))
        if self.values is None and not self.lines:
            raise ValueError("a Grid without values and without lines draws nothing")
        self._set(states=states)
        if self.values is not None:
            self._take_values("K+1 R-1 C-1", frames, {"R-1": rows - 1, "C-1": columns - 1})

        if self.weights is not None:
            self._take_weights(rows - 1, columns - 1)

    def _take_weights(self, rows: int, columns: int) -> None:
        if self.values is None:
            raise ValueError("Grid weights fade the colours of values: give values=")
        weights = shaped(self.weights, "Grid weights", "R-1 C-1")
        if weights.shape != (rows, columns):
            raise ValueError(
                f"Grid weights must have shape {[rows, columns]} to match its cells, "
                f"got {list(weights.shape)}"
            )
        if not ((weights >= 0) & (weights <= 1)).all():
            raise ValueError("Grid weights must be between 0 and 1")
        self._set(weights=weights)

    @property
    def frames(self) -> int:
        return int(self.states.shape[0])

    def to_json(self) -> dict[str, Any]:
        return {
            "states": sent(self.states),
            "values": sent(self.values),
            "palette": self.palette,
            "value_range": self.value_range,
            "weights": sent(self.weights),
            "lines": self.lines,
            "label": self.label,
        }
