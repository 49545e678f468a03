"""Which data a flow can learn from: not those beyond its splines' box, nor far from its base."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from flowviz.flows.autoregressive.transformers.spline import Spline
from flowviz.flows.bijection import Bijection
from flowviz.flows.flow import Flow
from flowviz.flows.normalisation import BatchNorm
from flowviz.flows.numerics.transforms import numbers
from flowviz.flows.recording import Player

FEW = 0.1
"""So large a share beyond the box is taken for the tails of data that lie where they should."""


FAR = 10.0
"""So far from the base's centre nothing of it reaches. A batch normalisation fetches data from
there, in training mode alone: such flows are not measured."""


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

    def words(self) -> str:
        """What of the points the flow cannot learn from, or hardly; "" if nothing."""
        found = (_words(self.flow, x, context) for x, context in self.seen)
        return next(filter(None, found), "")

    def _note(self, run: Any, z: Tensor, context: Tensor | None) -> None:
        inverse = run in (self.flow._inverse_and_log_prob, self.flow.transform._inverse)
        if inverse and numbers(z) is z:
            self.seen.append((z.detach(), context))


@torch.no_grad()
def _words(flow: Flow, x: Tensor, context: Tensor | None) -> str:
    for layer in reversed(list(flow.transform)):
        bound = _bound(layer)
        # The first layers may move the data into the box.
        if bound is not None and (share := _share(x.abs() > bound)) > FEW:
            return (
                f"{share:.0%} of the batch lies, in a coordinate, beyond the box "
                f"[−{bound:g}, {bound:g}] of the flow's splines: there they are the identity, "
                "and learn nothing."
            )
        x, _ = layer._image(x, context if layer.context else None, inverse=True)
    if _share(x.abs() > FAR) > 0.5 and not any(isinstance(m, BatchNorm) for m in flow.modules()):
        distance = float(x.abs().reshape(-1, flow.dim).median(0).values.max())
        return (
            f"Half of the batch lies, in a coordinate, {distance:,.0f} or more from the centre of "
            "the flow's base, whose own scale is about 1: from so far it hardly learns."
        )
    return ""


def _share(condition: Tensor) -> float:
    """Of the batch, in the coordinate where it is largest."""
    rows = condition.reshape(-1, condition.shape[-1])
    return float(rows.float().mean(0).max()) if len(rows) else 0.0


def _bound(layer: Bijection) -> float | None:
    """B of a layer that is the identity beyond [−B, B]; None of any other."""
    bounds = [part.bound for part in layer.modules() if isinstance(part, Spline)]
    return min(bounds, default=None)
