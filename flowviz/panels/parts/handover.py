"""A training that goes on elsewhere, in the page or in the kernel, where it has been left."""

from __future__ import annotations

from typing import Any

import numpy as np

from flowviz.flows import Flow
from flowviz.flows.programs import apart, beside, learn, numbers
from flowviz.training import Trainer
from flowviz.training.adam import Adam
from flowviz.widgets.page import Moments


def moments_of(trainer: Trainer) -> Moments:
    """What a training goes on from besides what it shows."""
    flow, adam = trainer.flow, trainer.optimizer
    assert isinstance(flow, Flow) and isinstance(adam, Adam)
    state = adam.state_dict()
    first, second = (
        beside(flow, zip(adam.parameters, state[name], strict=True)) for name in ("first", "second")
    )
    return Moments(numbers(flow), first, second, int(state["counts"].max()))


def go_on(trainer: Trainer, shown: np.ndarray, moments: Moments) -> None:
    """Let a trainer go on as one did that was left with these.

    Args:
        trainer: of the same flow, with an average.
        shown: what its average has learned.

    Raises:
        ValueError: they are not of such a flow.
    """
    flow, averaged, adam = trainer.flow, trainer.averaged, trainer.optimizer
    assert isinstance(flow, Flow) and isinstance(adam, Adam)
    state: dict[str, Any] = adam.state_dict()
    for name, values in (("first", moments.first), ("second", moments.second)):
        state[name] = apart(flow, values, adam.parameters)
    state["counts"] = state["counts"].fill_(moments.count)
    learn(averaged, shown)
    adam.load_state_dict(state)
