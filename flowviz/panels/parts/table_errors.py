"""KL(p*‖p) of ever finer tables against their cells, on log-log axes with the fitted exponent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from flowviz.two_modes import Modes, Table
from flowviz.widgets.charts import Axis, Curve, LineChart, Points
from flowviz.widgets.readouts import format_number

CELLS = (4, 8, 16, 32, 64, 128, 256, 512)
FITTED = 32
"""Tables of at least so many cells give the exponent."""


class TableErrors:
    """The chart; pressing on it chooses a table.

    Args:
        offered: the cells of those that can be chosen.
        choose: called with the cells of the one that was pressed on, or next to it.

    Attributes:
        chart: the widget.
        exponent: KL goes like cells to this power.
    """

    def __init__(self, offered: Sequence[int], choose: Callable[[int], None]) -> None:
        self.exponent = math.nan
        self.chart = LineChart(
            "KL(p*‖p) against the cells of a table",
            x=Axis("cells", log=True),
            y=Axis("KL(p*‖p)", log=True),
            height=0,
        )
        self.chart.on_click(lambda x: choose(min(offered, key=lambda n: abs(math.log(n / x)))))

    def show(self, target: Modes, chosen: int) -> None:
        """Measure all tables of a target, and mark one: the one with so many cells; 0: none."""
        cells = np.array(CELLS)
        kls = np.array([Table(target, n).kl() for n in CELLS])
        fine = cells >= FITTED
        self.exponent, offset = np.polyfit(np.log(cells[fine]), np.log(kls[fine]), 1)
        fitted = np.exp(offset) * cells**self.exponent
        power = f"∝ n^{format_number(self.exponent)}"
        self.chart.show_curves(
            [Curve(power, cells, fitted, colour="--fv-muted", dash="dash")],
            [Points("", cells, kls, colour="--fv-forward")],
        )
        self.chart.cursor = float(chosen) if chosen else None
