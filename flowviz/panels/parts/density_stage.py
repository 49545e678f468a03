"""A stage with p* and p over one axis, a handle and a knot each, and the pull on p as an arrow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from flowviz.grid import Window
from flowviz.panels.parts.following import Unmade, made
from flowviz.panels.parts.own_doing import OwnDoing
from flowviz.targets.line import Line
from flowviz.widgets.layout import classed
from flowviz.widgets.stage import Handles, Lines, Shapes, Stage
from flowviz.widgets.stage.marks import Mark

Pair = tuple[Line, Line]
"""p* and p."""
MOST_PULL = 3.0
"""The arrow is as long as the pull in units of x, and no longer than this: then two-headed."""
POINTS = 480
WIDE, NARROW = (-7, 7), (-2, 4)
"""What is seen of x at least, and where both densities are bounded."""
KNOTS = {"two_bumps": 2.0}
"""The knot of a width stands so many of it beside the centre; 1 by default."""
BESIDE = 1e-5
"""A curve is known so far beside a jump."""
NEARLY = 1e-4
"""What is so little beyond a whole number is that."""
BELOW, ARROW = -0.04, -0.095
"""Of the height: p's handle lies so far under the axis, and its arrow."""
LABELS = (("p*", "p"), ("s*", "s"))


class DensityStage:
    """Both densities, and what moves them.

    Args:
        lines: both as the settings have them now.
        moved: told the label of the handle that the user moved, and the centre or the width that
            it stands for; it raises ValueError where that stops before.
        refuse: told why.

    Attributes:
        stage: the widget.
    """

    def __init__(
        self,
        lines: Callable[[], Pair],
        moved: Callable[[str, float], None],
        refuse: Callable[[Exception], None],
    ) -> None:
        self._lines, self._moved, self._refuse = lines, moved, refuse
        self._held: dict[str, Any] | None = None
        self.stage = Stage(
            max_width=0,
            fit=True,
            transport=False,
            tools=False,
            aspect="free",
            axis_titles=("x", "density"),
        )
        classed(self.stage, "fv-fills")
        self._doing = OwnDoing(self.stage)
        self._doing.hear(self.stage, "handles", self._dragged)

    def show(self, lines: Pair, pull: float, window: Window) -> None:
        """Draw both, the pull on p and the handles.

        Args:
            lines: p* and p.
            pull: −dD/dm, the way in which descent moves p; NaN for none.
            window: what is seen.
        """
        with self._doing.ours(), self.stage.hold_trait_notifications():
            self.stage.window = window
            self.stage.show(*drawn(lines, pull, window))
        self.put_handles()

    def put_handles(self) -> None:
        """Put the handles where the settings say."""
        top = torch.tensor(self.stage.window[3], dtype=torch.float64)
        with self._doing.ours():
            self.stage.handles = made(handles(self._lines(), top))

    def _dragged(self, handles: Sequence[Handles]) -> None:
        """Follow the handle that the user has, or had last; the page's others may be behind."""
        self._held = held = self.stage.held or self._held
        if held is None or len(handles) != len(LABELS):
            return
        which, i = held["set"], held["index"]
        lines, x = self._lines(), float(handles[which].points[i, 0])
        place = float(_knot(lines[i]) if which else lines[i].centre)
        if math.isfinite(x) and abs(x - place) > 1e-3:
            if which:
                x = abs(x - float(lines[i].centre)) / reach(lines[i])
            try:
                self._moved(LABELS[which][i], round(x, 3))
            except ValueError as error:
                self._refuse(error)
        self.put_handles()


def drawn(lines: Pair, pull: float, window: Window) -> list[Mark]:
    """The marks of both densities and of the pull on p, as :meth:`DensityStage.show` draws them."""
    of_p, seen = (torch.tensor(given, dtype=torch.float64) for given in (pull, window))
    return made(marks(lines, of_p, seen))


def marks(lines: Pair, pull: Tensor, window: Tensor) -> list[Unmade]:
    """Both densities as filled curves, and the pull as an arrow at p's centre."""
    curves: list[Unmade] = []
    for line, colour in zip(lines, ("ink", "forward"), strict=True):
        curve = outline(line, window[0], window[1])
        floor = torch.stack([curve[:, 0], torch.zeros_like(curve[:, 0])], -1)
        look: dict[str, Any] = {"palette": colour, "fill": 0.14, "width": 2}
        curves.append(Unmade(Lines, states=curve[None], band=floor[None], **look))
    arrow = _arrow(lines[1].centre, torch.where(pull.isnan(), 0.0, pull), window)
    return [*curves, Unmade(Shapes, states=arrow[None], palette="ink", fill=0.9, width=0.5)]


def handles(lines: Pair, top: Tensor) -> list[Unmade]:
    """On the centre and on the width of each; ``top``: of the window, as p's stands below it."""
    target, model = lines
    centres = [
        torch.stack([target.centre, _height(target, 0.0)]),
        torch.stack([model.centre, BELOW * top]),
    ]
    knots = [torch.stack([_knot(line), _height(line, reach(line))]) for line in lines]
    return [
        Unmade(Handles, points=torch.stack(centres), labels=LABELS[0]),
        Unmade(Handles, points=torch.stack(knots), labels=LABELS[1], shape="knot"),
    ]


def _arrow(start: Tensor, pull: Tensor, window: Tensor) -> Tensor:
    """An arrow below the axis ``[11, 2]``; one that should be longer has a second head."""
    low, high, _, top = window
    length = pull.clamp(-MOST_PULL, MOST_PULL)
    share = (length.abs() / (0.03 * (high - low))).clamp(max=1.0)  # a short one is small altogether
    head = 0.03 * (high - low) * share * length.sign()
    tip, neck, thick = start + length, start + length - head, 0.008 * top * share
    back = torch.where(pull.abs() < 1.01 * MOST_PULL, neck, neck - head)
    x = torch.stack([start, back, back, neck, neck, tip])
    y = torch.stack([thick, thick, 3 * thick, thick, 3 * thick, 0 * thick])
    half = torch.stack([x, y], -1)
    mirrored = torch.stack([x, -y], -1).flip(0)[1:]
    return torch.cat([half, mirrored]) + torch.stack([0 * top, ARROW * top])


def outline(line: Line, low: Tensor, high: Tensor) -> Tensor:
    """The curve of a density ``[POINTS, 2]``, upright where it jumps."""
    ends = [low, *(edge + side for edge in line.edges for side in (-BESIDE, BESIDE)), high]
    pieces = list(zip(ends[::2], ends[1::2], strict=True))
    t = torch.linspace(0, 1, POINTS // len(pieces), dtype=torch.float64)
    x = torch.cat([a + (b - a) * t for a, b in pieces])
    return torch.stack([x, line.log_prob(x).exp()], -1)


def window_on(lines: Pair) -> Tensor:
    """What is seen of these ``[4]``: the least there is to see, or farther, in whole numbers.

    Its height is that of the highest, in steps of a quarter of it, so that axes seldom move.
    """
    bounded = all(line.edges for line in lines)
    low, high = NARROW if bounded else WIDE
    places = torch.stack([line.centre for line in lines])
    reaches = torch.stack([1.2 * reach(line) * line.width for line in lines])
    left = (places - reaches + NEARLY).floor().amin().clamp(max=low)
    right = (places + reaches - NEARLY).ceil().amax().clamp(min=high)
    peaks = [line.log_prob(_peak(line)).exp() for line in (*lines, *_narrowest(lines))]
    peak = torch.stack(peaks).amax()
    step = torch.exp2((peak.log() / math.log(2) + NEARLY).floor()) / 4
    top = (1.12 * peak / step).ceil() * step
    return torch.stack([left, right, -0.15 * top, top])


def _narrowest(lines: Pair) -> list[Line]:
    """What descent can make of p: as narrow as one of two bumps."""
    target = lines[0]
    if target.family != "two_bumps":
        return []
    return [Line.known("normal", target.centre, target.kind.tail * target.width)]


def _peak(line: Line) -> Tensor:
    return line.centre + line.width * (2.0 if line.family == "two_bumps" else 0.0)


def reach(line: Line) -> float:
    """So many widths beside its centre stands the knot of a density's width."""
    return KNOTS.get(line.family, 1.0)


def _knot(line: Line) -> Tensor:
    return line.centre + reach(line) * line.width


def _height(line: Line, z: float) -> Tensor:
    inside = 0.999 * z if line.edges else z
    return line.log_prob(line.centre + inside * line.width).exp()
