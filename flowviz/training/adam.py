"""Adam without ``torch.optim``, whose import costs a kernel a second and 70 MB."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from flowviz import arguments


class Adam:
    """Adam with bias correction (Kingma & Ba 2015), all parameters in one fused call.

    The interface is the part of ``torch.optim.Optimizer`` that the trainer uses, so that either
    can be given to it; the numbers equal ``torch.optim.Adam``'s.

    Args:
        parameters: what to update; at least one.
        learning_rate: > 0.
        betas: decay of the first and the second moment, each ≥ 0 and < 1.
        eps: > 0, added to the root of the second moment.

    Raises:
        ValueError: there is no parameter, or a number is out of its range.
        TypeError: ``parameters`` are no tensors.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 3e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.parameters = arguments.instances("parameters", parameters, Tensor)
        if not self.parameters:
            raise ValueError("there is nothing to train: the flow has no parameters")
        self.learning_rate = arguments.positive("the learning rate", learning_rate)
        pair = tuple(betas) if isinstance(betas, Sequence) else ()
        if len(pair) != 2 or not all(isinstance(b, int | float) and 0 <= b < 1 for b in pair):
            raise ValueError(f"betas must be two numbers ≥ 0 and < 1, got {betas!r}")
        self.betas = pair
        self.eps = arguments.positive("eps", eps)
        self._first = [torch.zeros_like(p) for p in self.parameters]
        self._second = [torch.zeros_like(p) for p in self.parameters]
        # One row, so that counting a step is one operation.
        self._counts = torch.zeros(len(self.parameters), device=self.parameters[0].device)
        self._steps = list(self._counts.unbind())

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # Views do not survive pickling as views.
        self._steps = list(self._counts.unbind())

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        parameters = list(self.parameters)
        first, second, steps = self._first, self._second, self._steps
        gradients = [p.grad for p in parameters if p.grad is not None]
        if len(gradients) == len(parameters):
            self._counts += 1
        else:
            moved = [p.grad is not None for p in parameters]
            parameters, first, second, steps = (
                list(itertools.compress(column, moved))
                for column in (parameters, first, second, steps)
            )
            if not gradients:
                return
            torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            parameters,
            gradients,
            first,
            second,
            [],
            steps,
            lr=self.learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )
