"""Draws the stage's marks with matplotlib, a method a kind; twin.py says in which order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flowviz.widgets.stage import palette as colour
from flowviz.widgets.stage.marks import (
    Contours,
    Field,
    Grid,
    Handles,
    Image,
    Lines,
    Mark,
    Particles,
    Paths,
    Shapes,
)
from flowviz.widgets.stage.marks.base import HUES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.floating]

Window = tuple[float, float, float, float]
"""xmin, xmax, ymin, ymax."""
PX = 0.75
"""Points a css pixel."""


class Pen:
    """Draws on one Axes, in one theme, at one position."""

    def __init__(self, axes: Axes, theme: str, position: float, marks: Sequence[Mark]) -> None:
        self.axes = axes
        self.theme = theme
        self.position = position
        self.tokens = {name: tuple(rgb) for name, rgb in colour.tokens(theme).items()}
        self.last = max((mark.frames for mark in marks), default=1) - 1
        self.layer = 0

    def over(self) -> float:
        """The order of the next artist: over all that was drawn."""
        self.layer += 1
        return 1 + self.layer

    def frame(self, window: Window, aspect: str, titles: tuple[str, str]) -> None:
        axes, tokens = self.axes, self.tokens
        xmin, xmax, ymin, ymax = window
        axes.set(xlim=(xmin, xmax), ylim=(ymin, ymax), facecolor=tokens["card"])
        axes.set_aspect("equal" if aspect == "equal" else "auto")
        axes.set_autoscale_on(False)
        axes.locator_params(nbins=5)
        axes.tick_params(
            colors=tokens["line"], labelcolor=tokens["muted"], labelsize=11 * PX, length=4 * PX
        )
        axes.spines[:].set(color=tokens["line"], linewidth=PX)
        x, y = titles
        axes.set_xlabel(x, color=tokens["ink"], fontsize=11 * PX)
        axes.set_ylabel(y, color=tokens["ink"], fontsize=11 * PX)

    def at(self, states: Floats) -> npt.NDArray[np.float64]:
        """States ``[K+1, …]`` between the two around the position."""
        start = min(int(self.position), len(states) - 1)
        end = min(start + 1, len(states) - 1)
        part = self.position - start if end > start else 0.0
        first = states[start].astype(np.float64)
        return first + (states[end] - first) * part

    def colours(self, mark: Any) -> npt.NDArray[np.float64]:
        """The colours of a mark's values now, ``[…, 3]``."""
        # As on the page: what is between two states is mixed in the table, not in the values.
        index = self.at(colour.indices(mark.values, mark.value_range, mark.palette))
        return colour.table_of(mark, self.theme)[np.floor(index + 0.5).astype(int)]

    def ring(self, points: Floats, diameter: float, marker: str) -> None:
        """Rings of ink on the card; the diameter to their outer edge in css pixels."""
        self.axes.scatter(
            points[:, 0], points[:, 1], s=((diameter - 2) * PX) ** 2, marker=marker,
            facecolors=[self.tokens["card"]], edgecolors=[self.tokens["ink"]], linewidths=2 * PX,
            zorder=self.over(),
        )  # fmt: skip

    # ---- one kind of marks each ----------------------------------------------------------------

    def image(self, mark: Image) -> None:
        low, high = mark.value_range or (0.0, 1.0)
        values = self.at(mark.values)
        finite = np.isfinite(values)
        part = np.clip(np.where(finite, (values - low) / (high - low), 0), 0, 1)
        if mark.palette in (*HUES, "sequential"):
            pixels = np.empty((*values.shape, 4))
            pixels[..., :3] = self.tokens[mark.palette]
            pixels[..., 3] = np.where(finite, part, 0)
        else:
            rgb = colour.table(mark.palette, self.theme)[np.floor(255 * part + 0.5).astype(int)]
            pixels = np.concatenate([rgb, finite[..., None]], -1)
        xlim, ylim, aspect = self.axes.get_xlim(), self.axes.get_ylim(), self.axes.get_aspect()
        self.axes.imshow(
            pixels, extent=mark.extent, origin="lower", interpolation="bilinear",
            aspect="auto", zorder=self.over(),
        )  # fmt: skip
        self.axes.set(xlim=xlim, ylim=ylim, aspect=aspect)

    def grid(self, mark: Grid) -> None:
        from matplotlib.collections import LineCollection, PolyCollection

        z = self.at(mark.states)
        if mark.values is not None:
            corners = np.stack([z[:-1, :-1], z[:-1, 1:], z[1:, 1:], z[1:, :-1]], 2)
            faces = self.colours(mark)
            if mark.weights is not None:
                card = np.array(self.tokens["card"])
                faces = card + (faces - card) * mark.weights[..., None]
            corners, faces = corners.reshape(-1, 4, 2), faces.reshape(-1, 3)
            known = np.isfinite(corners).all((1, 2))
            cells = PolyCollection(
                list(corners[known]), facecolors=faces[known], linewidths=0, antialiased=False
            )
            self.axes.add_collection(cells, autolim=False)
            cells.set_zorder(self.over())
        if mark.lines:
            rows, columns = list(z), list(z.swapaxes(0, 1))
            strong = mark.values is None
            lines = LineCollection(
                [*rows, *columns], colors=[self.tokens["muted" if strong else "ink"]],
                linewidths=PX, alpha=190 / 256 if strong else 34 / 256, zorder=self.over(),
            )  # fmt: skip
            self.axes.add_collection(lines, autolim=False)

    def particles(self, mark: Particles) -> None:
        z = self.at(mark.states)
        known = np.isfinite(z).all(1)
        count = len(z)
        size = mark.size if mark.size is not None else _automatic(count, 3.2, 2.6, 2.0, 1.5)
        opacity = mark.opacity
        if opacity is None:
            opacity = _automatic(count, 0.9, 0.8, 0.6, 0.4)
        one = mark.values is None
        shown: Any = [self.tokens[mark.palette]] if one else self.colours(mark)[known]
        self.axes.scatter(
            z[known, 0], z[known, 1], s=(size * PX) ** 2, c=shown, alpha=opacity, linewidths=0,
            zorder=self.over(),
        )  # fmt: skip

    def contours(self, mark: Contours) -> None:
        values = np.ma.masked_invalid(mark.values)
        xmin, xmax, ymin, ymax = mark.extent
        rows, columns = values.shape
        x = xmin + (np.arange(columns) + 0.5) * (xmax - xmin) / columns
        y = ymin + (np.arange(rows) + 0.5) * (ymax - ymin) / rows
        levels = sorted({level for level in mark.levels if values.min() < level < values.max()})
        if levels:
            self.axes.contour(
                x, y, values, levels=levels, colors=[self.tokens[mark.palette]],
                linewidths=mark.width * PX, alpha=mark.opacity, zorder=self.over(),
            )  # fmt: skip

    def field(self, mark: Field) -> None:
        vectors = self.at(mark.vectors) * (mark.length or 0.0)
        known = np.isfinite(vectors).all(1) & np.isfinite(mark.points).all(1)
        points, vectors = mark.points[known], vectors[known]
        self.axes.quiver(
            points[:, 0], points[:, 1], vectors[:, 0], vectors[:, 1], angles="xy",
            scale_units="xy", scale=1, units="dots", width=1.25 * PX * self.axes.figure.dpi / 72,
            headwidth=4, headlength=4, headaxislength=3.5, color=self.tokens[mark.palette],
            alpha=mark.opacity, zorder=self.over(),
        )  # fmt: skip

    def shapes(self, mark: Shapes) -> None:
        outlines = self.at(mark.states)
        if mark.values is None:
            fills = edges = [self.tokens[mark.palette]] * len(outlines)
        else:
            fills, edges = list(self.colours(mark)), [self.tokens["ink"]] * len(outlines)
        for outline, fill, edge in zip(outlines, fills, edges, strict=True):
            x, y = np.concatenate([outline, outline[:1]]).T if mark.closed else outline.T
            if mark.closed and mark.fill:
                self.axes.fill(x, y, color=fill, alpha=mark.fill, linewidth=0, zorder=self.over())
            self.axes.plot(x, y, color=edge, linewidth=mark.width * PX, zorder=self.over())

    def lines(self, mark: Lines) -> None:
        curves = self.at(mark.states)
        edges = [None] * len(curves) if mark.band is None else list(self.at(mark.band))
        own = [self.tokens.get(mark.palette)] * len(curves)
        strokes = own if mark.values is None else list(self.colours(mark))
        for curve, edge, stroke in zip(curves, edges, strokes, strict=True):
            if edge is not None:
                known = np.isfinite(curve).all(1) & np.isfinite(edge).all(1)
                for run in _runs(known):
                    x, y = np.concatenate([curve[run], edge[run][::-1]]).T
                    self.axes.fill(
                        x, y, color=stroke, alpha=mark.fill, linewidth=0, zorder=self.over()
                    )
            if mark.width > 0:
                self.axes.plot(
                    curve[:, 0], curve[:, 1], color=stroke, linewidth=mark.width * PX,
                    linestyle=(0, (5 / mark.width, 4 / mark.width)) if mark.dashed else "solid",
                    zorder=self.over(),
                )  # fmt: skip

    def paths(self, mark: Paths) -> None:
        steps = len(mark.states)
        # The path's own steps may be finer than the states: both run over the whole time.
        now = (min(self.position / self.last, 1) if self.last > 0 else 1) * (steps - 1)
        whole = min(int(now), steps - 1)
        after = mark.states[min(whole + 1, steps - 1)]
        heads = mark.states[whole] + (after - mark.states[whole]) * (now - whole)
        for m, head in enumerate(heads):
            stroke = self.tokens[mark.palette] if mark.values is None else self.colours(mark)[m]
            past = np.concatenate([mark.states[: whole + 1, m], head[None]])
            future = np.concatenate([head[None], mark.states[whole + 1 :, m]])
            for line, opacity in ((past, mark.opacity), (future, 0.28 * mark.opacity)):
                self.axes.plot(
                    line[:, 0], line[:, 1], color=stroke, linewidth=mark.width * PX, alpha=opacity,
                    zorder=self.over(),
                )  # fmt: skip
            self.axes.plot(
                *head, "o", color=stroke, markersize=3.6 * mark.width * PX, markeredgewidth=0,
                alpha=mark.opacity, zorder=self.over(),
            )  # fmt: skip

    def handles(self, mark: Handles) -> None:
        if len(mark.points) == 0:
            return
        diameter, marker = (12, "o") if mark.shape == "point" else (10, "D")
        self.ring(mark.points, diameter, marker)
        for label, point in zip(mark.labels, mark.points, strict=False):
            self.name(label, point)

    def name(self, label: str, point: Floats) -> None:
        """A name beside a ring."""
        if np.isfinite(point).all():
            self.axes.annotate(
                label, tuple(point), (10 * PX, 0), textcoords="offset points", va="center",
                fontsize=12 * PX, color=self.tokens["ink"], zorder=self.over(),
            )  # fmt: skip


def _automatic(count: int, few: float, some: float, many: float, most: float) -> float:
    return few if count <= 1000 else some if count <= 5000 else many if count <= 30000 else most


def _runs(flags: npt.NDArray[np.bool_]) -> list[slice]:
    """The runs of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def limit(value: float) -> str:
    """A limit of a scale: π where π is meant."""
    if math.isclose(abs(value), math.pi, rel_tol=1e-5):
        return "π" if value > 0 else "−π"
    return number(value, 2)


def number(value: float, digits: int) -> str:
    """With so many significant digits and a true minus sign."""
    return f"{value:.{digits}g}".replace("-", "−")
