"""A flow of the catalogue on a target: chosen, adjusted by hand, trained by forward KL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from flowviz.flows import Flow
from flowviz.panels.parts.adjust_layer import AdjustLayer, Adjustments, adjustment_code
from flowviz.panels.parts.fit import Fit, FitState
from flowviz.panels.parts.flow_choice import (
    FLOW_SETTINGS,
    FlowState,
    flow_code,
    flow_controls,
    make_flow,
)
from flowviz.panels.parts.target_choice import TargetChoice, TargetState
from flowviz.targets import Target
from flowviz.training import Trainer, maximum_likelihood
from flowviz.widgets.controls import Controls
from flowviz.widgets.jobs import JobRunner
from flowviz.widgets.layout import folded, stack
from flowviz.widgets.readouts import Kind
from flowviz.widgets.state import Integer, Real


class ForwardFitState(TargetState, FlowState, FitState):
    """The settings of the target, of the flow, of its training and of its adjustments."""

    rate = Real(0.003, 1e-4, 0.1, log=True, label="Learning rate")
    batch = Integer(512, 16, 4096, step=16, label="Batch", help="Samples of the target a step")
    steps = Integer(1500, 10, 20_000, step=10, label="Training steps")
    adjustments = Adjustments(label="Adjust a layer", help="Parameters set by hand")


class ForwardFit:
    """The flow in use, and all the controls that make it what it is.

    Args:
        settings: a panel's state, a :class:`ForwardFitState`.
        controls, jobs: the panel's.
        draw: redraws the panel; called while a run goes on and at its end.
        message: shows words to the user.
        fail: shows an exception.

    Attributes:
        controls: of the target, the flow, its training and its adjustments.
        fit: the training.
    """

    def __init__(
        self,
        settings: Any,
        controls: Controls,
        jobs: JobRunner,
        draw: Callable[[], None],
        message: Callable[[str, Kind], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._settings = settings
        self._draw = draw
        self._fail = fail
        self._made: tuple[Any, ...] | None = None
        self._untrained: Flow | None = None
        self._adjusted: Any = ()
        self._drawn = False
        self._trained_on: Target | None = None
        self._target = TargetChoice(settings, controls, message)
        self.fit = Fit(settings, jobs, self._trainers, draw, fail, self._look)
        self._adjust = AdjustLayer(settings, controls, lambda: self.flow)
        self.controls: widgets.Widget = stack(
            self._target.widget,
            flow_controls(settings, controls, ("flow", "layers", "spread")),
            self._adjust.widget,
            self.fit.controls,
            folded(
                "More settings",
                flow_controls(settings, controls, ("hidden", "bins", "seed")),
                controls.stack("steps", "rate", "batch"),
            ),
        )

    @property
    def target(self) -> Target:
        """The chosen target."""
        return self._target.target()

    @property
    def flow(self) -> Flow:
        """The flow as it is now: trained as far as it is, adjusted as the settings say."""
        if self.fit.trainers is not None:
            flow = self.fit.trainers[0].flow
            self._apply(flow, fresh=False)
            return flow
        made = tuple(getattr(self._settings, name) for name in FLOW_SETTINGS)
        fresh = self._untrained is None or made != self._made
        if fresh:
            self._untrained, self._made = make_flow(self._settings), made
        assert self._untrained is not None
        self._apply(self._untrained, fresh=fresh)
        return self._untrained

    @property
    def trained(self) -> int:
        """Training steps made so far."""
        return self.fit.done

    def refresh(self, changed: frozenset[str]) -> bool:
        """Follow the settings: another flow or target forgets the training, a rate does not.

        Returns:
            Whether this was the first time, when the panel is drawn here: before the training
            that a link may ask for, which draws from a thread of its own.
        """
        first, self._drawn = not self._drawn, True
        if first:
            self._draw()
        settings = self._settings
        if "flow" in changed and "adjustments" not in changed and settings.adjustments:
            settings.adjustments = {}
        stale = ""
        if self.fit.trainers is not None:
            if not changed.isdisjoint(FLOW_SETTINGS):
                stale = "Another flow"
            elif self.target is not self._trained_on:
                stale = "Another target"
            elif changed & {"rate", "batch"}:
                trainer = self.fit.trainers[0]
                trainer.optimizer.learning_rate = settings.rate  # type: ignore[attr-defined]
                trainer.objective = maximum_likelihood(self.target, settings.batch)
        self.fit.follow(changed, stale)
        return first

    def show(self) -> None:
        """Bring the sliders of the adjustments in line with the flow."""
        self._adjust.show(self.flow)

    def code(self) -> list[str]:
        """The lines of Python that make the target and the flow, trained as far as it is."""
        lines = [self._target.code(), flow_code(self._settings)]
        lines += adjustment_code(self._settings.adjustments)
        if self.trained:
            lines += [
                f"objective = maximum_likelihood(target, batch={self._settings.batch})",
                f"trainer = Trainer(flow, objective, learning_rate={self._settings.rate:g}, "
                f"seed={self._settings.seed})",
                f"for _ in range({self.trained}):",
                "    trainer.step()",
            ]
        return lines

    def imports(self) -> list[str]:
        """What :meth:`code` needs."""
        lines = ["import flowviz"]
        if self.trained:
            lines.append("from flowviz.training import Trainer, maximum_likelihood")
        return lines

    def _look(self) -> None:
        """Turn to the last state, where training shows; going backwards it shows in the first."""
        forward = getattr(self._settings, "direction", "forward") == "forward"
        last = len(self.flow.bijections)
        wanted = last if forward else 0
        if min(self._settings.position, last) != wanted:
            self._settings.position = float(wanted)

    def _trainers(self) -> Sequence[Trainer]:
        target = self.target
        if not target.has_samples:
            raise ValueError(f"forward KL needs samples, and {target.title} has none")
        flow = make_flow(self._settings)
        self._apply(flow, fresh=True)
        self._trained_on = target
        objective = maximum_likelihood(target, self._settings.batch)
        rate, seed = self._settings.rate, self._settings.seed
        return [Trainer(flow, objective, learning_rate=rate, seed=seed)]

    def _apply(self, flow: Flow, *, fresh: bool) -> None:
        wanted = self._settings.adjustments
        if not fresh and wanted == self._adjusted:
            return
        self._adjusted = wanted
        try:
            self._adjust.apply(flow, wanted, fresh=fresh)
        except ValueError as error:
            self._fail(error)
