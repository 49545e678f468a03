"""Forward and reverse KL: one flow and one seed, fitted twice to one target in lockstep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import ipywidgets as widgets
import numpy as np
import torch
from torch import Generator, Tensor

from flowviz import panels
from flowviz.flows import Flow
from flowviz.grid import Estimate, Grid2D
from flowviz.objectives import Estimate as Loss
from flowviz.panels.parts.fit import Fit, FitState
from flowviz.panels.parts.flow_choice import (
    FLOW_SETTINGS,
    FlowState,
    flow_code,
    flow_controls,
    make_flow,
)
from flowviz.panels.parts.target_choice import TARGET_SETTINGS, TargetChoice, TargetState
from flowviz.pictures import grid_trace
from flowviz.targets import Target
from flowviz.training import Objective, Trainer, maximum_likelihood, variational
from flowviz.widgets.charts import LossChart
from flowviz.widgets.charts.loss import Series
from flowviz.widgets.layout import Voice, card, classed, folded, pictures, row, stack
from flowviz.widgets.panel import Panel, Slots
from flowviz.widgets.readouts import Needs, Note, Readout, format_estimate
from flowviz.widgets.stage import Contours, Grid, Image, Particles, Stage
from flowviz.widgets.state import Choice, Integer, Real, Toggle

VOICES: tuple[Voice, Voice] = ("forward", "reverse")
SYMBOLS = ("KL(p*‖p)", "KL(p‖p*)")
SHOWN = {"density": "The model's density", "integrand": "Where the KL comes from"}
MODELS = {"forward": "Forward model", "reverse": "Reverse model"}

CELLS = 120
"""Cells a side of the grid on which densities are drawn and both divergences measured."""
PARTICLES = 800
STRIP_CELLS = 28
BASE_EXTENT = 3.0
SMOOTHING = 25
"""The curves are means over so many steps."""
PROBE = 512
"""Draws of the fixed batch on which the reverse loss and its gradient are shown."""
LEAST_ERROR = 2e-4
"""The grid is often more exact than the flow's single precision, which is worth so much."""
WORTH_SAYING = 0.005
"""A model's mass outside the window is spoken of from here on."""


class KLState(TargetState, FlowState, FitState):
    """What the panel can be set to."""

    buttons = ("training",)
    learning_rate = Real(0.003, 1e-4, 0.1, log=True, label="Learning rate", help="Of Adam")
    batch = Integer(256, 16, 2048, step=16, label="Batch", help="Draws a step, for either model")
    steps = Integer(2000, 10, 20_000, step=10, label="Steps", help="How long a run is")
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


@dataclass(frozen=True)
class Measured:
    """A model on the grid.

    Attributes:
        log_p: log p at the grid's points, ``[R*R]``.
        kls: KL(p*‖p) and KL(p‖p*), in nats.
        outside: the model's mass outside the window.
    """

    log_p: Tensor
    kls: tuple[Estimate, Estimate]
    outside: float


class KLComparison(Panel):
    """Mode covering against mode seeking, seen while it happens.

    Forward KL is trained on samples of the target, reverse KL on its unnormalised density. For
    both models both divergences are measured on a grid, and the layers carry the same base
    samples on one clock.
    """

    name = "kl_comparison"
    title = panels.entry(name).title
    summary = panels.entry(name).summary
    group = panels.entry(name).group
    State = KLState
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        (
            "Eight modes",
            {
                "target": "eight_gaussians",
                "layers": 4,
                "seed": 4,
                "learning_rate": 0.01,
                "steps": 1200,
            },
        ),
        (
            "Two far modes, small flow",
            {
                "target": "formula",
                "formula": "logaddexp(-((x+2)^2 + (y+1)^2)/0.5, -((x-1.6)^2 + (y-0.8)^2)/0.5)",
                "flow": "real_nvp",
                "layers": 2,
                "hidden": "16,16",
                "learning_rate": 0.02,
                "steps": 600,
            },
        ),
        (
            "Unnormalised target",
            {"target": "energy_2", "flow": "real_nvp", "layers": 6, "log_c": 3.0},
        ),
    )

    def build(self) -> Slots:
        settings, controls = self.settings, self.controls
        self.choice = TargetChoice(settings, controls, self.message)
        self.fit = Fit(settings, self.jobs, self._trainers, self._draw, self.fail)
        controls.put("training", self.fit.controls)
        self._target: Target | None = None
        self._untrained: Flow | None = None
        self._constants: dict[int, float] = {}  # log C by step
        self._last_state = -1
        self._redraw = self.jobs.latest(self._draw)
        self._probe_again = self.jobs.latest(self._draw_probe)
        return Slots(
            controls=self._controls(),
            pictures=pictures(*(self._card(i) for i in (0, 1))),
            charts=stack(self._loss_card(), self._constant_card()),
            strip=self._strip_card(),
            transport=self._transport_card(),
        )

    # ---- what it is made of --------------------------------------------------------------------

    def _controls(self) -> widgets.Widget:
        settings, controls = self.settings, self.controls
        more = folded(
            "More settings",
            flow_controls(settings, controls, ("hidden", "bins", "spread", "seed")),
            controls.stack("steps", "path_gradient"),
        )
        return card(
            self.choice.widget,
            flow_controls(settings, controls, ("flow", "layers")),
            controls.stack("learning_rate", "batch"),
            self.fit.controls,
            controls["show"],
            more,
        )

    def _card(self, i: int) -> widgets.Widget:
        """The picture of one model, what is measured of it, and what its fit needs."""
        if i == 0:
            self.stages: list[Stage] = []
            self.readouts: list[tuple[Readout, Readout]] = []
            self.outside: list[Note] = []
            self.needs: list[Needs] = []
        stage = Stage(transport=False, axes=False, picking=True, max_width=0)
        readouts = tuple(
            Readout(symbol, help=f"{symbol} of this model in nats, measured on a grid")
            for symbol in SYMBOLS
        )
        self.stages.append(stage)
        self.readouts.append(readouts)  # type: ignore[arg-type]
        self.outside.append(Note())
        self.needs.append(Needs({}))
        title = ("Forward: KL(p* ‖ p)", "Reverse: KL(p ‖ p*)")[i]
        subtitle = (
            "maximum likelihood on samples of the target",
            "variational fit to an unnormalised density",
        )[i]
        body = (stage, row(*readouts), self.needs[i], self.outside[i])
        return card(*body, title=title, subtitle=subtitle, voice=VOICES[i])

    def _loss_card(self) -> widgets.Widget:
        self.chart = LossChart(
            "both objectives against the training step",
            title=f"KL in nats against the step, mean of {SMOOTHING}",
            log=True,
            height=210,
        )
        return card(self.chart)

    def _constant_card(self) -> widgets.Widget:
        self.loss = Readout(
            "Reverse loss",
            help=f"E_p[log p − log p̃ − log C] in nats, on {PROBE} fixed draws of the model",
        )
        self.gap = Readout(
            "… + log Z + log C",
            help="In nats, the loss less its minimum −log(C Z): an estimate of KL(p‖p*)",
        )
        self.gradient = Readout("‖gradient‖", help="Of that loss in the flow's parameters")
        return card(
            row(self.controls["log_c"], self.loss, self.gap, self.gradient),
            title="The target times a constant C",
            subtitle="the reverse loss moves by −log C; its gradient, and so the fit, does not",
        ).add_class("fv-constant")

    def _strip_card(self) -> widgets.Widget:
        self.strip = Stage(strip=True, transport=False, axes=False, max_width=0)
        which = widgets.ToggleButtons(
            options=[(title, name) for name, title in MODELS.items()],
            tooltips=[f"The layers of the {title.lower()}" for title in MODELS.values()],
        )
        self.controls.bind("strip", classed(which, "fv-toggle"))
        return card(which, self.strip)

    def _transport_card(self) -> widgets.Widget:
        self.transport = classed(Stage(max_width=0), "fv-transport-only")
        for stage in self._all_stages():
            stage.clock = f"kl {self.transport.model_id}"
        for stage in self.stages:
            stage.observe(self._picked, names=["picked"])
        return card(self.transport)

    def _all_stages(self) -> list[Stage]:
        return [*self.stages, self.strip, self.transport]

    def _picked(self, change: Any) -> None:
        if change["new"] >= 0:
            self.settings.marked = change["new"]

    # ---- following the settings ----------------------------------------------------------------

    def refresh(self, changed: frozenset[str]) -> None:
        stale = ""
        if self._target is None or changed.intersection(FLOW_SETTINGS):
            stale = "Another flow"
        elif changed.intersection(TARGET_SETTINGS) and self.choice.target() is not self._target:
            stale = "Another target"
        if stale:
            self._restart()
        else:
            self._adapt(changed)
        self.fit.follow(changed, stale)

    def _restart(self) -> None:
        """Both models untrained again, on the present target."""
        self.fit.hold()
        self._set_target(self.choice.target())
        self._untrained = make_flow(self.settings)
        if self.fit.trainers is None:
            self._draw()

    def _adapt(self, changed: frozenset[str]) -> None:
        """What does not concern the models themselves."""
        if changed & {"learning_rate", "batch", "path_gradient"}:
            self._retune()
        if "path_gradient" in changed:
            self._say_needs()
        if changed & {"show", "strip", "marked"}:
            self._redraw()
        elif changed & {"log_c", "path_gradient"}:
            self._probe_again()

    def _set_target(self, target: Target) -> None:
        """Everything that depends on the target alone."""
        self._target = target
        self._grid = Grid2D(target.window, CELLS)
        self._log_target = self._grid.evaluate(target.log_prob)
        density = self._image(self._log_target.exp())
        self._top = float(density.max())
        outline = Contours(density, target.window, levels=(0.1, 0.5), label=target.title)
        # −∫ p* log p*: what forward KL's loss is at its minimum
        self._entropy = -self._grid.kl(self._log_target, torch.zeros_like(self._log_target)).value
        for stage in self.stages:
            with stage.hold_sync():
                stage.window = target.window
                stage.contours = [outline]
        self._say_needs()

    def _trainers(self) -> Sequence[Trainer]:
        target, rate, seed = self.choice.target(), self.settings.learning_rate, self.settings.seed
        if not target.has_samples:
            raise ValueError(f"{target.title} cannot be sampled, which forward KL needs")
        if not target.has_density:
            raise ValueError(f"{target.title} has no known density, which reverse KL needs")
        self._constants = {}
        return [
            Trainer(make_flow(self.settings), objective, learning_rate=rate, seed=seed)
            for objective in self._objectives()
        ]

    def _objectives(self) -> tuple[Objective, Objective]:
        target, batch = self.choice.target(), self.settings.batch
        return maximum_likelihood(target, batch), self._reverse_objective(batch)

    def _reverse_objective(self, batch: int) -> Objective:
        """Reverse KL to C p̃, with the C of the moment."""
        target, settings = self.choice.target(), self.settings

        def objective(flow: Flow, generator: Generator) -> Loss:
            constant = settings.log_c
            self._constants[self.fit.done + 1] = constant
            scaled = SimpleNamespace(log_density=lambda x: target.log_density(x) + constant)
            return variational(scaled, batch, path_gradient=settings.path_gradient)(flow, generator)

        return objective

    def _retune(self) -> None:
        """Learning rate, batch and gradient apply from the next step on."""
        for trainer, objective in zip(self.fit.trainers or (), self._objectives(), strict=False):
            trainer.optimizer.learning_rate = self.settings.learning_rate  # type: ignore[attr-defined]
            trainer.objective = objective

    # ---- what is drawn -------------------------------------------------------------------------

    def flows(self) -> tuple[Flow, Flow]:
        """The two models as they are now."""
        if self.fit.trainers is None:
            assert self._untrained is not None
            return self._untrained, self._untrained
        return self.fit.trainers[0].flow, self.fit.trainers[1].flow

    def _draw(self) -> None:
        """Everything that depends on the models."""
        flows = self.flows()
        first = self._measure(flows[0])
        measured = (first, first if flows[0] is flows[1] else self._measure(flows[1]))
        traces = [self._carry(flow) for flow in flows]
        for i, (stage, model) in enumerate(zip(self.stages, measured, strict=True)):
            states, _ = traces[i]
            with stage.hold_sync(), stage.hold_trait_notifications():
                stage.show(
                    self._picture(i, model),
                    Particles(states, size=2.4, label="samples of the model"),
                )
                stage.description = self._in_words(i, model)
            for readout, kl in zip(self.readouts[i], model.kls, strict=True):
                readout.show(kl.value, max(kl.error, LEAST_ERROR))
            self.outside[i].show(
                f"{100 * model.outside:.2g} % of the model lies outside the window"
                if model.outside > WORTH_SAYING
                else ""
            )
        self._draw_layers(flows, traces)
        self._draw_curves()
        self._draw_probe()

    def _measure(self, flow: Flow) -> Measured:
        assert self._target is not None
        log_p = self._grid.evaluate(lambda x: flow.log_prob(x.to(flow.like)))
        kls = (self._grid.kl(self._log_target, log_p), self._grid.kl(log_p, self._log_target))
        return Measured(log_p, kls, self._grid.outside(log_p))

    @torch.no_grad()
    def _carry(self, flow: Flow) -> tuple[np.ndarray, np.ndarray]:
        """The same base samples for every model: states ``[K+1, N, 2]`` and Σ log|det J|."""
        like = flow.like
        generator = Generator(device=like.device).manual_seed(self.settings.seed)
        trace = flow.trace(flow.base.sample(PARTICLES, generator))
        total = trace.logabsdet.cumsum(0)
        total = torch.cat([torch.zeros_like(total[:1]), total])
        return trace.states.cpu().numpy(), total.cpu().numpy()

    def _picture(self, i: int, model: Measured) -> Image:
        assert self._target is not None
        window, p = self._target.window, model.log_p.exp()
        if self.settings.show == "density":
            density = self._image(p)
            top = min(self._top, float(density.max())) or self._top
            return Image(density, window, palette=VOICES[i], value_range=(0.0, top))
        here, other = (self._log_target, model.log_p) if i == 0 else (model.log_p, self._log_target)
        ratio = torch.where(here.exp() > 0, here - other, 0.0).clamp(-1e30, 1e30)
        label = ("p* log(p*/p)", "p log(p/p*)")[i]
        return Image(self._image(here.exp() * ratio), window, palette="diverging", label=label)

    def _draw_layers(self, flows: Sequence[Flow], traces: Sequence[Any]) -> None:
        """The strip: the base's grid and the particles in every state of the chosen model."""
        assert self._target is not None
        i = VOICES.index(self.settings.strip)
        states, totals = traces[i]
        warped = grid_trace(flows[i], BASE_EXTENT, STRIP_CELLS)
        last, marked = len(states) - 1, self.settings.marked
        moved = last != self._last_state
        readout = {"label": "Σ log|det J| of the marked point", "values": totals[:, marked]}
        for stage in self._all_stages():
            if moved:
                stage.position = float(last)
            if stage is not self.transport:
                stage.picked = marked
        with self.strip.hold_sync(), self.strip.hold_trait_notifications():
            self.strip.window = _around(self._target)
            self.strip.show(
                Grid(warped.corners, warped.total(), lines=False), Particles(states, size=2.0)
            )
            self.strip.description = f"the layers of the {MODELS[VOICES[i]].lower()}"
        with self.transport.hold_sync(), self.transport.hold_trait_notifications():
            self.transport.show(Particles(states[:, marked : marked + 1]))
            self.transport.readout = readout
        self._last_state = last

    def _draw_curves(self) -> None:
        """Both objectives above their minima: estimates of both divergences."""
        assert self._target is not None
        history = self.fit.history
        if not history.steps:
            words = "Press Train: both divergences<br>appear here, step by step"
            self.chart.show([], _empty(words), label=f"{self.chart.title}: nothing yet")
            return
        losses = np.array(history.losses, dtype=np.float64).reshape(-1, 2)
        errors = np.array(history.errors, dtype=np.float64).reshape(-1, 2)
        steps = np.array(history.steps[: len(errors)], dtype=np.float64)
        constants = np.array([self._constants[step] for step in history.steps[: len(errors)]])
        losses = losses[: len(errors)]
        losses[:, 0] -= self._entropy
        losses[:, 1] += (self._target.log_z or 0.0) + constants
        self.chart.show_series(
            [
                Series(SYMBOLS[i], steps, *_smooth(losses[:, i], errors[:, i]), f"--fv-{voice}")
                for i, voice in enumerate(VOICES)
            ]
        )

    def _draw_probe(self) -> None:
        """The reverse loss and its gradient on a fixed batch, with the C of the moment."""
        assert self._target is not None
        loss, norm = self._probe(self.flows()[1])
        value, error = float(loss.value.detach()), float(loss.standard_error)
        self.loss.show(value, error)
        self.gap.show(value + (self._target.log_z or 0.0) + self.settings.log_c, error)
        self.gradient.show(norm)

    def _probe(self, flow: Flow) -> tuple[Loss, float]:
        like = flow.like
        generator = Generator(device=like.device).manual_seed(self.settings.seed)
        loss = self._reverse_objective(PROBE)(flow, generator)
        parameters = [p for p in flow.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(loss.value, parameters, allow_unused=True)
        norms = [g.norm() for g in gradients if g is not None]
        return loss, float(torch.stack(norms).norm())

    # ---- words ---------------------------------------------------------------------------------

    def _in_words(self, i: int, model: Measured) -> str:
        assert self._target is not None
        kls = ", ".join(
            f"{symbol} {format_estimate(kl.value, max(kl.error, LEAST_ERROR))} nats"
            for symbol, kl in zip(SYMBOLS, model.kls, strict=True)
        )
        seen = SHOWN[self.settings.show]
        return (
            f"{seen} after {self.fit.done:,} steps of {VOICES[i]} KL on {self._target.title}, "
            f"whose contours are drawn: {kls}"
        )

    def _say_needs(self) -> None:
        reverse = not self.settings.path_gradient
        for needs, samples in zip(self.needs, (True, False), strict=True):
            needs.show(
                {
                    "samples of p*": samples,
                    "density p̃*": not samples,
                    "T⁻¹": samples or not reverse,
                    "T": not samples,
                }
            )

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
            "grid = Grid2D(target.window, 120)",
            "for name, objective in objectives.items():",
            f"    {flow}",
            f"    trainer = Trainer(flow, objective, {options})",
            f"    for _ in range({steps}):",
            "        trainer.step()",
            '    print(name, "KL(p*‖p):", grid.kl(target.log_prob, flow.log_prob))',
            '    print(name, "KL(p‖p*):", grid.kl(flow.log_prob, target.log_prob))',
        ]
        return "\n".join(lines)

    @staticmethod
    def _image(values: Tensor) -> np.ndarray:
        """Values at the grid's points as a picture ``[R, R]``, rows going up in y."""
        return values.reshape(CELLS, CELLS).numpy().astype(np.float32)


def _around(target: Target) -> tuple[float, float, float, float]:
    """A window that holds the target's and the base's grid."""
    xmin, xmax, ymin, ymax = target.window
    edge = 1.1 * BASE_EXTENT
    return min(xmin, -edge), max(xmax, edge), min(ymin, -edge), max(ymax, edge)


def _empty(words: str) -> dict[str, Any]:
    """A chart's layout with words in the place of curves."""
    middle = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    note = {**middle, "text": words, "font": {"color": "--fv-muted", "size": 13}}
    hidden = {"visible": False}
    return {"xaxis": hidden, "yaxis": hidden, "annotations": [note]}


def _smooth(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each value and those before it, at most so many, and its standard error."""
    count = np.minimum(np.arange(1, len(values) + 1), SMOOTHING)

    def sums(terms: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(terms)])
        last = np.arange(1, len(terms) + 1)
        return total[last] - total[last - count]

    return sums(values) / count, np.sqrt(np.maximum(sums(errors**2), 0.0)) / count
