"""A likelihood better than is possible is said to be none."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor

from flowviz import targets
from flowviz.flows import Flow
from flowviz.flows.bijection import Bijection
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import Diagonal
from flowviz.training import Trainer, maximum_likelihood


class Boastful(Bijection):
    """The identity, with a log-determinant that is a parameter."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.gain = torch.nn.Parameter(torch.zeros(()))

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z, -self.gain.expand(z.shape[:-1])

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z, self.gain.expand(z.shape[:-1])


class Normals:
    """N(0, 1) to sample alone: what its entropy is, nobody knows."""

    def sample(
        self,
        n: int,
        generator: Generator | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        return torch.randn(n, 2, generator=generator, dtype=dtype)


def test_a_loss_below_the_entropy_ends_a_training() -> None:
    flow = Flow(StandardNormal(2), [Boastful(2)])
    target = targets.make("two_moons")
    *_, last = Trainer(flow, maximum_likelihood(target), learning_rate=0.1).run(200)
    assert last.failure is not None and last.step < 100
    assert "below the target's entropy of" in last.failure
    assert "does not integrate to 1" in last.failure
    # Of data whose entropy is not known nothing is said.
    flow = Flow(StandardNormal(2), [Boastful(2)])
    *_, last = Trainer(flow, maximum_likelihood(Normals()), learning_rate=0.1).run(60)
    assert last.failure is None and last.loss < 0


@pytest.mark.parametrize("batch", [25, 200])
def test_a_loss_about_the_entropy_is_no_failure(batch: int) -> None:
    target = targets.make("correlated_gaussian")
    layer = Diagonal(2)
    flow = Flow(StandardNormal(2), [layer])
    x = target.sample(10_000, Generator().manual_seed(1))
    layer.shift.data.copy_(x.mean(0))
    layer.log_scale.data.copy_(x.std(0).log())

    class Marginals(Normals):
        """The flow's own distribution, and so the least loss at every step."""

        def sample(self, n: int, *rest: object, **named: object) -> Tensor:
            with torch.no_grad():
                return flow.sample(n, generator=rest[0])  # type: ignore[arg-type]

        def log_prob(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return flow.log_prob(x)

    objective = maximum_likelihood(Marginals(), batch)
    *_, last = Trainer(flow, objective, learning_rate=1e-6).run(200)
    assert last.failure is None and math.isfinite(last.loss)
