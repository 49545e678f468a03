"""Lines: paths of points, outlines carried through the states, and curves of a plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flowviz.widgets.stage.marks.arrays import at_least, chosen, sent, shaped
from flowviz.widgets.stage.marks.base import LINE_COLOURS, PALETTES, Mark, Range


@dataclass(frozen=True, eq=False)
class Paths(Mark):
    """Curves that a few points follow: the past solid, the future faint.

    Args:
        states: ``[S+1, M, 2]``; all S steps take as long as all the layers, so that paths may be
            finer than the states of the other marks.
        values: ``[M]``: colours them by ``palette``.
        palette: "ink", "forward", "reverse", "muted" or "accent"; with values a scale.
        value_range: (low, high) of the values.
        width: in css pixels.
        opacity: 0 to 1.
        label: with values, the legend's title.

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown palette, an empty range.
    """

    states: Any
    values: Any = None
    palette: str = "ink"
    value_range: Range | None = None
    width: float = 1.75
    opacity: float = 0.95
    label: str = ""

    kind: ClassVar[str] = "paths"

    def __post_init__(self) -> None:
        states = shaped(self.states, "Paths states", "S+1 M 2")
        allowed = LINE_COLOURS if self.values is None else PALETTES
        chosen(self.palette, "Paths palette", allowed)
        at_least(self.width, "Paths width", 0.25, 20)
        at_least(self.opacity, "Paths opacity", 0, 1)
        self._set(states=states)
        self._take_values("K+1 M", 1, {"M": states.shape[1]})

    def to_json(self) -> dict[str, Any]:
        return {
            "states": sent(self.states),
            "values": sent(self.values),
            "palette": self.palette,
            "value_range": self.value_range,
            "width": self.width,
            "opacity": self.opacity,
            "label": self.label,
        }


@dataclass(frozen=True, eq=False)
class Shapes(Mark):
    """Polygons or open lines carried through the states: unit squares, ellipses, boundaries.

    Args:
        states: M outlines of V points, ``[K+1, M, V, 2]`` (or ``[M, V, 2]``).
        values: ``[M]`` or ``[K+1, M]``: colours their insides.
        palette: "ink", "forward", "reverse", "muted" or "accent"; with values a scale.
        value_range: (low, high) of the values.
        closed: polygons, or open lines.
        fill: opacity of the insides, 0 to 1; by default strong with values, faint without.
        width: of the outlines in css pixels.
        label: in the key; with values, the legend's title.

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown palette, an empty range.
    """

    states: Any
    values: Any = None
    palette: str = "ink"
    value_range: Range | None = None
    closed: bool = True
    fill: float | None = None
    width: float = 1.75
    label: str = ""

    kind: ClassVar[str] = "shapes"

    def __post_init__(self) -> None:
        states = shaped(self.states, "Shapes states", "K+1 M V 2")
        allowed = LINE_COLOURS if self.values is None else PALETTES
        chosen(self.palette, "Shapes palette", allowed)
        at_least(self.fill, "Shapes fill", 0, 1)
        if self.fill is None:
            self._set(fill=0.15 if self.values is None else 0.6)
        at_least(self.width, "Shapes width", 0.25, 20)
        self._set(states=states)
        self._take_values("K+1 M", states.shape[0], {"M": states.shape[1]})

    @property
    def frames(self) -> int:
        return int(self.states.shape[0])

    def to_json(self) -> dict[str, Any]:
        return {
            "states": sent(self.states),
            "values": sent(self.values),
            "palette": self.palette,
            "value_range": self.value_range,
            "closed": self.closed,
            "fill": self.fill,
            "width": self.width,
            "label": self.label,
        }


@dataclass(frozen=True, eq=False)
class Lines(Mark):
    """Curves of a plot, such as densities and maps of one variable, with bands if given.

    Args:
        states: M curves of S points, ``[K+1, M, S, 2]`` (or ``[M, S, 2]``). Where a point is not
            finite a curve has a gap.
        band: the other edges of bands, shaped as ``states`` (or without its K+1): what lies
            between a curve and its edge is filled.
        values: ``[M]`` or ``[K+1, M]``: colours the curves by ``palette``.
        palette: "ink", "forward", "reverse", "muted" or "accent"; with values a scale.
        value_range: (low, high) of the values.
        width: of the curves in css pixels; 0 draws the bands alone.
        dashed: whether they are dashed.
        fill: opacity of the bands, 0 to 1.
        label: what they show, written on the picture; with values, the legend's title.

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown palette, an empty range.
    """

    states: Any
    band: Any = None
    values: Any = None
    palette: str = "ink"
    value_range: Range | None = None
    width: float = 1.75
    dashed: bool = False
    fill: float = 0.18
    label: str = ""

    kind: ClassVar[str] = "lines"

    def __post_init__(self) -> None:
        states = shaped(self.states, "Lines states", "K+1 M S 2")
        allowed = LINE_COLOURS if self.values is None else PALETTES
        chosen(self.palette, "Lines palette", allowed)
        at_least(self.width, "Lines width", 0, 20)
        at_least(self.fill, "Lines fill", 0, 1)
        if self.band is not None:
            band = shaped(self.band, "Lines band", "K+1 M S 2")
            if band.shape[1:] != states.shape[1:] or band.shape[0] not in (1, len(states)):
                raise ValueError(
                    f"Lines band must be shaped as its states {list(states.shape)}, "
                    f"got {list(band.shape)}"
                )
            self._set(band=np.ascontiguousarray(np.broadcast_to(band, states.shape)))
        self._set(states=states)
        self._take_values("K+1 M", states.shape[0], {"M": states.shape[1]})

    @property
    def frames(self) -> int:
        return int(self.states.shape[0])

    def to_json(self) -> dict[str, Any]:
        return {
            "states": sent(self.states),
            "band": sent(self.band),
            "values": sent(self.values),
            "palette": self.palette,
            "value_range": self.value_range,
            "width": self.width,
            "dashed": self.dashed,
            "fill": self.fill,
            "label": self.label,
        }
