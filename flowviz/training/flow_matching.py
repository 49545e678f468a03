"""Flow matching: training a continuous-time flow without solving its ODE.

>>> flow = flowviz.flows.catalog.make("cnf", seed=0)
>>> trainer = Trainer(flow, flow_matching(target, batch=512), seed=0)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator

from flowviz.flows.continuous.straight_paths import continuous_layers, velocity_losses
from flowviz.flows.flow import Flow
from flowviz.objectives import Estimate
from flowviz.training.data import Data, OnData, batches


@dataclass(frozen=True)
class FlowMatching(OnData):
    """The regression on velocities, see :func:`flow_matching`."""

    def __call__(self, flow: Flow, generator: Generator) -> Estimate:
        """A draw of the loss."""
        layers = continuous_layers(flow)
        if flow.context:
            raise ValueError("flow matching takes a flow without context")
        x, context = self.source.draw(flow, generator)
        if context is not None:
            raise ValueError("flow matching takes data without context")
        u = flow.base.sample(len(x), generator)
        if x.shape != u.shape:
            raise ValueError(f"the data must be {list(u.shape)}, got {list(x.shape)}")
        size = len(x), len(layers)
        times = torch.rand(size, generator=generator, device=x.device, dtype=x.dtype)
        return Estimate.of(velocity_losses(flow, x, u, times))


def flow_matching(data: Data, batch: int | None = None) -> FlowMatching:
    """E ‖g(t, x_t) − (x − u)‖² / D,  x_t = (1 − t) u + t x  (Lipman et al. 2023).

    t is uniform on [0, 1], u a draw of the base and x one of the data. The straight path from
    u to x has the velocity x − u; the best g is its mean over all paths through a point, whose
    ODE carries the base to the data exactly. One evaluation of g a step, and neither a solve
    nor a log-determinant. Of K layers each takes a K-th of the path, at a time of its own.

    Args:
        data: a target, a tensor ``x [N, D]`` or a loader, and
        batch: how many paths a step draws, as :func:`~flowviz.training.maximum_likelihood` takes
            them.

    Returns:
        An objective for :class:`~flowviz.training.Trainer`; its values are squared speeds and no
        nats, and do not go to 0. It raises ValueError for a flow of other than
        continuous-time layers (standardised or not), or that takes a context, and for data of
        another shape.

    Raises:
        TypeError, ValueError: those of ``maximum_likelihood``.
    """
    return FlowMatching(batches(data, batch))
