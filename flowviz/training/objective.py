"""What a trainer minimises: the two Kullback–Leibler divergences, on fresh draws each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.flow import Flow
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
