"""What a stage can draw: each mark is a small record of arrays and how they look.

Arrays may be numpy arrays, torch tensors (any device) or nested lists. They are kept as float32.
``states [K+1, …]`` holds a mark at the states z_0 … z_K; one without that leading axis stands
still. Points that are not finite are accepted, counted and left out of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Range = tuple[float, float]

HUES = ("ink", "forward", "reverse")
SCALES = ("sequential", "diverging", "cyclic", "groups")
PALETTES = (*HUES, *SCALES)

DIVERGING_QUANTILE = 0.95
"""The part of |values| that a diverging scale's range covers by default."""
LEAST_DIVERGING = 0.05
"""A diverging scale is at least this wide, so that rounding errors do not get colours."""


def array(value: Any, name: str) -> Array:
    """``value`` as a contiguous float32 array, off any device and graph."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        return np.ascontiguousarray(np.asarray(value, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be an array of numbers, got {type(value).__name__}"
        ) from error


def shaped(value: Any, name: str, axes: str) -> Array:
    """``value`` with these axes ("K+1 N 2"); a leading "K+1" of length 1 is added if missing.

    An axis that is a number has that length.
    """
    got = array(value, name)
    wanted = axes.split()
    if wanted[0] == "K+1" and got.ndim == len(wanted) - 1:
        got = got[None]
    fits = got.ndim == len(wanted) and all(
        not axis.isdigit() or int(axis) == length
        for axis, length in zip(wanted, got.shape, strict=True)
    )
    if not fits or got.shape[0] == 0:
        still = f" or [{', '.join(wanted[1:])}]" if wanted[0] == "K+1" else ""
        raise ValueError(
            f"{name} must have shape [{', '.join(wanted)}]{still}, got {list(np.shape(value))}"
        )
    return got


def chosen(value: str, name: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")


def checked_range(value_range: Sequence[float], name: str) -> Range:
    low, high = (float(v) for v in value_range)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{name} must be finite with low < high, got ({low}, {high})")
    return low, high


def checked_extent(extent: Sequence[float], name: str) -> tuple[float, float, float, float]:
    """(xmin, xmax, ymin, ymax), finite and not empty."""
    if len(extent) != 4 or not all(math.isfinite(float(v)) for v in extent):
        raise ValueError(f"{name} must be four finite numbers xmin, xmax, ymin, ymax; got {extent}")
    xmin, xmax, ymin, ymax = (float(v) for v in extent)
    if not (xmin < xmax and ymin < ymax):
        raise ValueError(f"{name} must have xmin < xmax and ymin < ymax; got {tuple(extent)}")
    return xmin, xmax, ymin, ymax


def at_least(value: float | None, name: str, low: float, high: float = math.inf) -> None:
    if value is not None and not low <= value <= high:
        words = f"between {low} and {high}" if math.isfinite(high) else f"at least {low}"
        raise ValueError(f"{name} must be {words}, got {value}")


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


def raw_bytes(value: Array) -> memoryview:
    """The bytes of a contiguous array, uncopied."""
    return value.reshape(-1).view(np.uint8).data


def sent(value: Array | None) -> dict[str, Any] | None:
    """An array as it goes to the page: its shape, and its bytes as they are."""
    if value is None:
        return None
    return {"shape": list(value.shape), "data": raw_bytes(value)}


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


@dataclass(frozen=True, eq=False)
class Particles(Mark):
    """Points carried through the states.

    Args:
        states: ``[K+1, N, 2]``, or ``[N, 2]`` for points that stand still.
        values: ``[N]`` or ``[K+1, N]``: colours them by ``palette`` over ``value_range``.
        palette: "ink", "forward" or "reverse" without values; also "sequential", "diverging",
            "cyclic" (angles) or "groups" (whole numbers) with them.
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


@dataclass(frozen=True, eq=False)
class Grid(Mark):
    """A grid of the base space, warped by the layers, its cells coloured.

    Args:
        states: vertices ``[K+1, R, C, 2]`` (or ``[R, C, 2]``).
        values: ``[R-1, C-1]`` or ``[K+1, R-1, C-1]``, for each cell; log|det J| up to each state.
        palette: "diverging" (blue contracts, orange expands) or "sequential".
        value_range: by default symmetric, over the 95 % of each state's cells with the least
            |value|, so that one stretched cell does not flatten the rest.
        lines: whether the grid's lines are drawn.
        label: the legend's title.

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown palette, an empty range.
    """

    states: Any
    values: Any = None
    palette: str = "diverging"
    value_range: Range | None = None
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

    @property
    def frames(self) -> int:
        return int(self.states.shape[0])

    def to_json(self) -> dict[str, Any]:
        return {
            "states": sent(self.states),
            "values": sent(self.values),
            "palette": self.palette,
            "value_range": self.value_range,
            "lines": self.lines,
            "label": self.label,
        }


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
        label: what they show.

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
    palette: str = "accent"
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
        label: with values, the legend's title.

    Raises:
        ValueError, TypeError: shapes that do not fit, an unknown palette, an empty range.
    """

    states: Any
    values: Any = None
    palette: str = "accent"
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
class Handles(Mark):
    """Points that one drags, with mouse, finger or arrow keys.

    Args:
        points: ``[M, 2]``.
        labels: a name for each, shown beside it and read out; or none.
        shape: "point" (round) or "knot" (diamond).

    Raises:
        ValueError, TypeError: shapes that do not fit, labels of another number.
    """

    points: Any
    labels: Sequence[str] = field(default=())
    shape: str = "point"

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
        return {"points": points, "labels": list(self.labels), "shape": self.shape}

    @classmethod
    def from_json(cls, sent_back: dict[str, Any]) -> Handles:
        """The record that :meth:`to_json` describes."""
        points = [[math.nan if v is None else v for v in p] for p in sent_back["points"]]
        return cls(np.reshape(points, (-1, 2)), sent_back["labels"], sent_back["shape"])


LINE_COLOURS = ("ink", "forward", "reverse", "muted", "accent")
"""The colours of lines: the theme's own."""

KINDS: tuple[type[Mark], ...] = (
    Particles,
    Grid,
    Image,
    Contours,
    Field,
    Paths,
    Shapes,
    Handles,
)
