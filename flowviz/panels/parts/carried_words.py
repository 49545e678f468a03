"""Where particles are on their way through a flow, and what it does there, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from flowviz.panels.parts.volume_words import factor_in_words

TO_BASE = (
    "Data → base, the way of log p(x): the better the fit, the more Gaussian the data at layer 0."
)
MUCH = 0.02
"""A share of the particles that is said to be out of sight."""


def carried_in_words(
    layer: int,
    changes: Sequence[float],
    total: float,
    *,
    back: bool,
    outside: float,
    made: bool,
) -> str:
    """Where the particles are, and what the layer that they came through does to an area.

    Args:
        layer: in whose state they are; 0: in the base's.
        changes: log|det J| of each layer at the marked point.
        total: their sum.
        back: data is carried to the base.
        outside: the largest share of the particles that is out of sight in a state.
        made: the flow is trained, or set by hand.
    """
    away = (
        f" On the way up to {100 * outside:.2g} % of the samples leave the picture."
        if outside > MUCH
        else ""
    )
    last = layer == len(changes)
    if back and last:
        return f"Here they are still data: Play carries them back, the way of log p(x).{away}"
    if back and layer == 0:
        return f"{TO_BASE}{away}"
    if layer == 0:
        return "Here they are still the Gaussian of the base: press Play."
    whose = "the whole flow" if last else f"layer {layer}"
    change = total if last else changes[layer - 1]
    undone = f"; undone, it {factor_in_words(-change)}" if back else ""
    train = "" if made or back or not last else " Not trained yet: press Train."
    return f"At the marked point {whose} {factor_in_words(change)}{undone}.{train or away}"
