"""What a flow is fitted to samples by: flow matching in continuous time, else their likelihood."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import ipywidgets as widgets
import torch
from torch import Generator

from flowviz.flows import Flow
from flowviz.panels.parts.flow_choice import ENTRIES
from flowviz.targets import Target
from flowviz.training import Objective, flow_matching, maximum_likelihood
from flowviz.widgets.controls import Controls
from flowviz.widgets.layout import classed, stack
from flowviz.widgets.readouts import format_estimate
from flowviz.widgets.state import Choice, PanelState

OBJECTIVES = {"matching": "Flow matching", "likelihood": "Maximum likelihood"}
DESCENTS = {"matching": "matching_descent", "likelihood": "descent"}
"""What a page trains by (:meth:`flowviz.flows.Flow.program`)."""
MADE_BY = {"matching": "flow_matching", "likelihood": "maximum_likelihood"}
MEASURED = 500
"""On so many samples the likelihood is evaluated where it is not what is minimised,"""
EVERY = 100
"""every so many steps."""


class FittedByState(PanelState):
    """The setting that says what a flow in continuous time is fitted by."""

    objective = Choice(
        "matching",
        OBJECTIVES,
        label="Objective",
        help="Flow matching regresses on velocities and solves no ODE: many times quicker",
    )


def continuous(settings: Any) -> bool:
    """Whether the chosen flow is an ODE, so that there is a choice."""
    return ENTRIES[settings.flow].family == "Continuous time"


def fitted_by(settings: Any) -> str:
    """The name of the objective in force."""
    return str(settings.objective) if continuous(settings) else "likelihood"


def objective(settings: Any, target: Target) -> Objective:
    """The objective in force, on samples of the target."""
    if fitted_by(settings) == "matching":
        return flow_matching(target, settings.batch)
    return maximum_likelihood(target, settings.batch)


def objective_control(settings: Any, controls: Controls) -> widgets.VBox:
    """The choice, out of sight where there is none."""
    # In a box: a widget of our own does not follow classes that come after its first display.
    box = classed(stack(controls["objective"]), "fv-flow-controls")

    def show(_: Any = None) -> None:
        (box.remove_class if continuous(settings) else box.add_class)("fv-not-used")

    settings.observe(show, names=["flow"])
    show()
    return box


class LossWords:
    """What a chart of the loss is of: of flow matching it says the likelihood as well.

    The squared error of a velocity is no likelihood and does not go to 0, so that −log p is
    evaluated every so often beside it.
    """

    def __init__(self) -> None:
        self._of: Hashable = None
        self._step = 0
        self._nats = ""

    def words(self, settings: Any, flow: Flow, target: Target, fit: Hashable, step: int) -> str:
        """The line above the chart.

        Args:
            settings: those of the fit.
            flow: as far as it is fitted.
            target: what it is fitted to.
            fit: another one for another fit.
            step: how far it is.
        """
        if fitted_by(settings) == "likelihood":
            return "−log p in nats"
        if fit != self._of or not 0 <= step - self._step < EVERY:
            self._of, self._step = fit, step
            self._nats = _nats(flow, target, settings.seed)
        return f"flow matching, squared speed · −log p {self._nats} at step {self._step:,}"


@torch.no_grad()
def _nats(flow: Flow, target: Target, seed: int) -> str:
    """−log p of samples that are others than those of the training."""
    like = flow.like
    generator = Generator(device=like.device).manual_seed(seed + 1)
    losses = -flow.log_prob(target.sample(MEASURED, generator, like.device, like.dtype))
    error = losses.std() / MEASURED**0.5
    return f"{format_estimate(float(losses.mean()), float(error))} nats"
