"""Which data a flow can learn from: what lies beyond its splines' box has no part in training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers.spline import Spline
from flowviz.flows.bijection import Bijection
from flowviz.flows.flow import Flow
from flowviz.flows.recording import Player

FEW = 0.1
"""So large a share beyond the box is taken for the tails of data that lie where they should."""


class Watch:
    """Within ``with Watch(flow):`` notes the points whose density the flow is asked for."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.seen: list[tuple[Tensor, Tensor | None]] = []

    def __enter__(self) -> Watch:
        self._player: Player | None = self.flow.player
        object.__setattr__(self.flow, "player", self)
        return self

    def __exit__(self, *exception: object) -> None:
        object.__setattr__(self.flow, "player", self._player)

    def play(self, run: Any, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """What a flow asks its player for."""
        self._note(run, z, context)
        return run(z, context) if self._player is None else self._player.play(run, z, context)

    def descend(self, run: Any, z: Tensor, context: Tensor | None) -> Any:
        """The same with a gradient."""
        self._note(run, z, context)
        return None if self._player is None else self._player.descend(run, z, context)

    def beyond(self) -> tuple[float, float]:
        """The largest share of a batch in any coordinate beyond the splines' box, and its bound."""
        shares = [_beyond(self.flow, x, context) for x, context in self.seen]
        return max(shares, default=(0.0, 0.0))

    def _note(self, run: Any, z: Tensor, context: Tensor | None) -> None:
        inverse = run in (self.flow._inverse_and_log_prob, self.flow.transform._inverse)
        if inverse and not torch._C._functorch.is_functorch_wrapped_tensor(z):
            self.seen.append((z.detach(), context))


@torch.no_grad()
def _beyond(flow: Flow, x: Tensor, context: Tensor | None) -> tuple[float, float]:
    for layer in reversed(list(flow.transform)):
        if (bound := _bound(layer)) is not None:
            outside = (x.abs() > bound).reshape(-1, flow.dim)
            return float(outside.float().mean(0).max()) if len(outside) else 0.0, bound
        # The first layers may move the data into the box.
        x, _ = layer._image(x, context if layer.context else None, inverse=True)
    return 0.0, 0.0


def _bound(layer: Bijection) -> float | None:
    """B of a layer that is the identity beyond [−B, B]; None of any other."""
    bounds = [part.bound for part in layer.modules() if isinstance(part, Spline)]
    return min(bounds, default=None)
