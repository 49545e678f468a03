"""The charts drawn by matplotlib, from the same data, where no page draws them.

matplotlib is imported when something is drawn, not before: it costs a kernel 47 MB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from flowviz.widgets.charts.bars import BarChart
from flowviz.widgets.charts.base import ChartBase
from flowviz.widgets.charts.chart import Chart
from flowviz.widgets.charts.heatmap import MOST_NUMBERS, Heatmap
from flowviz.widgets.charts.line import Axis, Curve, Drawn, LineChart
from flowviz.widgets.readouts import format_alike, format_number
from flowviz.widgets.tokens import Theme, tokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = {"solid": "-", "dash": "--", "dot": ":"}
SIZE = 9
"""Of the texts, in points."""


def draw(axes: Axes, chart: ChartBase, theme: Theme = "light") -> None:
    """Draw a line chart, a loss chart, a waterfall or a matrix as it stands.

    >>> from matplotlib.figure import Figure
    >>> chart = LineChart("a parabola")
    >>> x = np.linspace(-1, 1)
    >>> chart.show_curves([Curve("x²", x, x**2)])
    >>> draw(Figure(figsize=(4, 2)).add_subplot(), chart)

    Args:
        axes: empty axes of a :class:`matplotlib.figure.Figure`; their place is kept.
        chart: a chart that has been given its data.
        theme: whose colours are used.

    Raises:
        TypeError: a chart of another kind, whose data are plotly's own.
    """
    pen = _Pen(axes, theme)
    if isinstance(chart, BarChart):
        pen.waterfall(chart)
    elif isinstance(chart, Chart) and not chart.traces:
        pen.words(chart)
    elif isinstance(chart, LineChart):
        pen.curves(chart)
    elif isinstance(chart, Heatmap):
        pen.matrix(chart)
    else:
        raise TypeError(f"{type(chart).__name__} has no static twin")


class _Pen:
    """Draws on one pair of axes in the colours of one theme."""

    def __init__(self, axes: Axes, theme: Theme) -> None:
        self.axes, self.tokens = axes, tokens(theme)
        axes.set_facecolor("none")
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(which="both", length=0, labelsize=SIZE, colors=self.colour("--fv-muted"))
        axes.set_axisbelow(True)

    def colour(self, written: str) -> Any:
        """A token, a fainter token (``"--fv-ink/0.2"``) or a colour, as matplotlib has it."""
        from matplotlib.colors import to_rgba

        name, _, alpha = written.partition("/")
        return to_rgba(self.tokens.get(name, name), float(alpha) if alpha else None)

    def title(self, text: str) -> None:
        self.axes.set_title(text, loc="left", fontsize=SIZE + 1, color=self.colour("--fv-muted"))

    def words(self, chart: Chart) -> None:
        """What stands in the place of a figure."""
        self.axes.set_xticks([])
        self.axes.set_yticks([])
        said = " ".join(note["text"] for note in chart.figure_layout.get("annotations", []))
        self.axes.text(
            0.5,
            0.5,
            said.replace("<br>", "\n") or "nothing yet",
            transform=self.axes.transAxes,
            ha="center",
            va="center",
            fontsize=SIZE + 1,
            color=self.colour("--fv-muted"),
        )

    # ---- curves --------------------------------------------------------------------------------

    def curves(self, chart: LineChart) -> None:
        axes = self.axes
        self.title(chart.title)
        for way, axis, limits in (
            ("x", chart.x_axis, chart.x_range),
            ("y", chart.y_axis, chart.y_range),
        ):
            self.scale(way, axis, limits)
        axes.grid(True, axis="both" if chart.x_axis.log else "y", color=self.colour("--fv-line"))
        for one in chart.drawn:
            self.one(one)
        if chart.cursor is not None:
            axes.axvline(chart.cursor, color=self.colour("--fv-ink"), linewidth=1)
        self.names([one for one in chart.drawn if one.last and one.given.name], chart)

    def scale(self, way: str, axis: Axis, limits: tuple[float, float]) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

        if axis.log:
            getattr(self.axes, f"set_{way}scale")("log")
            limits = (10.0 ** limits[0], 10.0 ** limits[1])
        getattr(self.axes, f"set_{way}lim")(*limits)
        getattr(self.axes, f"set_{way}label")(
            axis.title, fontsize=SIZE, color=self.colour("--fv-muted")
        )
        scale = getattr(self.axes, f"{way}axis")
        scale.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
        if axis.log:
            scale.set_minor_formatter(NullFormatter())
        else:
            scale.set_major_locator(MaxNLocator(5))

    def one(self, drawn: Drawn) -> None:
        given, colour = drawn.given, self.colour(drawn.given.colour)
        if not isinstance(given, Curve):
            self.axes.errorbar(
                drawn.x, drawn.y, drawn.errors, fmt="o", color=colour, markersize=4, clip_on=False
            )
            return
        if drawn.errors is not None:
            self.axes.fill_between(*drawn.band(), color=(*colour[:3], 0.18), linewidth=0)
        self.axes.plot(drawn.x, drawn.y, color=colour, linewidth=1.5, linestyle=DASHES[given.dash])

    def names(self, ends: Sequence[Drawn], chart: LineChart) -> None:
        """The names beside their points, one above the other."""
        low, high = chart.y_range
        box = self.axes.get_window_extent()
        points = box.height * 72 / self.axes.get_figure(root=True).dpi  # type: ignore[union-attr]
        heights = [
            (float(chart.y_axis.scaled(np.float64(one.named[1]))) - low) / (high - low) * points
            for one in ends
            if one.named is not None
        ]
        for one, height, moved in zip(ends, heights, _apart(heights, 1.4 * SIZE), strict=True):
            self.axes.annotate(
                one.given.name,
                one.named or (0, 0),
                xytext=(4, moved - height),
                textcoords="offset points",
                va="center",
                fontsize=SIZE,
                color=self.colour(one.given.colour),
                annotation_clip=False,
            )

    # ---- waterfalls ----------------------------------------------------------------------------

    def waterfall(self, chart: BarChart) -> None:
        axes, values = self.axes, np.nan_to_num(chart.values, posinf=0.0, neginf=0.0)
        self.title(chart.title)
        count = len(values)
        before = np.concatenate([[0.0], np.cumsum(values)])
        total = before[-1]
        signs = ["--fv-expand" if value > 0 else "--fv-contract" for value in values]
        bars = axes.bar(
            range(1, count + 2),
            [*values, total],
            bottom=[*before[:-1], 0.0],
            width=0.72,
            color=[self.colour(name) for name in (*signs, "--fv-muted")],
        )
        axes.axhline(0.0, color=self.colour("--fv-muted"), linewidth=1)
        axes.use_sticky_edges = False  # room beyond the bars for their numbers
        axes.margins(y=0.14)
        texts = format_alike(
            [*chart.values, chart.values.sum()], 2 if 6 <= count <= MOST_NUMBERS else 3
        )
        if count <= MOST_NUMBERS:
            axes.bar_label(bars, texts, fontsize=SIZE, color=self.colour("--fv-ink"), padding=2)
        every = math.ceil(count / MOST_NUMBERS) if count else 1
        shown = list(range(1, count + 1, every))
        sum_ = "Σ" if count <= MOST_NUMBERS else f"Σ {texts[-1]}"
        axes.set_xticks([*shown, count + 1], [*map(str, shown), sum_])

    # ---- matrices ------------------------------------------------------------------------------

    def matrix(self, chart: Heatmap) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes, given = self.axes, chart.matrix
        card, muted = (np.array(self.colour(name)) for name in ("--fv-card", "--fv-muted"))
        hue = LinearSegmentedColormap.from_list(
            "entries", [self.colour("--fv-neutral"), 0.5 * (card + muted)]
        )
        sizes = np.ma.masked_where(chart.zeros, np.abs(given))
        axes.imshow(sizes, cmap=hue, vmin=0, vmax=max(float(sizes.max() or 0), 1e-12))
        rows, columns = given.shape
        axes.xaxis.tick_top()
        axes.set_xticks(range(columns), chart.figure_layout["xaxis"]["ticktext"])
        axes.set_yticks(range(rows), chart.figure_layout["yaxis"]["ticktext"])
        axes.set_xticks(np.arange(columns - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
        axes.grid(which="minor", color=card, linewidth=3)
        if max(given.shape) > MOST_NUMBERS:
            return
        for row, column in np.ndindex(rows, columns):
            zero = chart.zeros[row, column]
            axes.text(
                column,
                row,
                "0" if zero else format_number(given[row, column]),
                ha="center",
                va="center",
                fontsize=SIZE,
                color=self.colour("--fv-muted" if zero else "--fv-ink"),
            )


def _tick(value: float) -> str:
    if abs(value) >= 1e6 or 0 < abs(value) < 1e-4:
        return format_number(value, 1)
    return f"{value:,.4f}".rstrip("0").rstrip(".").replace("-", "−")


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """The same heights, pushed up where two are nearer than ``gap``, in the order given."""
    moved = list(heights)
    order = sorted(range(len(moved)), key=lambda i: moved[i])
    for below, above in pairwise(order):
        moved[above] = max(moved[above], moved[below] + gap)
    return moved
