"""What a trainer minimises: the two Kullback–Leibler divergences, on fresh draws each step."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.objectives import Estimate, forward_kl, forward_kl_backward, reverse_kl
from flowviz.training.data import BATCH, Data, OnData, batches

Objective = Callable[[Flow, Generator], Estimate]
"""A draw of the loss: the flow and the generator of all randomness, to an estimate."""

Loss = Callable[[Flow], Tensor]
"""A loss without draws, or with draws of its own: the flow, to a scalar."""

LogDensity = Callable[[Tensor], Tensor]
"""log p̃: ``[N, D] -> [N]``."""


class Density(Protocol):
    """What reverse KL needs of a target."""

    def log_density(self, x: Tensor) -> Tensor:
        """log p̃, ``[..., D] -> [...]``."""


@dataclass(frozen=True)
class MaximumLikelihood(OnData):
    """Forward KL on a batch a step, see :func:`maximum_likelihood`."""

    def __call__(self, flow: Flow, generator: Generator) -> Estimate:
        """A draw of the loss."""
        return forward_kl(flow, *self.source.draw(flow, generator))

    def backward(
        self, flow: Flow, generator: Generator, cancelled: Callable[[], bool]
    ) -> Estimate | None:
        """The same without gradient, which has gone to the parameters; None where cancelled."""
        x, context = self.source.draw(flow, generator)
        return forward_kl_backward(flow, x, context, cancelled=cancelled)


def maximum_likelihood(
    data: Data, batch: int | None = None, *, context: Tensor | None = None
) -> MaximumLikelihood:
    """Forward KL, −E log p_x(x), on data: an objective.

    >>> maximum_likelihood(targets.make("two_moons"))  # fresh draws  # doctest: +SKIP
    >>> maximum_likelihood(x, context=c)  # rows of your own  # doctest: +SKIP

    Data of another scale than the base's are for ``flow.standardised(x)``.

    Args:
        data: a target, which is sampled anew each step; a tensor ``x [N, D]``, whose rows are
            drawn with replacement (all are taken where N ≤ ``batch``); or a
            ``torch.utils.data.DataLoader`` of batches ``x [B, D]`` or ``(x, context)``.
            Batches are brought to the flow's dtype and device.
        batch: points a step, 512 by default; a loader has its own.
        context: ``[N, C]`` beside a tensor, for a conditional flow.

    Raises:
        ValueError: ``batch`` is not a whole number ≥ 1; the tensors have another shape or differ
            in length, or hold NaN or infinity; or one of the two does not go with such data.
        TypeError: the target has no method ``sample``, or one of other arguments; or a tensor is
            none of floating-point numbers.
    """
    return MaximumLikelihood(batches(data, batch, context))


@dataclass(frozen=True)
class Variational:
    """Reverse KL on draws of the flow, see :func:`variational`."""

    target: Density | LogDensity
    batch: int
    path_gradient: bool

    def __call__(self, flow: Flow, generator: Generator) -> Estimate:
        """A draw of the loss."""
        log_density: Any = getattr(self.target, "log_density", self.target)
        return reverse_kl(
            flow, log_density, self.batch, path_gradient=self.path_gradient, generator=generator
        )


def variational(
    target: Density | LogDensity, batch: int = BATCH, *, path_gradient: bool = False
) -> Variational:
    """Reverse KL against an unnormalised density, ``batch`` draws a step: an objective.

    >>> variational(lambda x: -x.square().sum(-1))  # doctest: +SKIP

    Args:
        target: log p̃, a function ``[N, D] -> [N]``, or a target, which has it as its method
            ``log_density``.
        batch: draws of the flow a step.
        path_gradient: see :func:`~flowviz.objectives.reverse_kl`.

    Raises:
        ValueError: ``batch`` is not a whole number ≥ 1, or ``path_gradient`` not True or False.
        TypeError: the target is no function, and has no method ``log_density`` or one of other
            arguments.
    """
    is_function = callable(target) and not isinstance(target, type)
    if hasattr(target, "log_density") or not is_function:
        arguments.method("target", target, "log_density", ("x",), "targets.make('two_moons')")
    arguments.whole("batch", batch, 1)
    arguments.flag("path_gradient", path_gradient)
    return Variational(target, batch, path_gradient)


def takes_generator(objective: Objective | Loss) -> bool:
    """Whether it is called with the flow and the generator, and not with the flow alone."""
    function: Any = objective.forward if isinstance(objective, nn.Module) else objective
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except ValueError:  # a built-in function that does not say what it takes
        return True
    positional = [
        p
        for p in signature.parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if any(p.kind == p.VAR_POSITIONAL for p in positional):
        # A wrapper hands on whatever it is given.
        return not hasattr(function, "__wrapped__") or takes_generator(function.__wrapped__)
    # `lambda flow, x=x: …` keeps its data in a default: that is no place for a generator.
    return len(positional) > 1 and (
        positional[1].default is positional[1].empty or positional[1].name == "generator"
    )


def checked(result: Estimate | Tensor) -> Estimate:
    """What an objective returned, as an estimate that can be descended on.

    Raises:
        TypeError: it is neither an estimate of tensors nor a tensor.
        ValueError: it is no scalar, or does not depend on the flow's parameters.
    """
    if isinstance(result, Tensor):
        result = Estimate(result, torch.tensor(math.nan))
    if not isinstance(result, Estimate):
        raise TypeError(
            "the objective's result must be an Estimate or a scalar tensor, "
            f"got {type(result).__name__}"
        )
    for name, number in vars(result).items():
        arguments.instance(f"the objective's {name}", number, Tensor)
        if number.ndim != 0:
            got = list(number.shape)
            raise ValueError(f"the objective's {name} must be a scalar, got shape {got}")
    if not result.value.requires_grad:
        raise ValueError("the objective does not depend on the flow's parameters")
    return result
