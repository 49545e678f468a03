"""The one trainer: every panel uses it, and so can a script.

>>> target = flowviz.targets.make("eight_gaussians")
>>> flow = flowviz.flows.catalog.make("rq_spline_coupling", seed=0)
>>> trainer = Trainer(flow, maximum_likelihood(target, batch=512), seed=0)
>>> for snapshot in trainer.run(2000, every=100):
...     print(snapshot.step, snapshot.loss, "±", snapshot.standard_error)
"""

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
from flowviz.adam import Adam
from flowviz.flows.bijection import estimated
from flowviz.flows.flow import Flow
from flowviz.flows.recording import Player
from flowviz.objectives import Estimate, forward_kl, forward_kl_backward, reverse_kl

Objective = Callable[[Flow, Generator], Estimate]
"""A draw of the loss: the flow and the generator of all randomness, to an estimate."""


class Sampler(Protocol):
    """What forward KL needs of a target."""

    def sample(
        self,
        n: int,
        generator: Generator | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """``n`` draws ``[n, D]``."""


def check_sampler(target: Sampler) -> None:
    """TypeError unless ``target`` has the method of a sampler."""
    takes = ("n", "generator", "device", "dtype")
    arguments.method("target", target, "sample", takes, "targets.make('two_moons')")


class Density(Protocol):
    """What reverse KL needs of a target."""

    def log_density(self, x: Tensor) -> Tensor:
        """log p̃, ``[..., D] -> [...]``."""


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


@dataclass(frozen=True)
class MaximumLikelihood:
    """Forward KL on fresh samples, see :func:`maximum_likelihood`."""

    target: Sampler
    batch: int

    def __call__(self, flow: Flow, generator: Generator) -> Estimate:
        """A draw of the loss."""
        return forward_kl(flow, self._sample(flow, generator))

    def backward(
        self, flow: Flow, generator: Generator, cancelled: Callable[[], bool]
    ) -> Estimate | None:
        """The same without gradient, which has gone to the parameters; None where cancelled."""
        x = self._sample(flow, generator)
        return forward_kl_backward(flow, x, cancelled=cancelled)

    def _sample(self, flow: Flow, generator: Generator) -> Tensor:
        like = flow.like
        return self.target.sample(self.batch, generator, like.device, like.dtype)


def maximum_likelihood(target: Sampler, batch: int = 512) -> MaximumLikelihood:
    """Forward KL on fresh samples of the target, ``batch`` of them a step: an objective.

    Raises:
        ValueError: ``batch`` is not a whole number ≥ 1.
        TypeError: the target has no method ``sample``, or one of other arguments.
    """
    check_sampler(target)
    arguments.whole("batch", batch, 1)
    return MaximumLikelihood(target, batch)


def variational(target: Density, batch: int = 512, *, path_gradient: bool = False) -> Objective:
    """Reverse KL against the target's unnormalised density, ``batch`` draws a step.

    Raises:
        ValueError: ``batch`` is not a whole number ≥ 1, or ``path_gradient`` not True or False.
        TypeError: the target has no method ``log_density``, or one of other arguments.
    """
    arguments.method("target", target, "log_density", ("x",), "targets.make('two_moons')")
    arguments.whole("batch", batch, 1)
    arguments.flag("path_gradient", path_gradient)

    def objective(flow: Flow, generator: Generator) -> Estimate:
        return reverse_kl(
            flow, target.log_density, batch, path_gradient=path_gradient, generator=generator
        )

    return objective


class Trainer:
    """Gradient descent on an objective, one step at a time.

    The run is reproducible: same flow, objective and seed, same weights, the noise in estimated
    log-determinants included. A loss or a gradient that is not finite ends it: the weights go
    back to the last at which both were finite, and the snapshot's ``failure`` says what happened.

    After a few steps the flow's passes are played from a recording wherever they can be, which
    changes the time they take and no number (:class:`~flowviz.flows.recording.Player`).

    Args:
        flow: or a module that holds one, such as a VAE; trained in place, in training mode while
            a step runs and in evaluation mode between steps.
        objective: see :func:`maximum_likelihood` and :func:`variational`.
        learning_rate: of :class:`~flowviz.adam.Adam`.
        optimizer: another optimiser over the flow's parameters, such as one of ``torch.optim``.
        max_gradient_norm: longer gradients are shortened to this; ``math.inf`` for none.
        seed: of all draws that the objective makes, a whole number ≥ 0.

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
    ) -> None:
        arguments.instance("flow", flow, nn.Module)
        arguments.function("objective", objective)
        arguments.positive("the learning rate", learning_rate)
        if max_gradient_norm != math.inf:
            arguments.positive("max_gradient_norm", max_gradient_norm)
        arguments.seed(seed)
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
        self.steps = 0
        self.failure: str | None = None
        self._modules = list(flow.modules())
        self._noisy = estimated(flow)
        self._players = [Player(module) for module in flow.modules() if isinstance(module, Flow)]
        # A layer may set parameters and buffers from the batch, so that all of them are kept:
        # as they were before this step, and before the last one that went well.
        self._state = [t.detach() for t in (*flow.parameters(), *flow.buffers())]
        self._before = [t.clone() for t in self._state]
        self._good = [t.clone() for t in self._state]

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
        torch._foreach_copy_(self._before, self._state)
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
            if isinstance(error, ValueError) and self.steps > 0 and not finite:
                return self._fail(str(error), started)
            self._undo()
            raise
        loss = float(estimate.value.detach())
        if not (math.isfinite(loss) and math.isfinite(norm)):
            what = "loss" if not math.isfinite(loss) else "gradient"
            return self._fail(f"the {what} is not finite", started, loss, norm)
        self._good, self._before = self._before, self._good
        self.optimizer.step()
        self.steps += 1
        return Snapshot(self.steps, loss, float(estimate.standard_error), norm, _rate(1, started))

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
        torch._foreach_copy_(self._state, self._before)

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
        torch._foreach_copy_(self._state, self._good)
        self.failure = (
            f"Training stopped at step {self.steps + 1}: {reason}. The weights of the last good "
            "step are kept. A smaller learning rate or a larger batch often helps."
        )
        return Snapshot(self.steps, loss, math.nan, norm, _rate(1, started), self.failure)


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
