"""The reverse loss and its gradient, held against a constant that multiplies the target."""

from __future__ import annotations

import ipywidgets as widgets
import torch
from torch import Generator

from flowviz.flows import Flow
from flowviz.training import Objective
from flowviz.widgets.layout import classed, row, stack
from flowviz.widgets.readouts import Readout

DRAWS = 512
"""Of the fixed batch on which the loss and its gradient are shown."""


def constant_in_words(log_c: float) -> str:
    """What a constant C on the target does to reverse KL; "" where there is none."""
    if not log_c:
        return ""
    constant, moved = (f"{one:g}".replace("-", "−") for one in (log_c, -log_c))
    return f"C·p̃, log C = {constant}, moves the reverse loss by {moved}, its gradient not at all."


class ReverseProbe:
    """Read-outs of E_p[log p − log p̃ − log C], and of what C leaves as it is.

    Args:
        control: of log C.

    Attributes:
        widget: the control and the read-outs.
        loss, gap, gradient: the read-outs.
        value: of the loss.
    """

    def __init__(self, control: widgets.DOMWidget) -> None:
        self.loss = Readout(
            "Reverse loss",
            help=f"E_p[log p − log p̃ − log C] in nats, on {DRAWS} fixed draws of the model",
        )
        self.gap = Readout(
            "Above its minimum",
            help="In nats. The minimum is −log(C Z), Z = ∫ p̃*, the constant that p̃* lacks to be "
            "p*: what is above it estimates KL(p‖p*)",
        )
        self.gradient = Readout("‖gradient‖", help="Of that loss in the flow's parameters")
        self.value = float("nan")
        numbers = classed(row(self.loss, self.gap, self.gradient), "fv-three")
        self.widget = classed(stack(control, numbers), "fv-constant")

    def show(self, flow: Flow, objective: Objective, seed: int, minimum: float) -> None:
        """Show the objective and its gradient for a flow, and how far it is above its minimum."""
        loss = objective(flow, Generator(device=flow.like.device).manual_seed(seed))
        parameters = [p for p in flow.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(loss.value, parameters, allow_unused=True)
        norms = [g.norm() for g in gradients if g is not None]
        self.value, error = float(loss.value.detach()), float(loss.standard_error)
        self.loss.show(self.value, error)
        self.gap.show(self.value - minimum, error)
        self.gradient.show(float(torch.stack(norms).norm()))
