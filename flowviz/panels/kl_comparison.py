"""Forward and reverse KL: one flow and one seed, fitted twice to one target in lockstep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import ipywidgets as widgets

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.flows.plane import grid_trace
from flowviz.panels.parts.divergence_curves import SMOOTHING, divergence_curves
from flowviz.panels.parts.flow_stage import carried, with_start
from flowviz.panels.parts.layer_names import layer_names
from flowviz.panels.parts.model_on_grid import (
    CELLS,
    FEW_CELLS,
    SYMBOLS,
    Measured,
    ModelOnGrid,
    in_words,
    show,
)
from flowviz.panels.parts.reverse_probe import DRAWS, ReverseProbe
from flowviz.panels.parts.two_fits import MODELS_SETTINGS, TwoFits, TwoFitsState
from flowviz.targets import Target
from flowviz.widgets.charts import LossChart
from flowviz.widgets.layout import Voice, card, classed, row, stack
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Readout, format_number
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Grid, Image, Particles, Stage
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer

VOICES: tuple[Voice, Voice] = ("forward", "reverse")
TITLES = ("Forward: KL(p* ‖ p)", "Reverse: KL(p ‖ p*)")
SHOWN = {"density": "The model's density", "integrand": "Where the KL comes from"}
MODELS = {"forward": "Forward model", "reverse": "Reverse model"}

PARTICLES = 800
STRIP_CELLS = 28
BASE_EXTENT = 3.0


class KLState(TwoFitsState):
    """What the panel can be set to."""

    seed = Integer(4, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")
    show = Choice(
        "density", SHOWN, label="Show", help="The density, or the integrand p log(p/q) of its KL"
    )
    strip = Choice("forward", MODELS, label="Layers of", help="Whose layers are shown below")
    marked = Integer(7, 0, PARTICLES - 1, label="Marked point", help="A particle followed closely")


class KLComparison(Panel):
    """Mode covering against mode seeking, seen while it happens.

    Forward KL is trained on samples of the target, reverse KL on its unnormalised density. For
    both models both divergences are measured on a grid, and the layers carry the same base
    samples on one clock.
    """

    State = KLState
    settings: KLState
    invitation = "Now you: choose a target"
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("Eight modes", {"trained": 1200}),
        (
            "Two far modes, small flow",
            {
                "target": "formula",
                "formula": "logaddexp(-((x+2)^2 + (y+1)^2)/0.5, -((x-1.6)^2 + (y-0.8)^2)/0.5)",
                "flow": "real_nvp",
                "layers": 2,
                "hidden": "16,16",
                "seed": 0,
                "learning_rate": 0.02,
                "steps": 600,
                "trained": 600,
            },
        ),
        (
            "Unnormalised target",
            {
                "target": "energy_2",
                "flow": "real_nvp",
                "layers": 6,
                "seed": 0,
                "learning_rate": 0.003,
                "log_c": 3.0,
                "trained": 1200,
            },
        ),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Find a target on which both runs agree: all four numbers below 0.1",
            lambda panel: max(kl for model in panel.measured for kl in model.kls) < 0.1,
            "The runs differ over modes. Take a target that has only one.",
            "Where the flow can be the target, both divergences lead to it.",
            by={"target": "correlated_gaussian", "trained": 400},
        ),
        Goal(
            "A reverse run with KL(p‖p*) < 0.1 while its KL(p*‖p) > 1",
            lambda panel: panel.measured[1].kls[1] < 0.1 and panel.measured[1].kls[0] > 1,
            "What does it cost to leave out a mode that has little mass? Write a formula with two "
            "unequal modes, far apart.",
            "Leaving out a mode of mass m costs −log(1 − m) one way, and much the other.",
            by={
                "target": "formula",
                "formula": "logaddexp(-((x+2)^2 + y^2)/0.3, -3 - ((x-3)^2 + y^2)/0.3)",
                "flow": "real_nvp",
                "trained": 600,
            },
        ),
        Goal(
            "Choose C so that the reverse loss is 0, and see that the fit has not moved",
            lambda panel: abs(panel.probe.value) < 0.06 and panel.settings.log_c != 0,
            "The tab Constant has a slider for log C and the loss beside it.",
            "The loss moved by −log C, its gradient not at all: no constant is needed for fitting.",
            by={"trained": 1200, "log_c": 0.8},
        ),
    )

    def build(self) -> Screen:
        options: Any = {"transport": False, "tools": False, "axes": False, "max_width": 0}
        self.stages = [
            classed(Stage(fit=True, picking=True, title=title, **options), "fv-fills")
            for title in TITLES
        ]
        self.strip = Stage(strip=True, **options)
        self.run = RunBar(clock=f"kl {self.strip.model_id}")
        self.chart = LossChart(
            "both objectives against the training step",
            title=f"KL in nats against the step, mean of {SMOOTHING}",
            log=True,
            height=0,
        )
        for one in (*self.stages, self.strip, self.chart):
            one.clock = self.run.clock
        for stage in self.stages:
            stage.observe(self._picked, names=["picked"])
        self.models = TwoFits(self, self.run, self.stages, self._moment, self.chart)
        self.fit, self.parts = self.models.fit, [self.models]
        self.probe = ReverseProbe(self.controls["log_c"])
        self.readouts: list[tuple[Readout, Readout]] = []
        return Screen(
            pictures=[self._card(i) for i in (0, 1)],
            stages=self.stages,
            voices=VOICES,
            controls=card(
                self.models.choice.widget,
                self.models.flow_controls,
                self.controls["show"],
                self.models.more_controls,
            ),
            run=self.run,
            companion=card(self.chart),
            companion_name="Curves",
            tabs={"Layers": self._layers_tab(), "Constant": self.probe.widget},
        )

    def _card(self, i: int) -> widgets.Widget:
        """The picture of one model, and both divergences of it."""
        pair = [Readout(s, help=f"{s} of this model in nats, measured on a grid") for s in SYMBOLS]
        self.readouts.append((pair[0], pair[1]))
        needs = ("needs samples of p* and T⁻¹", "needs the density p̃* and T")[i]
        return card(self.stages[i], row(*pair), title=TITLES[i], subtitle=needs, voice=VOICES[i])

    def _layers_tab(self) -> widgets.Widget:
        which = widgets.ToggleButtons(
            options=[(title, name) for name, title in MODELS.items()],
            tooltips=[f"The layers of the {title.lower()}" for title in MODELS.values()],
        )
        return stack(self.controls.bind("strip", classed(which, "fv-toggle")), self.strip)

    # ---- what is drawn -------------------------------------------------------------------------

    @draws(*MODELS_SETTINGS, "show")
    def _draw_models(self) -> None:
        """Densities or integrands, the particles, and the numbers under them."""
        grid = self.models.grids[FEW_CELLS if self.fit.running else CELLS]
        flows = self.models.flows
        # Untrained, the two are one flow.
        measure, carry = cache(grid.measure), cache(self._carry)
        self.measured = [measure(flow) for flow in flows]
        self._traces = [carry(flow) for flow in flows]
        last = len(self._traces[0].states) - 1
        for i, (stage, model) in enumerate(zip(self.stages, self.measured, strict=True)):
            with stage.hold_sync(), stage.hold_trait_notifications():
                if stage.frames != last + 1:
                    stage.position = float(last)
                stage.show(self._picture(grid, i, model), _particles(self._traces[i]))
                density = self.settings.show == "density"
                stage.carried = {"particles": ["forward"], "images": ["density"] * density}
                stage.description = (
                    f"{SHOWN[self.settings.show]} after {self.fit.done:,} steps of {VOICES[i]} KL "
                    f"on {grid.target.title}, whose contours are drawn: {in_words(model)}"
                )
            show(self.readouts[i], model)

    @draws(*MODELS_SETTINGS, "strip", "marked")
    def _draw_layers(self) -> None:
        """The strip: the base's grid and the particles in every state of the chosen model."""
        i = VOICES.index(self.settings.strip)
        trace, marked = self._traces[i], self.settings.marked
        warped = grid_trace(self.models.flows[i], BASE_EXTENT, STRIP_CELLS)
        total = with_start(trace.logabsdet[:, marked]).cumsum(0).cpu().numpy()
        for stage in (*self.stages, self.strip):
            stage.picked = marked
        with self.strip.hold_sync(), self.strip.hold_trait_notifications():
            self.strip.window = _around(self.models.grids[CELLS].target)
            self.strip.show(
                Grid(warped.corners, warped.total(), lines=False),
                Particles(trace.states, size=2.0),
            )
            self.strip.description = f"the layers of the {MODELS[VOICES[i]].lower()}"
        with self.run.hold_sync():
            self.run.state_names = ["base", *layer_names(self.models.flows[i])]
            self.run.readout = {"label": "Σ so far", "values": total}

    @draws(*MODELS_SETTINGS)
    def _draw_curves(self) -> None:
        """Both objectives above their minima: estimates of both divergences."""
        history, grid = self.fit.history, self.models.grids[CELLS]
        if not history.steps:
            self.chart.show_words("Press Train: both divergences appear here, step by step")
            return
        colours = [f"--fv-{voice}" for voice in VOICES]
        self.chart.show_series(divergence_curves(history, grid, self.models.constants, colours))

    @draws(*MODELS_SETTINGS, "log_c", "path_gradient")
    def _draw_probe(self) -> None:
        """The reverse loss and its gradient on a fixed batch, with the C of the moment."""
        minimum = -(self.models.target.log_z or 0.0) - self.settings.log_c
        objective = self.models.reverse_objective(DRAWS)
        self.probe.show(self.models.flows[1], objective, self.settings.seed, minimum)

    @draws("show")
    def _film_again(self) -> None:
        """What the film shows depends on this as well."""
        self.fit.film_again()

    def _moment(self, flows: Sequence[Flow]) -> list[list[Mark]]:
        """What the film shows of two flows."""
        grid = self.models.grids[FEW_CELLS]
        return [
            [self._picture(grid, i, grid.measure(flow)), _particles(self._carry(flow))]
            for i, flow in enumerate(flows)
        ]

    def _carry(self, flow: Flow) -> Trace:
        """The same base samples for every model."""
        return carried(flow, PARTICLES, self.settings.seed)

    def _picture(self, grid: ModelOnGrid, i: int, model: Measured) -> Image:
        if self.settings.show == "density":
            return grid.picture(model, VOICES[i])
        return grid.integrand(model, i, VOICES[i])

    def _picked(self, change: Any) -> None:
        if change["new"] >= 0:
            self.settings.marked = change["new"]

    # ---- words and code ------------------------------------------------------------------------

    def words(self) -> str:
        there, here = self.measured[0].kls, self.measured[1].kls
        if not self.fit.done:
            return "Forward KL pays where the target has samples, reverse KL where the model goes."
        if here[0] > 4 * there[0] and here[0] > 0.5:
            return (
                "Forward covers the target, reverse leaves part of it out: KL(p*‖p) is "
                f"{format_number(there[0], 2)} against {format_number(here[0], 2)}."
            )
        ahead = there[0] < here[0], there[1] < here[1]
        if ahead == (True, False):
            return "Each run is ahead in the divergence that it descends."
        if ahead == (False, True):
            return "Neither run is ahead in the divergence that it descends: both are close."
        return f"The {'forward' if ahead[0] else 'reverse'} run is closer by both measures."

    def code(self) -> str:
        return self.models.code()


def _particles(trace: Trace) -> Particles:
    return Particles(trace.states, size=2.4)


def _around(target: Target) -> tuple[float, float, float, float]:
    """A window that holds the target's and the base's grid."""
    xmin, xmax, ymin, ymax = target.window
    edge = 1.1 * BASE_EXTENT
    return min(xmin, -edge), max(xmax, edge), min(ymin, -edge), max(ymax, edge)
