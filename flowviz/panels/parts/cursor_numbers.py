"""What is to be seen of the Jacobian at the cursor: log|det J| in three ways, J, and its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from flowviz.flows import Bijection, Flow, catalog
from flowviz.panels.parts.cursor import Cursor, area_factors
from flowviz.panels.parts.six_dimensions import six_dimensions
from flowviz.panels.parts.volume_words import ROUNDING, structure_in_words
from flowviz.widgets.charts import Axis, Curve, Heatmap, LineChart, Points
from flowviz.widgets.layout import card, classed, row
from flowviz.widgets.readouts import Note, Readout, format_number

WAYS = (
    ("Formula", "The layers' own log|det J|"),
    ("Autodiff", "slogdet of the Jacobian by autodiff"),
    ("Area", "log of the square's image's area over its own; a small square's is log|det J|"),
)
CHART = 150
INDICES = "₁₂₃₄₅₆"
CLOSE = 0.005
"""An area that misses by less agrees to what is asked of it."""
ESTIMATED = "The formula is a random estimate in this flow: autodiff and the area are not."
SIDES = np.geomspace(2.0, 0.02, 9)
"""Of the squares whose areas show the limit."""


class CursorNumbers:
    """The numbers of a layer, or of the whole flow, at the cursor.

    Attributes:
        widget: three read-outs, why they differ, the matrix and its structure.
        why: what the area misses the formula by, and why.
        discrepancy: how far the three are apart.
        limit: the chart of the measured area against the square's side.
        ways: log|det J| by the formula, by autodiff and by the area.
    """

    def __init__(self) -> None:
        self.three = [Readout(name, help=help) for name, help in WAYS]
        self.matrix = Heatmap(
            "Jacobian",
            rows=[f"∂z′{i}" for i in INDICES],
            columns=[f"/∂z{i}" for i in INDICES],
            height=0,
        )
        self.structure = Note()
        self.why, self.discrepancy = Note(), Note()
        self.limit = LineChart(
            "the measured area against the square's side",
            title="Area of the image over that of the square, in the limit |det J|",
            x=Axis("side of the square", log=True),
            y=Axis("factor", log=True),
            height=CHART,
        )
        for one in (self.limit, self.discrepancy):
            one.layout.flex = "none"
        three = classed(row(*self.three), "fv-three")
        title = "log|det J| at the cursor"
        self.widget = card(three, self.why, self.matrix, self.structure, title=title)
        self.ways = 0.0, 0.0, 0.0

    def show(self, flow: Flow, cursor: Cursor, layer: int) -> None:
        """Show the numbers of a layer (1 …), or of the whole flow (0)."""
        self.ways = analytic, autodiff, area = cursor.three_ways(layer)
        for readout, value in zip(self.three, self.ways, strict=True):
            readout.show(value if abs(value) > ROUNDING else 0.0)
        exact, missed = _bijection(flow, layer).exact_logabsdet, area - analytic
        self.why.show(missed_in_words(missed) if exact else ESTIMATED)
        smaller = ", less for a smaller square" if abs(missed) > ROUNDING else ""
        self.discrepancy.show(
            f"autodiff − formula {format_number(autodiff - analytic, 1)} · "
            f"area − formula {format_number(missed, 2)}{smaller}"
        )

    def show_matrix(self, flow: Flow, family: str, cursor: Cursor, layer: int) -> None:
        """Show the Jacobian of a layer, or of the whole flow, at the cursor.

        Args:
            family: the flow's name in the catalogue.
        """
        mask, J = _bijection(flow, layer).jacobian_mask().cpu(), cursor.jacobian(layer)
        self.matrix.show_matrix(J.numpy(), zeros=(~mask).numpy())
        rank_one = layer > 0 and catalog.entry(family).jacobian == "identity plus rank one"
        whose = f"Layer {layer}" if layer else "The whole flow"
        self.structure.show(f"{whose}: J is {structure_in_words(mask, J, rank_one=rank_one)}.")

    def show_six_dimensions(self, family: str, layers: int, layer: int, seed: int) -> None:
        """Show the Jacobian of the family's layer, or of all its layers, where D = 6."""
        J, mask, words = six_dimensions(family, layers, layer, seed)
        self.matrix.show_matrix(J.numpy(), zeros=(~mask).numpy())
        self.structure.show(words)

    @property
    def error(self) -> float:
        """What the square's area misses the formula by."""
        return abs(self.ways[0] - self.ways[2])

    def show_limit(
        self, flow: Flow, point: Sequence[Sequence[float]], side: float, layer: int
    ) -> None:
        """Show the areas of squares of many sides: the present one is a dot."""
        factors = area_factors(flow, point, SIDES.tolist(), layer)
        exact = math.exp(self.ways[1])
        self.limit.show_curves(
            [
                Curve("area", SIDES, factors, colour="--fv-ink"),
                Curve("|det J|", SIDES[[0, -1]], [exact, exact], colour="--fv-muted", dash="dash"),
            ],
            [Points("this square", [side], [math.exp(self.ways[2])])],
        )


def _bijection(flow: Flow, layer: int) -> Bijection:
    return list(flow.transform)[layer - 1] if layer else flow.transform


def missed_in_words(gap: float) -> str:
    """What the area is beyond the formula, and why, in one line."""
    if abs(gap) <= ROUNDING:
        return "The area agrees: det J is the same all over the square."
    why = "hardly varies over it" if abs(gap) < CLOSE else "varies over the square"
    return f"Area − formula {format_number(gap, 2)}: det J {why}."
