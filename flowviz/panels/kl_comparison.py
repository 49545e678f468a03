"""Forward and reverse KL: one flow and one seed, fitted twice to one target in lockstep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import ipywidgets as widgets
import numpy as np
import torch
from torch import Generator

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.flows.plane import grid_trace
from flowviz.objectives import Estimate
from flowviz.panels.parts.fit import AVERAGE, Fit, FitState, Weights
from flowviz.panels.parts.flow_choice import (
    FLOW_SETTINGS,
    FlowState,
    about_flow,
    flow_code,
    flow_controls,
    make_flow,
)
from flowviz.panels.parts.flow_stage import with_start
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
from flowviz.panels.parts.target_choice import TARGET_SETTINGS, TargetChoice, TargetState
from flowviz.targets import Target
from flowviz.training import Objective, Trainer, maximum_likelihood, variational
from flowviz.widgets.charts import LossChart
from flowviz.widgets.charts.loss import Series
from flowviz.widgets.layout import Voice, card, classed, folded, row, stack
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Readout, format_number
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Grid, Image, Particles, Stage
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Real, Toggle

VOICES: tuple[Voice, Voice] = ("forward", "reverse")
TITLES = ("Forward: KL(p* ‖ p)", "Reverse: KL(p ‖ p*)")
SHOWN = {"density": "The model's density", "integrand": "Where the KL comes from"}
MODELS = {"forward": "Forward model", "reverse": "Reverse model"}

PARTICLES = 800
STRIP_CELLS = 28
BASE_EXTENT = 3.0
SMOOTHING = 25
"""The curves are means over so many steps."""
PROBE = 512
"""Draws of the fixed batch on which the reverse loss and its gradient are shown."""


class KLState(TargetState, FlowState, FitState):
    """What the panel can be set to."""

    seed = Integer(4, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")
    learning_rate = Real(0.01, 1e-4, 0.1, log=True, label="Learning rate", help="Of Adam")
    batch = Integer(256, 16, 2048, step=16, label="Batch", help="Draws a step, for either model")
    path_gradient = Toggle(
        False, label="Path gradient", help="Reverse KL without the score term in its gradient"
    )
    log_c = Real(
        0.0, -5.0, 5.0, step=0.1, label="log C", help="p̃ is multiplied by C before it is fitted"
    )
    show = Choice(
        "density", SHOWN, label="Show", help="The density, or the integrand p log(p/q) of its KL"
    )
    strip = Choice("forward", MODELS, label="Layers of", help="Whose layers are shown below")
    marked = Integer(7, 0, PARTICLES - 1, label="Marked point", help="A particle followed closely")


MODEL_SETTINGS = (*TARGET_SETTINGS, *FLOW_SETTINGS, "trained")


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
            lambda panel: abs(panel.reverse_loss) < 0.06 and panel.settings.log_c != 0,
            "The tab Constant has a slider for log C and the loss beside it.",
            "The loss moved by −log C, its gradient not at all: no constant is needed for fitting.",
            by={"trained": 1200, "log_c": 0.8},
        ),
    )

    def build(self) -> Screen:
        settings, controls = self.settings, self.controls
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
        self.choice = TargetChoice(self, self.stages[0])
        depends = (*TARGET_SETTINGS, *FLOW_SETTINGS, "learning_rate", "batch", "path_gradient")
        self.fit = Fit(
            self,
            self.run,
            self._trainers,
            start=lambda: make_flow(settings),
            depends=depends,
            stages=self.stages,
            moment=self._moment,
            charts=[self.chart],
        )
        self.parts = [self]
        self._made: tuple[Any, ...] = ()
        self._constants: dict[int, float] = {}  # log C by the steps made before
        return Screen(
            pictures=[self._card(i) for i in (0, 1)],
            stages=self.stages,
            voices=VOICES,
            controls=card(
                self.choice.widget,
                flow_controls(settings, controls, ("flow", "layers")),
                controls["show"],
                folded(
                    "Training settings",
                    controls.stack("learning_rate", "batch", "steps", "path_gradient"),
                    flow_controls(settings, controls, ("hidden", "bins", "spread", "seed")),
                    about_flow(settings),
                ),
            ),
            run=self.run,
            companion=card(self.chart),
            companion_name="Curves",
            tabs={"Layers": self._layers_tab(), "Constant": self._constant_tab()},
        )

    def _card(self, i: int) -> widgets.Widget:
        """The picture of one model, and both divergences of it."""
        if i == 0:
            self.readouts: list[tuple[Readout, Readout]] = []
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

    def _constant_tab(self) -> widgets.Widget:
        self.loss = Readout(
            "Reverse loss",
            help=f"E_p[log p − log p̃ − log C] in nats, on {PROBE} fixed draws of the model",
        )
        self.gap = Readout(
            "… + log Z + log C",
            help="In nats, the loss less its minimum −log(C Z): an estimate of KL(p‖p*)",
        )
        self.gradient = Readout("‖gradient‖", help="Of that loss in the flow's parameters")
        return row(self.controls["log_c"], self.loss, self.gap, self.gradient)

    # ---- following the settings ----------------------------------------------------------------

    @property
    def settled(self) -> bool:
        return self.fit.settled

    def follow(self, changed: frozenset[str]) -> None:
        """Another flow or target is another fit; rates and batches hold from the next step on."""
        settings, target = self.settings, self.choice.target()
        made = (target, *(getattr(settings, name) for name in FLOW_SETTINGS))
        if made != self._made:
            self._made = made
            self.fit.forget()
            self._untrained = make_flow(settings)
            self._set_target(target)
        elif changed & {"learning_rate", "batch", "path_gradient"}:
            objectives = self._objectives()
            for trainer, objective in zip(self.fit.trainers or (), objectives, strict=False):
                trainer.optimizer.learning_rate = settings.learning_rate  # type: ignore[attr-defined]
                trainer.objective = objective
        self.fit.follow(changed)

    def begin(self) -> None:
        """Start the training that was asked for."""
        self.fit.begin()

    def _set_target(self, target: Target) -> None:
        self._grids = {cells: ModelOnGrid(target, cells) for cells in (CELLS, FEW_CELLS)}
        for stage in self.stages:
            with stage.hold_sync():
                stage.window = target.window
                stage.contours = [self._grids[CELLS].outline()]

    def _trainers(self, weights: Weights | None, steps: int) -> Sequence[Trainer]:
        target, settings = self.choice.target(), self.settings
        if not target.has_samples:
            raise ValueError(f"{target.title} cannot be sampled, which forward KL needs")
        if not target.has_density:
            raise ValueError(f"{target.title} has no known density, which reverse KL needs")
        self._constants = {}
        options: dict[str, Any] = {"learning_rate": settings.learning_rate, "seed": settings.seed}
        made = []
        for i, objective in enumerate(self._objectives()):
            flow = make_flow(settings)
            if weights is not None:
                flow.load_state_dict(weights[i])
            made.append(Trainer(flow, objective, average=AVERAGE, steps=steps, **options))
        return made

    def _objectives(self) -> tuple[Objective, Objective]:
        target, batch = self.choice.target(), self.settings.batch
        return maximum_likelihood(target, batch), self._reverse_objective(batch)

    def _reverse_objective(self, batch: int) -> Objective:
        """Reverse KL to C p̃, with the C of the moment."""
        target, settings = self.choice.target(), self.settings

        def objective(flow: Flow, generator: Generator) -> Estimate:
            constant = settings.log_c
            trainers = self.fit.trainers
            self._constants[trainers[1].steps if trainers else 0] = constant
            scaled = SimpleNamespace(log_density=lambda x: target.log_density(x) + constant)
            return variational(scaled, batch, path_gradient=settings.path_gradient)(flow, generator)

        return objective

    # ---- what is drawn -------------------------------------------------------------------------

    def flows(self) -> Sequence[Flow]:
        """The two models as they are shown."""
        return self.fit.flows or (self._untrained, self._untrained)

    @draws(*MODEL_SETTINGS, "show")
    def _draw_models(self) -> None:
        """Densities or integrands, the particles, and the numbers under them."""
        grid = self._grids[FEW_CELLS if self.fit.running else CELLS]
        flows = self.flows()
        self.measured = [grid.measure(flow) for flow in flows]
        self._traces = [self._carry(flow) for flow in flows]
        last = len(self._traces[0].states) - 1
        for i, (stage, model) in enumerate(zip(self.stages, self.measured, strict=True)):
            with stage.hold_sync(), stage.hold_trait_notifications():
                if stage.frames != last + 1:
                    stage.position = float(last)
                stage.show(self._picture(grid, i, model), _particles(self._traces[i]))
                stage.description = (
                    f"{SHOWN[self.settings.show]} after {self.fit.done:,} steps of {VOICES[i]} KL "
                    f"on {grid.target.title}, whose contours are drawn: {in_words(model)}"
                )
            show(self.readouts[i], model)

    @draws(*MODEL_SETTINGS, "strip", "marked")
    def _draw_layers(self) -> None:
        """The strip: the base's grid and the particles in every state of the chosen model."""
        i = VOICES.index(self.settings.strip)
        trace, marked = self._traces[i], self.settings.marked
        warped = grid_trace(self.flows()[i], BASE_EXTENT, STRIP_CELLS)
        total = with_start(trace.logabsdet[:, marked]).cumsum(0).cpu().numpy()
        for stage in (*self.stages, self.strip):
            stage.picked = marked
        with self.strip.hold_sync(), self.strip.hold_trait_notifications():
            self.strip.window = _around(self._grids[CELLS].target)
            self.strip.show(
                Grid(warped.corners, warped.total(), lines=False),
                Particles(trace.states, size=2.0),
            )
            self.strip.description = f"the layers of the {MODELS[VOICES[i]].lower()}"
        with self.run.hold_sync():
            self.run.state_names = ["base", *layer_names(self.flows()[i])]
            self.run.readout = {"label": "Σ so far", "values": total}

    @draws(*MODEL_SETTINGS)
    def _draw_curves(self) -> None:
        """Both objectives above their minima: estimates of both divergences."""
        history, grid = self.fit.history, self._grids[CELLS]
        if not history.steps:
            self.chart.show_words("Press Train: both divergences appear here, step by step")
            return
        steps = np.array(history.steps, dtype=np.float64)
        losses = np.array(history.losses, dtype=np.float64).reshape(-1, 2)[: len(steps)]
        errors = np.array(history.errors, dtype=np.float64).reshape(-1, 2)[: len(steps)]
        constants = np.array([self._constants.get(int(step) - 1, 0.0) for step in steps])
        losses[:, 0] -= grid.entropy
        losses[:, 1] += (grid.target.log_z or 0.0) + constants
        series = [
            Series(SYMBOLS[i], steps, *_smooth(losses[:, i], errors[:, i]), f"--fv-{voice}")
            for i, voice in enumerate(VOICES)
        ]
        self.chart.show_series(series)

    @draws(*MODEL_SETTINGS, "log_c", "path_gradient")
    def _draw_probe(self) -> None:
        """The reverse loss and its gradient on a fixed batch, with the C of the moment."""
        flow = self.flows()[1]
        generator = Generator(device=flow.like.device).manual_seed(self.settings.seed)
        loss = self._reverse_objective(PROBE)(flow, generator)
        parameters = [p for p in flow.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(loss.value, parameters, allow_unused=True)
        norms = [g.norm() for g in gradients if g is not None]
        self.reverse_loss, error = float(loss.value.detach()), float(loss.standard_error)
        log_z = self._grids[CELLS].target.log_z or 0.0
        self.loss.show(self.reverse_loss, error)
        self.gap.show(self.reverse_loss + log_z + self.settings.log_c, error)
        self.gradient.show(float(torch.stack(norms).norm()))

    @draws("show")
    def _film_again(self) -> None:
        """What the film shows depends on this as well."""
        self.fit.film_again()

    def _moment(self, flows: Sequence[Flow]) -> list[list[Mark]]:
        """What the film shows of two flows."""
        grid = self._grids[FEW_CELLS]
        return [
            [self._picture(grid, i, grid.measure(flow)), _particles(self._carry(flow))]
            for i, flow in enumerate(flows)
        ]

    @torch.no_grad()
    def _carry(self, flow: Flow) -> Trace:
        """The same base samples for every model."""
        generator = Generator(device=flow.like.device).manual_seed(self.settings.seed)
        return flow.trace(flow.base.sample(PARTICLES, generator))

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
        settings = self.settings
        constant, steps = settings.log_c, self.fit.done or settings.steps
        density = "target"
        lines = ["import flowviz", "from flowviz.grid import Grid2D"]
        if constant:
            density = "scaled"
            lines.insert(0, "from types import SimpleNamespace\n")
        flow = flow_code(settings).replace("\n", "\n    ")
        lines += [
            "from flowviz.training import Trainer, maximum_likelihood, variational",
            "",
            self.choice.code(),
        ]
        if constant:
            scaled = f"lambda x: target.log_density(x) + {constant:g}"
            lines.append(f"scaled = SimpleNamespace(log_density={scaled})")
        batch = f"batch={settings.batch}"
        path = ", path_gradient=True" if settings.path_gradient else ""
        options = f"learning_rate={settings.learning_rate:g}, seed={settings.seed}"
        lines += [
            "objectives = {",
            f'    "forward": maximum_likelihood(target, {batch}),',
            f'    "reverse": variational({density}, {batch}{path}),',
            "}",
            f"grid = Grid2D(target.window, {CELLS})",
            "for name, objective in objectives.items():",
            f"    {flow}",
            f"    trainer = Trainer(flow, objective, {options}, average={AVERAGE})",
            f"    for _ in range({steps}):",
            "        trainer.step()",
            "    flow = trainer.averaged",
            '    print(name, "KL(p*‖p):", grid.kl(target.log_prob, flow.log_prob))',
            '    print(name, "KL(p‖p*):", grid.kl(flow.log_prob, target.log_prob))',
        ]
        return "\n".join(lines)


def _particles(trace: Trace) -> Particles:
    return Particles(trace.states, size=2.4)


def _around(target: Target) -> tuple[float, float, float, float]:
    """A window that holds the target's and the base's grid."""
    xmin, xmax, ymin, ymax = target.window
    edge = 1.1 * BASE_EXTENT
    return min(xmin, -edge), max(xmax, edge), min(ymin, -edge), max(ymax, edge)


def _smooth(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each value and those before it, at most so many, and its standard error."""
    count = np.minimum(np.arange(1, len(values) + 1), SMOOTHING)

    def sums(terms: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(terms)])
        last = np.arange(1, len(terms) + 1)
        return total[last] - total[last - count]

    return sums(values) / count, np.sqrt(np.maximum(sums(errors**2), 0.0)) / count
