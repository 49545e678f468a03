"""Training by a discriminator, from samples alone (section 2.3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.objectives import Estimate, FDivergence, divergence, variational_bound
from flowviz.training.adam import Adam

BOUND = 15.0
"""The log-ratio that a discriminator can claim, either way: its exponentials stay finite."""


class Discriminator(nn.Module):
    """V: ``[N, D] -> [N]``, a network that learns log(p/q), within ±15.

    Args:
        dim: D.
        hidden: width of its two hidden layers.

    Raises:
        ValueError: ``dim`` or ``hidden`` is less than 1.
    """

    def __init__(self, dim: int, hidden: int = 64) -> None:
        super().__init__()
        arguments.whole("dim", dim, 1)
        arguments.whole("hidden", hidden, 1)
        self.network = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return BOUND * torch.tanh(self.network(x).squeeze(-1) / BOUND)


class Adversarial:
    """An objective for :class:`~flowviz.training.Trainer`: D_f(p* ‖ p_x) by a discriminator.

    Before each loss the discriminator takes some steps up the bound; the flow then goes down
    it. Needs samples of both and no density of either, so the flow need not be invertible.

    Args:
        name: the f-divergence.
        sample: ``(n, generator) -> [n, D]``, samples of p*.
        discriminator: V, trained in place.
        batch: samples of either a step.
        steps: of the discriminator before each step of the flow.
        learning_rate: of the discriminator.

    Raises:
        ValueError: an unknown divergence, or ``batch`` or ``steps`` below 1.
    """

    def __init__(
        self,
        name: str | FDivergence,
        sample: Callable[[int, Generator], Tensor],
        discriminator: nn.Module,
        *,
        batch: int = 512,
        steps: int = 5,
        learning_rate: float = 3e-3,
    ) -> None:
        arguments.function("sample", sample)
        arguments.instance("discriminator", discriminator, nn.Module)
        self.kind = divergence(name)
        self.sample = sample
        self.discriminator = discriminator
        self.batch = arguments.whole("batch", batch, 1)
        self.steps = arguments.whole("steps", steps, 1)
        self._parameters = list(discriminator.parameters())
        self._optimizer = Adam(self._parameters, learning_rate)

    def __call__(self, flow: Flow, generator: Generator) -> Estimate:
        for _ in range(self.steps):
            y = flow.sample(self.batch, generator=generator)
            bound = self._bound(generator, y).value
            gradients = torch.autograd.grad(-bound, self._parameters)
            for parameter, gradient in zip(self._parameters, gradients, strict=True):
                parameter.grad = gradient
            self._optimizer.step()
        y, _ = flow.rsample_and_log_prob(self.batch, generator=generator)
        return self._bound(generator, y)

    def state_dict(self) -> dict[str, Any]:
        """The discriminator's weights, and the state of what trains them."""
        weights = self.discriminator.state_dict()
        return {"discriminator": weights, "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.discriminator.load_state_dict(state["discriminator"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _bound(self, generator: Generator, y: Tensor) -> Estimate:
        x = self.sample(self.batch, generator)
        return variational_bound(self.kind, self.discriminator, x, y)
