"""Flows for images."""

from __future__ import annotations

import math
from typing import Any

from torch import Generator

from flowviz.flows.catalog.entry import NETWORK, Entry, Layers
from flowviz.flows.image import Unsqueeze, glow_step


def image_shape(dim: int) -> tuple[int, int, int]:
    """(1, H, W) with H·W = D, both even, H ≤ W, as square as D allows: 16 = 4 × 4, 8 = 2 × 4."""
    height = next(h for h in range(math.isqrt(dim), 0, -1) if h % 2 == 0 and dim % (2 * h) == 0)
    return 1, height, dim // height


def _glow_image(dim: int, layers: int, settings: dict[str, Any], generator: Generator) -> Layers:
    """From the data: squeeze, then K steps. The base is white noise, of no shape of its own."""
    unsqueeze = Unsqueeze(image_shape(dim))
    blocks: Layers = []
    for _ in range(layers):
        blocks += glow_step(unsqueeze.squeezed, generator, **settings)
    return [*blocks, unsqueeze]


ENTRIES = (
    Entry(
        name="glow_image",
        title="Glow, images",
        family="Autoregressive: coupling",
        reference="Kingma & Dhariwal 2018",
        equation=r"z'_p = \exp(s) \odot P L U\, \mathrm{coupling}(z)_p + b"
        r"\quad\text{for every pixel } p",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="O(D)",
        inverse_cost="closed, 1 pass",
        build=_glow_image,
        options=NETWORK,
        min_dim=4,
        dim_multiple=4,
    ),
)
