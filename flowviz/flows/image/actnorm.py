"""Activation normalisation of channels."""

from __future__ import annotations

from collections.abc import Sequence

from flowviz.flows.linear.convolution import PerPixel, check_shape
from flowviz.flows.normalisation import ActNorm


class ImageActNorm(PerPixel):
    """x'_{cp} = exp(s_c) x_{cp} + b_c at every pixel p  (Glow, Kingma & Dhariwal 2018, 3.1).

    log|det J| = H·W Σ s. Set once from data like :class:`ActNorm`, channel by channel: over
    all the pixels of all the images of the first batch in training mode.

    Args:
        shape: (C, H, W).
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(ActNorm(check_shape(shape)[0]), shape)

    def describe(self) -> str:
        return "activation normalisation"
