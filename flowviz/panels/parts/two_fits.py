"""One flow and one seed, fitted twice to one target in lockstep: by forward and by reverse KL."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from types import SimpleNamespace
from typing import Any

from torch import Generator

from flowviz.flows import Flow
from flowviz.objectives import Estimate
from flowviz.panels.parts.divergence_curves import SMOOTHING, divergence_curves
from flowviz.panels.parts.estimate_fan import EstimateFan
from flowviz.panels.parts.fit import AVERAGE, Fit, PageFitState, Weights
from flowviz.panels.parts.fit_part import FitPart
from flowviz.panels.parts.flow_choice import (
    FLOW_SETTINGS,
    FlowState,
    adam_rate,
    flow_controls,
    make_flow,
    training_settings,
)
from flowviz.panels.parts.in_page import (
    CLOSE,
    begun,
    flows_in_page,
    others_in_page,
    target_in_page,
    training_in_page,
)
from flowviz.panels.parts.mode_handles import ModeHandles, ModesState
from flowviz.panels.parts.model_on_grid import CELLS, FEW_CELLS, SYMBOLS, Measured, ModelOnGrid
from flowviz.panels.parts.moment_ellipses import LINEAR, gaussian_ellipses
from flowviz.panels.parts.reverse_probe import DRAWS, ReverseProbe
from flowviz.panels.parts.target_choice import TARGET_SETTINGS, TargetChoice, TargetState
from flowviz.panels.parts.two_fits_code import two_fits_code
from flowviz.targets import Target
from flowviz.training import Objective, Trainer, maximum_likelihood, variational
from flowviz.widgets.charts import LossChart, Points
from flowviz.widgets.panel import Panel
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Lines, Stage
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Integer, Real, Toggle


class TwoFitsState(ModesState, TargetState, FlowState, PageFitState):
    """The settings of the target, of the flow, and of both trainings."""

    learning_rate = Real(0.01, 1e-4, 0.1, log=True, label="Learning rate", help="Of Adam")
    batch = Integer(256, 16, 2048, step=16, label="Batch", help="Draws a step, for either model")
    path_gradient = Toggle(
        False, label="Path gradient", help="Reverse KL without the score term in its gradient"
    )
    log_c = Real(
        0.0, -5.0, 5.0, step=0.1, label="log C", help="p̃ is multiplied by C before it is fitted"
    )
    trained_by = (
        *TARGET_SETTINGS,
        "modes",
        *FLOW_SETTINGS,
        "learning_rate",
        "batch",
        "path_gradient",
    )

    def trained_on(self) -> dict[str, Any]:
        """Modes that have not been moved say nothing that the target does not."""
        found = super().trained_on()
        if not self.modes:
            del found["modes"]
        return found


MODELS_SETTINGS = (*TARGET_SETTINGS, "modes", *FLOW_SETTINGS, "trained")
"""The settings after whose change there are other models to draw."""

COLOURS = ("--fv-forward", "--fv-reverse")
BEFORE = "KL in nats, measured: Train goes on from here"
ALONG = f"KL in nats by the loss, mean of {SMOOTHING} · dots: averaged flow"
"""What the chart of both losses is called before a step is made, and then."""


class TwoFits(FitPart):
    """The forward model and the reverse model, and all the controls that make them what they are.

    A part of a panel (:class:`~flowviz.widgets.panel.panel.Part`).

    Args:
        panel: its state is a :class:`TwoFitsState`.
        run: the panel's run bar.
        stages: what shows either model, and the film of its training, with the modes of the
            target as handles; one's own points are drawn on the first.
        moment: the marks of both stages for such flows: what the film shows of a moment.
        chart: of both losses.

    Attributes:
        choice: of the target.
        modes: of the target, which may be moved while it trains.
        flow_controls, more_controls: of the flow; of the training and what few need.
        fit: the training.
        target: the chosen one, its modes where the settings have them.
        grids: the target on a grid, by the number of its cells a side.
        constants: log C by the steps made before the one that it was used in.
        entropies: of the target, in nats, each by the steps made before it was the target's.
    """

    def __init__(
        self,
        panel: Panel,
        run: RunBar,
        stages: Sequence[Stage],
        moment: Callable[[Sequence[Flow]], Sequence[Sequence[Mark]]],
        chart: LossChart,
    ) -> None:
        if not isinstance(panel.settings, TwoFitsState):
            raise TypeError("the state of a panel with TwoFits is a TwoFitsState")
        settings, controls = panel.settings, panel.controls
        self._settings, self._stages, self._chart = settings, stages, chart
        self._made: tuple[Any, ...] = ()
        self._fits = 0
        self.grids: dict[int, ModelOnGrid] = {}
        self.constants: dict[int, float] = {}
        self.entropies: dict[int, float] = {}
        self.choice = TargetChoice(panel, stages[0])
        self.modes = ModeHandles(panel, stages)
        self.target = self.choice.target()
        self.fit = Fit(
            panel,
            run,
            self._trainers,
            start=lambda: make_flow(settings),
            count=2,
            stages=stages,
            moment=moment,
            charts=[chart],
        )
        self.flow_controls = flow_controls(settings, controls, ("flow", "layers"))
        own = controls.stack("learning_rate", "batch", "steps", "path_gradient", "compute")
        self.more_controls = training_settings(settings, controls, own)

    # ---- a part of the panel -------------------------------------------------------------------

    def follow(self, changed: frozenset[str]) -> None:
        """Another flow or target is another fit; rates and batches hold from the next step on.

        So do modes that are moved: both fits go on from where they are.
        """
        settings, chosen = self._settings, self.choice.target()
        target = self.modes.follow(chosen, changed)
        moved, self.target = target is not self.target, target
        made = (chosen, *(getattr(settings, name) for name in FLOW_SETTINGS))
        if moved or not self.grids:
            self._show_target(target)
        if made != self._made or (moved and settings.asked):
            self._made, self._fits = made, self._fits + 1
            self.fit.forget()
            self._untrained = make_flow(settings)
        elif moved or changed & {"learning_rate", "batch", "path_gradient"}:
            self.entropies[self.fit.done] = self.grids[CELLS].entropy
            objectives = self._objectives()
            for trainer, objective in zip(self.fit.trainers or (), objectives, strict=False):
                trainer.optimizer.learning_rate = self._rate  # type: ignore[attr-defined]
                trainer.objective = objective
        self.fit.follow(changed)

    @property
    def learned(self) -> Hashable:
        """Another one whenever the flows are others."""
        return self._made, self.target, self.fit.done, id(self.fit.trainers)

    @property
    def fitted(self) -> Hashable:
        """Modes that are moved leave the fits what they are."""
        return self._fits

    def in_page(self, training: bool = True, alone: bool = True) -> dict[str, Any] | None:
        """Both flows, what they are trained on, and how; None if that is not asked for.

        Nothing of the flows follows a handle; in a page of its own the target does.
        """
        if not training:
            return None
        settings, target = self._settings, self.target
        if not (target.has_samples and target.has_density):
            raise ValueError(f"{target.title} has no samples, or no density, to train on")
        if settings.path_gradient:
            raise ValueError("the path gradient of reverse KL has no program")
        start = begun(self._untrained, target, settings.batch, settings.seed)
        objectives = ("descent", "pulled_descent")
        passes = ["forward", "log_prob", *objectives]
        live = flows_in_page(self.flows, start, passes, step=CLOSE if alone else None)
        others = others_in_page(target, lambda other: other.window) if alone else []
        return {
            **live,
            "flows": [
                {**flow, "objective": objective}
                for flow, objective in zip(live["flows"], objectives, strict=True)
            ],
            "stages": [0, 1],
            "target": target_in_page(target, density=True),
            "training": training_in_page(settings, self.fit, self._rate, alone=alone),
            "others": others,
            "movable": "modes" not in settings.hide,
            "constant": None
            if "log_c" in settings.hide
            else {"log_c": settings.log_c, "bound": type(settings).log_c.max},
            "linear": self.linear,
        }

    # ---- what is in use ------------------------------------------------------------------------

    @property
    def flows(self) -> Sequence[Flow]:
        """The two models as they are shown."""
        return self.fit.flows or (self._untrained, self._untrained)

    def reverse_objective(self, batch: int) -> Objective:
        """Reverse KL to C p̃, with the C of the moment."""
        target, settings = self.target, self._settings

        def objective(flow: Flow, generator: Generator) -> Estimate:
            constant = settings.log_c
            trainers = self.fit.trainers
            self.constants[trainers[1].steps if trainers else 0] = constant
            scaled = SimpleNamespace(log_density=lambda x: target.log_density(x) + constant)
            return variational(scaled, batch, path_gradient=settings.path_gradient)(flow, generator)

        return objective

    @property
    def linear(self) -> bool:
        """Whether both models are Gaussians, whatever they learn, and can be any of them."""
        return self._settings.flow in LINEAR

    def ellipses(self) -> list[Lines]:
        """Of a linear flow, where forward KL ends: the mean and covariance of the target."""
        return [gaussian_ellipses(*self.grids[CELLS].moments())] if self.linear else []

    def show_curves(self, measured: Sequence[Measured]) -> None:
        """Both objectives above their minima, step by step: estimates of both divergences.

        They are of the flows in training. What is shown is their average, whose divergences, as
        they are ``measured``, are dots: before a step is made, where the curves will set out.
        """
        history = self.fit.history
        self._chart.title = ALONG if history.steps else BEFORE
        log_z = self.target.log_z or 0.0
        curves = (
            divergence_curves(history, self.entropies, log_z, self.constants, COLOURS)
            if history.steps
            else []
        )
        named = enumerate(zip(SYMBOLS, COLOURS, strict=True))
        dots = [
            Points("" if curves else name, [self.fit.done], [measured[i].kls[i]], colour=colour)
            for i, (name, colour) in named
        ]
        self._chart.show_series(curves, dots)

    def show_probe(self, probe: ReverseProbe) -> None:
        """The reverse loss and its gradient on a fixed batch, with the C of the moment."""
        minimum = -(self.target.log_z or 0.0) - self._settings.log_c
        objective = self.reverse_objective(DRAWS)
        probe.show(self.flows[1], objective, self._settings.seed, minimum)

    def show_fan(self, fan: EstimateFan, kl: float) -> None:
        """Mini-batch estimates of the reverse model's KL(p‖p*) about ``kl``, where it rests."""
        settings, batch = self._settings, self._settings.batch
        if self.fit.running:
            fan.rest()
        else:
            of = self.learned, batch
            fan.show(self.flows[1], self.target, kl, batch, settings.seed, of)

    @property
    def _rate(self) -> float:
        return adam_rate(self._settings, self._settings.learning_rate)

    def _objectives(self) -> tuple[Objective, Objective]:
        batch = self._settings.batch
        return maximum_likelihood(self.target, batch), self.reverse_objective(batch)

    def _show_target(self, target: Target) -> None:
        self.grids = {cells: ModelOnGrid(target, cells) for cells in (CELLS, FEW_CELLS)}
        for stage in self._stages:
            with stage.hold_sync():
                stage.window = target.window
                stage.contours = [self.grids[CELLS].outline()]

    def _trainers(self, weights: Weights | None, steps: int) -> Sequence[Trainer]:
        target, settings = self.target, self._settings
        if not target.has_samples:
            raise ValueError(f"{target.title} cannot be sampled, which forward KL needs")
        if not target.has_density:
            raise ValueError(f"{target.title} has no known density, which reverse KL needs")
        self.constants = {}
        if not self.fit.history.steps:
            self.entropies = {}
        self.entropies[steps] = self.grids[CELLS].entropy
        options: dict[str, Any] = {"learning_rate": self._rate, "seed": settings.seed}
        made = []
        for i, objective in enumerate(self._objectives()):
            flow = make_flow(settings)
            if weights is not None:
                flow.load_state_dict(weights[i])
            made.append(Trainer(flow, objective, average=AVERAGE, steps=steps, **options))
        return made

    def code(self) -> str:
        """The Python that makes both fits and prints both divergences of either."""
        target = [self.choice.code(), *self.modes.code()]
        steps, moved = self.fit.done or self._settings.steps, len(self.entropies) > 1
        return two_fits_code(self._settings, target, steps, moved)
