"""Jacobian volume: the base plane's grid, warped layer by layer, and one cell looked at closely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import ipywidgets as widgets
import torch
from torch import Generator, Tensor

from flowviz.flows import Bijection, Flow, catalog, check, jacobian
from flowviz.flows.plane import GridTrace, grid_trace
from flowviz.panels.parts.flow_choice import FLOW_SETTINGS, flow_field
from flowviz.panels.parts.flow_stage import FlowStage, with_start
from flowviz.panels.parts.forward_fit import MODEL_SETTINGS, ForwardFit, ForwardFitState
from flowviz.panels.parts.target_choice import target_field
from flowviz.widgets.charts import BarChart, Heatmap
from flowviz.widgets.layout import button, card, classed, folded, row, stack
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Note, Readout, format_number
from flowviz.widgets.stage import Grid, Particles, Shapes
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Points, Real, Toggle

PER = {"total": "Sum of the layers so far", "layer": "Each layer on its own"}

EXTENT = 3.0
"""Half the side of the square of the base plane that the grid covers."""
STRIP_CELLS = 16
FILM_CELLS = 24
PARTICLES = 800
EDGE_POINTS = 16
"""So many points of each edge of the small square are carried along."""
ROUNDING = 2e-6
"""|log|det J|| below this is zero to rounding in float32."""


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
    side = Real(0.3, 0.02, 2.0, log=True, label="Side of the square", help="At the cursor")
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
        self.show = FlowStage(self, handle="cursor")
        self.stage = self.show.stage
        self.waterfall = BarChart("log|det J| of each layer at the cursor", height=0)
        self.waterfall.clock = self.stage.clock
        filmed = (self.waterfall, lambda flow: self._cursor(flow).logabsdet.numpy())
        self.model = ForwardFit(self, self.show.run, [self.stage], self._moment, filmed)
        self.fit = self.model.fit
        self.parts = [self.model, self.show]
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
        self._build_layer_choice()
        cursor = card(
            classed(row(*self.three), "fv-three"),
            self.matrix,
            self.structure,
            title="log|det J| at the cursor",
        )
        more = folded("More of the picture", controls.stack("cells", "particles", "contours"))
        return Screen(
            pictures=[card(self.stage)],
            stages=[self.stage],
            controls=card(
                self.model.target_controls,
                self.model.flow_controls,
                controls.stack("per", "layer", "side"),
                self.model.more_controls,
                more,
            ),
            run=self.show.run,
            companion=cursor,
            tabs={
                "Bars": self.waterfall,
                "Layers": self.show.strip,
                "Loss": self.model.loss,
                "Checks": stack(self.discrepancy, self._build_checks()),
            },
        )

    # ---- what is drawn -------------------------------------------------------------------------

    @draws(*MODEL_SETTINGS, "per", "cells", "particles", "contours", "layer")
    def _draw_grid(self) -> None:
        """The warped grid, and what lies over it."""
        flow, target, settings = self.model.flow, self.model.target, self.settings
        grid = grid_trace(flow, EXTENT, settings.cells)
        names = [layer.describe() for layer in flow.transform]
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
            self.show.show([*marks, *self._cursor(flow).shapes()], [small], names, window)
        self._show_layers(names)
        self._volume(grid)
        self.show.seek()
        self._forget_checks(flow)
        self.model.show()

    @draws(*MODEL_SETTINGS, "point", "side", "layer")
    def _draw_cursor(self) -> None:
        """The cursor's square, and the numbers of the chosen layer or of the whole flow."""
        flow, layer = self.model.flow, self._layer()
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
        names = [layer.describe() for layer in flow.transform]
        self.waterfall.show_contributions(names, cursor.logabsdet.numpy())
        total = with_start(cursor.logabsdet).cumsum(0).numpy()
        with self.show.ours():
            self.stage.show(*cursor.shapes())
            self.show.place_handle()
            self.stage.description = self._in_words(cursor)
        self.show.run.readout = {"label": "Σ so far", "values": total}

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

    @torch.no_grad()
    def _samples(self, flow: Flow) -> Tensor:
        """Samples of the base on their way, ``[K+1, N, 2]``."""
        generator = Generator(device=flow.like.device).manual_seed(self.settings.seed)
        return flow.trace(flow.base.sample(PARTICLES, generator)).states

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
        layer = self._layer()
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
        which = f"flow.bijections[{self._layer() - 1}]" if self._layer() else "flow"
        before = f"flow.trace(u).states[{self._layer() - 1}]" if self._layer() else "u"
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

    # ---- the layer whose matrix is shown -------------------------------------------------------

    def _build_layer_choice(self) -> None:
        self.layer_choice = classed(
            widgets.Dropdown(
                options=[("The whole flow", 0)],
                description="Numbers and matrix of",
                tooltip="The whole flow, or one of its layers",
            ),
            "fv-control",
        )
        self._filling = False
        self.controls.put("layer", self.layer_choice)

        def chosen(change: Any) -> None:
            if not self._filling and change["new"] is not None:
                self.settings.layer = change["new"]

        self.layer_choice.observe(chosen, names=["value"])

    def _show_layers(self, names: Sequence[str]) -> None:
        options = [("The whole flow", 0)]
        options += [(f"Layer {i + 1}: {name}", i + 1) for i, name in enumerate(names)]
        self._filling = True
        if list(self.layer_choice.options) != options:
            self.layer_choice.options = options
        if self.layer_choice.value != self._layer():
            self.layer_choice.value = self._layer()
        self._filling = False

    def _layer(self) -> int:
        """The layer chosen, 1 … K, or 0 for the whole flow; a layer that is not there is that."""
        return self.settings.layer if self.settings.layer <= self.show.last else 0

    # ---- checks on demand ----------------------------------------------------------------------

    def _build_checks(self) -> widgets.Widget:
        names = {
            "logabsdet": ("Formula against autodiff", "Largest error of log|det J|"),
            "inverse_logabsdet": ("The same of the inverse", "Largest error, data → base"),
            "round_trip": ("Round trip", "Largest |T⁻¹(T(u)) − u|"),
            "structure": ("Structural zeros", "Largest |∂z'ᵢ/∂zⱼ| where zero by construction"),
            "area": ("Areas of the cells", "Median error of log|det J| against the cell's area"),
        }
        self.errors = {name: Readout(title, help=help) for name, (title, help) in names.items()}
        self.checked = Note()
        self._checked: Any = None
        run = self.jobs.latest(self._check)
        action = button("Check every cell", run, help="Hold the formula against autodiff and area")
        self.controls.put("check", action)
        return stack(action, self.checked, row(*self.errors.values()))

    def _check(self) -> None:
        flow = self.model.flow
        grid = grid_trace(flow, EXTENT, self.settings.cells)
        like = flow.like
        lines = torch.linspace(-EXTENT, EXTENT, self.settings.cells + 1)
        centres = (lines[1:] + lines[:-1]) / 2
        result = check(flow.transform, torch.cartesian_prod(centres, centres).to(like))
        for name in ("logabsdet", "inverse_logabsdet", "round_trip", "structure"):
            self.errors[name].show(getattr(result, name))
        areas = (grid.measured()[-1] - grid.total()[-1]).abs()
        self.errors["area"].show(float(areas.median()))
        self.checked.show(
            f"The largest errors over the centres of {self.settings.cells**2:,} cells, for the "
            f"whole flow, in {str(like.dtype).removeprefix('torch.')}."
        )
        self._checked = self._version(flow)

    def _forget_checks(self, flow: Flow) -> None:
        """Errors of another flow are not shown."""
        if self._checked is None or self._checked != self._version(flow):
            self._checked = None
            for readout in self.errors.values():
                readout.show(None)
            self.checked.show("not checked yet")

    def _version(self, flow: Flow) -> tuple[Any, ...]:
        return (
            id(flow),
            self.model.trained,
            self.settings.adjustments,
            self.settings.cells,
        )


@dataclass(frozen=True)
class Cursor:
    """A point of the base plane on its way, with the Jacobians there.

    Attributes:
        states: ``[K+1, 2]``.
        logabsdet: ``[K]``, float64.
        jacobians: ``[K, 2, 2]`` of each layer.
        whole: ``[2, 2]``, J_T by one differentiation of the whole flow.
        outline: ``[K+1, V, 2]``: the boundary of a small square around the point, carried along.
    """

    states: Tensor
    logabsdet: Tensor
    jacobians: Tensor
    whole: Tensor
    outline: Tensor

    def jacobian(self, layer: int) -> Tensor:
        """Of a layer (1 … K), or of the whole flow (0)."""
        return self.jacobians[layer - 1] if layer else self.whole

    def three_ways(self, layer: int) -> tuple[float, float, float]:
        """log|det J| by the formula, by autodiff and by the square's area; as :meth:`jacobian`."""
        analytic = self.logabsdet[layer - 1] if layer else self.logabsdet.sum()
        autodiff = torch.linalg.slogdet(self.jacobian(layer).double()).logabsdet
        before, after = (layer - 1, layer) if layer else (0, -1)
        ratio = polygon_area(self.outline[after]) / polygon_area(self.outline[before])
        return float(analytic), float(autodiff), math.log(ratio) if ratio > 0 else -math.inf

    def shapes(self) -> list[Mark]:
        """The square's image, and the parallelogram that the Jacobians alone predict."""
        product = torch.eye(2, dtype=self.jacobians.dtype)
        predicted = [self.outline[0]]
        offsets = self.outline[0] - self.states[0]
        for state, J in zip(self.states[1:], self.jacobians, strict=True):
            product = J @ product
            predicted.append(state + offsets @ product.mT)
        return [
            Shapes(self.outline[:, None], palette="ink", fill=0.15),
            Shapes(torch.stack(predicted)[:, None], palette="ink", fill=0.0, width=1.25),
        ]


def look(flow: Flow, point: Sequence[Sequence[float]], side: float) -> Cursor:
    """Look closely at a point of the base plane, and at a square of that side around it."""
    like = flow.like
    u = torch.tensor(point, device=like.device, dtype=like.dtype)
    steps = torch.linspace(-0.5, 0.5, EDGE_POINTS + 1, device=like.device, dtype=like.dtype)[:-1]
    half = torch.full_like(steps, 0.5)
    edges = [(steps, -half), (half, steps), (-steps, half), (-half, -steps)]
    square = torch.cat([torch.stack(edge, -1) for edge in edges])
    with torch.no_grad():
        trace = flow.trace(torch.cat([u, u + side * square]))
        states = trace.states[:, 0]
        jacobians = [
            jacobian(layer, state) for layer, state in zip(flow.transform, states, strict=False)
        ]
        whole = jacobian(flow, u[0])
    return Cursor(
        states=states.cpu(),
        logabsdet=trace.logabsdet[:, 0].cpu().double(),
        jacobians=torch.stack(jacobians).detach().cpu(),
        whole=whole.detach().cpu(),
        outline=trace.states[:, 1:].cpu(),
    )


def base_weights(cells: int) -> Tensor:
    """How much each cell shows, ``[R, R]``: the base's density there over its largest, rooted."""
    lines = torch.linspace(-EXTENT, EXTENT, cells + 1)
    centres = (lines[1:] + lines[:-1]) / 2
    squared = centres[:, None] ** 2 + centres[None, :] ** 2
    return torch.exp(-squared / 8)


def polygon_area(outline: Tensor) -> float:
    """The area inside a closed line ``[V, 2]`` (shoelace formula), whichever way it turns."""
    x, y = (outline.double() - outline.double().mean(0)).unbind(-1)
    return float(0.5 * (x * y.roll(-1) - y * x.roll(-1)).sum().abs())


def volume_in_words(logabsdet: Tensor) -> str:
    """What log|det J| over a grid says of volumes: the end of a sentence."""
    low, high = float(logabsdet.min()), float(logabsdet.max())
    if max(abs(low), abs(high)) < ROUNDING:
        return "preserves volume: log|det J| = 0 everywhere."
    if high - low < ROUNDING * max(1.0, abs(high)):
        factor = format_number(math.exp(high))
        return f"scales every area by {factor}: log|det J| = {format_number(high)} everywhere."
    return (
        f"squeezes areas to {format_number(math.exp(low), 2)} of their size, and stretches them "
        f"to {format_number(math.exp(high), 2)}."
    )


def structure_in_words(mask: Tensor, J: Tensor, *, rank_one: bool) -> str:
    """The structure of a 2 × 2 Jacobian: where it is zero by construction, and what that gives."""
    if rank_one:
        large, small = torch.linalg.svdvals(J.double() - torch.eye(2, dtype=torch.float64)).tolist()
        return (
            "the identity plus rank one: J − I has the singular values "
            f"{format_number(large)} and {format_number(small, 1)}"
        )
    lower, upper = bool(mask[1, 0]), bool(mask[0, 1])
    if lower and upper:
        return "dense: no entry is zero by construction"
    product = "its determinant is the product of the diagonal"
    if not (lower or upper):
        return f"diagonal: {product}"
    return f"{'lower' if lower else 'upper'} triangular: {product}"
