"""What log|det J| says of areas and densities, in words."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from flowviz.widgets.readouts import format_number

ROUNDING = 2e-6
"""|log|det J|| below this is zero to rounding in float32."""


def factor_in_words(change: float) -> str:
    """What log|det J| = ``change`` does to an area, as a verb and its object."""
    if abs(change) < 0.005:
        return "keeps the area"
    verb = "stretches" if change > 0 else "squeezes"
    return f"{verb} area ×{format_number(math.exp(change))}"


def log_density_in_words(log_base: float, total: float) -> str:
    """log p(x) = log p(u) − Σ log|det J|, with numbers that add up as they are written."""
    base, change = round(log_base, 2), round(total, 2)
    numbers = [format(value, ".2f").replace("-", "−") for value in (base, change, base - change)]
    middle = f"({numbers[1]})" if change < 0 else numbers[1]
    return f"log p(x) = log p(u) − Σ log|det J| = {numbers[0]} − {middle} = {numbers[2]}"


def volume_in_words(logabsdet: Tensor) -> str:
    """What log|det J| over a grid says of areas, and so of densities: the end of a sentence."""
    low, high = float(logabsdet.min()), float(logabsdet.max())
    if max(abs(low), abs(high)) < ROUNDING:
        return "preserves volume: log|det J| = 0 everywhere."
    if high - low < ROUNDING * max(1.0, abs(high)):
        area, density = (format_number(math.exp(change)) for change in (high, -high))
        return f"scales every area by {area}, every density by {density}."
    areas, densities = (
        " to ".join(format_number(math.exp(sign * end), 2) for end in (low, high))
        for sign in (1, -1)
    )
    return f"scales the cells' areas by {areas}, densities there by {densities}."


def structure_in_words(mask: Tensor, J: Tensor, *, rank_one: bool) -> str:
    """The structure of a 2 × 2 Jacobian: where it is zero by construction, and what that gives."""
    if rank_one:
        large, small = torch.linalg.svdvals(J.double() - torch.eye(2, dtype=torch.float64)).tolist()
        return (
            "the identity plus rank one: J − I has the singular values "
            f"{format_number(large)} and {format_number(small, 1)}"
        )
    lower, upper = bool(mask[1, 0]), bool(mask[0, 1])
    if lower and upper:
        return "dense: no entry is zero by construction"
    product = "its determinant is the product of the diagonal"
    if not (lower or upper):
        return f"diagonal: {product}"
    return f"{'lower' if lower else 'upper'} triangular: {product}"
