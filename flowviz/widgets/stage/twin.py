"""The static twin: the stage's marks drawn by matplotlib, for notebooks that are only read.

GitHub, nbconvert, PDF and print show no widget; they show this picture, drawn from the same
records in the same order and colours. matplotlib is imported by the functions that need it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowviz.widgets.stage import palette as colour
from flowviz.widgets.stage.key import Key
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
from flowviz.widgets.stage.pen import Pen, Window, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from flowviz.widgets.stage.stage import Stage


SIDE = 4.0
"""Inches of a picture's longer side."""
FREE = 0.6
"""How high a plot with axes of their own scales is beside its width."""
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.42, 0.12, 0.5, 0.36
"""Inches around a picture: axes and the state's name, and the title."""
_TITLED = 0.2
"""And beside them the title of an axis, or over the plot its key."""


def png(
    stages: Sequence[Stage],
    *,
    titles: Sequence[str] = (),
    voices: Sequence[str] = (),
    position: float | None = None,
    theme: str = "light",
    dpi: float = 110,
) -> bytes:
    """One PNG of what stages show, side by side, with their titles and the state's name.

    Args:
        stages: one or more.
        titles: over the stages; by default their own.
        voices: "forward", "reverse" or "": the colours of those titles.
        position: 0 (base) … K (data); by default each stage's own.
        theme: "light" or "dark".
        dpi: dots per inch; a picture is about 4 inches wide.

    Raises:
        ValueError: no stage, or an unknown theme.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not stages:
        raise ValueError("a picture needs at least one stage")
    tokens = colour.tokens(theme)
    sizes = [_size(stage) for stage in stages]
    lefts = [_LEFT + _TITLED * bool(stage.axis_titles[1]) for stage in stages]
    bottom = _BOTTOM + _TITLED * any(stage.axis_titles[0] for stage in stages)
    width = sum(size[0] for size in sizes) + sum(lefts) + _RIGHT * len(stages)
    keyed = _TITLED * any(Key.of(stage.marks) for stage in stages)
    height = max(size[1] for size in sizes) + bottom + _TOP + keyed
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=tuple(tokens["card"]))
    left = 0.0
    for i, (stage, (wide, high)) in enumerate(zip(stages, sizes, strict=True)):
        left += lefts[i]
        axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
        at = min(stage.position if position is None else position, stage.frames - 1)
        draw(
            axes,
            stage.marks,
            position=at,
            window=stage.window,
            theme=theme,
            aspect=stage.aspect,
            titles=stage.axis_titles,
            picked=stage.picked,
            picked_name=stage.picked_name,
        )
        voice = voices[i] if voices else ""
        title = titles[i] if titles else stage.title
        axes.text(
            0, 1 + (0.1 + keyed) / high, title, transform=axes.transAxes, fontsize=10,
            fontweight="bold", color=tuple(tokens[voice or "ink"]),
        )  # fmt: skip
        below = -(bottom - 0.08) / high
        axes.text(
            0, below, whereabouts(stage, at), transform=axes.transAxes, fontsize=9,
            color=tuple(tokens["muted"]),
        )  # fmt: skip
        left += wide + _RIGHT
    buffer = io.BytesIO()
    # Packed a little less, in a third of the time.
    FigureCanvasAgg(figure).print_png(buffer, pil_kwargs={"compress_level": 3})
    return buffer.getvalue()


def whereabouts(stage: Stage, position: float) -> str:
    """Where a stage is, as its page says it: "layer 2.5 of 4 · coupling"; empty if it stands."""
    last = stage.frames - 1
    if last < 1:
        return ""
    if stage.unit.endswith("="):
        low, high = stage.unit_range
        at = f"{stage.unit} {number(low + (high - low) * position / last, 3)}"
    else:
        layer = position / stage.stretches
        count = f"{layer:.0f}" if abs(layer - round(layer)) < 1e-6 else f"{layer:.1f}"
        at = f"{stage.unit} {count} of {last / stage.stretches:g}"
    names = stage.state_names
    name = names[min(math.ceil(position - 1e-6), last)] if len(names) > last else ""
    return f"{at} · {name}" if name else at


def draw(
    axes: Axes,
    marks: Sequence[Mark],
    *,
    position: float,
    window: Window,
    theme: str = "light",
    aspect: str = "equal",
    titles: tuple[str, str] = ("", ""),
    picked: int = -1,
    picked_name: str = "",
) -> None:
    """Draw marks on a matplotlib Axes as a stage shows them.

    Args:
        axes: where; its limits and look are set.
        marks: in any order: kinds are drawn over one another as on the stage.
        position: 0 (base) … K (data).
        window: xmin, xmax, ymin, ymax.
        theme: "light" or "dark".
        aspect: "equal" or "free", as of the stage.
        titles: of the axes.
        picked: the particle of the first set that has a ring; −1 for none.
        picked_name: written beside that ring.
    """
    pen = Pen(axes, theme, position, marks)
    pen.frame(window, aspect, titles)
    # Still images lie under moving ones.
    images = sorted((m for m in marks if isinstance(m, Image)), key=lambda m: m.frames > 1)
    rest = sorted((m for m in marks if type(m) in _ORDER), key=lambda m: _ORDER.index(type(m)))
    for mark in [*images, *rest]:
        _DRAW[type(mark)](pen, mark)
    sets = [mark for mark in marks if isinstance(mark, Particles)]
    if sets and 0 <= picked < sets[0].states.shape[1]:
        ringed = pen.at(sets[0].states)[picked]
        pen.ring(ringed[None], 13, "o")
        pen.name(picked_name, ringed)
    if key := Key.of(marks):
        key.draw(pen)


_DRAW: dict[type[Mark], Callable[[Pen, Any], None]] = {
    Image: Pen.image,
    Grid: Pen.grid,
    Particles: Pen.particles,
    Contours: Pen.contours,
    Field: Pen.field,
    Shapes: Pen.shapes,
    Lines: Pen.lines,
    Paths: Pen.paths,
    Handles: Pen.handles,
}
_ORDER = list(_DRAW)[1:]
"""The kinds as they lie over one another, over the images."""


def _size(stage: Stage) -> tuple[float, float]:
    """Width and height of a stage's picture in inches."""
    if stage.aspect == "free":
        return SIDE, FREE * SIDE
    xmin, xmax, ymin, ymax = stage.window
    wide, high = xmax - xmin, ymax - ymin
    return SIDE * wide / max(wide, high), SIDE * high / max(wide, high)
