"""Gradient descent on any objective, one step at a time."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import estimated
from flowviz.flows.flow import Flow
from flowviz.flows.recording import Player
from flowviz.objectives import Estimate
from flowviz.training.adam import Adam
from flowviz.training.average import MovingAverage
from flowviz.training.least import LeastLoss
from flowviz.training.objective import MaximumLikelihood, Objective


class Optimizer(Protocol):
    """What the trainer needs of an optimiser; those of ``torch.optim`` have it."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def step(self) -> object:
        """Update the parameters."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a training run after a step.

    Attributes:
        step: how many updates have been made.
        loss: the objective at the last batch, in nats.
        standard_error: of ``loss``.
        gradient_norm: before clipping.
        steps_per_second: of the run so far.
        failure: why the run stopped early, in words; None while all is well.
    """

    step: int
    loss: float
    standard_error: float
    gradient_norm: float
    steps_per_second: float
    failure: str | None = None


class Trainer:
    """Gradient descent on an objective, one step at a time.

    The run is reproducible: same flow, objective and seed, same weights, the noise in estimated
    log-determinants included. A loss or a gradient that is not finite ends it: the weights go
    back to the last at which both were finite, and the snapshot's ``failure`` says what happened.
    So does a loss of maximum likelihood that is surely below the entropy of the target.

    After a few steps the flow's passes are played from a recording wherever they can be, which
    changes the time they take and no number (:class:`~flowviz.flows.recording.Player`).

    With an ``average`` the flow to show and to use is :attr:`averaged`: it fits as well as the
    flow that is trained does in twice the steps (:class:`~flowviz.training.MovingAverage`).

    Args:
        flow: or a module that holds one, such as a VAE; trained in place, in training mode while
            a step runs and in evaluation mode between steps.
        objective: see :func:`maximum_likelihood` and :func:`variational`.
        learning_rate: of :class:`~flowviz.training.adam.Adam`.
        optimizer: another optimiser over the flow's parameters, such as one of ``torch.optim``.
        max_gradient_norm: longer gradients are shortened to this; ``math.inf`` for none.
        seed: of all draws that the objective makes, a whole number ≥ 0.
        average: over about how many steps the weights are averaged; 0 for not at all.
        steps: how many updates led to the flow's weights, where it has been trained before:
            snapshots count on from there, and the average goes on from those weights.

    Raises:
        ValueError: the flow has nothing to train, or a setting is out of its range.
        TypeError: an argument is of another type.
    """

    def __init__(
        self,
        flow: Flow,
        objective: Objective,
        *,
        learning_rate: float = 3e-3,
        optimizer: Optimizer | None = None,
        max_gradient_norm: float = 10.0,
        seed: int = 0,
        average: int = 0,
        steps: int = 0,
    ) -> None:
        arguments.instance("flow", flow, nn.Module)
        arguments.function("objective", objective)
        arguments.positive("the learning rate", learning_rate)
        if max_gradient_norm != math.inf:
            arguments.positive("max_gradient_norm", max_gradient_norm)
        arguments.seed(seed)
        arguments.whole("average", average, 0)
        arguments.whole("steps", steps, 0)
        if optimizer is not None:
            for method in ("zero_grad", "step"):
                arguments.method("optimizer", optimizer, method, (), "one of torch.optim")
        self.flow = flow
        self.objective = objective
        self.max_gradient_norm = max_gradient_norm
        self.parameters = [p for p in flow.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("there is nothing to train: the flow has no parameters")
        self.optimizer = Adam(self.parameters, learning_rate) if optimizer is None else optimizer
        self.generator = Generator(device=self.parameters[0].device).manual_seed(seed)
        self.steps = self._first = steps
        self.failure: str | None = None
        self._modules = list(flow.modules())
        self._noisy = estimated(flow)
        self._players = [Player(module) for module in flow.modules() if isinstance(module, Flow)]
        # A layer may set parameters and buffers from the batch, so that all of them are kept:
        # as they were before this step, and before the last one that went well.
        self._state: list[Tensor] = [*flow.parameters(), *flow.buffers()]
        self._before = [t.detach().clone() for t in self._state]
        self._good = [t.detach().clone() for t in self._state]
        self._average = MovingAverage(flow, average) if average else None
        self._least = LeastLoss()

    @property
    def averaged(self) -> Flow:
        """The flow to show: one whose weights are the average, and move on as training does.

        All of them had a loss that was finite: the average holds the weights up to those before
        the last update. Without an average, the flow that is trained.
        """
        return self.flow if self._average is None else self._average.flow

    def step(self, cancelled: Callable[[], bool] = lambda: False) -> Snapshot | None:
        """One update.

        Args:
            cancelled: asked between the loss, its gradient and the update; when it answers yes
                the step is dropped and the flow is as before it.

        Returns:
            The snapshot after the update, or None where the step was cancelled.

        Raises:
            TypeError: the objective does not return an :class:`Estimate` of scalar tensors.
            ValueError: its value is no scalar, or does not depend on the flow's parameters.
            Exception: whatever the objective raises; the flow is as before the step.
        """
        arguments.function("cancelled", cancelled)
        started = time.perf_counter()
        self.failure = None
        _copy(self._state, self._before)
        try:
            estimate = self._descend(cancelled)
            if estimate is None:
                self._undo()
                return None
            norm = self._clip()
            if cancelled():
                self._undo()
                return None
        except FloatingPointError as error:
            return self._fail(str(error), started)
        except BaseException as error:
            finite = all(bool(p.isfinite().all()) for p in self.parameters)
            if isinstance(error, ValueError) and self.steps > self._first and not finite:
                return self._fail(str(error), started)
            self._undo()
            raise
        loss = float(estimate.value.detach())
        if not (math.isfinite(loss) and math.isfinite(norm)):
            what = "loss" if not math.isfinite(loss) else "gradient"
            return self._fail(f"the {what} is not finite", started, loss, norm)
        uncertainty = float(estimate.standard_error)
        if words := self._least.broken(self.objective, self.parameters[0], loss, uncertainty):
            return self._fail(words, started, loss, norm)
        self._good, self._before = self._before, self._good
        if self._average is not None:
            # Before the update: its weights are not known to be good until their loss is.
            self._average.include(self.steps)
        self.optimizer.step()
        self.steps += 1
        return Snapshot(self.steps, loss, uncertainty, norm, _rate(1, started))

    def run(
        self,
        steps: int,
        *,
        every: int = 1,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Snapshot]:
        """Yield a snapshot after every ``every``-th step and after the last.

        Ends after ``steps`` further steps, when ``cancelled()`` answers yes, or at a failure.

        Raises:
            ValueError: ``steps`` or ``every`` is not a whole number ≥ 1.
            TypeError: ``cancelled`` cannot be called.
        """
        arguments.whole("steps", steps, 1)
        arguments.whole("every", every, 1)
        arguments.function("cancelled", cancelled)
        return self._run(steps, every, cancelled)

    def _run(self, steps: int, every: int, cancelled: Callable[[], bool]) -> Iterator[Snapshot]:
        started = time.perf_counter()
        for done in range(1, steps + 1):
            if cancelled() or (snapshot := self.step(cancelled)) is None:
                return
            last = done == steps or snapshot.failure is not None
            if last or done % every == 0:
                yield dataclasses.replace(snapshot, steps_per_second=_rate(done, started))
            if snapshot.failure is not None:
                return

    def _descend(self, cancelled: Callable[[], bool]) -> Estimate | None:
        """The loss, and its gradient at the parameters; None where that was cancelled."""
        objective = self.objective
        if isinstance(objective, MaximumLikelihood) and isinstance(self.flow, Flow):
            self.optimizer.zero_grad()
            with self._computing():
                return objective.backward(self.flow, self.generator, cancelled)
        with self._computing():
            estimate = _checked(objective(self.flow, self.generator))
        if cancelled():
            return None
        self.optimizer.zero_grad()
        estimate.value.backward()
        return estimate

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """In training mode, all noise from our generator, and what is recorded played."""
        generators = [layer.generator for layer in self._noisy]
        self._set_training(True)
        try:
            for layer in self._noisy:
                layer.generator = self.generator
            with ExitStack() as playing:
                for player in self._players:
                    playing.enter_context(player)
                yield
        finally:
            self._set_training(False)
            for layer, own in zip(self._noisy, generators, strict=True):
                layer.generator = own

    def _set_training(self, training: bool) -> None:
        """What ``flow.train(training)`` does, in a tenth of its time, twice a step."""
        for module in self._modules:
            object.__setattr__(module, "training", training)

    def _undo(self) -> None:
        """Put the flow back to where it was before this step."""
        _copy(self._before, self._state)

    def _clip(self) -> float:
        """Shorten the gradient to ``max_gradient_norm``; return its length before."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if not gradients:
            raise ValueError("the objective does not depend on the flow's parameters")
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        length = float(norm)
        if length > self.max_gradient_norm:
            torch._foreach_mul_(gradients, self.max_gradient_norm / length)
        return length

    def _fail(
        self, reason: str, started: float, loss: float = math.nan, norm: float = math.nan
    ) -> Snapshot:
        """Put the last good weights back and say what happened."""
        _copy(self._good, self._state)
        self.failure = (
            f"Training stopped at step {self.steps + 1}: {reason}. The weights of the last good "
            "step are kept. A smaller learning rate or a larger batch often helps."
        )
        return Snapshot(self.steps, loss, math.nan, norm, _rate(1, started), self.failure)


@torch.no_grad()
def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    torch._foreach_copy_(target, source)


def _checked(estimate: Estimate) -> Estimate:
    """What an objective returned, if it is an estimate that can be descended on."""
    arguments.instance("the objective's result", estimate, Estimate)
    for name, number in vars(estimate).items():
        arguments.instance(f"the estimate's {name}", number, Tensor)
        if number.ndim != 0:
            got = list(number.shape)
            raise ValueError(f"the estimate's {name} must be a scalar, got shape {got}")
    if not estimate.value.requires_grad:
        raise ValueError("the objective does not depend on the flow's parameters")
    return estimate


def _rate(steps: int, started: float) -> float:
    return steps / max(time.perf_counter() - started, 1e-9)
