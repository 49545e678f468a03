"""The invertible 1×1 convolution: one matrix for the channels of every pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.bijection import Bijection
from flowviz.flows.linear.plu import PLU


class PerPixel(Bijection):
    """x'_{·p} = T(x_{·p}) at every pixel p, T one bijection of the C channels.

    log|det J| is the sum of that of T over the H·W pixels.

    Args:
        bijection: T, of dim C, without context.
        shape: (C, H, W); points are flat images ``[..., C·H·W]``, row by row, channel by channel.

    Raises:
        ValueError: the shape is not three whole numbers ≥ 1, or C is not T's dim.
    """

    def __init__(self, bijection: Bijection, shape: Sequence[int]) -> None:
        sizes = check_shape(shape)
        arguments.instance("bijection", bijection, Bijection)
        super().__init__(math.prod(sizes))
        if sizes[0] != bijection.dim:
            raise ValueError(
                f"a bijection of {bijection.dim} channels does not fit images of shape {sizes}"
            )
        self.shape = sizes
        self.bijection = bijection
        self.exact_inverse = bijection.exact_inverse
        self.exact_logabsdet = bijection.exact_logabsdet
        self.tolerance = bijection.tolerance

    def jacobian_mask(self) -> Tensor:
        pixels = torch.eye(self.dim // self.bijection.dim, dtype=torch.bool)
        return torch.kron(self.bijection.jacobian_mask(), pixels)

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        image, logabsdet = self.bijection._forward(self._pixels(z), None)
        return image.mT.flatten(-2), logabsdet.sum(-1)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        image, logabsdet = self.bijection._inverse(self._pixels(z), None)
        return image.mT.flatten(-2), logabsdet.sum(-1)

    def _pixels(self, z: Tensor) -> Tensor:
        """``[..., C·H·W]`` to ``[..., H·W, C]``."""
        return z.unflatten(-1, (self.bijection.dim, -1)).mT


class Conv1x1(PerPixel):
    """x'_{·p} = P L U x_{·p} + b at every pixel p  (Glow, Kingma & Dhariwal 2018, section 3.2).

    The determinant costs O(C), whatever the number of pixels: log|det J| = H·W Σ s; the inverse
    is two triangular solves a pixel, O(C²).

    Args:
        shape: (C, H, W).
        generator: draws the rotation of the channels at the start; identity when None.
    """

    def __init__(self, shape: Sequence[int], generator: Generator | None = None) -> None:
        super().__init__(PLU(check_shape(shape)[0], generator), shape)

    def describe(self) -> str:
        return "1×1 convolution"


def check_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """``shape`` as (C, H, W); ValueError unless it is three whole numbers ≥ 1."""
    sizes = tuple(shape) if isinstance(shape, Sequence) else ()
    if len(sizes) != 3 or any(not arguments.is_whole(size) or size < 1 for size in sizes):
        raise ValueError(f"an image has a shape (C, H, W) of whole numbers ≥ 1, got {shape!r}")
    return sizes
