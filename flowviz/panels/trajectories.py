"""Trajectories: samples carried through the layers of a flow, and one point followed closely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.flows.plane import carried_log_density
from flowviz.grid import Window
from flowviz.panels.parts.film import fewer
from flowviz.panels.parts.flow_choice import FLOW_SETTINGS
from flowviz.panels.parts.flow_stage import FlowStage, carried, first, outside
from flowviz.panels.parts.forward_fit import MODEL_SETTINGS, ForwardFit, ForwardFitState
from flowviz.panels.parts.particle_colours import COLOURS, particle_colours
from flowviz.panels.parts.volume_words import factor_in_words, log_density_in_words
from flowviz.widgets.layout import card, folded, row
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Note, Readout
from flowviz.widgets.stage import Image, Particles, Paths
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Points, Real, Toggle

DIRECTIONS = {"forward": "Base → data: sample", "inverse": "Data → base: normalize"}

CREASE = {
    "flow": "planar",
    "layers": 1,
    "adjustments": {"1.w.0": 2.0, "1.w.1": 1.0, "1.u.0": 1.5, "1.u.1": -0.5},
}
STRETCHES = 8
"""A layer that is an ODE is shown in so many stretches of time, to be seen along its path."""
STRIP_PARTICLES = 500
ROUND_TRIPS = 2_000
"""So many particles are carried there and back for the round-trip error."""
DENSITY_CELLS = 72
FILM_CELLS = 36


class TrajectoriesState(ForwardFitState):
    """What the panel can be set to."""

    seed = Integer(7, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")
    direction = Choice(
        "forward", DIRECTIONS, label="Direction", help="Carry samples of the base, or of the target"
    )
    color = Choice("angle", COLOURS, label="Colour", help="What the particles' colours mean")
    particles = Integer(3_000, 500, 100_000, step=500, label="Particles")
    contours = Toggle(True, label="Target's contours", help="Outline the target in ink")
    density = Toggle(False, label="Density", help="The density of every state, as an image")
    point = Points(((1.0, 0.6),), count=1, bound=10, help="The marked point, in the base plane")
    position = Real(200.0, 0.0, 200.0, label="Position", help="0 (base) to the number of layers")


class Trajectories(Panel):
    """Base samples on their way to the data, or data on its way to the base.

    The stage plays the states z_0 … z_K; the marked point's share of every layer in
    Σ log|det J_k| stands beside it, and gives log p(x) = log p(u) − Σ log|det J_k|.
    """

    State = TrajectoriesState
    settings: TrajectoriesState
    invitation = "Now you: choose a shape"
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("Eight modes", {"trained": 1200}),
        (
            "Moons back to the Gaussian",
            {"target": "two_moons", "direction": "inverse", "position": 0.0, "trained": 1200},
        ),
        (
            "One planar layer",
            {**CREASE, "color": "layer", "contours": False},
        ),
        ("Untrained", {"flow": "real_nvp", "layers": 6, "spread": 2.0}),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Find a point around which the flow stretches area more than a hundredfold",
            lambda panel: panel.total > math.log(100),
            "One Gaussian becomes eight modes: drag u to where it has to be pulled apart.",
            "No continuous map can tear: it can only stretch the gaps until they are almost empty.",
            by={"trained": 1200, "point": ((-0.3, 0.0),)},
        ),
        Goal(
            "Bring samples of a target back until they are the Gaussian of the base",
            lambda panel: (
                panel.settings.direction == "inverse"
                and panel.model.trained >= 300
                and panel.settings.position == 0
                and panel.settings.target != "two_moons"
            ),
            "Turn the direction at the right of the layers, choose another target than the moons, "
            "train, and go to layer 0.",
            "Data → base is the direction that densities are computed in: normalizing.",
            by={"target": "banana", "direction": "inverse", "trained": 300, "position": 0.0},
        ),
        Goal(
            "With one planar layer, stretch the area at the marked point at least threefold",
            lambda panel: (
                panel.settings.flow == "planar"
                and panel.settings.layers == 1
                and panel.total > math.log(3)
            ),
            "Start from “One planar layer”, turn w and v with “Adjust a layer”, and drag u to the "
            "crease.",
            "A planar layer stretches where tanh is steep: 1 + vᵀw tanh′ is its determinant.",
            by={**CREASE, "point": ((0.0, 0.0),)},
        ),
    )

    def build(self) -> Screen:
        controls = self.controls
        bars = "log|det J| of each layer at the marked point"
        self.show = FlowStage(self, handle="u", bars=bars, picking=True)
        self.stage, self.waterfall = self.show.stage, self.show.bars
        self.model = ForwardFit(
            self, self.show, self._moment, lambda flow: self._path(flow).logabsdet[:, 0]
        )
        self.fit, self.parts = self.model.fit, [self.model, self.show]
        self.show.hear("picked", self._picked)
        self.show.hear("direction", lambda way: self.settings.update({"direction": way}))
        self.identity = Note()
        self.worst = Readout(
            "Round trip, largest", help="The largest ‖T(T⁻¹(x)) − x‖ over the particles"
        )
        self.typical = Readout("Round trip, median", help="The median of ‖T(T⁻¹(x)) − x‖")
        point = card(
            self.waterfall,
            self.identity,
            title="Marked point, layer by layer",
            subtitle="green stretches, purple squeezes",
        )
        more = folded("More of the picture", controls.stack("particles", "contours", "density"))
        return Screen(
            pictures=[card(self.stage)],
            stages=[self.stage],
            controls=self.model.controls(controls["color"], more=[more]),
            run=self.show.run,
            bars=self.show.bars,
            companion=point,
            companion_name="Bars",
            tabs={
                "Layers": self.show.strip,
                "Loss": self.model.loss,
                "Numbers": row(self.worst, self.typical),
            },
        )

    # ---- what is drawn -------------------------------------------------------------------------

    @draws(*MODEL_SETTINGS, "direction", "color", "particles", "contours", "density")
    def _draw_particles(self) -> None:
        """The particles and what lies behind them; the round trips."""
        target, settings = self.model.target, self.settings
        flow = self.model.flow.unrolled(STRETCHES)
        trace = self._carry(flow, settings.particles)
        self._base = trace.states[0]
        why = [getattr(settings, name) for name in (*FLOW_SETTINGS, "direction")]
        window = self.show.window(trace.states, target, why)
        self._outside = outside(trace.states, window)
        marks = [
            *self.show.outline(target, settings.contours),
            *self._density(flow, window, DENSITY_CELLS),
            self._particles(flow, trace),
        ]
        small = replace(self._particles(flow, first(trace, STRIP_PARTICLES)), label="")
        with self.show.ours():
            self.show.show(marks, [small], self.model.flow, window, flow)
            self.stage.direction = settings.direction
            self.stage.carried = {"particles": [settings.direction], "paths": ["point"]}
            moving = settings.color in ("layer", "density")
            self.stage.coloured = {"particles": settings.color} if moving else {}
        errors = round_trip(flow, trace.states[-1][:ROUND_TRIPS])
        self.worst.show(float(errors.max()))
        self.typical.show(float(errors.median()))
        self.show.seek()
        self.model.show()

    @draws(*MODEL_SETTINGS, "point")
    @torch.no_grad()
    def _draw_point(self) -> None:
        """The marked point: its handle, its path, its bars, and its log p(x)."""
        path, base = self._path(self.model.flow), self.model.flow.base
        self.total = float(path.logabsdet.double().sum())
        self._changes = self.show.contributions(path.logabsdet[:, 0])
        self.show.show_point(path.logabsdet[:, 0], Paths(path.states))
        with self.show.ours():
            self.stage.description = self.words()
        self.identity.show(log_density_in_words(float(base.log_prob(path.states[0])), self.total))

    @draws("direction", "color", "particles", "density", "point")
    def _film_again(self) -> None:
        """What the film shows depends on these as well."""
        self.fit.film_again()

    def _moment(self, flow: Flow) -> list[list[Mark]]:
        """What the film shows of a flow."""
        flow = flow.unrolled(STRETCHES)
        trace = self._carry(flow, fewer(self.settings.particles, len(flow.transform)))
        density = self._density(flow, self.stage.window, FILM_CELLS)
        return [[*density, self._particles(flow, trace), Paths(self._path(flow).states)]]

    def _carry(self, flow: Flow, count: int) -> Trace:
        """The particles' way."""
        target = self.model.target if self.settings.direction == "inverse" else None
        return carried(flow, count, self.settings.seed, target)

    @torch.no_grad()
    def _path(self, flow: Flow) -> Trace:
        """The marked point's way, base → data."""
        u = torch.tensor(self.settings.point).to(flow.like)
        return flow.unrolled(STRETCHES).trace(u)

    def _particles(self, flow: Flow, trace: Trace) -> Particles:
        return Particles(trace.states, **particle_colours(self.settings.color, flow, trace))

    def _density(self, flow: Flow, window: Window, cells: int) -> list[Image]:
        if not self.settings.density:
            return []
        values = carried_log_density(flow, window, cells).exp()
        # The last state sets the scale: what is seen there is the model.
        top = float(torch.quantile(values[-1], 0.995)) or 1.0
        return [Image(values, window, palette="sequential", value_range=(0, top), label="density")]

    def _picked(self, index: int) -> None:
        """Mark the particle that was clicked."""
        if 0 <= index < len(self._base):
            self.settings.point = self._base[index : index + 1].clamp(-10, 10)
            self.stage.picked = -1

    # ---- words and code ------------------------------------------------------------------------

    def words(self) -> str:
        layer, settings = self.show.layer, self.settings
        away = (
            f" {100 * self._outside:.2g} % of them are out of sight."
            if self._outside > 0.02
            else ""
        )
        if settings.direction == "inverse" and layer == 0:
            return f"Back at the base: {self.model.title} has made a Gaussian of the data.{away}"
        if layer == 0:
            return "Here they are still the Gaussian of the base: press Play."
        changes = self._changes[:layer]
        if layer == len(self._changes):
            return f"At the marked point the whole flow {factor_in_words(self.total)}.{away}"
        return f"At the marked point layer {layer} {factor_in_words(float(changes[-1]))}.{away}"

    def code(self) -> str:
        settings = self.settings
        lines = [*self.model.imports(), "import torch", "", *self.model.code()]
        traced = f"flow.unrolled({STRETCHES})" if self.show.stretches > 1 else "flow"
        lines.append(f"generator = torch.Generator().manual_seed({settings.seed})")
        start, way = ("flow.base", "trace"), ("target", "trace_inverse")
        source, method = start if settings.direction == "forward" else way
        lines.append(f"x = {source}.sample({settings.particles}, generator)")
        (u, v), *_ = settings.point
        lines += [
            f"trace = {traced}.{method}(x)",
            "trace.states  # z_0 … z_K, [K+1, N, 2]",
            "",
            f"point = flow.trace(torch.tensor([[{u}, {v}]]))",
            "for name, change in zip(point.names, point.logabsdet[:, 0]):",
            '    print(f"{name}: log|det J| = {change:.3f}")',
            "print(flow.base.log_prob(point.states[0]) - point.logabsdet.sum(0))  # log p(x)",
        ]
        return "\n".join(lines)


@torch.no_grad()
def round_trip(flow: Flow, x: Tensor) -> Tensor:
    """‖T(T⁻¹(x)) − x‖ for ``x [N, 2]``, ``[N]``."""
    return torch.linalg.vector_norm(flow(flow.inverse(x)[0])[0] - x, dim=-1)
