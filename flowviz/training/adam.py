"""Adam without ``torch.optim``, whose import costs a kernel a second and 70 MB."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.training.places import alike


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

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """What is updated, as the optimisers of torch have it: all in one group."""
        return [{"params": self.parameters}]

    def state_dict(self) -> dict[str, Any]:
        """Settings, moments and counts: all that decides about the steps to come.

        The tensors are copies, so that training on does not change them.
        """
        return {
            "learning_rate": self.learning_rate,
            "betas": list(self.betas),
            "eps": self.eps,
            "first": [moment.clone() for moment in self._first],
            "second": [moment.clone() for moment in self._second],
            "counts": self._counts.clone(),
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the ``state`` of an Adam over parameters of the same shapes.

        Raises:
            ValueError: it is none.
        """
        try:
            first, second, counts = state["first"], state["second"], state["counts"]
            rate, betas, eps = state["learning_rate"], tuple(state["betas"]), state["eps"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no state of an Adam: it lacks {error}") from error
        shapes = [p.shape for p in self.parameters]
        if any([m.shape for m in moments] != shapes for moments in (first, second)):
            raise ValueError("the state is of an Adam over parameters of other shapes")
        self.learning_rate, self.betas, self.eps = rate, betas, eps
        for mine, its in zip([*self._first, *self._second], [*first, *second], strict=True):
            mine.copy_(its)
        self._counts.copy_(counts)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        parameters = list(self.parameters)
        if not alike(self._first, self.parameters):
            self._follow()
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

    def _follow(self) -> None:
        """Take the moments to where the parameters have been moved, and to their dtype."""
        for moments in (self._first, self._second):
            moments[:] = [m.to(p) for m, p in zip(moments, self.parameters, strict=True)]
        self._counts = self._counts.to(self.parameters[0].device)
        self._steps = list(self._counts.unbind())
