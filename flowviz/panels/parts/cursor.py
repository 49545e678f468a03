"""A point of the base plane looked at closely: its Jacobians, and a small square around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flowviz.flows import Flow, jacobian
from flowviz.widgets.stage import Shapes
from flowviz.widgets.stage.marks import Mark

EDGE_POINTS = 16
"""So many points of each edge of the small square are carried along."""


@dataclass(frozen=True)
class Cursor:
    """A point of the base plane on its way, with the Jacobians there.

    Attributes:
        states: ``[K+1, 2]``.
        logabsdet: ``[K]``, float64.
        jacobians: ``[K, 2, 2]`` of each layer.
        whole: ``[2, 2]``, J_T by one differentiation of the whole flow.
        outline: ``[K+1, V, 2]``: the boundary of a small square around the point, carried along.
    """

    states: Tensor
    logabsdet: Tensor
    jacobians: Tensor
    whole: Tensor
    outline: Tensor

    def jacobian(self, layer: int) -> Tensor:
        """Of a layer (1 … K), or of the whole flow (0)."""
        return self.jacobians[layer - 1] if layer else self.whole

    def three_ways(self, layer: int) -> tuple[float, float, float]:
        """log|det J| by the formula, by autodiff and by the square's area; as :meth:`jacobian`."""
        analytic = self.logabsdet[layer - 1] if layer else self.logabsdet.sum()
        autodiff = torch.linalg.slogdet(self.jacobian(layer).double()).logabsdet
        before, after = (layer - 1, layer) if layer else (0, -1)
        ratio = polygon_area(self.outline[after]) / polygon_area(self.outline[before])
        return float(analytic), float(autodiff), math.log(ratio) if ratio > 0 else -math.inf

    def in_words(self) -> str:
        """Where it is, and what the layers do there together."""
        x, y = self.states[0].tolist()
        total = float(self.logabsdet.sum())
        return f"At the cursor ({x:.2f}, {y:.2f}) the sum of log|det J| is {total:.3f}."

    def shapes(self) -> list[Mark]:
        """The square's image, and the parallelogram that the Jacobians alone predict."""
        product = torch.eye(2, dtype=self.jacobians.dtype)
        predicted = [self.outline[0]]
        offsets = self.outline[0] - self.states[0]
        for state, J in zip(self.states[1:], self.jacobians, strict=True):
            product = J @ product
            predicted.append(state + offsets @ product.mT)
        return [
            Shapes(self.outline[:, None], palette="ink", fill=0.15, label="image of the square"),
            Shapes(
                torch.stack(predicted)[:, None],
                palette="ink",
                fill=0.0,
                width=1.25,
                label="its linear image",
            ),
        ]


def look(flow: Flow, point: Sequence[Sequence[float]], side: float) -> Cursor:
    """Look closely at a point of the base plane, and at a square of that side around it."""
    u = torch.as_tensor(point, device=flow.like.device, dtype=flow.like.dtype)
    with torch.no_grad():
        trace = flow.trace(torch.cat([u, u + side * _square().to(u)]))
        states = trace.states[:, 0]
        jacobians = [
            jacobian(layer, state) for layer, state in zip(flow.transform, states, strict=False)
        ]
        whole = jacobian(flow, u[0])
    return Cursor(
        states=states.cpu(),
        logabsdet=trace.logabsdet[:, 0].cpu().double(),
        jacobians=torch.stack(jacobians).detach().cpu(),
        whole=whole.detach().cpu(),
        outline=trace.states[:, 1:].cpu(),
    )


@torch.no_grad()
def area_factors(
    flow: Flow, point: Sequence[Sequence[float]], sides: Sequence[float], layer: int
) -> list[float]:
    """The area of the image of a square around a point over its own, for squares of these sides.

    Args:
        layer: which one (1 … K) is measured, or the whole flow (0).
    """
    u = torch.as_tensor(point, device=flow.like.device, dtype=flow.like.dtype)
    square = _square().to(u)
    corners = u + torch.as_tensor(sides).to(u)[:, None, None] * square
    states = flow.trace(corners.reshape(-1, 2)).states.reshape(-1, len(sides), len(square), 2)
    before, after = (layer - 1, layer) if layer else (0, -1)
    pairs = zip(states[before], states[after], strict=True)
    return [polygon_area(image) / polygon_area(own) for own, image in pairs]


def _square() -> Tensor:
    """The boundary of the square of side 1 around 0, ``[V, 2]``."""
    steps = torch.linspace(-0.5, 0.5, EDGE_POINTS + 1)[:-1]
    half = torch.full_like(steps, 0.5)
    edges = [(steps, -half), (half, steps), (-steps, half), (-half, -steps)]
    return torch.cat([torch.stack(edge, -1) for edge in edges])


def polygon_area(outline: Tensor) -> float:
    """The area inside a closed line ``[V, 2]`` (shoelace formula), whichever way it turns."""
    x, y = (outline.double() - outline.double().mean(0)).unbind(-1)
    return float(0.5 * (x * y.roll(-1) - y * x.roll(-1)).sum().abs())
