"""Trajectories: samples carried through the layers of a flow, and one point followed closely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.grid import Window
from flowviz.panels.parts.carried_words import carried_in_words
from flowviz.panels.parts.density_image import density_image
from flowviz.panels.parts.film import fewer
from flowviz.panels.parts.flow_choice import FLOW_SETTINGS
from flowviz.panels.parts.flow_stage import FlowStage, carried, first, outside
from flowviz.panels.parts.forward_fit import MODEL_SETTINGS, ForwardFit, ForwardFitState
from flowviz.panels.parts.hand_set_layers import CREASE
from flowviz.panels.parts.marked_point import FlowNumbers, MarkedPoint, follow
from flowviz.panels.parts.particle_colours import COLOURS, particle_colours
from flowviz.panels.parts.point_controls import PointControls
from flowviz.panels.parts.target_choice import TARGETS
from flowviz.panels.parts.tied_handle import End, at_data
from flowviz.panels.parts.traced_code import particles_code
from flowviz.widgets.layout import card, folded
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Note
from flowviz.widgets.stage import Image, Particles, Paths
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Points, Real, Toggle

DIRECTIONS = {"forward": "Base → data: sample", "inverse": "Data → base: normalize"}

STRETCHES = 8
"""A layer that is an ODE is shown in so many stretches of time, to be seen along its path."""
STRIP_PARTICLES = 500
DENSITY_CELLS = 72
FILM_CELLS = 36


NORMALISED: dict[str, Any] = {
    "inverse": (1, None),
    "step": (300, None),
    "position": (0, 0),
    "target": [title for name, title in TARGETS.items() if name != "two_moons"],
}
"""What a page knows where samples of another target than the moons are back at the base."""


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
    misplaced = Toggle(
        False, label="Log-dets at u", help="Take every layer's log-det at u: a common mistake"
    )
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
            {"target": "two_moons", "direction": "inverse", "trained": 1200},
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
            lambda panel: panel.point.total > math.log(100),
            "One Gaussian becomes eight modes, with gaps between them: drag x into a gap.",
            "No continuous map can tear: it can only stretch the gaps until they are almost empty.",
            by={"trained": 1200, "point": ((0.22, -0.03),)},
            in_page=lambda panel: {"total": (math.log(100), None)},
        ),
        Goal(
            "Bring samples of another target than the moons back to the Gaussian of the base",
            lambda panel: (
                panel.settings.direction == "inverse"
                and panel.model.trained >= 300
                and panel.settings.position == 0
                and panel.settings.target != "two_moons"
            ),
            "Turn the direction at the right of the layers, choose a target, train, go to layer 0.",
            "Data → base is the direction that densities are computed in: normalizing.",
            by={"target": "banana", "direction": "inverse", "trained": 300, "position": 0.0},
            in_page=lambda panel: NORMALISED if panel.settings.direction == "inverse" else None,
        ),
        Goal(
            "With one planar layer, stretch the area at the marked point at least threefold",
            lambda panel: panel.planar and panel.point.total > math.log(3),
            "Start from “One planar layer”, turn w and v with “Adjust a layer”, and drag u to the "
            "crease.",
            "A planar layer stretches where tanh is steep: 1 + vᵀw tanh′ is its determinant.",
            by={**CREASE, "point": ((0.0, 0.0),)},
            in_page=lambda panel: {"total": (math.log(3), None)} if panel.planar else None,
        ),
    )

    @property
    def planar(self) -> bool:
        """Whether the flow is one planar layer."""
        return self.settings.flow == "planar" and self.settings.layers == 1

    def build(self) -> Screen:
        controls = self.controls
        bars = "log|det J| of each layer at the marked point"
        ends = End("u"), at_data("x", lambda: self.model.flow)
        self.show = FlowStage(self, *ends, bars=bars, picking=True)
        self.stage, self.waterfall = self.show.stage, self.show.bars
        self.model = ForwardFit(
            self, self.show, self._moment, lambda flow: self._follow(flow).logabsdet
        )
        self.fit, self.parts = self.model.fit, [self.model, self.show]
        self.show.hear("picked", self._picked)
        self.show.hear("direction", lambda way: self.settings.update({"direction": way}))
        self.identity = Note()
        self.flow_numbers = FlowNumbers()
        point = card(
            self.waterfall,
            self.identity,
            title="Marked point, layer by layer",
            subtitle="green stretches, purple squeezes",
        )
        more = folded(
            "More of the picture",
            controls.stack("particles", "contours", "density", "misplaced"),
            PointControls(self.settings, controls, "u").widget,
        )
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
                "Numbers": self.flow_numbers.widget,
            },
        )

    # ---- what is drawn -------------------------------------------------------------------------

    @draws(*MODEL_SETTINGS, "direction", "color", "particles", "contours", "density")
    def _draw_particles(self) -> None:
        """The particles and what lies behind them."""
        target, settings = self.model.target, self.settings
        flow = self.model.flow.unrolled(STRETCHES)
        trace = self._carry(flow, settings.particles)
        self._base, self._ends = trace.states[0], trace.states[-1]
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
            ends = {"paths": ["point"], "handles": ["point", "image"]}
            outlined = ["target"] * len(self.stage.contours)
            self.stage.carried = {"particles": [settings.direction], "contours": outlined, **ends}
            moving = settings.color in ("layer", "density")
            self.stage.coloured = {"particles": settings.color} if moving else {}
        self.show.seek()
        self.model.show()

    @draws(*MODEL_SETTINGS, "direction", "particles", tab="Numbers")
    def _draw_round_trips(self) -> None:
        """How far the particles are from where they come back to."""
        self.flow_numbers.show_round_trips(self.model.flow, self._ends)

    @draws(*MODEL_SETTINGS, "point", "misplaced")
    def _draw_point(self) -> None:
        """The marked point: its handles, its path, its bars, and its log p(x)."""
        self.point = self._follow(self.model.flow)
        self.flow_numbers.show_point(self.model.flow, self.point)
        self._changes = self.show.contributions(self.point.logabsdet)
        self.show.show_point(self.point.states, self.point.logabsdet, Paths(self.point.states))
        with self.show.ours():
            self.stage.description = self.words()
        self.identity.show(self.point.in_words())

    @draws("direction", "color", "particles", "density", "point", "misplaced")
    def _film_again(self) -> None:
        """What the film shows depends on these as well."""
        self.fit.film_again()

    def _moment(self, flow: Flow) -> list[list[Mark]]:
        """What the film shows of a flow."""
        flow = flow.unrolled(STRETCHES)
        trace = self._carry(flow, fewer(self.settings.particles, len(flow.transform)))
        density = self._density(flow, self.stage.window, FILM_CELLS)
        return [[*density, self._particles(flow, trace), Paths(self._follow(flow).states)]]

    def _carry(self, flow: Flow, count: int) -> Trace:
        """The particles' way."""
        target = self.model.target if self.settings.direction == "inverse" else None
        return carried(flow, count, self.settings.seed, target)

    def _follow(self, flow: Flow) -> MarkedPoint:
        """The marked point on its way, base → data."""
        settings = self.settings
        return follow(flow.unrolled(STRETCHES), settings.point, misplaced=settings.misplaced)

    def _particles(self, flow: Flow, trace: Trace) -> Particles:
        return Particles(trace.states, **particle_colours(self.settings.color, flow, trace))

    def _density(self, flow: Flow, window: Window, cells: int) -> list[Image]:
        return [density_image(flow, window, cells)] if self.settings.density else []

    def _picked(self, index: int) -> None:
        """Mark the particle that was clicked."""
        if 0 <= index < len(self._base):
            self.settings.point = self._base[index : index + 1].clamp(-10, 10)
            self.stage.picked = -1

    # ---- words and code ------------------------------------------------------------------------

    def words(self) -> str:
        if self.settings.misplaced:
            return self.flow_numbers.mistake_in_words(self.point.total)
        return carried_in_words(
            self.show.layer,
            self._changes.tolist(),
            self.point.total,
            back=self.settings.direction == "inverse",
            outside=self._outside,
            made=bool(self.model.trained or self.settings.adjustments),
        )

    def code(self) -> str:
        return particles_code(self.model, self.settings, self.show.stretches)
