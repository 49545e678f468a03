"""Trading space for channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from flowviz.flows.linear.convolution import check_shape
from flowviz.flows.linear.permutation import Permutation


class Squeeze(Permutation):
    """x'_{4c + 2a + b, i, j} = x_{c, 2i + a, 2j + b}  (Real NVP, Dinh et al. 2017, section 3.6).

    Each block of 2 × 2 pixels becomes one pixel of four channels: (C, H, W) → (4C, H/2, W/2). A
    permutation of the flat image ``[..., C·H·W]``, and so log|det J| = 0.

    Args:
        shape: (C, H, W), that of the image; H and W are even.

    Attributes:
        shape: the same.
        squeezed: (4C, H/2, W/2).

    Raises:
        ValueError: the shape is not three whole numbers ≥ 1, the last two of them even.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        order = _squeezed_order(check_shape(shape))
        super().__init__(len(order), order=order.tolist())
        self.shape = C, H, W = check_shape(shape)
        self.squeezed = (4 * C, H // 2, W // 2)


class Unsqueeze(Permutation):
    """The inverse of :class:`Squeeze`: (4C, H/2, W/2) → (C, H, W).

    Takes the same ``shape``, that of the image, and has the same attributes.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        order = _squeezed_order(check_shape(shape)).argsort()
        super().__init__(len(order), order=order.tolist())
        self.shape = C, H, W = check_shape(shape)
        self.squeezed = (4 * C, H // 2, W // 2)


def _squeezed_order(shape: tuple[int, int, int]) -> Tensor:
    """Where each entry of the flat squeezed image comes from."""
    C, H, W = shape
    if H % 2 or W % 2:
        raise ValueError(f"squeezing halves the height and the width, got the shape {shape}")
    flat = torch.arange(math.prod(shape)).reshape(C, H // 2, 2, W // 2, 2)
    return flat.permute(0, 2, 4, 1, 3).flatten()
