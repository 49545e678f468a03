"""Which directions of a flow a function asks for, whatever it calls them by."""

from __future__ import annotations

from torch import Tensor

from flowviz.flows import Bijection, Flow

T, INVERSE = "T", "T⁻¹"


class Watched(Bijection):
    """A layer that notes in ``asked`` which of its directions is used."""

    def __init__(self, layer: Bijection, asked: set[str]) -> None:
        super().__init__(layer.dim, layer.context)
        self.layer = layer
        self.asked = asked

    def describe(self) -> str:
        return self.layer.describe()

    def jacobian_mask(self) -> Tensor:
        return self.layer.jacobian_mask()

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        self.asked.add(T)
        return self.layer._forward(z, context)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        self.asked.add(INVERSE)
        return self.layer._inverse(z, context)


def watch(flow: Flow) -> set[str]:
    """Watch the layers of ``flow`` from now on; the set fills as its directions are asked for.

    Every method of a flow, such as ``log_prob`` or ``trace``, ends in its layers.
    """
    asked: set[str] = set()
    for index, layer in enumerate(flow.transform):
        flow.bijections[index] = Watched(layer, asked)
    return asked
