"""The key of a static twin: names of curves and bars of colours, over the plot, off its marks.

matplotlib is imported by the functions that need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flowviz.widgets.stage import palette as colour
from flowviz.widgets.stage.marks import Contours, Lines, Mark, Shapes
from flowviz.widgets.stage.pen import PX, Pen, limit

if TYPE_CHECKING:
    from matplotlib.artist import Artist

SIZE = 11 * PX
BAR = 56, 6
"""Points."""


@dataclass(frozen=True)
class Key:
    """What the marks of a picture are called, and what their colours mean.

    Attributes:
        named: contours, curves and outlines with a name.
        scales: marks coloured by a value, each scale once.
    """

    named: list[Any]
    scales: list[Any]

    @classmethod
    def of(cls, marks: Sequence[Mark]) -> Key:
        """The key of these marks."""
        labelled: list[Any] = [mark for mark in marks if getattr(mark, "label", "")]
        named = [
            mark
            for mark in labelled
            if isinstance(mark, Contours)
            or (isinstance(mark, (Lines, Shapes)) and mark.values is None)
        ]
        scales = {
            (mark.label, mark.palette, mark.value_range): mark
            for mark in labelled
            if getattr(mark, "value_range", None) is not None
            and mark.values is not None
            and mark.palette != "groups"
        }
        return cls(named, list(scales.values()))

    def __bool__(self) -> bool:
        return bool(self.named or self.scales)

    def draw(self, pen: Pen) -> None:
        """Draw it over the plot."""
        from matplotlib.offsetbox import AnchoredOffsetbox, HPacker

        entries: list[Artist] = [_name(pen, mark) for mark in self.named]
        entries += [_scale(pen, mark) for mark in self.scales]
        box = AnchoredOffsetbox(
            "lower left",
            child=HPacker(children=entries, pad=0, sep=12 * PX, align="center"),
            pad=0,
            borderpad=0.3,
            frameon=False,
            bbox_to_anchor=(0, 1),
            bbox_transform=pen.axes.transAxes,
        )
        pen.axes.add_artist(box)


def _name(pen: Pen, mark: Any) -> Artist:
    """A short line as the mark's own, and its name."""
    from matplotlib.lines import Line2D
    from matplotlib.offsetbox import DrawingArea, HPacker

    wide, high = 16 * PX, 14 * PX
    line = Line2D(
        [0, wide],
        [high / 2, high / 2],
        linewidth=1.25 * PX,
        color=pen.tokens[mark.palette],
        linestyle="--" if getattr(mark, "dashed", False) else "-",
    )
    stroke = DrawingArea(wide, high)
    stroke.add_artist(line)
    children: list[Artist] = [stroke, _text(pen, mark.label, "ink")]
    return HPacker(children=children, pad=0, sep=4 * PX, align="center")


def _scale(pen: Pen, mark: Any) -> Artist:
    """A name, and a bar of colours between its ends in numbers."""
    from matplotlib.offsetbox import HPacker, OffsetImage

    low, high = mark.value_range
    below = "≤ " if bool((mark.values < low - 1e-4 * (high - low)).any()) else ""
    above = "≥ " if bool((mark.values > high + 1e-4 * (high - low)).any()) else ""
    row = colour.table_of(mark, pen.theme)[np.linspace(0, 255, BAR[0]).astype(int)]
    parts: list[Artist] = [
        _text(pen, mark.label, "ink"),
        _text(pen, f"{below}{limit(low)}", "muted"),
        OffsetImage(np.repeat(row[None], BAR[1], axis=0), zoom=1),
        _text(pen, f"{above}{limit(high)}", "muted"),
    ]
    return HPacker(children=parts, pad=0, sep=4 * PX, align="center")


def _text(pen: Pen, text: str, token: str) -> Artist:
    from matplotlib.offsetbox import TextArea

    return TextArea(text, textprops={"fontsize": SIZE, "color": pen.tokens[token]})
