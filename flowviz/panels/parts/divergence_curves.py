"""Both divergences against the training step, as both losses estimate them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flowviz.panels.parts.fit import History
from flowviz.panels.parts.model_on_grid import SYMBOLS
from flowviz.widgets.charts.loss import Series

SMOOTHING = 25
"""The curves are means over so many steps."""


def divergence_curves(
    history: History,
    entropies: Mapping[int, float],
    log_z: float,
    constants: Mapping[int, float],
    colours: Sequence[str],
) -> list[Series]:
    """Forward and reverse loss above their minima: KL(p*‖p) and KL(p‖p*), with standard errors.

    Args:
        history: of a run, the forward trainer first.
        entropies: of the target, each by the steps made before it was the target's.
        log_z: of the target.
        constants: log C of the reverse loss, by the steps made before.
        colours: of the two curves, as CSS names them.
    """
    steps = np.array(history.steps, dtype=np.float64)
    losses, errors = (
        np.array(list(values), dtype=np.float64).reshape(-1, 2)[: len(steps)]
        for values in (history.losses, history.errors)
    )
    since = sorted(entropies)
    latest = np.maximum(np.searchsorted(since, steps) - 1, 0)
    forward_minimum = np.array([entropies[step] for step in since])[latest]
    reverse_minimum = [-log_z - constants.get(int(step) - 1, 0.0) for step in steps]
    above = losses - np.stack([forward_minimum, reverse_minimum], axis=1)
    return [
        Series(SYMBOLS[i], steps, *_smooth(above[:, i], errors[:, i]), colours[i]) for i in (0, 1)
    ]


def _smooth(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each value and those before it, at most so many, and its standard error."""
    count = np.minimum(np.arange(1, len(values) + 1), SMOOTHING)

    def sums(terms: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(terms)])
        last = np.arange(1, len(terms) + 1)
        return total[last] - total[last - count]

    return sums(values) / count, np.sqrt(np.maximum(sums(errors**2), 0.0)) / count
