"""One point followed through a flow: its states, and log|det J| of the layers, had in two ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flowviz.flows import Flow, jacobian
from flowviz.panels.parts.volume_words import log_density_in_words
from flowviz.widgets.layout import row
from flowviz.widgets.readouts import Readout, format_number

ROUND_TRIPS = 2_000
"""So many particles are carried there and back for the round-trip error."""
VISIBLE = 1e-3
"""What is larger is no rounding, and has its digits shown."""


@dataclass(frozen=True)
class MarkedPoint:
    """A point of the base plane on its way.

    Attributes:
        states: ``[K+1, 1, 2]``.
        logabsdet: ``[K]`` of the layers, at z_{k−1}; or at u, where they do not belong.
        log_base: log p(u).
    """

    states: Tensor
    logabsdet: Tensor
    log_base: float

    @property
    def total(self) -> float:
        """Σ log|det J_k|."""
        return float(self.logabsdet.double().sum())

    def in_words(self) -> str:
        """log p(x), with the numbers that it is made of."""
        return log_density_in_words(self.log_base, self.total)


@torch.no_grad()
def follow(flow: Flow, point: Sequence[Sequence[float]], *, misplaced: bool = False) -> MarkedPoint:
    """Follow a point of the base plane through the layers (review, eq. 6).

    Args:
        point: ``[1, 2]``.
        misplaced: whether every log-det is taken at u.
    """
    u = torch.as_tensor(point, device=flow.like.device, dtype=flow.like.dtype)
    trace = flow.trace(u)
    logabsdet = trace.logabsdet[:, 0]
    if misplaced:
        logabsdet = torch.stack([layer(u)[1][0] for layer in flow.transform])
    return MarkedPoint(trace.states, logabsdet, float(flow.base.log_prob(u)))


class FlowNumbers:
    """What is to be trusted of a flow: Σ log|det J| against autodiff, and T(T⁻¹(x)) against x.

    Attributes:
        widget: the read-outs.
        autodiff: log|det J| of the whole flow at the marked point, by automatic differentiation.
    """

    def __init__(self) -> None:
        self._sum = Readout("Σ log|det J|", help="Of the layers, at the marked point")
        self._autodiff = Readout("By autodiff", help="log|det J| of the whole flow at u")
        self._difference = Readout("Difference", help="Of the two, at the marked point")
        name = "The largest ‖T(T⁻¹(x)) − x‖ over the particles"
        self.worst = Readout("Round trip, largest", help=name)
        self.typical = Readout("Round trip, median", help="The median of ‖T(T⁻¹(x)) − x‖")
        at_point = self._sum, self._autodiff, self._difference
        self.widget = row(*at_point, self.worst, self.typical)
        self.autodiff = 0.0

    def show_point(self, flow: Flow, point: MarkedPoint) -> None:
        """Show both ways to the sum, and how far they are apart."""
        J = jacobian(flow, point.states[0])[0].detach()
        self.autodiff = float(torch.linalg.slogdet(J.double()).logabsdet)
        self._sum.show(point.total)
        self._autodiff.show(self.autodiff)
        gap = point.total - self.autodiff
        self._difference.show_text(format_number(gap, 3 if abs(gap) > VISIBLE else 1))

    def show_round_trips(self, flow: Flow, x: Tensor) -> None:
        """Show how far some of ``x [N, 2]`` are from where they come back to."""
        errors = round_trip(flow, x[:ROUND_TRIPS])
        self.worst.show(float(errors.max()))
        self.typical.show(float(errors.median()))

    def mistake_in_words(self, total: float) -> str:
        """What taking all log-dets at u does."""
        return (
            f"Log-dets taken at u add up to {format_number(total)}, autodiff says "
            f"{format_number(self.autodiff)}: layer k acts at z_k−1."
        )


@torch.no_grad()
def round_trip(flow: Flow, x: Tensor) -> Tensor:
    """‖T(T⁻¹(x)) − x‖ for ``x [N, 2]``, ``[N]``."""
    return torch.linalg.vector_norm(flow(flow.inverse(x)[0])[0] - x, dim=-1)
