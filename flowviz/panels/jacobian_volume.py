"""Jacobian volume: the base plane's grid, warped layer by layer, and one cell looked at closely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import ipywidgets as widgets
import torch
from torch import Generator, Tensor

from flowviz import panels
from flowviz.flows import Bijection, Flow, catalog, check, jacobian
from flowviz.panels.parts.flow_choice import flow_field
from flowviz.panels.parts.flow_stage import FlowStage, beside, window_on, with_start
from flowviz.panels.parts.forward_fit import ForwardFit, ForwardFitState
from flowviz.pictures import GridTrace, grid_trace
from flowviz.widgets.charts import BarChart, Heatmap
from flowviz.widgets.layout import button, card, classed, pictures, row, stack
from flowviz.widgets.panel import Panel, Slots
from flowviz.widgets.readouts import Note, Readout, format_number
from flowviz.widgets.stage import Grid, Particles, Shapes
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Points, Real, Toggle

PER = {"total": "Sum of the layers so far", "layer": "Each layer on its own"}

EXTENT = 3.0
"""Half the side of the square of the base plane that the grid covers."""
STRIP_CELLS = 16
PARTICLES = 800
EDGE_POINTS = 16
"""So many points of each edge of the small square are carried along."""
ROUNDING = 2e-6
"""|log|det J|| below this is zero to rounding in float32."""


class JacobianVolumeState(ForwardFitState):
    """What the panel can be set to."""

    buttons = ("check",)
    flow = flow_field("real_nvp")
    spread = Real(
        2.5, 0.0, 4.0, step=0.1, label="Initial scale", help="Factor on the random start's weights"
    )
    seed = Integer(7, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")
    per = Choice("total", PER, label="Colour", help="Whose log|det J| colours the cells")
    cells = Integer(32, 8, 80, step=4, label="Cells a side")
    particles = Toggle(False, label="Particles", help="Samples of the base, carried along")
    contours = Toggle(False, label="Target's contours", help="Outline the target in ink")
    layer = Integer(0, 0, 200, label="Matrix of", help="0: the whole flow; else the layer")
    side = Real(0.5, 0.02, 2.0, log=True, label="Side of the square", help="At the cursor")
    point = Points(((0.8, 0.6),), count=1, bound=10, help="The cursor, in the base plane")
    position = Real(200.0, 0.0, 200.0, label="Position", help="0 (base) to the number of layers")


class JacobianVolume(Panel):
    """What every layer does to areas: log|det J| as the colour of a cell.

    At the cursor the same number is had in three ways: the layer's formula, the determinant of
    the autodiff Jacobian, and the area of a small square's image.
    """

    name = "jacobian_volume"
    title = panels.entry(name).title
    summary = panels.entry(name).summary
    group = panels.entry(name).group
    State = JacobianVolumeState
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("A random Real NVP", {}),
        ("NICE keeps volume", {"flow": "nice", "spread": 4.0, "layer": 1}),
        (
            "Planar: one crease",
            {
                "flow": "planar",
                "layers": 1,
                "layer": 1,
                "adjustments": {"1.w.0": 2.0, "1.w.1": 1.0, "1.u.0": 1.5, "1.u.1": -0.5},
            },
        ),
        (
            "Real NVP, trained now",
            {"layers": 6, "spread": 1.0, "target": "two_moons", "trained": 400, "contours": True},
        ),
    )

    def build(self) -> Slots:
        settings = self.settings
        self.model = ForwardFit(
            settings, self.controls, self.jobs, self._draw, self.message, self.fail
        )
        self.screen = FlowStage(settings, handle="cursor")
        self.stage, self.strip = self.screen.stage, self.screen.strip
        self.volume = Note()
        self.analytic = Readout("Formula", help="The layers' own log|det J|")
        self.autodiff = Readout("Autodiff", help="slogdet of the Jacobian by autodiff")
        self.area = Readout("Area", help="log of the square's image's area over its own")
        for readout in (self.analytic, self.autodiff, self.area):
            readout.layout.flex = "1 1 88px"
        self.discrepancy = Note()
        self.matrix = Heatmap(
            "Jacobian at the cursor", rows=["∂z′₁", "∂z′₂"], columns=["/∂z₁", "/∂z₂"], height=190
        )
        self.structure = Note()
        self.waterfall = BarChart("log|det J| of each layer at the cursor", height=230)
        self._build_checks()
        self._build_layer_choice()
        self._follow = self.jobs.latest(self._draw_point)
        self._redraw = self.jobs.latest(self._draw)
        view = self.controls.stack("per", "layer", "side", "cells", "particles", "contours")
        cursor = card(
            row(self.analytic, self.autodiff, self.area),
            self.discrepancy,
            self.matrix,
            self.structure,
            title="log|det J| at the cursor, three ways",
            subtitle="the shaded square's image, outlined by what the Jacobian alone predicts",
        )
        layers = card(self.waterfall, title="Layer by layer at the cursor")
        return Slots(
            pictures=beside(card(self.stage, self.volume), cursor),
            controls=card(self.model.controls, view),
            charts=stack(card(self.strip), pictures(layers, self.checks)),
        )

    def refresh(self, changed: frozenset[str]) -> None:
        if self.model.refresh(changed):
            return
        if changed <= {"position", "hide"}:
            self.screen.seek()
        elif changed <= {"point", "side", "position", "hide"}:
            self._follow()
        elif changed - {"steps", "rate", "batch", "trained", "hide"}:
            self._redraw()

    def code(self) -> str:
        (x, y), *_ = self.settings.point
        which = f"flow.bijections[{self._layer() - 1}]" if self._layer() else "flow"
        before = f"flow.trace(u).states[{self._layer() - 1}]" if self._layer() else "u"
        return "\n".join(
            [
                *self.model.imports(),
                "import torch",
                "from flowviz.flows import check, jacobian",
                "from flowviz.pictures import grid_trace",
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

    # ---- what is drawn -------------------------------------------------------------------------

    def _draw(self) -> None:
        """Everything: the grid, the cursor's square and numbers."""
        flow, target = self.model.flow, self.model.target
        grid = grid_trace(flow, EXTENT, self.settings.cells)
        names = [layer.describe() for layer in flow.transform]
        window = window_on(grid.corners.flatten(1, 2), target.window, share=1.0)
        cursor = look(flow, self.settings.point, self.settings.side)
        marks = [
            self._grid(grid),
            *cursor.shapes(),
            *self._particles(flow),
            *self.screen.outline(target, self.settings.contours),
        ]
        with self.screen.ours():
            small = replace(self._grid(grid_trace(flow, EXTENT, STRIP_CELLS)), label="")
            self.screen.show(marks, [small], names, window)
        self._show_layers(names)
        self._show_cursor(flow, cursor)
        self.volume.show(self._volume(grid))
        self.screen.seek()
        self._forget_checks(flow)
        self.model.show()

    def _draw_point(self) -> None:
        """The cursor alone."""
        flow = self.model.flow
        cursor = look(flow, self.settings.point, self.settings.side)
        with self.screen.ours():
            self.stage.show(*cursor.shapes())
        self._show_cursor(flow, cursor)

    def _grid(self, grid: GridTrace) -> Grid:
        if self.settings.per == "total":
            return Grid(grid.corners, values=grid.total(), label="Σ log|det J|")
        return Grid(
            grid.corners, values=with_start(grid.logabsdet), label="log|det J| of the layer"
        )

    @torch.no_grad()
    def _particles(self, flow: Flow) -> list[Particles]:
        if not self.settings.particles:
            self.stage.particles = []
            return []
        generator = Generator(device=flow.like.device)
        u = flow.base.sample(PARTICLES, generator.manual_seed(self.settings.seed))
        return [Particles(flow.trace(u).states, label="samples")]

    def _show_cursor(self, flow: Flow, cursor: Cursor) -> None:
        """The numbers of the chosen layer, or of the whole flow, at the cursor."""
        layer = self._layer()
        analytic, autodiff, area = cursor.three_ways(layer)
        self.analytic.show(analytic)
        self.autodiff.show(autodiff)
        self.area.show(area)
        self.discrepancy.show(
            f"formula against autodiff: {format_number(abs(analytic - autodiff), 1)} · "
            f"against the area: {format_number(abs(analytic - area), 2)}, less for a smaller square"
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
        with self.screen.ours():
            self.screen.place_handle()
            self.stage.readout = {"label": "Σ log|det J| at the cursor", "values": total}
            self.stage.description = self._in_words(cursor)

    # ---- words ---------------------------------------------------------------------------------

    def _volume(self, grid: GridTrace) -> str:
        """What the chosen layer, or the whole flow, does to volumes."""
        layer = self._layer()
        values = grid.logabsdet[layer - 1] if layer else grid.total()[-1]
        title = type(self.settings).flow.options[self.settings.flow]
        whose = f"layer {layer} of {title}" if layer else f"{title} as a whole"
        trained = f" after {self.model.trained:,} training steps" if self.model.trained else ""
        return f"{whose[0].upper()}{whose[1:]}{trained} {volume_in_words(values)}"

    def _in_words(self, cursor: Cursor) -> str:
        (x, y), *_ = self.settings.point
        title = type(self.settings).flow.options[self.settings.flow]
        return (
            f"A grid of {self.settings.cells} by {self.settings.cells} cells of the base plane, "
            f"warped by the {len(cursor.logabsdet)} layers of {title}; blue cells shrink, orange "
            f"ones grow. At the cursor ({x:.2f}, {y:.2f}) the sum of log|det J| is "
            f"{float(cursor.logabsdet.sum()):.3f}."
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
        return self.settings.layer if self.settings.layer <= self.screen.last else 0

    # ---- checks on demand ----------------------------------------------------------------------

    def _build_checks(self) -> None:
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
        self.checks = card(
            action,
            row(*self.errors.values()),
            self.checked,
            title="Is log|det J| right?",
            subtitle="the largest errors over the centres of all cells, for the whole flow",
        )

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
            f"{self.settings.cells**2:,} cells in {str(like.dtype).removeprefix('torch.')}; "
            "a cell's area is that of the quadrilateral between its corners"
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
            Shapes(self.outline[:, None], palette="accent", fill=0.3),
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
        f"scales areas by {format_number(math.exp(low))} where it squeezes most, by "
        f"{format_number(math.exp(high))} where it stretches most."
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
