"""A step that is made again and again until all points are there."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

from torch import Tensor

from flowviz.flows.numerics.transforms import numbers

State = tuple[Tensor, ...]
Step = Callable[..., tuple[State, Tensor]]
"""Of the state's tensors, to those that take their places and to where it has to go on."""


class Recorder(Protocol):
    """Writes a repetition down as one, however many rounds it takes."""

    def __call__(self, step: Step, state: State, most: int) -> State: ...


recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
"""Who asked to be told of repetitions."""


def repeated(
    step: Step, state: State, most: int, look: Callable[[int], bool] = lambda round: True
) -> tuple[State, bool]:
    """The state after the first step that leaves no point to go on with.

    Args:
        step: called with the state; without gradients.
        state: tensors, whose shapes stay.
        most: so many steps are made at most, ≥ 1.
        look: whether to look, after this step, counted from 0, whether it has to go on.

    Returns:
        The state, and whether points were left when ``most`` was reached.
    """
    record = recorder.get()
    if record is not None:
        return record(step, state, most), False
    for round in range(most):
        state, going = step(*state)
        if going.is_meta or (look(round) and not bool(numbers(going).any())):
            return state, False
    return state, True
