"""One step of Glow on images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator

from flowviz.flows.bijection import Bijection
from flowviz.flows.image.actnorm import ImageActNorm
from flowviz.flows.image.coupling import ImageCoupling
from flowviz.flows.linear.convolution import Conv1x1


def glow_step(
    shape: Sequence[int],
    generator: Generator | None = None,
    *,
    hidden: Sequence[int] = (64, 64),
    context: int = 0,
) -> list[Bijection]:
    """Coupling, 1×1 convolution, activation normalisation: base → data (Kingma & Dhariwal 2018).

    Glow is written from the data to the base, where they follow each other the other way round:
    normalise, mix the channels, couple.

    Args:
        shape: (C, H, W), C ≥ 2: an image with one channel is squeezed first.
        generator: draws the convolution's start.
        hidden: channels of the coupling's network.
        context: number of context features.
    """
    return [
        ImageCoupling(shape, hidden=hidden, context=context),
        Conv1x1(shape, generator),
        ImageActNorm(shape),
    ]
