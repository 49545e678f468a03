"""Values on a regular grid: as a picture, and as level lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flowviz.widgets.stage.marks.arrays import at_least, checked_extent, chosen, sent, shaped
from flowviz.widgets.stage.marks.base import (
    HUES,
    LINE_COLOURS,
    PALETTES,
    Mark,
    Range,
    checked_range,
    default_range,
)


@dataclass(frozen=True, eq=False)
class Image(Mark):
    """A smooth picture of values on a regular grid, as of a density.

    Args:
        values: ``[H, W]`` or ``[K+1, H, W]``; row 0 is at the bottom (y goes up), a value sits in
            the middle of its cell. What is not finite is left out.
        extent: (xmin, xmax, ymin, ymax) of the outer edges.
        palette: "ink", "forward", "reverse", "sequential" (one hue over the card: 0 is invisible,
            so that two can lie over one another), "diverging" or "cyclic" (opaque).
        value_range: by default 0 to the largest value; symmetric if diverging.
        label: what it shows; a diverging one with a label has a legend.

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown palette, an empty range.
    """

    values: Any
    extent: tuple[float, float, float, float]
    palette: str = "sequential"
    value_range: Range | None = None
    label: str = ""

    kind: ClassVar[str] = "images"

    def __post_init__(self) -> None:
        values = shaped(self.values, "Image values", "K+1 H W")
        if 0 in values.shape:
            raise ValueError(f"Image values are empty: shape {list(values.shape)}")
        chosen(self.palette, "Image palette", tuple(p for p in PALETTES if p != "groups"))
        value_range = self.value_range
        if value_range is None:
            value_range = default_range(values, self.palette)
            if self.palette in (*HUES, "sequential"):
                most = float(np.max(values, where=np.isfinite(values), initial=0.0))
                value_range = (0.0, most if most > 0 else 1.0)
        self._set(
            values=values,
            extent=checked_extent(self.extent, "Image extent"),
            value_range=checked_range(value_range, "Image value_range"),
        )

    @property
    def frames(self) -> int:
        return int(self.values.shape[0])

    def to_json(self) -> dict[str, Any]:
        return {
            "values": sent(self.values),
            "extent": self.extent,
            "palette": self.palette,
            "value_range": self.value_range,
            "label": self.label,
        }


@dataclass(frozen=True, eq=False)
class Contours(Mark):
    """Level lines of values on a regular grid; outlines a target.

    Args:
        values: ``[H, W]``, laid out as in :class:`Image`.
        extent: (xmin, xmax, ymin, ymax) of the outer edges.
        levels: where the lines run: fractions of the largest value, or values themselves with
            ``absolute=True``.
        absolute: how ``levels`` are meant.
        palette: "ink", "forward", "reverse", "muted" or "accent".
        width: of the lines in css pixels.
        opacity: 0 to 1.
        label: what they show, such as "target p*": written on the picture beside a short line.

    Raises:
        ValueError, TypeError: shapes that do not fit, no levels, an unknown colour.
    """

    values: Any
    extent: tuple[float, float, float, float]
    levels: Sequence[float] = (0.1, 0.5)
    absolute: bool = False
    palette: str = "ink"
    width: float = 1.0
    opacity: float = 0.75
    label: str = ""

    kind: ClassVar[str] = "contours"

    def __post_init__(self) -> None:
        values = shaped(self.values, "Contours values", "H W")
        if min(values.shape) < 2:
            raise ValueError(f"Contours need at least 2 × 2 values, got {list(values.shape)}")
        levels = [float(level) for level in self.levels]
        if not levels or not all(math.isfinite(level) for level in levels):
            raise ValueError(f"Contours levels must be finite and at least one, got {levels}")
        if not self.absolute:
            finite = values[np.isfinite(values)]
            largest = float(finite.max()) if finite.size else 1.0
            levels = [level * largest for level in levels]
        chosen(self.palette, "Contours palette", LINE_COLOURS)
        at_least(self.width, "Contours width", 0.25, 20)
        at_least(self.opacity, "Contours opacity", 0, 1)
        self._set(
            values=values, extent=checked_extent(self.extent, "Contours extent"), levels=levels
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "values": sent(self.values),
            "extent": self.extent,
            "levels": list(self.levels),
            "palette": self.palette,
            "width": self.width,
            "opacity": self.opacity,
            "label": self.label,
        }
