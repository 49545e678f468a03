"""Jacobian volume: the base plane's grid, warped layer by layer, and one cell looked at closely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from flowviz.flows import Bijection, Flow, catalog
from flowviz.flows.plane import GridTrace, grid_trace
from flowviz.panels.parts.cursor import Cursor, look
from flowviz.panels.parts.flow_choice import FLOW_SETTINGS, flow_field
from flowviz.panels.parts.flow_stage import FlowStage, carried, with_start
from flowviz.panels.parts.forward_fit import MODEL_SETTINGS, ForwardFit, ForwardFitState
from flowviz.panels.parts.grid_checks import GridChecks
from flowviz.panels.parts.layer_choice import LayerChoice
from flowviz.panels.parts.target_choice import target_field
from flowviz.panels.parts.volume_words import ROUNDING, structure_in_words, volume_in_words
from flowviz.widgets.charts import Heatmap
from flowviz.widgets.layout import card, classed, folded, row, stack
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Note, Readout, format_number
from flowviz.widgets.stage import Grid, Particles
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Points, Real, Toggle

PER = {"total": "Sum of the layers so far", "layer": "Each layer on its own"}

EXTENT = 3.0
"""Half the side of the square of the base plane that the grid covers."""
STRIP_CELLS = 16
FILM_CELLS = 24
PARTICLES = 800


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
        ("Real NVP on two moons", {"trained": 1200}),
        ("A random Real NVP", {"spread": 2.5, "contours": False}),
        ("NICE keeps volume", {"flow": "nice", "spread": 4.0, "layer": 1, "contours": False}),
        (
            "Planar: one crease",
            {
                "flow": "planar",
                "layers": 1,
                "layer": 1,
                "contours": False,
                "adjustments": {"1.w.0": 2.0, "1.w.1": 1.0, "1.u.0": 1.5, "1.u.1": -0.5},
            },
        ),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Find a cell that the flow squeezes to less than a fifth of its area",
            lambda panel: panel.ways[0] < -math.log(5) and panel.settings.layer == 0,
            "The deepest purple is where the density ends up highest: drag the cursor there.",
            "Mass is kept: what is squeezed fivefold is five times as dense.",
            by={"trained": 1200, "point": ((-0.6, 1.9),)},
        ),
        Goal(
            "Make the square's area agree with the formula to two decimals, away from 0",
            lambda panel: abs(panel.ways[0] - panel.ways[2]) < 0.005 and abs(panel.ways[0]) > 0.1,
            "det J is the limit of a small square: make its side smaller.",
            "The image's boundary bends; only in the limit is it the Jacobian's parallelogram.",
            by={"trained": 1200, "side": 0.02},
        ),
        Goal(
            "Show a flow that moves points without changing any volume",
            lambda panel: panel.keeps_volume,
            "NICE only shifts. What does its last layer do, once it is trained?",
            "det J = 1 everywhere does not mean that nothing moves: shears and shifts are free.",
            by={"flow": "nice", "spread": 4.0},
        ),
    )

    def build(self) -> Screen:
        controls = self.controls
        bars = "log|det J| of each layer at the cursor"
        self.show = FlowStage(self, handle="cursor", bars=bars)
        self.stage, self.waterfall = self.show.stage, self.show.bars
        self.model = ForwardFit(
            self, self.show, self._moment, lambda flow: self._cursor(flow).logabsdet
        )
        self.fit, self.parts = self.model.fit, [self.model, self.show]
        self.choice = LayerChoice(self, "Numbers and matrix of")
        self.checks = GridChecks(self, lambda: self.model.flow, EXTENT)
        names = (
            ("Formula", "The layers' own log|det J|"),
            ("Autodiff", "slogdet of the Jacobian by autodiff"),
            ("Area", "log of the square's image's area over its own"),
        )
        self.three = [Readout(name, help=help) for name, help in names]
        self.discrepancy = Note()
        self.matrix = Heatmap(
            "Jacobian at the cursor", rows=["∂z′₁", "∂z′₂"], columns=["/∂z₁", "/∂z₂"], height=0
        )
        self.structure = Note()
        cursor = card(
            classed(row(*self.three), "fv-three"),
            self.matrix,
            self.structure,
            title="log|det J| at the cursor",
        )
        more = folded(
            "More of the picture", controls.stack("per", "cells", "particles", "contours")
        )
        return Screen(
            pictures=[card(self.stage)],
            stages=[self.stage],
            controls=self.model.controls(controls.stack("layer", "side"), more=[more]),
            run=self.show.run,
            bars=self.show.bars,
            companion=cursor,
            companion_name="Cursor",
            tabs={
                "Bars": self.waterfall,
                "Layers": self.show.strip,
                "Loss": self.model.loss,
                "Checks": stack(self.discrepancy, self.checks.widget),
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
            self._grid(grid),
            *self._particles(samples),
            *self.show.outline(target, settings.contours),
        ]
        with self.show.ours():
            small = replace(self._grid(grid_trace(flow, EXTENT, STRIP_CELLS)), label="")
            self.show.show([*marks, *self._cursor(flow).shapes()], [small], flow, window)
            carried = {"grids": ["forward"], "shapes": ["point", "tangent"]}
            self.stage.carried = {**carried, "particles": ["forward"] * settings.particles}
            self.stage.coloured = {"grids": settings.per}
        self.choice.show(self.show.names)
        self._volume(grid)
        self.show.seek()
        self.checks.show((id(flow), self.model.trained, settings.adjustments, settings.cells))
        self.model.show()

    @draws(*MODEL_SETTINGS, "point", "side", "layer")
    def _draw_cursor(self) -> None:
        """The cursor's square, and the numbers of the chosen layer or of the whole flow."""
        flow, layer = self.model.flow, self.choice.layer
        cursor = self._cursor(flow)
        self.ways = analytic, autodiff, area = cursor.three_ways(layer)
        for readout, value in zip(self.three, self.ways, strict=True):
            readout.show(value)
        self.discrepancy.show(
            f"formula − autodiff {format_number(abs(analytic - autodiff), 1)} · "
            f"formula − area {format_number(abs(analytic - area), 2)}, less for a smaller square"
        )
        bijection: Bijection = list(flow.transform)[layer - 1] if layer else flow.transform
        mask = bijection.jacobian_mask().cpu()
        J = cursor.jacobian(layer)
        self.matrix.show_matrix(J.numpy(), zeros=(~mask).numpy())
        rank_one = layer > 0 and (
            catalog.entry(self.settings.flow).jacobian == "identity plus rank one"
        )
        whose = f"Layer {layer}" if layer else "The whole flow"
        self.structure.show(f"{whose}: J is {structure_in_words(mask, J, rank_one=rank_one)}.")
        self.show.show_point(cursor.logabsdet, *cursor.shapes())
        with self.show.ours():
            self.stage.description = self._in_words(cursor)

    @draws("per", "particles", "point", "side")
    def _film_again(self) -> None:
        """What the film shows depends on these as well."""
        self.fit.film_again()

    def _moment(self, flow: Flow) -> list[list[Mark]]:
        """What the film shows of a flow."""
        marks = [self._grid(grid_trace(flow, EXTENT, FILM_CELLS)), *self._cursor(flow).shapes()]
        return [[*marks, *self._particles(self._samples(flow))]]

    def _cursor(self, flow: Flow) -> Cursor:
        return look(flow, self.settings.point, self.settings.side)

    def _grid(self, grid: GridTrace) -> Grid:
        """Its cells fade with the base's mass in them: an empty cell does not shout."""
        weights = base_weights(len(grid.corners[0]) - 1)
        if self.settings.per == "total":
            values, label = grid.total(), "Σ log|det J|"
        else:
            values, label = with_start(grid.logabsdet), "log|det J| of the layer"
        return Grid(grid.corners, values=values, weights=weights, label=label)

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
            why = " Its couplings keep volume; its last layer scales."
        self._said = f"{named[0].upper()}{named[1:]} {volume_in_words(values)}{why}"

    def _in_words(self, cursor: Cursor) -> str:
        (x, y), *_ = self.settings.point
        return (
            f"A grid of {self.settings.cells} by {self.settings.cells} cells of the base plane, "
            f"warped by the {len(cursor.logabsdet)} layers of {self.model.title}; purple cells "
            f"shrink, green ones grow. At the cursor ({x:.2f}, {y:.2f}) the sum of log|det J| is "
            f"{float(cursor.logabsdet.sum()):.3f}."
        )

    def code(self) -> str:
        (x, y), *_ = self.settings.point
        which = f"flow.bijections[{self.choice.layer - 1}]" if self.choice.layer else "flow"
        before = f"flow.trace(u).states[{self.choice.layer - 1}]" if self.choice.layer else "u"
        return "\n".join(
            [
                *self.model.imports(),
                "import torch",
                "from flowviz.flows import check, jacobian",
                "from flowviz.flows.plane import grid_trace",
                "",
                *self.model.code(),
                f"grid = grid_trace(flow, extent={EXTENT:g}, cells={self.settings.cells})",
                "grid.corners    # [K+1, R+1, R+1, 2]",
                "grid.logabsdet  # [K, R, R]; grid.total() is their sum up to each state",
                "",
                f"u = torch.tensor([[{x}, {y}]])",
                f"z = {before}",
                f"J = jacobian({which}, z)[0]",
                f"print({which}(z)[1], torch.linalg.slogdet(J).logabsdet)",
                "print(check(flow.transform, flow.base.sample(1000)))",
            ]
        )


def base_weights(cells: int) -> Tensor:
    """How much each cell shows, ``[R, R]``: the base's density there over its largest, rooted."""
    lines = torch.linspace(-EXTENT, EXTENT, cells + 1)
    centres = (lines[1:] + lines[:-1]) / 2
    squared = centres[:, None] ** 2 + centres[None, :] ** 2
    return torch.exp(-squared / 8)
