"""What is seen of the divergences of a pair, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping

from flowviz.objectives.on_the_line import MEASURES
from flowviz.panels.parts.divergence_table import (
    Measured,
    pull_in_words,
    value_in_words,
    way_in_words,
)
from flowviz.widgets.readouts import format_number

FLAT = 1e-3
"""A pull below this moves nothing that is seen."""
BOUNDED = {
    "jensen_shannon": math.log(2),
    "squared_hellinger": 1.0,
    "total_variation": 1.0,
}
"""What these cannot exceed."""


def in_words(name: str, found: Mapping[str, Measured], steps: int) -> str:
    """What the chosen divergence is, and how it pulls beside others.

    Args:
        name: the chosen one.
        found: all of them, by name.
        steps: training steps made.
    """
    one, symbol = found[name], MEASURES[name].symbol
    if one.why:
        tv = format_number(found["total_variation"].value, 2)
        return f"{symbol} is infinite, TV only {tv}: {one.why}."
    after = f"After {steps:,} steps " if steps else ""
    value, pull = f"{after}{symbol} = {value_in_words(one)}", pull_in_words(one, size=True)
    if math.isnan(one.pull):
        return f"{value}. Edges coincide: left and right of here the pulls differ."
    still = abs(one.pull) < FLAT
    if still and name in BOUNDED and one.value > 0.9 * BOUNDED[name]:
        w1 = pull_in_words(found["wasserstein"], size=True)
        why = f"descent stays here, pull {pull}" if steps else f"its pull is {pull}, W₁'s {w1}"
        return f"{value} is almost its maximum, and flat: {why}."
    if still and abs(one.widening) < 10 * FLAT and one.value > 0.1:
        return f"{value} has no pull left: p is at rest, if not at the best place."
    if one.few < 0 and value_in_words(one) != "0":
        drawn = "p*" if name == "kl" else "p"
        return (
            f"{value}; the mean of 30 draws of {drawn} is {format_number(one.few, 2)}: "
            "an estimate below 0 is no bug."
        )
    others = [n for n in ("jensen_shannon", "wasserstein", "kl") if n != name][:2]
    against = ", ".join(
        f"{MEASURES[n].symbol} {way_in_words(found[n])}"
        for n in others
        if not math.isnan(found[n].pull)
    )
    return f"{value} pulls p {way_in_words(one)}{f'; {against}' if against else ''}."
