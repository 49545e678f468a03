"""What is seen of a map of the line and the density that it makes, in a sentence."""

from __future__ import annotations

import math

import torch

from flowviz.flows.line import Pushforward
from flowviz.widgets.readouts import format_number as number

CLOSE = 0.02
"""Points closer than this are called one."""


def seen(
    push: Pushforward, mode: float | None, peak: tuple[float, float], u: float, single: float
) -> str:
    """The sentence.

    Args:
        mode: where the base is densest; None where it is flat.
        peak: x and p(x) where the density of x is highest.
        u: the marked point.
        single: the area of the formula with one preimage.
    """
    marked = torch.tensor([u], dtype=torch.float64)
    x, slope = push.function(marked)
    p = number(float(push.prob(x)))
    if float(slope) == 0:
        return (
            f"T turns at x = {number(float(x))}: T′ = 0, so p is ∞ there, yet no mass lies on it."
        )
    if push.folds:
        count = int((~push.preimages(x).isnan()).sum())
        many = f"{count} preimages: p is their sum" if count > 1 else "1 preimage, others have more"
        alone = f"p from one preimage alone has area {number(single)}"
        return f"x = {number(float(x))} has {many}; {alone}."
    if float(slope) < 0:
        without = number(float(push.base_prob(marked) / slope))
        return f"T falls: pᵤ/T′ would be {without} at the marked x; p = pᵤ/|T′| is {p}."
    x_peak, p_peak = peak
    if p_peak > 1:
        return (
            f"p = {number(p_peak)} at x = {number(x_peak)} is no bug "
            f"(−log p = {number(-math.log(p_peak))}): "
            f"0.100 of mass takes {number(0.1 / p_peak, 2)} of length."
        )
    if mode is None:
        return f"The base is flat: p = 1/T′ = 1/{number(float(slope))} = {p} at the marked x."
    image = round(float(push.function(torch.tensor([mode], dtype=torch.float64))[0]), 9)
    slopes = push.function(torch.linspace(*push.ends, 9, dtype=torch.float64))[1]
    if float(slopes.max() - slopes.min()) < 1e-9:
        return f"T′ = {number(float(slope))} everywhere: p has the base's shape, its peak too."
    if abs(image - x_peak) < CLOSE:
        return (
            f"The base's peak goes to the peak of p, x = {number(x_peak)}: T′ hardly changes there."
        )
    return (
        f"The base's peak, which is its median, goes to x = {number(image)}; p peaks at "
        f"{number(x_peak)}, where T′ is smaller."
    )
