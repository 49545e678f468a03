from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from flowviz.flows.recording.recording import Pass, Recording, memory, record, run


class Descent:
    """A pass and the gradient of −mean of its logs, as one program.

    What lies between the two is nobody else's: its memory is used again at once, and autograd
    has nothing to keep, to look up and to hand on.

    Args:
        recording: of a pass whose results are those of the pass itself and then the gradients.
        moved: the places of the inputs that have a gradient.
    """

    def __init__(self, recording: Recording, moved: Sequence[int]) -> None:
        self.recording = recording
        self.moved = moved
        self.holds = recording.holds

    @torch.no_grad()
    def __call__(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """What the pass yields, without gradient, then the gradients to ``moved``."""
        return run(self.recording.pass_, *inputs, *self.recording.constants)


def record_descent(pass_: Pass, inputs: Sequence[Tensor], moving: int) -> Descent | None:
    """What ``pass_(*inputs)`` and the gradient consist of; None as for :func:`record`."""
    moved: list[int] = []

    def descent(*inputs: Tensor) -> tuple[Tensor, ...]:
        state, logs = pass_(*inputs)
        wanted = [place for place, t in enumerate(inputs) if t.requires_grad]
        gradients = torch.autograd.grad(
            (-logs).mean(), [inputs[place] for place in wanted], allow_unused=True
        )
        found = {p: g for p, g in zip(wanted, gradients, strict=True) if g is not None}
        moved[:] = found
        others = {memory(t) for t in (*inputs, state, logs)}
        own = [_own(g, inputs[place], others) for place, g in found.items()]
        return state.detach(), logs.detach(), *own

    recording = record(descent, inputs, moving)
    return None if recording is None else Descent(recording, moved)


def _own(gradient: Tensor, parameter: Tensor, others: set[int]) -> Tensor:
    """The gradient laid out as its parameter is, as optimisers expect, in memory of its own."""
    if gradient.stride() != parameter.stride() or memory(gradient) in others:
        gradient = torch.empty_like(parameter).copy_(gradient)
    others.add(memory(gradient))
    return gradient
