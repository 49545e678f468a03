"""Numerical inverses that stop too early: what breaks where a flow's two directions disagree."""

from __future__ import annotations

import copy
import itertools

from torch import Tensor

from flowviz.flows import Bijection, Flow
from flowviz.flows.bijection import Inverse
from flowviz.flows.continuous import Continuous, FixedSteps
from flowviz.flows.contractive import ContractiveResidual


def loosened(flow: Flow, passes: int) -> Flow:
    """The same flow, its numerical inverses stopped after so many passes; it shares the weights.

    A contractive layer's Banach iteration is stopped there, and an ODE is solved by so many steps
    of Euler's method either way. Layers with an inverse in closed form, and those that find a
    root by other means, stay.

    Args:
        passes: 0 leaves the flow as it is.
    """
    if not passes:
        return flow
    return Flow(flow.base, [_loosened(layer, passes) for layer in flow.transform])


def loosening(flow: Flow, passes: int) -> str:
    """What :func:`loosened` does to a flow, in words, without a full stop; "" where nothing."""
    if not passes:
        return ""
    if all(_loosened(layer, 1) is layer for layer in flow.transform):
        if all(layer.exact_inverse for layer in flow.transform):
            return "There is no iteration to stop in this flow"
        return "This flow goes back by another iteration, which is not stopped"
    turned = any(isinstance(layer, Inverse) for layer in flow.transform)
    return f"{'T' if turned else 'T⁻¹'} stops after {passes} pass{'es' if passes > 1 else ''}"


def loose_code(passes: int) -> list[str]:
    """The lines of Python that loosen a flow."""
    if not passes:
        return []
    made = f"flow = loosened(flow, {passes})"
    return [f"from {__name__} import loosened", "", made]


def _loosened(layer: Bijection, passes: int) -> Bijection:
    if isinstance(layer, Inverse):
        inner = _loosened(layer.bijection, passes)
        return layer if inner is layer.bijection else Inverse(inner)
    if isinstance(layer, ContractiveResidual):
        return _Stopped(layer, passes)
    if isinstance(layer, Continuous):
        coarse = copy.copy(layer)
        coarse.solver = FixedSteps("euler", passes)
        return coarse
    return layer


class _Stopped(Bijection):
    """A contractive layer whose inverse is the k-th Banach iterate, not the fixed point."""

    exact_inverse = False

    def __init__(self, layer: ContractiveResidual, passes: int) -> None:
        super().__init__(layer.dim, layer.context)
        self.layer, self.passes = layer, passes
        self.exact_logabsdet = layer.exact_logabsdet

    def describe(self) -> str:
        return self.layer.describe()

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.layer._forward(z, context)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        iterates = self.layer.inverse_iterates(z, context)
        z, _ = next(itertools.islice(iterates, self.passes, None))
        return z, -self.layer._forward(z, context)[1]
