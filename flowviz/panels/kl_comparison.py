"""Forward and reverse KL: one flow and one seed, fitted twice to one target in lockstep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import ipywidgets as widgets

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.panels.parts.estimate_fan import EstimateFan
from flowviz.panels.parts.flow_stage import carried
from flowviz.panels.parts.mode_shares import ModeShares
from flowviz.panels.parts.model_layers import ModelLayers, tell
from flowviz.panels.parts.model_on_grid import (
    CELLS,
    FEW_CELLS,
    SYMBOLS,
    Measured,
    ModelOnGrid,
    compared,
    in_words,
    show,
)
from flowviz.panels.parts.reverse_probe import ReverseProbe, constant_in_words
from flowviz.panels.parts.two_fits import MODELS_SETTINGS, TwoFits, TwoFitsState
from flowviz.widgets.charts import LossChart
from flowviz.widgets.layout import Voice, card, classed, row
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Readout
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Image, Particles, Stage
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer

VOICES: tuple[Voice, Voice] = ("forward", "reverse")
TITLES = ("Forward: KL(p* ‖ p)", "Reverse: KL(p ‖ p*)")
SHOWN = {"density": "The model's density", "integrand": "Where the KL comes from"}
MODELS = {"forward": "Forward model", "reverse": "Reverse model"}

PARTICLES = 800
PICKING: dict[str, Any] = {"picking": True, "picked_name": "same u"}
LINEAR_FLOW = {"flow": "plu", "layers": 1, "learning_rate": 0.03, "steps": 600}
FAR_MODES = {
    "target": "formula",
    "formula": "logaddexp(-((x+2)^2 + (y+1)^2)/0.5, -((x-1.6)^2 + (y-0.8)^2)/0.5)",
}
SMALL_FLOW = {"flow": "real_nvp", "layers": 2, "hidden": "16,16", "seed": 0, "learning_rate": 0.02}
ENERGY = {"target": "energy_2", "flow": "real_nvp", "layers": 6, "seed": 0, "learning_rate": 0.003}
LEFT_OUT = {"here 2": (None, 0.1), "there 2": (1, None)}
"""What a page knows of a reverse run that has left out a mode."""
AGREED = {
    "moved": (1, None),
    **dict.fromkeys(("there 1", "here 1", "there 2", "here 2"), (None, 0.1)),
}
"""What it knows of two runs that agree on modes that were dragged."""
CANCELLED = {"loss": (-0.06, 0.06), "constant": (0.05, None)}
"""And of a constant that makes the reverse loss 0."""
CLOSE = [(round(r.real, 3), round(r.imag, 3)) for r in (1j ** (k / 2) for k in range(8))]
"""Eight modes on the unit circle."""


class KLState(TwoFitsState):
    """What the panel can be set to."""

    seed = Integer(6, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")
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
    invitation = "Now you: drag a mode"
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("Eight modes", {"trained": 1200}),
        ("Two far modes, small flow", {**FAR_MODES, **SMALL_FLOW, "steps": 600, "trained": 600}),
        ("Unnormalised target", {**ENERGY, "log_c": 3.0, "trained": 1200}),
        ("Linear flow", LINEAR_FLOW),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Drag modes together, then train: all four numbers below 0.1",
            lambda panel: (
                bool(panel.settings.modes)
                and max(kl for model in panel.measured for kl in model.kls) < 0.1
            ),
            "The runs differ where p* is empty between modes. Drag them so close that their rings "
            "touch, and press Train.",
            "Without gaps no mode is left out, and both divergences lead to the target.",
            by={"modes": CLOSE, "trained": 200},
            in_page=lambda panel: None if "modes" in panel.settings.hide else AGREED,
        ),
        Goal(
            "A reverse run with KL(p‖p*) < 0.1 while its KL(p*‖p) > 1",
            lambda panel: panel.measured[1].kls[1] < 0.1 and panel.measured[1].kls[0] > 1,
            "What does it cost to leave out a mode that has little mass? Under Target, all …, "
            "choose Formula, write two unequal modes far apart, and press Train.",
            "Leaving out a mode of mass m costs −log(1 − m) one way, and much the other.",
            by={
                "target": "formula",
                "formula": "logaddexp(-((x+2)^2 + y^2)/0.3, -3 - ((x-3)^2 + y^2)/0.3)",
                "flow": "real_nvp",
                "trained": 600,
            },
            in_page=lambda panel: LEFT_OUT if panel.settings.target == "formula" else None,
        ),
        Goal(
            "Choose C so that the reverse loss is 0, and see that the fit has not moved",
            lambda panel: abs(panel.probe.value) < 0.06 and panel.settings.log_c != 0,
            "The tab Constant has a slider for log C and the loss beside it.",
            "The loss moved by −log C, its gradient not at all: no constant is needed for fitting.",
            by={"trained": 1200, "log_c": 0.7},
            in_page=lambda panel: None if "log_c" in panel.settings.hide else CANCELLED,
        ),
    )

    def build(self) -> Screen:
        options: Any = {"transport": False, "tools": False, "axes": False, "max_width": 0}
        self.stages = [
            classed(Stage(fit=True, title=title, **PICKING, **options), "fv-fills")
            for title in TITLES
        ]
        self.layers = ModelLayers(self.controls, MODELS)
        self.strip = self.layers.strip
        self.run = RunBar(clock=f"kl {self.strip.model_id}")
        chart = "both objectives against the training step"
        self.chart = LossChart(chart, log=True, height=0)
        for one in (*self.stages, self.strip, self.chart):
            one.clock = self.run.clock
        for stage in self.stages:
            stage.observe(self._picked, names=["picked"])
        self.models = TwoFits(self, self.run, self.stages, self._moment, self.chart)
        self.fit, self.parts = self.models.fit, [self.models]
        self.probe = ReverseProbe(self.controls["log_c"])
        self.shares = ModeShares()
        self.fan = EstimateFan(self.jobs.latest(self._draw_fan))
        self.readouts: list[tuple[Readout, Readout]] = []
        return Screen(
            pictures=[self._card(i) for i in (0, 1)],
            stages=self.stages,
            voices=VOICES,
            controls=card(
                self.models.choice.widget,
                self.models.flow_controls,
                self.controls["show"],
                self.models.modes.widget,
                self.models.more_controls,
            ),
            run=self.run,
            companion=card(self.chart),
            companion_name="Curves",
            tabs={
                "Layers": self.layers.widget,
                "Modes": self.shares.widget,
                "Estimates": self.fan.widget,
                "Constant": self.probe.widget,
            },
        )

    def _card(self, i: int) -> widgets.Widget:
        """The picture of one model, and both divergences of it."""
        pair = [Readout(s, help=f"{s} of the averaged flow in nats, on a grid") for s in SYMBOLS]
        self.readouts.append((pair[0], pair[1]))
        needs = ("pays at samples of p*, via T⁻¹", "pays at samples of p, via p̃*")[i]
        return card(self.stages[i], row(*pair), title=TITLES[i], subtitle=needs, voice=VOICES[i])

    def apply_preset(self, index: int) -> None:
        """The preset's state; what a constant does is beside the pictures."""
        super().apply_preset(index)
        if self.settings.log_c:
            self.tabs.turn_to("Constant")

    # ---- what is drawn -------------------------------------------------------------------------

    @draws(*MODELS_SETTINGS, "show")
    def _draw_models(self) -> None:
        """Densities or integrands, the particles, and the numbers under them."""
        grid = self.models.grids[FEW_CELLS if self.fit.running else CELLS]
        # Untrained, the two are one flow.
        measure, carry = cache(grid.measure), cache(self._carry)
        measured, traces = [], []
        # One after the other: a page draws the first while the second is measured.
        for i, (stage, flow) in enumerate(zip(self.stages, self.models.flows, strict=True)):
            model, trace = measure(flow), carry(flow)
            last = len(trace.states) - 1
            with stage.hold_sync(), stage.hold_trait_notifications():
                if stage.frames != last + 1:
                    stage.position = float(last)
                stage.show(self._picture(grid, i, model), _particles(trace))
                stage.lines = [] if i else self.models.ellipses()
                ways = ["density"] * (self.settings.show == "density")
                carried = {"particles": ["forward"], "images": ways, "handles": ["modes"]}
                stage.carried = {**carried, "contours": ["target"]}
                stage.description = (
                    f"{SHOWN[self.settings.show]} after {self.fit.done:,} steps of {VOICES[i]} KL "
                    f"on {grid.target.title}, whose contours are drawn: {in_words(model)}"
                )
            show(self.readouts[i], model)
            measured.append(model)
            traces.append(trace)
        self.measured, self._traces = measured, traces

    @draws(*MODELS_SETTINGS, "strip", "marked")
    def _draw_marked(self) -> None:
        """One particle in both pictures, and what the chosen model's layers do to it."""
        i, marked = VOICES.index(self.settings.strip), self.settings.marked
        for stage in self.stages:
            stage.picked = marked
        tell(self.run, self.models.flows[i], MODELS[VOICES[i]], self._traces[i], marked)

    @draws(*MODELS_SETTINGS, "strip", "marked", tab="Layers")
    def _draw_layers(self) -> None:
        """The strip: the base's grid and the particles in every state of the chosen model."""
        i, marked = VOICES.index(self.settings.strip), self.settings.marked
        flow, target = self.models.flows[i], self.models.target
        self.layers.show(flow, MODELS[VOICES[i]], self._traces[i], marked, target)

    @draws(*MODELS_SETTINGS, tab="Modes")
    def _draw_shares(self) -> None:
        """Where the particles of both models have ended, by the target's modes."""
        self.shares.show(self.models.target, [trace.states[-1] for trace in self._traces])

    @draws(*MODELS_SETTINGS)
    def _draw_curves(self) -> None:
        self.models.show_curves(self.measured)

    @draws(*MODELS_SETTINGS, "log_c", "path_gradient", tab="Constant")
    def _draw_probe(self) -> None:
        self.models.show_probe(self.probe)

    @draws(*MODELS_SETTINGS, "batch", tab="Estimates")
    def _draw_fan(self) -> None:
        self.models.show_fan(self.fan, self.measured[1].kls[1])

    @draws("show", "modes")
    def _film_again(self) -> None:
        """What the film shows depends on these as well."""
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
        return constant_in_words(self.settings.log_c) or compared(
            self.measured, self.fit.done, self.models.linear
        )

    def code(self) -> str:
        return self.models.code()


def _particles(trace: Trace) -> Particles:
    return Particles(trace.states, size=2.4)
