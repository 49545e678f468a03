"""Change of variables on the line: mass is carried, and density is mass per length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from flowviz.panels.parts.density_words import seen
from flowviz.panels.parts.knots import KnotControls, Knots, risen
from flowviz.panels.parts.line_maps import (
    BASES,
    LEAST_SCALE,
    MAPS,
    POINT,
    line_base,
    map_code,
    pushforward,
)
from flowviz.panels.parts.line_picture import LinePicture
from flowviz.panels.parts.line_stage import LineStage
from flowviz.panels.parts.marked_numbers import MarkedNumbers
from flowviz.panels.parts.two_formulas import Marked, formula_curves, highest, humps
from flowviz.widgets.charts.line import LineChart
from flowviz.widgets.layout import card, folded, row
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Readout, format_number
from flowviz.widgets.state import Choice, Integer, PanelState, Real, Toggle

MAP = "map", "base", "knots", "fold", "scale", "shift"
SKEWED = ((-2.0, -2.4), (-1.0, -1.5), (0.0, -0.8), (1.0, 0.8), (2.0, 2.4))
HUMPS = ((-1.5, -2.0), (-0.5, -1.5), (0.5, 1.5), (1.5, 2.0), (2.5, 2.7))
FOLDED = ((-2.0, -2.0), (-1.0, 1.5), (0.0, 0.0), (1.0, -1.5), (2.0, 2.0))


class ChangeOfVariablesState(PanelState):
    """What the panel can be set to."""

    seed = Integer(7, 0, 2**31 - 1, label="Seed", help="Of the histogram's samples")
    map = Choice("knots", MAPS, label="Map x = T(u)", help="Φ and P: what lies left of x, of u")
    knots = Knots(SKEWED, label="Knots", help="The points (u, x) that the map goes through")
    fold = Toggle(False, label="Let the knots fold", help="So that T need not rise")
    scale = Real(1.0, -3.0, 3.0, step=0.05, label="a", help="The slope of x = a·u + b; not 0")
    shift = Real(0.0, -3.0, 3.0, step=0.1, label="b", help="Of x = a·u + b")
    u = Real(0.0, -4.0, 4.0, step=0.05, label="Marked u", help="Its x is marked too")
    length = Real(0.05, 0.01, 2.0, log=True, label="Piece of x", help="Its length, to weigh p by")
    base = Choice("normal", BASES, label="Base", help="The density of u")
    position = Real(2.0, 0.0, 2.0, label="Position", help="0: p of u, 1: the map, 2: p of x")


class ChangeOfVariables(Panel):
    """A map x = T(u) of the line, and the density that it makes of the base's.

    Ten bands of mass 0.1 are carried from u over the map to x: p(x) = p_u(u) / |T′(u)|, the mass
    of a piece of u over the length of its image. Where T folds, p is the sum over all preimages.
    """

    State = ChangeOfVariablesState
    settings: ChangeOfVariablesState
    invitation = "Now you: drag a knot"
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("Knots", {}),
        ("x = eᵘ", {"map": "exp"}),
        ("Squeeze", {"map": "affine", "scale": 0.1}),
        ("Decreasing", {"map": "affine", "scale": -0.6, "shift": 1.0, "u": -1.0}),
        ("Fold", {"map": "square", "u": 1.2}),
        ("Uniform base", {"map": "quantile", "base": "uniform", "u": 0.8}),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Make p(x) > 3 somewhere, with a map that does not fold",
            lambda panel: not panel.push.folds and panel.peak[1] > 3,
            "Make T flat where the base is dense: its mass has little room there.",
            "A density is no probability: the band there still has the mass 0.100.",
            by={"map": "affine", "scale": 0.12},
            in_page=lambda panel: {"peak": (3, None)} if panel.bends or panel.slides else None,
        ),
        Goal(
            "Give the density of x two humps or more, with a map that does not fold",
            lambda panel: not panel.push.folds and humps(panel.push) > 1,
            "Pull two neighbouring knots apart in x: steep between them, flat on both sides.",
            "In the dip T is steeper than at a hump: the same mass takes more length there.",
            by={"map": "knots", "knots": HUMPS},
            in_page=lambda panel: {"dip": (1 / 0.9, None)} if panel.bends else None,
        ),
        Goal(
            "Fold it: make the area of p from one preimage alone smaller than 0.9",
            lambda panel: panel.areas.single < 0.9,
            "Let the knots fold, and pull one under its left neighbour.",
            "Each x of the fold has more than one u: whoever takes one of them loses the rest.",
            by={"map": "knots", "knots": FOLDED, "fold": True},
            in_page=lambda panel: (
                {"single": (None, 0.9)}
                if panel.settings.map == "knots" and panel.settings.fold
                else None
            ),
        ),
    )

    def build(self) -> Screen:
        controls = self.controls
        self.line = LineStage(self)
        self.knots = KnotControls(self.settings, controls)
        self.line.on_knot(self.knots.choose)
        self.of_knots = controls["fold"], self.knots.widget
        self.of_line = [controls["scale"], controls["shift"]]
        self.parts = [self.line, self]
        self.at_point = MarkedNumbers()
        self.chart = LineChart("Two formulas for p(x)", height=0)
        self.chart.on_click(self._clicked)
        self.area = [
            Readout("Area with 1/|T′|", help="Of the sum over all preimages, as it should be"),
            Readout("Area without 1/|T′|", help="Of p_u(T⁻¹(x)) alone"),
            Readout(
                "Area from one preimage", help="Of p_u/|T′| at the largest u with T(u) = x alone"
            ),
        ]
        return Screen(
            pictures=[card(self.line.stage, self.at_point.of_map)],
            stages=[self.line.stage],
            controls=card(
                controls["map"],
                *self.of_line,
                self.knots.widget,
                controls["fold"],
                controls["u"],
                controls["base"],
                controls["length"],
                folded("Samples", controls["seed"]),
            ),
            run=self.line.run,
            companion=card(self.chart, self.at_point.of_density),
            companion_name="Density",
            tabs={"Areas": row(*self.area)},
        )

    @property
    def bends(self) -> bool:
        """Whether knots make the map, and cannot fold it."""
        return self.settings.map == "knots" and not self.settings.fold

    @property
    def slides(self) -> bool:
        """Whether sliders make the map."""
        return self.settings.map == "affine"

    # ---- a part of itself: what is set follows what may be -------------------------------------

    settled = True

    def follow(self, changed: frozenset[str]) -> None:
        """Keep the map one that has a density, and the marked point where the base has mass."""
        settings = self.settings
        if not settings.fold and (knots := risen(settings.knots)) != settings.knots:
            settings.knots = knots
        if abs(settings.scale) < LEAST_SCALE:
            settings.scale = math.copysign(LEAST_SCALE, settings.scale)
            self.refuse(ValueError(POINT))
        low, high = line_base(settings.base).marked
        inside = min(max(settings.u, low), high)
        if inside != settings.u:
            settings.u = inside

    def begin(self) -> None:
        """Nothing here takes its time."""

    # ---- what is drawn -------------------------------------------------------------------------

    @draws(*MAP)
    @torch.no_grad()
    def _draw_map(self) -> None:
        """The map with its densities and bands; which controls belong to it."""
        settings = self.settings
        self.push, self.base = pushforward(settings), line_base(settings.base)
        self.picture = LinePicture.of(self.push, self.base, settings.map)
        self.line.show(self.picture)
        self.peak = highest(self.push)
        self.areas = self.push.areas()
        for readout, value in zip(self.area, self._areas(), strict=True):
            readout.show_text(format_number(value, 4))
        self.knots.show()
        for control in self.of_line:
            control.layout.display = None if self.slides else "none"
        for control in self.of_knots:
            control.layout.display = None if settings.map == "knots" else "none"

    @draws(*MAP, "seed")
    @torch.no_grad()
    def _draw_chart(self) -> None:
        """Samples of x under both formulas, and under the one for bijections where T folds."""
        span = self.picture.limits
        curves = formula_curves(self.push, span, self.settings.seed)
        bars, without = (float(np.asarray(curve.y).max()) for curve in curves[:2])
        top = 1.15 * max(float(self.picture.highest), bars, without)
        self.chart.title = self._title()
        self.chart.show_curves(curves, x_limits=span, y_limits=(0, top))

    @draws(*MAP, "u", "length")
    @torch.no_grad()
    def _draw_point(self) -> None:
        """The marked point at both ends, and p(x) there in two ways."""
        settings = self.settings
        self.marked = here = Marked.at(self.push, self.base.quantile, settings.u, settings.length)
        self.at_point.show(here)
        self.chart.cursor = here.x
        carried = f"Ten bands of mass 0.1 go from u over {MAPS[settings.map]} to x."
        self.line.show_point(f"{carried} {self.words()}")

    def _clicked(self, x: float) -> None:
        try:
            self.settings.u = self.line.u_at(x)
        except ValueError as error:
            self.refuse(error)

    def _areas(self) -> tuple[float, float, float]:
        return self.areas.density, self.areas.unscaled, self.areas.single

    # ---- words and code ------------------------------------------------------------------------

    def _title(self) -> str:
        right, without, single = (format_number(area, 4) for area in self._areas())
        one = f", {single} from one preimage" if self.push.folds else ""
        return f"Area {right} with 1/|T′|, {without} without it{one}"

    def words(self) -> str:
        return seen(self.push, self.base.mode, self.peak, self.settings.u, self.areas.single)

    def code(self) -> str:
        length = self.settings.length
        return "\n".join(
            [
                "import math",
                "import torch",
                "from flowviz.flows.distributions import StandardNormal, UniformBox",
                "from flowviz.flows.line import Pushforward, spline_through",
                "",
                *map_code(self.settings),
                "",
                "push = Pushforward(base, cdf, T, edges)",
                f"u = torch.tensor([{self.settings.u!r}], dtype=torch.float64)",
                "x, slope = T(u)",
                "p = push.prob(x)  # the sum of p_u / |T′| over the preimages of x",
                f"mass = push.mass(x - {length / 2!r}, x + {length / 2!r})",
                "print(x, slope, push.preimages(x))",
                f"print(p, mass / {length!r}, -p.log())  # two ways to p(x), and the loss",
                "print(push.areas())",
            ]
        )
