"""Layers for images: points are flat, ``[..., C·H·W]``, and every layer knows its (C, H, W)."""

from flowviz.flows.image.actnorm import ImageActNorm
from flowviz.flows.image.coupling import ConvolutionalCoupling, ImageCoupling
from flowviz.flows.image.glow import glow_step
from flowviz.flows.image.squeeze import Squeeze, Unsqueeze

__all__ = [
    "ConvolutionalCoupling",
    "ImageActNorm",
    "ImageCoupling",
    "Squeeze",
    "Unsqueeze",
    "glow_step",
]
