"""A flow of the catalogue on a target: chosen, adjusted by hand, fitted to samples."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from torch import Tensor

from flowviz.flows import Flow
from flowviz.panels.parts.adjust_layer import AdjustLayer, Adjustments, adjustment_code
from flowviz.panels.parts.fit import AVERAGE, Fit, PageFitState, Weights
from flowviz.panels.parts.fit_part import FitPart
from flowviz.panels.parts.fitted_by import (
    DESCENTS,
    MADE_BY,
    FittedByState,
    LossWords,
    continuous,
    fitted_by,
    objective,
    objective_control,
)
from flowviz.panels.parts.flow_choice import (
    FLOW_SETTINGS,
    FlowState,
    adam_rate,
    flow_code,
    flow_controls,
    make_flow,
    training_settings,
)
from flowviz.panels.parts.flow_stage import FlowStage
from flowviz.panels.parts.in_page import (
    FINE,
    begun,
    flows_in_page,
    others_in_page,
    target_in_page,
    training_in_page,
)
from flowviz.panels.parts.target_choice import TARGET_SETTINGS, TargetChoice, TargetState
from flowviz.panels.parts.tied_handle import beyond
from flowviz.targets import Target
from flowviz.training import Trainer
from flowviz.widgets.charts import LossChart
from flowviz.widgets.charts.loss import Series
from flowviz.widgets.layout import card, stack
from flowviz.widgets.panel import Panel
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Integer, Real


class ForwardFitState(TargetState, FlowState, FittedByState, PageFitState):
    """The settings of the target, of the flow, of its training and of its adjustments."""

    rate = Real(0.005, 1e-4, 0.1, log=True, label="Learning rate", help="Of Adam")
    batch = Integer(512, 16, 4096, step=16, label="Batch", help="Samples of the target a step")
    adjustments = Adjustments(label="Adjust a layer", help="Parameters set by hand")
    trained_by = (*TARGET_SETTINGS, *FLOW_SETTINGS, "objective", "rate", "batch", "adjustments")

    def trained_on(self) -> dict[str, Any]:
        """Where there is no choice of the objective, none has been made."""
        found = super().trained_on()
        if not continuous(self):
            del found["objective"]
        return found


MODEL_SETTINGS = (*TARGET_SETTINGS, *FLOW_SETTINGS, "adjustments", "trained")
"""The settings after whose change there is another flow to draw."""


class ForwardFit(FitPart):
    """The flow in use, and all the controls that make it what it is.

    A part of a panel (:class:`~flowviz.widgets.panel.panel.Part`).

    Args:
        panel: its state is a :class:`ForwardFitState`.
        show: the stages that show the flow, and the film of its training; one's own points are
            drawn on the first.
        moment: the marks of each stage for a flow: what the film shows of a moment.
        at_point: log|det J| of each layer shown at the marked point, ``[K]``, for the film of its
            chart.

    Attributes:
        fit: the training.
        loss: the chart of its losses.
    """

    def __init__(
        self,
        panel: Panel,
        show: FlowStage,
        moment: Callable[[Flow], Sequence[Sequence[Mark]]],
        at_point: Callable[[Flow], Tensor] | None = None,
    ) -> None:
        if not isinstance(panel.settings, ForwardFitState):
            raise TypeError("the state of a panel with a ForwardFit is a ForwardFitState")
        settings, controls = panel.settings, panel.controls
        self._panel, self._settings, self._show = panel, settings, show
        self._made: tuple[Any, ...] | None = None
        self._untrained: Flow | None = None
        self._adjusted: Any = ()
        self._trained_on: Target | None = None
        self._target = TargetChoice(panel, show.stage)
        self.loss = LossChart("the loss against the training step", height=0)
        self._loss_words = LossWords()
        self.loss.clock = show.run.clock
        self.fit = Fit(
            panel,
            show.run,
            self._trainers,
            start=lambda: make_flow(settings),
            count=1,
            stages=show.stages,
            moment=lambda flows: moment(flows[0]),
            charts=[self.loss],
            bars=show.bars,
            contributions=at_point and (lambda flows: show.contributions(at_point(flows[0]))),
        )
        self._adjust = AdjustLayer(settings, controls, lambda: self.flow)
        self._flow_controls = stack(
            flow_controls(settings, controls, ("flow", "layers")), self._adjust.widget
        )
        own = controls.stack("rate", "batch", "steps", "compute")
        choice = objective_control(settings, controls)
        self._more_controls = training_settings(settings, controls, choice, own)

    def controls(self, *own: widgets.Widget, more: Sequence[widgets.Widget] = ()) -> widgets.VBox:
        """The card of all controls: of the target, the flow, the panel's own; then what few need.

        Args:
            own: the panel's own controls.
            more: what is folded away last.
        """
        first = self._target.widget, self._flow_controls
        return card(*first, *own, self._more_controls, *more)

    # ---- a part of the panel -------------------------------------------------------------------

    def follow(self, changed: frozenset[str]) -> None:
        """Follow the settings: another flow or target forgets the training, a rate does not."""
        settings = self._settings
        if "flow" in changed and "adjustments" not in changed and settings.adjustments:
            settings.adjustments = {}
        if self.fit.trainers is not None:
            other = {*FLOW_SETTINGS, *["objective"] * continuous(settings)}
            if not changed.isdisjoint(other) or self.target is not self._trained_on:
                self.fit.forget()
            elif changed & {"rate", "batch"}:
                trainer = self.fit.trainers[0]
                trainer.optimizer.learning_rate = self._rate  # type: ignore[attr-defined]
                trainer.objective = objective(settings, self.target)
        self.fit.follow(changed)

    @property
    def learned(self) -> Hashable:
        """Another one whenever the flow or its sliders are others."""
        settings = self._settings
        made = tuple(getattr(settings, name) for name in FLOW_SETTINGS)
        # A page that trains takes no number that is turned meanwhile: it begins anew.
        adjusted = settings.adjustments if self.trains_in_page else self._adjust.given
        fitted = self.target, self.fit.done, id(self.fit.trainers)
        return made, adjusted, fitted, self._adjust.layer.value

    @property
    def fitted(self) -> Hashable:
        return self.learned

    def in_page(self, training: bool = True, alone: bool = True) -> dict[str, Any] | None:
        """The flow, what it is trained on, and how; None where no stage shows what it carries."""
        settings, target = self._settings, self.target
        carried = [hows for stage in self._show.stages for hows in stage.carried.values()]
        ways = {how for hows in carried for how in hows}
        if not ways:
            return None
        flow, start, passes = self.flow, self.flow, ["forward"]
        if ways & {"inverse", "image"}:
            passes.append("inverse")
        descent = DESCENTS[fitted_by(settings)]
        live: dict[str, Any] = {"stages": [0 for _ in self._show.stages]}
        if training:
            if not target.has_samples:
                raise ValueError(f"{target.title} has no samples to train on")
            start = begun(make_flow(settings), target, settings.batch, settings.seed)
            passes.append(descent)
            live["target"] = target_in_page(target, density=True)
            live["training"] = training_in_page(settings, self.fit, self._rate, alone=alone)
            live["others"] = others_in_page(target, self._show.window_of) if alone else []
        if alone:
            field: Any = type(settings).fields()["point"]
            live["limit"] = {"most": field.bound, "words": beyond(field)}
            live["square"] = _square(settings)
        live |= flows_in_page(
            [flow], start, passes, stretches=self._show.stretches, step=FINE if alone else None
        )
        if alone:
            live["turning"] = self._adjust.turning(flow)
        turned = {} if alone else self._adjust.places(flow)
        return {**live, "flows": [{**live["flows"][0], "objective": descent, "turned": turned}]}

    # ---- what is in use ------------------------------------------------------------------------

    @property
    def target(self) -> Target:
        """The chosen target."""
        return self._target.target()

    @property
    def flow(self) -> Flow:
        """The flow as it is shown: trained as far as it is, adjusted as the settings say."""
        if self.fit.trainers is not None:
            trainer = self.fit.trainers[0]
            # Turned by hand, a number is turned where it is shown and where training goes on.
            self._apply([trainer.averaged, trainer.flow], fresh=False)
            return trainer.averaged
        made = tuple(getattr(self._settings, name) for name in FLOW_SETTINGS)
        fresh = self._untrained is None or made != self._made
        if fresh:
            self._untrained, self._made = make_flow(self._settings), made
        assert self._untrained is not None
        self._apply([self._untrained], fresh=fresh)
        return self._untrained

    @property
    def _rate(self) -> float:
        return adam_rate(self._settings, self._settings.rate)

    @property
    def title(self) -> str:
        """The family's name, as a person reads it."""
        return type(self._settings).flow.options[self._settings.flow]

    @property
    def trained(self) -> int:
        """Training steps made so far."""
        return self.fit.done

    def show(self) -> None:
        """Bring the sliders of the adjustments and the curve of the loss up to date."""
        self._adjust.show(self.flow)
        history = self.fit.history
        count = len(history.errors)
        if not count:
            begun = f"Trained {self.trained:,} steps before.\n" if self.trained else ""
            self.loss.show_words(f"{begun}Press Train: the loss appears here, step by step")
            return
        losses, errors = (np.reshape(c[:count], -1) for c in (history.losses, history.errors))
        self.loss.title = self._loss_words.words(
            self._settings, self.flow, self.target, id(self.fit.trainers), self.trained
        )
        series = Series("loss", history.steps[:count], losses, errors)
        self.loss.show_series([series])

    def code(self) -> list[str]:
        """The lines of Python that make the target and the flow, trained as far as it is."""
        settings = self._settings
        lines = [self._target.code(), flow_code(settings)]
        lines += adjustment_code(settings.adjustments)
        if self.trained:
            made_by = MADE_BY[fitted_by(settings)]
            lines += [
                f"objective = {made_by}(target, batch={settings.batch})",
                f"trainer = Trainer(flow, objective, learning_rate={self._rate:g}, "
                f"seed={settings.seed}, average={AVERAGE})",
                f"for _ in range({self.trained}):",
                "    trainer.step()",
                "flow = trainer.averaged  # the mean of the last steps' weights",
            ]
        return lines

    def imports(self) -> list[str]:
        """What :meth:`code` needs."""
        lines = ["import flowviz"]
        if self.trained:
            made_by = MADE_BY[fitted_by(self._settings)]
            lines.append(f"from flowviz.training import Trainer, {made_by}")
        return lines

    def _trainers(self, weights: Weights | None, steps: int) -> Sequence[Trainer]:
        target, settings = self.target, self._settings
        if not target.has_samples:
            raise ValueError(f"a fit needs samples, and {target.title} has none")
        flow = make_flow(settings)
        # Twice the same: what is undone later is undone in the averaged flow too.
        self._apply([flow, flow], fresh=True)
        if weights is not None:
            flow.load_state_dict(weights[0])
        self._trained_on = target
        return [
            Trainer(
                flow,
                objective(settings, target),
                learning_rate=self._rate,
                seed=settings.seed,
                average=AVERAGE,
                steps=steps,
            )
        ]

    def _apply(self, flows: Sequence[Flow], *, fresh: bool) -> None:
        wanted = self._settings.adjustments
        if not fresh and wanted == self._adjusted:
            return
        self._adjusted = wanted
        try:
            self._adjust.apply(flows, wanted, fresh=fresh)
        except ValueError as error:
            self._panel.fail(error)


def _square(settings: Any) -> dict[str, float] | None:
    """The side of the square at the marked point, and its bounds; None where there is no such."""
    side = type(settings).fields().get("side")
    return side and {"side": settings.side, "least": side.min, "most": side.max}
