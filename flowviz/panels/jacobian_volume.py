"""Jacobian volume: the base plane's grid, warped layer by layer, and one cell looked at closely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor

from flowviz.flows import Flow
from flowviz.flows.plane import GridTrace, grid_trace
from flowviz.panels.parts.cursor import Cursor, look
from flowviz.panels.parts.cursor_numbers import CLOSE, CursorNumbers
from flowviz.panels.parts.flow_choice import FLOW_SETTINGS, flow_field
from flowviz.panels.parts.flow_stage import FlowStage, carried
from flowviz.panels.parts.forward_fit import MODEL_SETTINGS, ForwardFit, ForwardFitState
from flowviz.panels.parts.grid_checks import GridChecks
from flowviz.panels.parts.hand_set_layers import CREASE, linear
from flowviz.panels.parts.layer_choice import LayerChoice
from flowviz.panels.parts.point_controls import PointControls
from flowviz.panels.parts.target_choice import target_field
from flowviz.panels.parts.tied_handle import End, at_data
from flowviz.panels.parts.traced_code import grid_code
from flowviz.panels.parts.volume_words import ROUNDING, volume_in_words
from flowviz.panels.parts.warped_grid import EXTENT, warped_grid
from flowviz.widgets.layout import card, folded, stack
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.stage import Particles
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Points, Real, Toggle

DIMS = {"2": "Two dimensions", "6": "Six dimensions"}
PER = {"total": "Sum of the layers so far", "layer": "Each layer on its own"}

STRIP_CELLS = 16
FILM_CELLS = 24
PARTICLES = 800


PLAIN = {"layer": 1, "contours": False}
"""One layer, looked at by itself."""


class JacobianVolumeState(ForwardFitState):
    """What the panel can be set to."""

    buttons = ("check",)
    flow = flow_field("real_nvp")
    layers = Integer(6, 1, 32, label="Layers", help="How many layers carry base to data")
    target = target_field("two_moons")
    seed = Integer(7, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")
    per = Choice("total", PER, label="Colour", help="Whose log|det J| colours the cells")
    cells = Integer(32, 8, 80, step=4, label="Cells a side")
    particles = Toggle(False, label="Particles", help="Samples of the base, carried along")
    contours = Toggle(True, label="Target's contours", help="Outline the target in ink")
    layer = Integer(0, 0, 200, label="Matrix of", help="0: the whole flow; else the layer")
    dims = Choice("2", DIMS, label="Matrix in", help="The cursor's, or one where zeros show")
    side = Real(0.3, 0.02, 2.0, log=True, label="Square's side", help="At the cursor")
    point = Points(((0.8, 0.6),), count=1, bound=10, help="The cursor, in the base plane")
    position = Real(200.0, 0.0, 200.0, label="Position", help="0 (base) to the number of layers")


class JacobianVolume(Panel):
    """What every layer does to areas: log|det J| as the colour of a cell.

    At the cursor the same number is had in three ways: the layer's formula, the determinant of
    the autodiff Jacobian, and the area of a small square's image.
    """

    State = JacobianVolumeState
    settings: JacobianVolumeState
    invitation = "Now you: drag the square"
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("Two moons", {"trained": 1200}),
        ("Random", {"spread": 2.5, "contours": False}),
        ("NICE keeps volume", {"flow": "nice", "spread": 4.0, "layer": 1, "contours": False}),
        ("Planar: one crease", {**CREASE, **PLAIN}),
        ("Shear", {**linear(0.0, 1.0, 0.0, 0.0), **PLAIN}),
        ("Rotation", {**linear(-0.4, -0.8, 0.8, -0.4), **PLAIN}),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Find a cell that the flow squeezes to less than a fifth of its area",
            lambda panel: panel.cursor.ways[0] < -math.log(5) and panel.settings.layer == 0,
            "Deep purple is squeezed most: drag x onto it, the cursor goes to where it is from.",
            "Mass is kept: what is squeezed fivefold is five times as dense.",
            by={"trained": 1200, "point": ((1.4, -1.8),)},
            in_page=lambda panel: {"total": (None, -math.log(5))},
        ),
        Goal(
            "Make the square's area agree with the formula to two decimals, away from 0",
            lambda panel: panel.cursor.error < CLOSE and abs(panel.cursor.ways[0]) > 0.1,
            "det J is the limit of a small square: make its side smaller.",
            "The image's boundary bends; only in the limit is it the Jacobian's parallelogram.",
            by={"trained": 1200, "side": 0.02},
            in_page=lambda panel: {"area": (None, 0.005), "away": (0.1, None)},
        ),
        Goal(
            "Show a flow that moves points without changing any volume",
            lambda panel: panel.keeps_volume,
            "NICE only shifts, save for its last layer once trained. Look at the whole flow.",
            "det J = 1 everywhere does not mean that nothing moves: shears and shifts are free.",
            by={"flow": "nice", "spread": 4.0},
        ),
    )

    def build(self) -> Screen:
        controls = self.controls
        bars = "log|det J| of each layer at the cursor"
        ends = End("cursor"), at_data("x", lambda: self.model.flow)
        self.show = FlowStage(self, *ends, bars=bars)
        self.stage, self.waterfall = self.show.stage, self.show.bars
        self.model = ForwardFit(
            self, self.show, self._moment, lambda flow: self._cursor(flow).logabsdet
        )
        self.fit, self.parts = self.model.fit, [self.model, self.show]
        self.choice = LayerChoice(self, "Numbers and matrix of")
        self.checks = GridChecks(self, lambda: self.model.flow, EXTENT)
        self.cursor = CursorNumbers()
        more = folded(
            "More of the picture",
            controls.stack("dims", "per", "cells", "particles", "contours"),
            PointControls(self.settings, controls, "Cursor ").widget,
        )
        return Screen(
            pictures=[card(self.stage)],
            stages=[self.stage],
            controls=self.model.controls(controls.stack("layer", "side"), more=[more]),
            run=self.show.run,
            bars=self.show.bars,
            companion=self.cursor.widget,
            companion_name="Cursor",
            tabs={
                "Bars": self.waterfall,
                "Layers": self.show.strip,
                "Loss": self.model.loss,
                "Checks": stack(self.cursor.limit, self.cursor.discrepancy, self.checks.widget),
            },
        )

    # ---- what is drawn -------------------------------------------------------------------------

    @draws(*MODEL_SETTINGS, "per", "cells", "particles", "contours", "layer")
    def _draw_grid(self) -> None:
        """The warped grid, and what lies over it."""
        flow, target, settings = self.model.flow, self.model.target, self.settings
        grid = grid_trace(flow, EXTENT, settings.cells)
        why = [getattr(settings, name) for name in FLOW_SETTINGS]
        samples = self._samples(flow)
        window = self.show.window(samples, target, why)
        marks = [
            warped_grid(grid, settings.per),
            *self._particles(samples),
            *self.show.outline(target, settings.contours),
        ]
        with self.show.ours():
            few = grid_trace(flow, EXTENT, STRIP_CELLS)
            small = replace(warped_grid(few, settings.per), label="")
            self.show.show([*marks, *self._cursor(flow).shapes()], [small], flow, window)
            carried = {"grids": ["forward"], "shapes": ["point", "tangent"]}
            carried |= {"particles": ["forward"] * settings.particles}
            carried |= {"contours": ["target"] * len(self.stage.contours)}
            self.stage.carried = {**carried, "handles": ["point", "image"]}
            self.stage.coloured = {"grids": settings.per}
        self.choice.show(self.show.names)
        self._volume(grid)
        self.show.seek()
        self.checks.show((id(flow), self.model.trained, settings.adjustments, settings.cells))
        self.model.show()

    @draws(*MODEL_SETTINGS, "point", "side", "layer", "dims")
    def _draw_cursor(self) -> None:
        """The cursor's square, and the numbers of the chosen layer or of the whole flow."""
        flow, layer = self.model.flow, self.choice.layer
        cursor = self._cursor(flow)
        self.cursor.show(flow, cursor, layer)
        if self.settings.dims == "2":
            self.cursor.show_matrix(flow, self.settings.flow, cursor, layer)
        self.show.show_point(cursor.states[:, None], cursor.logabsdet, *cursor.shapes())
        with self.show.ours():
            self.stage.description = self._in_words(cursor)

    @draws(*MODEL_SETTINGS, "point", "side", "layer", tab="Checks")
    def _draw_limit(self) -> None:
        """The areas of squares of many sides at the cursor."""
        settings = self.settings
        self.cursor.show_limit(self.model.flow, settings.point, settings.side, self.choice.layer)

    @draws("flow", "layers", "seed", "layer", "dims")
    def _draw_six_dimensions(self) -> None:
        """The same family where there are more dimensions than one sees."""
        settings = self.settings
        if settings.dims == "6":
            family, layer = settings.flow, self.choice.layer
            self.cursor.show_six_dimensions(family, settings.layers, layer, settings.seed)

    @draws("per", "particles", "point", "side")
    def _film_again(self) -> None:
        """What the film shows depends on these as well."""
        self.fit.film_again()

    def _moment(self, flow: Flow) -> list[list[Mark]]:
        """What the film shows of a flow."""
        grid = grid_trace(flow, EXTENT, FILM_CELLS)
        marks = [warped_grid(grid, self.settings.per), *self._cursor(flow).shapes()]
        return [[*marks, *self._particles(self._samples(flow))]]

    def _cursor(self, flow: Flow) -> Cursor:
        return look(flow, self.settings.point, self.settings.side)

    def _samples(self, flow: Flow) -> Tensor:
        """Samples of the base on their way, ``[K+1, N, 2]``."""
        return carried(flow, PARTICLES, self.settings.seed).states

    def _particles(self, samples: Tensor) -> list[Particles]:
        if not self.settings.particles:
            self.stage.particles = []
            return []
        return [Particles(samples, label="samples")]

    # ---- words ---------------------------------------------------------------------------------

    def words(self) -> str:
        return self._said

    def _volume(self, grid: GridTrace) -> None:
        """What the chosen layer, or the whole flow, does to volumes."""
        layer = self.choice.layer
        values = grid.logabsdet[layer - 1] if layer else grid.total()[-1]
        moved = float((grid.corners[-1] - grid.corners[0]).abs().max())
        self.keeps_volume = float(values.abs().max()) < ROUNDING and moved > 0.1 and layer == 0
        whose = f"layer {layer} of {self.model.title}" if layer else self.model.title
        named = f"trained {whose}" if self.model.trained else whose
        why = ""
        if self.settings.flow == "nice" and self.model.trained and values.abs().max() > ROUNDING:
            why = " Only its last layer scales."
        self._said = f"{named[0].upper()}{named[1:]} {volume_in_words(values)}{why}"

    def _in_words(self, cursor: Cursor) -> str:
        return (
            f"A grid of {self.settings.cells} by {self.settings.cells} cells of the base plane, "
            f"warped by the {len(cursor.logabsdet)} layers of {self.model.title}; purple cells "
            f"shrink, green ones grow. {cursor.in_words()}"
        )

    def code(self) -> str:
        return grid_code(self.model, self.settings, self.choice.layer, EXTENT)
