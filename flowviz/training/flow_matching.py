"""Flow matching: training a continuous-time flow without solving its ODE.

>>> flow = flowviz.flows.catalog.make("cnf", seed=0)
>>> trainer = Trainer(flow, flow_matching(target, batch=512), seed=0)
"""

from __future__ import annotations

import torch
from torch import Generator

from flowviz import arguments
from flowviz.flows.continuous import Continuous
from flowviz.flows.flow import Flow
from flowviz.objectives import Estimate
from flowviz.training.objective import Objective, Sampler, check_sampler


def flow_matching(target: Sampler, batch: int = 512) -> Objective:
    """E ‖g(t, x_t) − (x − u)‖² / D,  x_t = (1 − t) u + t x  (Lipman et al. 2023).

    t is uniform on [0, 1], u a draw of the base and x one of the target. The straight path from
    u to x has the velocity x − u; the best g is its mean over all paths through a point, whose
    ODE carries the base to the target exactly. One evaluation of g a step, and neither a solve
    nor a log-determinant.

    Args:
        target: whose density is to be learned.
        batch: N ≥ 1, how many paths a step draws.

    Returns:
        An objective for :class:`~flowviz.training.Trainer`; its values are squared speeds and no
        nats, and do not go to 0. It raises ValueError for a flow that is not one single
        continuous-time layer, or that takes a context, and for draws of another shape.

    Raises:
        TypeError: ``target`` has no method ``sample``, or one of other arguments.
        ValueError: ``batch`` is less than 1.
    """
    check_sampler(target)
    arguments.whole("batch", batch, 1)

    def objective(flow: Flow, generator: Generator) -> Estimate:
        layers = list(flow.transform)
        if len(layers) != 1 or not isinstance(layers[0], Continuous):
            names = ", ".join(layer.describe() for layer in layers)
            raise ValueError(
                "flow matching needs a flow of one continuous-time layer, such as "
                f"catalog.make('cnf'); got {names}"
            )
        if flow.context:
            raise ValueError("flow matching of this target takes a flow without context")
        like = flow.like
        u = flow.base.sample(batch, generator)
        x = target.sample(batch, generator, like.device, like.dtype)
        if x.shape != u.shape:
            raise ValueError(f"the target must draw {list(u.shape)}, got {list(x.shape)}")
        t = torch.rand(batch, 1, generator=generator, device=like.device, dtype=like.dtype)
        velocity = layers[0].network.velocity(t, torch.lerp(u, x, t))
        return Estimate.of((velocity - (x - u)).square().mean(-1))

    return objective
