"""Small multiples of fits made so far: one by each divergence, the newest in place of the last."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import ipywidgets as widgets
import numpy as np
import torch

from flowviz.grid import Window
from flowviz.objectives.on_the_line import MEASURES
from flowviz.panels.parts.density_stage import Pair, outline
from flowviz.widgets.layout import classed
from flowviz.widgets.readouts import format_number

WIDTH, HEIGHT = 120, 44
EMPTY = "Press Train: the fit by each divergence is kept here, for comparison."


@dataclass(frozen=True)
class Kept:
    """A fit.

    Attributes:
        lines: p* and p at its end.
        value: of the divergence there.
        steps: made for it.
    """

    lines: Pair
    value: float
    steps: int


class KeptFits(widgets.HTML):
    """The fits, each a small picture with its numbers.

    Attributes:
        fits: by the divergence's name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fits: dict[str, Kept] = {}
        self._kind: object = None
        classed(self, "fv-kept-fits")
        self.show((0.0, 1.0, 0.0, 1.0))

    def begin(self, kind: object) -> None:
        """Forget the fits of another target or family."""
        if kind != self._kind:
            self._kind, self.fits = kind, {}

    def keep(self, name: str, kept: Kept) -> None:
        """Keep a fit by the divergence of that name, in place of the last one."""
        self.fits[name] = kept

    def show(self, window: Window) -> None:
        """Draw them all over one window."""
        tiles = [_tile(name, kept, window) for name, kept in self.fits.items()]
        self.value = "".join(tiles) or f'<p class="fv-note">{EMPTY}</p>'


def _tile(name: str, kept: Kept, window: Window) -> str:
    low, high, floor, top = window
    ends = torch.tensor(window, dtype=torch.float64)[:2]

    def path(i: int) -> str:
        curve = outline(kept.lines[i], *ends)[::4].numpy()
        x = (curve[:, 0] - low) / (high - low) * WIDTH
        y = np.clip((top - curve[:, 1]) / (top - max(floor, 0.0)) * HEIGHT, 0, HEIGHT)
        return "M" + "L".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    model = kept.lines[1]
    centre, width = (format_number(float(one), 2) for one in (model.centre, model.width))
    numbers = f"mean {centre}, width {width}"
    symbol, value = MEASURES[name].symbol, format_number(kept.value, 2)
    drawn = "".join(
        f'<path d="{path(i)}" fill="none" stroke="var({colour})" stroke-width="1.5"/>'
        for i, colour in enumerate(("--fv-ink", "--fv-forward"))
    )
    return (
        f"<figure><figcaption>{escape(symbol)} = {value}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(symbol)}: {numbers}">'
        f"{drawn}</svg><figcaption>{escape(numbers)}</figcaption>"
        f"<figcaption>{kept.steps:,} steps</figcaption></figure>"
    )
