"""The sentence on the ratio p*/p in the data and in the base: what is one number, what is not."""

from __future__ import annotations

import math

from flowviz.panels.parts.two_sides import KL, SLICED, TwoSides, alike, told_apart
from flowviz.widgets.readouts import format_number


def in_words(sides: TwoSides, at_u: float, at_x: float, why: str) -> str:
    """Whether the ratio travels.

    Args:
        sides: the divergences on both sides.
        at_u, at_x: log p*/p at the marked point, had on either side.
        why: what was done to the flow's inverse, in words; "" where nothing.
    """
    kl, w1 = sides.said[KL], sides.said[SLICED]
    breaks = f"{why or 'The two directions of this flow disagree'}: the equality breaks,"
    if not sides.equal[KL]:
        return f"{breaks} KL(p*‖p) is {kl[0]} in x and {kl[1]} in u."
    if not alike(at_u, at_x):
        in_u, in_x = told_apart(at_u, at_x)
        return f"{breaks} log p*/p is {in_x} at x and {in_u} at u."
    ratio = f"p*/p = {format_number(math.exp(at_x), 2)} at both points"
    same = f"{ratio}, KL = {kl[0]} on both sides; sliced W₁ {w1[0]} in x, {w1[1]} in u."
    return f"{why}: {same}" if why else same
