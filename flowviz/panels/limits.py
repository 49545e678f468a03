"""Limits: a flow gets as near any distribution as one likes, and never tears: a bridge stays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from flowviz.grid import Window
from flowviz.panels.parts.axis_densities import AxisDensities
from flowviz.panels.parts.bridge_numbers import SAMPLES, BridgeNumbers
from flowviz.panels.parts.following import Following, made
from flowviz.panels.parts.mode_following import NO_CAP, following, picture
from flowviz.panels.parts.table_errors import TableErrors
from flowviz.panels.parts.timed_stage import TimedStage
from flowviz.panels.parts.two_mode_handles import TwoModeHandles
from flowviz.panels.parts.two_modes_marks import STEPS
from flowviz.two_modes import Affine, Capped, Discs, Gaussians, Map, Modes, Table
from flowviz.two_modes.normal import number
from flowviz.widgets.layout import card
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import format_number
from flowviz.widgets.state import Choice, Integer, PanelState, Real

MODES = {"gaussians": "Two Gaussians", "discs": "Two discs"}
MAPS = {
    "capped": "The best with slope ≤ L",
    "cells_8": "A table of 8 cells",
    "cells_32": "A table of 32 cells",
    "cells_128": "A table of 128 cells",
    "affine": "One affine layer",
}
WINDOW: Window = (-5.6, 5.6, -5.6, 5.6)
PARTICLES = 1_500
BRIDGED = {"apart": (5.0, None), "cap": (None, 100.0), "share": (None, 1.0)}  # in a page
TORN = {"slope": (1e9, None)}
SHAPE = ("modes", "apart", "width")
MAP = (*SHAPE, "map", "cap")


class LimitsState(PanelState):
    """What the panel can be set to."""

    modes = Choice("gaussians", MODES, label="Target", help="What the base is to become")
    map = Choice(
        "capped",
        MAPS,
        label="Map",
        help="Which increasing map T carries the base u there; a table is a histogram of p*",
    )
    cap = Real(8.0, 1.0, NO_CAP, log=True, most="∞", label="Cap L", help="On the slope")
    apart = Real(6.0, 1.0, 8.0, step=0.1, label="Apart", help="From mode to mode")
    angle = Real(0.0, -180.0, 180.0, step=1, label="Angle", help="Of the axis, in degrees")
    width = Real(0.5, 0.3, 0.8, step=0.05, label="Width s", help="A mode's standard deviation")
    seed = Integer(7, 0, 2**31 - 1, label="Seed", help="Of all draws")
    position = Real(1.0, 0.0, 1.0, label="t", help="0 (base) to 1 (data)")


class Limits(Panel):
    """Two modes, and the map that carries the Gaussian base to them.

    Along the axis through both it is an increasing map T₁, across it another for every point of
    the axis (Rosenblatt's construction). Exact, it needs the slope s exp(m²/2s²) in the middle;
    with a cap on its slope the bridge between the modes keeps mass.
    """

    State = LimitsState
    settings: LimitsState
    invitation = "Now you: drag a mode"
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("A capped slope", {}),
        ("No cap", {"cap": NO_CAP}),
        ("Two discs", {"modes": "discs"}),
        ("A table", {"map": "cells_8"}),
        ("One affine layer", {"map": "affine"}),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Keep the modes 5 apart, and with a cap of at most 100 push the bridge below 1 %",
            lambda panel: (
                panel.settings.apart >= 5
                and isinstance(panel.map, Capped)
                and panel.settings.cap <= 100
                and panel.bridge.share < 0.01
            ),
            "Ten times the slope leaves about a tenth of the bridge; so much less lies between "
            "modes that are wide or near.",
            "The bridge of a capped map is the base spread out L times: its share goes like 1/L.",
            by={"cap": 100.0, "apart": 5.0},
            in_page=lambda panel: BRIDGED if panel.settings.map == "capped" else None,
        ),
        Goal(
            "Drag the modes together until the map that equals p* needs no slope above e² = 7.39",
            lambda panel: panel.needed <= 2,
            "It needs s exp(m²/2s²) in the middle, with the modes at ±m: m² is what counts.",
            "What costs slope is to empty the middle, and between modes so near it is not empty.",
            by={"apart": 2.2},
            in_page=lambda panel: {"needed": (None, 2)},
        ),
        Goal(
            "Tear the base: find a target and a map that is no longer continuous",
            lambda panel: math.isinf(panel.map.largest_log_slope),
            "Where the target has no mass at all, a map without a cap leaves none.",
            "An infinite slope on a line: left and right of it two halves that no longer touch.",
            by={"modes": "discs", "cap": NO_CAP},
            in_page=lambda panel: TORN if panel.map.may_tear else None,
        ),
    )

    def build(self) -> Screen:
        self.show = TimedStage(self, STEPS, window=WINDOW)
        self.stage, self.parts = self.show.stage, [self.show]
        self.stage.follows = lambda: self.following().in_page()
        self.handles = TwoModeHandles(self, self.show)
        self.bridge = BridgeNumbers()
        self.densities = AxisDensities(WINDOW[:2])
        self.tables = TableErrors(
            [n for name in MAPS if (n := _cells(name))],
            lambda n: self.settings.update({"map": f"cells_{n}"}),
        )
        names = ("modes", "map", "cap", "apart", "angle", "width", "seed")
        return Screen(
            pictures=[card(self.stage)],
            stages=[self.stage],
            controls=card(self.controls.stack(*names)),
            run=self.show.run,
            companion=card(*self.bridge.widgets, self.densities),
            tabs={"Tables": self.tables.chart},
        )

    # ---- what is drawn -------------------------------------------------------------------------

    @draws(*MAP, "angle", "seed")
    def _draw_picture(self) -> None:
        """The base's grid and its samples on their way, the target's contours, the bridge."""
        settings = self.settings
        self.target = self._target(settings.apart, settings.width)
        self.map = self._map(self.target, self.cap)
        self.controls["cap"].disabled = settings.map != "capped"  # it is of no other map
        apart, angle = (number(one) for one in (settings.apart, settings.angle))
        shown = made(picture(self.map, apart, angle, self._base(PARTICLES), WINDOW))
        with self.show.ours():
            self.stage.show(*shown)
        self.show.seek()

    @draws(*SHAPE, "map")
    def _draw_tables(self) -> None:
        """The divergences of ever finer tables."""
        self.tables.show(self.target, _cells(self.settings.map))

    @draws(*MAP, "seed")
    def _draw_numbers(self) -> None:
        """The bridge's share and the divergence, each in two ways, and the slope."""
        self.needed = Capped(self.target).needed
        self.bridge.measure(self.map, self._base(SAMPLES), self.settings.seed)
        with self.show.ours():
            self.stage.description = self.words()

    @draws(*MAP)
    def _draw_densities(self) -> None:
        """Both densities along the axis, and the model's in the middle."""
        self.densities.show_both(self.target, self.map)

    def _target(self, apart: float | Tensor, width: float | Tensor) -> Modes:
        kind = {"gaussians": Gaussians, "discs": Discs}[self.settings.modes]
        return kind(apart, width)

    def _map(self, target: Modes, cap: float | Tensor) -> Map:
        name = self.settings.map
        if name == "affine":
            return Affine(target)
        if n := _cells(name):
            return Table(target, n)
        return Capped(target, cap)

    def following(self) -> Following:
        """How the picture follows the handles on the modes, and the sliders."""

        def map_to(apart: Tensor, width: Tensor, cap: Tensor) -> Map:
            return self._map(self._target(apart, width), cap)

        return following(self.settings, map_to, self._base(PARTICLES), WINDOW)

    @property
    def cap(self) -> float:
        """L; infinite at the slider's end."""
        return self.settings.cap if self.settings.cap < NO_CAP else math.inf

    def _base(self, count: int) -> Tensor:
        """Samples of the base, along and across the axis."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        return torch.randn(count, 2, generator=generator, dtype=torch.float64)

    # ---- words and code ------------------------------------------------------------------------

    def words(self) -> str:
        share = f"{format_number(100 * self.bridge.share)} % in the bridge"
        slope, nats = (format_number(one) for one in (math.exp(self.needed), self.needed))
        kl = f"KL(p*‖p) = {format_number(self.bridge.kl)}"
        discs = isinstance(self.target, Discs)
        if isinstance(self.map, Affine):
            return f"An affine layer keeps one Gaussian one, {share}: it splits no mode."
        if isinstance(self.map, Table):
            power = f"n to the {format_number(self.tables.exponent)}"
            equal = ", but never equal" if discs else ""
            return f"{kl} with n = {self.map.cells} cells, falling like {power}{equal}."
        if math.isinf(self.map.largest_log_slope):
            return "An infinite slope at u = 0 tears the base in two: that is no flow."
        assert isinstance(self.map, Capped)
        capped = f"Slope ≤ {float(self.map.cap):g} leaves {share}"
        if discs:
            return f"{capped}. Discs have none: no flow can equal them."
        if not self.map.edge:
            return f"It equals the target, with slope {slope} ({nats} nats) in the middle."
        if not self.target.bridge:
            return f"The modes overlap: no bridge is counted; to equal p* takes slope {slope}."
        return f"{capped}; to equal p* takes slope {slope}."

    def code(self) -> str:
        settings = self.settings
        kind = type(self.target).__name__
        n = _cells(settings.map)
        cap = "" if math.isinf(self.cap) else f", cap={self.cap:g}"
        made = f"Table(target, cells={n})" if n else f"Capped(target{cap})"
        made = "Affine(target)" if settings.map == "affine" else made
        return "\n".join(
            [
                "import torch",
                f"from flowviz.two_modes import {kind}, {made.partition('(')[0]}",
                "",
                f"target = {kind}(apart={settings.apart}, width={settings.width})",
                f"map_ = {made}",
                "print(map_.share(target.bridge), target.share(target.bridge))  # of p and of p*",
                "print(map_.largest_log_slope, map_.kl())",
                f"print(map_.kl_sampled({SAMPLES}, seed={settings.seed}))",
                "",
                f"generator = torch.Generator().manual_seed({settings.seed})",
                f"u = torch.randn({SAMPLES}, 2, generator=generator, dtype=torch.float64)",
                "x, log_slopes = map_.carry(u)  # along the axis, and across",
                "print((x[:, 0].abs() < target.bridge).double().mean())  # the bridge, counted",
            ]
        )


def _cells(name: str) -> int:
    """Of a table by its name; 0 for another map."""
    return int(name.removeprefix("cells_")) if name.startswith("cells_") else 0
