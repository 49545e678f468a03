"""Judging a student's loss: its value, then its gradient, against the right one and known slips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flowviz.exercises.result import Wrong
from flowviz.exercises.submission import call, check_function, read_loss, undisturbed
from flowviz.exercises.watch import watch
from flowviz.flows import Flow

Loss = Callable[..., Tensor]

_VALUE = 1e-4  # a loss computed in float32 is still right
_GRADIENT = 1e-3


@dataclass(frozen=True)
class Slip:
    """A mistake that students make: the loss that it leads to, and what to tell them."""

    loss: Loss
    reason: str


@dataclass(frozen=True)
class _Outcome:
    value: float
    gradient: Tensor | None
    """One vector over the flow's parameters; None where nothing depends on them."""

    def same_value(self, other: _Outcome) -> bool:
        return abs(self.value - other.value) <= _VALUE * max(1.0, abs(other.value))

    def same_gradient(self, other: _Outcome) -> bool:
        if self.gradient is None or other.gradient is None:
            return self.gradient is other.gradient
        gap = (self.gradient - other.gradient).norm()
        return bool(gap <= _GRADIENT * other.gradient.norm())


def judge_loss(
    submission: object,
    parameters: str,
    cases: Sequence[Callable[[], tuple]],
    right: Loss,
    slips: Sequence[Slip],
) -> set[str]:
    """Compare the submission with ``right`` on every case.

    Args:
        submission: what the student handed in.
        parameters: its arguments, such as ``"flow, x"``; the first is the flow.
        cases: each makes the arguments afresh, so that no call can spoil another's; the last
            argument is the batch.
        right: the loss to compare with.
        slips: mistakes to recognise, the likeliest first.

    Returns:
        Which directions of the flow the submission asked for, as :func:`watch` names them.

    Raises:
        Unanswered: the function is still empty.
        Wrong: value or gradient differ; the reason is the slip's where one fits.
    """
    function = check_function(submission, parameters)
    asked: set[str] = set()
    for index, make in enumerate(cases):
        wanted = _outcome(right, make())
        arguments = make()
        watched = watch(arguments[0])
        got = _run(function, arguments, seed=0)
        asked |= watched
        if got.same_value(wanted) and got.same_gradient(wanted):
            continue
        for slip in slips:
            slipped = _outcome(slip.loss, make())
            value_fits, gradient_fits = got.same_value(slipped), got.same_gradient(slipped)
            # Where the value alone tells, the gradient need not: it may be cut off besides.
            if value_fits and (gradient_fits or not slipped.same_value(wanted)):
                raise Wrong(slip.reason)
        if got.same_value(wanted):
            raise Wrong(_gradient_differs(got))
        again = _run(function, make(), seed=1)
        if not again.same_value(got):
            raise Wrong(
                "two calls with the same arguments give different losses: draw nothing yourself, "
                f"use {parameters.split(',')[-1].strip()}."
            )
        where = "" if index == 0 else "right on the first batch, but on another one "
        raise Wrong(f"{where}your loss is {got.value:.4f} where {wanted.value:.4f} is right.")
    return asked


def _gradient_differs(got: _Outcome) -> str:
    if got.gradient is None:
        return (
            "the value is right, but it carries no gradient: a detach(), a no_grad(), a NumPy "
            "array or a new tensor cuts it off from the flow's parameters."
        )
    return (
        "the value is right, but its gradient is not: a part of the computation is cut off from "
        "the flow's parameters, by detach(), no_grad() or a new tensor."
    )


def _run(function: Callable[..., object], arguments: tuple, seed: int) -> _Outcome:
    flow, batch = arguments[0], arguments[-1]
    with undisturbed(seed):
        loss = read_loss(call(function, *arguments), len(batch))
        if any(p.grad is not None for p in flow.parameters()):
            raise Wrong("return the loss without calling backward(): the trainer does that.")
        try:
            gradient = _gradient(loss, flow)
        except RuntimeError as error:
            said = str(error).partition("\n")[0]
            raise Wrong(f"the gradient of your loss cannot be computed: {said}") from None
        return _Outcome(float(loss.detach()), gradient)


def _outcome(loss: Loss, arguments: tuple) -> _Outcome:
    with undisturbed(0):
        value = loss(*arguments)
        return _Outcome(float(value.detach()), _gradient(value, arguments[0]))


def _gradient(loss: Tensor, flow: Flow) -> Tensor | None:
    parameters = list(flow.parameters())
    if not loss.requires_grad:
        return None
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    if all(g is None for g in gradients):
        return None
    pairs = zip(gradients, parameters, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])
