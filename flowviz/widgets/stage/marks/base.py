"""What all marks have: a kind, a number of states, colours by values, a form that is sent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from flowviz.widgets.stage.marks.arrays import Array, shaped

Range = tuple[float, float]

HUES = ("ink", "forward", "reverse")
SCALES = ("sequential", "diverging", "cyclic", "groups", "bands")
PALETTES = (*HUES, *SCALES)
LINE_COLOURS = ("ink", "forward", "reverse", "muted", "accent")
"""The colours of lines: the theme's own."""

DIVERGING_QUANTILE = 0.95
"""The part of |values| that a diverging scale's range covers by default."""
LEAST_DIVERGING = 0.05
"""A diverging scale is at least this wide, so that rounding errors do not get colours."""


def checked_range(value_range: Sequence[float], name: str) -> Range:
    low, high = (float(v) for v in value_range)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{name} must be finite with low < high, got ({low}, {high})")
    return low, high


def default_range(values: Array, palette: str) -> Range:
    """Where a scale begins and ends: symmetric around 0 if diverging, never empty.

    A diverging one holds most values of every state: the first are often all 0.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return (-1.0, 1.0) if palette == "diverging" else (0.0, 1.0)
    if palette == "diverging":
        sizes = (np.abs(state[np.isfinite(state)]) for state in values)
        quantiles = (np.quantile(size, DIVERGING_QUANTILE) for size in sizes if size.size)
        most = max(float(max(quantiles)), LEAST_DIVERGING)
        return -most, most
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


class Mark:
    """What all marks have: a kind, a number of states, and a form in which they are sent."""

    kind: ClassVar[str]

    @property
    def frames(self) -> int:
        """K+1: at how many states the mark is known; 1 for one that stands still."""
        return 1

    def to_json(self) -> dict[str, Any]:
        """Plain values and {shape, data} with float32 bytes."""
        raise NotImplementedError

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _take_values(self, axes: str, frames: int, lengths: dict[str, int]) -> None:
        """Check the optional ``values`` against the mark's own lengths, and settle their range."""
        values, palette = getattr(self, "values"), getattr(self, "palette")  # noqa: B009
        value_range = getattr(self, "value_range")  # noqa: B009
        if values is None:
            if palette in SCALES:
                raise ValueError(f"palette {palette!r} colours by values: give values=")
            if value_range is not None:
                raise ValueError("value_range needs values=")
            return
        owner = type(self).__name__
        values = shaped(values, f"{owner} values", axes)
        wanted = [lengths[axis] for axis in axes.split()[1:]]
        if list(values.shape[1:]) != wanted or values.shape[0] not in (1, frames):
            still = f" or {wanted}" if frames > 1 else ""
            raise ValueError(
                f"{owner} values must have shape {[frames, *wanted]}{still} to match its states, "
                f"got {list(values.shape)}"
            )
        if value_range is None:
            value_range = default_range(values, palette)
        self._set(values=values, value_range=checked_range(value_range, f"{owner} value_range"))
