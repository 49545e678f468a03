"""The ratio travels: p*/p is one number at x and at u = T⁻¹(x), and what follows from that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.grid import Grid2D, Window
from flowviz.panels.parts.flow_choice import FLOW_SETTINGS
from flowviz.panels.parts.flow_stage import FlowStage, carried
from flowviz.panels.parts.forward_fit import MODEL_SETTINGS, ForwardFit, ForwardFitState
from flowviz.panels.parts.loose_inverse import loose_code, loosened, loosening
from flowviz.panels.parts.point_controls import PointControls
from flowviz.panels.parts.ratio_words import in_words
from flowviz.panels.parts.tied_handle import at_data
from flowviz.panels.parts.two_sides import (
    KL,
    SLICED,
    TwoSides,
    alike,
    pulled_back,
    ratio_in_u,
    ratio_in_x,
)
from flowviz.widgets.layout import card, folded, row
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Readout, format_number
from flowviz.widgets.stage import Contours, Particles, Paths
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Points, Real

CARRIED = {"model": "Samples of the model p", "target": "Samples of the target p*"}
BASE: Window = (-4.0, 4.0, -4.0, 4.0)
PARTICLES, STRIP_PARTICLES, FILM_PARTICLES = 1_500, 400, 500
CELLS, FILM_CELLS = 64, 32
COLOURS = (-2.0, 2.0)
"""Of log p*/p: pale where the model has e² times too much, full where as many times too little."""

DIAGONAL = "1.offset.0.0", "1.offset.1.1"  # of W − I
HALF = {"1.offset.0.1": 0.0, "1.offset.1.0": 0.0, **dict.fromkeys(DIAGONAL, -0.5)}
GAUSSIAN = {  # T(u) = u/2 and p* = N((¼, 0), ¼ I)
    "target": "formula",
    "formula": "-2*((x - 1/4)^2 + y^2)",
    "flow": "dense",
    "layers": 1,
    "adjustments": HALF,
}
EARLY = {"flow": "real_nvp", "layers": 4, "trained": 100}  # x twice as far off as u by W₁
LOOSE = {"target": "two_moons", "flow": "contractive", "hidden": "32,32", "trained": 300}


class RatioTravelsState(ForwardFitState):
    """What the panel can be set to."""

    seed = Integer(7, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")
    carried = Choice("model", CARRIED, label="Particles", help="Which samples are carried along")
    passes = Integer(0, 0, 12, label="Loose inverse", help="Passes of an iteration; 0: to rounding")
    point = Points(((1.0, 0.6),), count=1, bound=4, help="The marked point u, in the base plane")
    position = Real(200.0, 0.0, 200.0, label="Position", help="0 (base) to the number of layers")


class RatioTravels(Panel):
    """The ratio p*/p of target and model, carried by the flow between the data and the base.

    In x it is p*(x)/p(x), by the flow's inverse; in u it is p*_u(u)/p_u(u), by the flow, where
    p*_u(u) = p*(T(u)) |det J_T(u)| is the target pulled back. What depends on the ratio alone, as
    KL does, is one number on both sides; distances are not.
    """

    State = RatioTravelsState
    invitation = "Now you: drag x"
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("Trained a little", EARLY),
        ("Exact by hand", GAUSSIAN),
        ("A loose inverse", {**LOOSE, "passes": 4, "point": ((-1.0, 1.0),)}),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Find a point where the target is more than twice as dense as the model",
            lambda panel: min(panel.ratios) > math.log(2) and alike(*panel.ratios),
            "Go where the particles have the colour of 2; an untrained model misses the most.",
            "p*/p > 2 there, on either side: T moved the point and left the ratio.",
            by={"target": "banana", "flow": "actnorm", "point": ((0.0, -2.2),)},
            in_page=lambda panel: {"ratio": (math.log(2), None)},
        ),
        Goal(
            "Make the sliced W₁ three times as large in u as in x, while KL is one number",
            lambda panel: (
                panel.sides.equal[KL] and panel.sides.u[SLICED] > 3 * panel.sides.x[SLICED]
            ),
            "From “Exact by hand”, make the matrix smaller still: offset [1,1] and [2,2].",
            "Distances shrink as T does; the ratio, and all that is made of it, stays.",
            by={**GAUSSIAN, "adjustments": {**HALF, **dict.fromkeys(DIAGONAL, -0.8)}},
            in_page=lambda panel: {"shrunk": (3, None)} if panel.settings.flow == "dense" else None,
        ),
        Goal(
            "Break it: make KL(p*‖p) in x and in u differ by more than 0.1",
            lambda panel: abs(panel.sides.x[KL] - panel.sides.u[KL]) > 0.1,
            "Take a flow whose inverse is an iteration, and stop it early.",
            "T⁻¹(T(u)) ≠ u: each side reads the ratio at another point.",
            by={**LOOSE, "passes": 1},
        ),
    )

    def build(self) -> Screen:
        self.show = FlowStage(self, at_data("x", lambda: self.flow), axes=False)
        self.x, self.u = self.show.stage, self.show.beside(BASE, handle="u")
        self.model = ForwardFit(self, self.show, self._moment)
        self.fit, self.parts = self.model.fit, [self.model, self.show]
        by_inverse = "By T⁻¹: log p*(x) − log p_u(T⁻¹(x)) − log|det J_{T⁻¹}(x)|"
        self.at_u = Readout("log p*ᵤ/pᵤ", help="By T: log p*(T(u)) + log|det J_T(u)| − log p_u(u)")
        self.at_x = Readout("log p*/p", help=by_inverse)
        self.difference = Readout("Difference", help="Of the two ways to that ratio")
        self.round_trip = Readout("Round trip", help="The median of ‖T⁻¹(T(u)) − u‖ over the base")
        self.sides = TwoSides()
        point = PointControls(self.settings, self.controls, "u")
        more = folded("More of the picture", point.widget)
        return Screen(
            pictures=[
                card(self.u, row(self.at_u, self.round_trip), title="u: p* pulled back"),
                card(self.x, row(self.at_x, self.difference), title="x: data"),
            ],
            stages=[self.u, self.x],
            controls=self.model.controls(self.controls.stack("carried", "passes"), more=[more]),
            run=self.show.run,
            companion=card(self.sides.widget),
            tabs={"Layers": self.show.strip, "Loss": self.model.loss},
        )

    # ---- what is drawn -------------------------------------------------------------------------

    @property
    def flow(self) -> Flow:
        """The model, its inverse as loose as the settings say."""
        return loosened(self.model.flow, self.settings.passes)

    @draws(*MODEL_SETTINGS, "carried", "passes")
    def _draw_particles(self) -> None:
        """The same particles on both sides, and the target as either sees it."""
        flow, target = self.flow, self.model.target
        trace = self._carry(flow, PARTICLES)
        why = [getattr(self.settings, name) for name in FLOW_SETTINGS]
        window = self.show.window(trace.states, target, why)
        in_x, in_u = self._marks(flow, trace, CELLS)
        states, values = (a[:, :STRIP_PARTICLES] for a in (in_x[0].states, in_x[0].values))
        small = replace(in_x[0], states=states, values=values, label="")
        with self.show.ours():
            self.u.show(*in_u)
            self.show.show([*self.show.outline(target, True), *in_x], [small], flow, window)
            self._say_what_is_carried()
        self.show.seek()
        self.model.show()

    def _say_what_is_carried(self) -> None:
        """By a page: samples of the model, by the flow itself."""
        exact = not self.settings.passes and self.settings.carried == "model"
        outlined = ["target"] * len(self.x.contours)
        at_x = {"particles": ["forward"], "contours": outlined, "paths": ["point"]}
        at_u = {"particles": ["base"], "contours": ["pulled"]}
        for stage, ways, handle in ((self.x, at_x, "image"), (self.u, at_u, "point")):
            stage.carried = {**ways, "handles": [handle]} if exact else {}
            stage.coloured = {"particles": "ratio"} if exact else {}

    @draws(*MODEL_SETTINGS, "passes")
    def _draw_divergences(self) -> None:
        """The divergences, from the same samples on both sides."""
        self.sides.measure(self.flow, self.model.target, self.settings.seed)
        self.round_trip.show_text(format_number(self.sides.round_trip, 1))

    @draws(*MODEL_SETTINGS, "passes", "point")
    @torch.no_grad()
    def _draw_point(self) -> None:
        """The marked point on both sides, and the ratio there, had in two ways."""
        flow, target, u = self.flow, self.model.target, self._tensor(self.settings.point)
        path = flow.trace(u)
        ratios = ratio_in_u(flow, target, u), ratio_in_x(flow, target, path.states[-1])
        self.ratios = in_u, in_x = float(ratios[0]), float(ratios[1])
        self.at_u.show(in_u)
        self.at_x.show(in_x)
        self.difference.show_text(format_number(in_x - in_u, 1))
        self.show.show_point(path.states, path.logabsdet[:, 0], Paths(path.states))
        with self.show.ours():
            self.x.description = self.u.description = self.words()

    def _carry(self, flow: Flow, count: int) -> Trace:
        """The particles on their way."""
        target = self.model.target if self.settings.carried == "target" else None
        return carried(flow, count, self.settings.seed, target)

    @torch.no_grad()
    def _marks(self, flow: Flow, trace: Trace, cells: int) -> tuple[list[Particles], list[Mark]]:
        """The particles in x, and in u with the target pulled back, coloured by their ratios."""
        target, (u, x) = self.model.target, (trace.states[0], trace.states[-1])
        colour: dict[str, Any] = {"palette": "sequential", "value_range": COLOURS}
        in_u = Particles(u, ratio_in_u(flow, target, u), label="log p*ᵤ/pᵤ", **colour)
        in_x = Particles(trace.states, ratio_in_x(flow, target, x), label="log p*/p", **colour)
        pulled = Grid2D(BASE, cells).evaluate(lambda u: pulled_back(flow, target, u.to(flow.like)))
        density = (pulled - pulled.max()).exp().reshape(cells, cells)
        outline = Contours(density, BASE, levels=(0.1, 0.5), label="p* pulled back")
        return [in_x], [in_u, outline]

    @draws("carried", "passes", "point")
    def _film_again(self) -> None:
        """What the film shows depends on these as well."""
        self.fit.film_again()

    @torch.no_grad()
    def _moment(self, flow: Flow) -> list[list[Mark]]:
        """What the film shows of a flow."""
        flow = loosened(flow, self.settings.passes)
        in_x, in_u = self._marks(flow, self._carry(flow, FILM_PARTICLES), FILM_CELLS)
        return [[*in_x, Paths(flow.trace(self._tensor(self.settings.point)).states)], in_u]

    def _tensor(self, points: ArrayLike) -> Tensor:
        return torch.as_tensor(np.asarray(points)).to(self.model.flow.like)

    # ---- words and code ------------------------------------------------------------------------

    def words(self) -> str:
        why = loosening(self.model.flow, self.settings.passes)
        at_u, at_x = self.ratios
        return in_words(self.sides, at_u, at_x, why)

    def code(self) -> str:
        return "\n".join(
            [
                *self.model.imports(),
                "import torch",
                "from flowviz.objectives import kl_duality",
                "",
                *self.model.code(),
                *loose_code(self.settings.passes),
                "",
                f"u = torch.tensor({[list(point) for point in self.settings.point]})",
                "x, logabsdet = flow(u)",
                "print(target.log_prob(x) - flow.log_prob(x))  # log p*/p at x, by T⁻¹",
                "print(target.log_prob(x) + logabsdet - flow.base.log_prob(u))  # at u, by T",
                "samples = target.sample(3000), target.sample(3000)",
                "print(kl_duality(flow, target.log_prob, *samples))  # KL(p*‖p), in x and in u",
            ]
        )
