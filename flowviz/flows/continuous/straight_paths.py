"""Straight paths from the base to the data, and how a flow's velocities differ from theirs."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz.flows.continuous.continuous import Continuous
from flowviz.flows.flow import Flow
from flowviz.flows.normalisation import Standardisation


def continuous_layers(flow: Flow) -> list[Continuous]:
    """The layers of a flow that is continuous in time, but for a standardisation at its end.

    Raises:
        ValueError: another layer is among them.
    """
    layers = [layer for layer in flow.transform if not isinstance(layer, Standardisation)]
    continuous = [layer for layer in layers if isinstance(layer, Continuous)]
    if not layers or len(continuous) < len(layers):
        names = ", ".join(layer.describe() for layer in flow.transform)
        raise ValueError(
            "flow matching needs a flow of continuous-time layers, such as "
            f"catalog.make('cnf'); got {names}"
        )
    return continuous


def velocity_losses(flow: Flow, x: Tensor, u: Tensor, times: Tensor) -> Tensor:
    """‖g − (x − u)‖² / D on the straight path from u to x, the mean over the layers  ``[N]``.

    Of K layers each goes a K-th of the path in its own unit of time, so that its velocity is a
    K-th as large.

    Args:
        x, u: ends of the paths, in the data's units and in the base's, ``[N, D]``.
        times: for each layer a time between its own 0 and 1, ``[N, K]``.

    Raises:
        ValueError: that of :func:`continuous_layers`.
    """
    layers = continuous_layers(flow)
    for layer in reversed(list(flow.transform)):
        if isinstance(layer, Standardisation):
            x, _ = layer.inverse(x)
    losses = torch.zeros_like(x[:, 0])
    for k, layer in enumerate(layers):
        time = times[:, k : k + 1]
        start, end = layer._interval
        z = torch.lerp(u, x, (k + time) / len(layers))
        velocity = layer.network.velocity(start + (end - start) * time, z)
        pace = len(layers) * (end - start)
        losses = losses + (pace * velocity - (x - u)).square().mean(-1)
    return losses / len(layers)
