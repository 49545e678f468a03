"""Gradient descent on any objective, one step at a time."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

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
from flowviz.training.objective import (
    Loss,
    MaximumLikelihood,
    Objective,
    checked,
    takes_generator,
)
from flowviz.training.places import Places, alike
from flowviz.training.reach import Watch


class Optimizer(Protocol):
    """What the trainer needs of an optimiser; those of ``torch.optim`` have it.

    Those have ``param_groups`` too, which say what of the flow is trained; of one that has not,
    all of the flow is.
    """

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
    A first gradient of exactly 0 ends it too, since it would move nothing, and a UserWarning says
    where a share of the first batch lies beyond the box of the flow's splines, or far from its
    base.

    After a few steps the flow's passes are played from a recording wherever they can be, which
    changes the time they take and no number (:class:`~flowviz.flows.recording.Player`).

    With an ``average`` the flow to show and to use is :attr:`averaged`: it fits as well as the
    flow that is trained does in twice the steps (:class:`~flowviz.training.MovingAverage`).

    The flow can be moved to another dtype or device between steps, and the trainer copied and
    pickled.
    :meth:`state_dict` is what a run needs to go on from a file.

    Args:
        flow: or a module that holds one, such as a VAE; trained in place, in training mode while
            a step runs and in evaluation mode between steps.
        objective: see :func:`maximum_likelihood` and :func:`variational`. Or a function of your
            own: ``objective(flow, generator)``, whose draws come from the generator, or
            ``loss(flow)``. It returns an :class:`~flowviz.objectives.Estimate` or a scalar.
        learning_rate: of :class:`~flowviz.training.adam.Adam`.
        optimizer: another optimiser, such as one of ``torch.optim``, over the flow's parameters
            or some of them: only these are trained, and gradients are theirs.
        max_gradient_norm: longer gradients are shortened to this; ``math.inf`` for none.
        seed: of all draws that the objective makes, a whole number ≥ 0.
        average: over about how many steps the weights are averaged; 0 for not at all.
        steps: how many updates led to the flow's weights, where it has been trained before:
            snapshots count on from there, and the average goes on from those weights.

    Raises:
        ValueError: the flow has nothing to train, the optimiser has nothing of the flow, or a
            setting is out of its range.
        TypeError: an argument is of another type.
    """

    def __init__(
        self,
        flow: Flow,
        objective: Objective | Loss,
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
        self._places = Places(flow)
        trainable = [p for p in self._places.parameters() if p.requires_grad]
        if not trainable:
            raise ValueError("there is nothing to train: the flow has no parameters")
        self.optimizer = Adam(trainable, learning_rate) if optimizer is None else optimizer
        self._own = self._not_of_the_flow()
        self.generator = Generator(device=self.parameters[0].device).manual_seed(seed)
        self.steps = self._first = steps
        self.failure: str | None = None
        self._modules = list(flow.modules())
        self._noisy = estimated(flow)
        self._flows = [module for module in self._modules if isinstance(module, Flow)]
        self._players = [Player(module) for module in self._flows]
        # A layer may set parameters and buffers from the batch, so that all of them are kept:
        # as they were before this step, and before the last one that went well.
        self._before = [t.detach().clone() for t in self._state()]
        self._good = [t.detach().clone() for t in self._state()]
        self._average = MovingAverage(flow, average) if average else None
        self._least = LeastLoss()

    @property
    def objective(self) -> Objective | Loss:
        """What is minimised; another one can be put in its place."""
        return self._objective

    @objective.setter
    def objective(self, objective: Objective | Loss) -> None:
        self._objective = objective
        self._takes_generator = takes_generator(objective)

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained: what the optimiser has, and of that what wants a gradient.

        Raises:
            ValueError: the optimiser has nothing of the flow, which may have got other parameters.
        """
        flow = self._places.parameters()
        groups = getattr(self.optimizer, "param_groups", None)
        if groups is None:
            return [p for p in flow if p.requires_grad]
        trained = [p for group in groups for p in group["params"] if p.requires_grad]
        if {id(p) for p in flow}.isdisjoint(map(id, trained)):
            raise ValueError(
                "the optimizer has none of the flow's parameters: make it of flow.parameters()"
            )
        return trained

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
            TypeError: the objective returns neither an :class:`Estimate` of scalar tensors nor
                a scalar tensor.
            ValueError: its value is no scalar, or does not depend on the parameters trained.
            Exception: whatever the objective raises; the flow is as before the step.
        """
        arguments.function("cancelled", cancelled)
        started = time.perf_counter()
        self.failure = None
        # Another one may be put in its place meanwhile, from another thread.
        objective = self.objective
        parameters = self.parameters
        self._follow(parameters[0].device)
        first = self.steps == self._first
        watches = [Watch(flow) for flow in self._flows] if first else []
        self._keep()
        try:
            estimate = self._descend(objective, cancelled, watches)
            if estimate is None:
                self._undo()
                return None
            norm = self._clip(parameters)
            if cancelled():
                self._undo()
                return None
        except FloatingPointError as error:
            return self._fail(str(error), started)
        except BaseException as error:
            finite = all(bool(p.isfinite().all()) for p in parameters)
            if isinstance(error, ValueError) and not first and not finite:
                return self._fail(str(error), started)
            self._undo()
            raise
        loss = float(estimate.value.detach())
        if not (math.isfinite(loss) and math.isfinite(norm)):
            what = "loss" if not math.isfinite(loss) else "gradient"
            return self._fail(f"the {what} is not finite", started, loss, norm)
        uncertainty = float(estimate.standard_error)
        if words := self._least.broken(objective, parameters[0], loss, uncertainty):
            return self._fail(words, started, loss, norm, "Have the density computed better.")
        beyond = next(filter(None, (watch.words() for watch in watches)), "")
        if first and norm == 0:
            return self._fail(f"the gradient is exactly 0. {beyond}".rstrip(), started, loss, norm)
        if beyond:
            warnings.warn(f"{beyond} {STANDARDISE}", stacklevel=2)
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

    def state_dict(self) -> dict[str, Any]:
        """All that decides about the steps to come, to be kept by ``torch.save``.

        A trainer made of the same arguments goes on from it to the bit. It holds copies of the
        weights, of the average and of the optimiser's and the objective's state where they have
        a ``state_dict``; tensors and numbers alone, so that ``torch.load`` opens it safely.

        Raises:
            TypeError: the optimiser has no ``state_dict``.
        """
        arguments.method("optimizer", self.optimizer, "state_dict", (), "one of torch.optim")
        optimizer: Any = self.optimizer
        average = None if self._average is None else self._average.flow.state_dict()
        state = {
            "flow": self.flow.state_dict(),
            "own": [p.detach() for p in self._own],
            "good": self._good,
            "average": average,
            "optimizer": optimizer.state_dict(),
            "objective": _state_of(self.objective),
            "generator": self.generator.get_state(),
            "passes": [player.passes() for player in self._players],
            "steps": self.steps,
            "first": self._first,
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of a trainer of the same flow, objective and optimiser.

        Raises:
            ValueError: it is none, or one of another flow, average, optimiser or objective.
        """
        if not isinstance(state, Mapping) or not {*_STATE} <= {*state}:
            raise ValueError("this is no state of a trainer: Trainer.state_dict makes one")
        state = copy.deepcopy(dict(state))
        mine = self.flow.state_dict()
        if _shapes(state["flow"]) != _shapes(mine):
            raise ValueError("the state is of another flow: its weights have other names or shapes")
        if (state["average"] is None) != (self._average is None):
            has, had = ("an", "none") if state["average"] is None else ("no", "one")
            raise ValueError(f"this trainer has {has} average, that of the state had {had}")
        objective, theirs = self.objective, state["objective"]
        if (theirs is None) != (_state_of(objective) is None):
            raise ValueError("the state is of a trainer with another kind of objective")
        optimizer: Any = self.optimizer
        arguments.method(
            "optimizer", optimizer, "load_state_dict", ("state",), "one of torch.optim"
        )
        optimizer.load_state_dict(state["optimizer"])
        if theirs is not None:
            objective.load_state_dict(theirs)  # type: ignore[union-attr]
        self.flow.load_state_dict(state["flow"])
        if self._average is not None:
            self._average.flow.load_state_dict(state["average"])
        _copy(state["own"], self._own)
        self._good = state["good"]
        self.generator.set_state(state["generator"])
        for player, passes in zip(self._players, state["passes"], strict=True):
            player.resume(passes)
        self.steps, self._first = state["steps"], state["first"]
        self.failure = None

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

    def _descend(
        self, objective: Any, cancelled: Callable[[], bool], watches: list[Watch]
    ) -> Estimate | None:
        """The loss, and its gradient at the parameters; None where that was cancelled."""
        given = (self.flow, self.generator) if self._takes_generator else (self.flow,)
        if isinstance(objective, MaximumLikelihood) and isinstance(self.flow, Flow):
            self._zero_grad()
            with self._computing(watches):
                return objective.backward(self.flow, self.generator, cancelled)
        with self._computing(watches):
            estimate = checked(objective(*given))
        if cancelled():
            return None
        self._zero_grad()
        estimate.value.backward()
        return estimate

    def _zero_grad(self) -> None:
        """Forget the gradients, those that the optimiser does not know of as well."""
        self.optimizer.zero_grad()
        for parameter in self._places.parameters():
            parameter.grad = None

    @contextmanager
    def _computing(self, watches: list[Watch]) -> Iterator[None]:
        """In training mode, all noise from our generator, and what is recorded played."""
        generators = [layer.generator for layer in self._noisy]
        self._set_training(True)
        try:
            for layer in self._noisy:
                layer.generator = self.generator
            with ExitStack() as playing:
                for player in self._players:
                    playing.enter_context(player)
                for watch in watches:
                    playing.enter_context(watch)
                yield
        finally:
            self._set_training(False)
            for layer, own in zip(self._noisy, generators, strict=True):
                layer.generator = own

    def _set_training(self, training: bool) -> None:
        """What ``flow.train(training)`` does, in a tenth of its time, twice a step."""
        for module in self._modules:
            object.__setattr__(module, "training", training)

    def _not_of_the_flow(self) -> list[Tensor]:
        """What the optimiser trains besides: parameters of the objective's own."""
        of_flow = {id(p) for p in self._places.parameters()}
        return [p for p in self.parameters if id(p) not in of_flow]

    def _state(self) -> list[Tensor]:
        """All numbers that a step may change."""
        return [*self._places.tensors(), *self._own]

    def _follow(self, device: torch.device) -> None:
        """Draw where the flow is, which may have been moved."""
        old = self.generator
        if old.device.type != device.type:
            seed = int(torch.randint(2**62, (), generator=old, device=old.device))
            self.generator = Generator(device=device).manual_seed(seed)

    def _keep(self) -> None:
        """Remember the numbers of before the step."""
        state = self._state()
        if alike(state, self._before):
            _copy(state, self._before)
        else:  # the flow was moved
            self._before = [t.detach().clone() for t in state]

    def _undo(self) -> None:
        """Put the flow back to where it was before this step."""
        _copy(self._before, self._state())

    def _clip(self, parameters: list[Tensor]) -> float:
        """Shorten the gradient to ``max_gradient_norm``; return its length before."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            raise ValueError("the objective does not depend on the flow's parameters")
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        length = float(norm)
        if length > self.max_gradient_norm:
            torch._foreach_mul_(gradients, self.max_gradient_norm / length)
        return length

    def _fail(
        self,
        reason: str,
        started: float,
        loss: float = math.nan,
        norm: float = math.nan,
        advice: str = "A smaller learning rate or a larger batch often helps.",
    ) -> Snapshot:
        """Put the last good weights back, say what happened and what may help."""
        _copy(self._good, self._state())
        if self.steps == self._first:
            kept = "No step was made, and the weights are as they were."
            # A smaller step cannot help where there was none.
            advice = f"Look at the data and the objective. {STANDARDISE}"
        else:
            kept = "The weights of the last good step are kept."
        reason = reason.removesuffix(".")
        self.failure = f"Training stopped at step {self.steps + 1}: {reason}. {kept} {advice}"
        return Snapshot(self.steps, loss, math.nan, norm, _rate(1, started), self.failure)


STANDARDISE = (
    "Data of another scale than the base's, about −3 to 3, are for flow.standardised(x), which "
    "keeps densities in the units of x."
)
"""What to do with data that lie far from a flow."""

_STATE = (
    "flow",
    "own",
    "good",
    "average",
    "optimizer",
    "objective",
    "generator",
    "passes",
    "steps",
    "first",
)


def _state_of(objective: Any) -> dict[str, Any] | None:
    """What the objective keeps between steps; None where it does not say."""
    return objective.state_dict() if hasattr(objective, "state_dict") else None


def _shapes(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "shape", None) for name, value in state.items()}


@torch.no_grad()
def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    if target:
        torch._foreach_copy_(target, source)


def _rate(steps: int, started: float) -> float:
    return steps / max(time.perf_counter() - started, 1e-9)
