"""A prediction that is drawn: where the samples will be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flowviz.exercises.prediction import Prediction
from flowviz.exercises.style import CARD
from flowviz.widgets import esm
from flowviz.widgets.headless import without_comms
from flowviz.widgets.readouts import format_number
from flowviz.widgets.stage import Particles, Stage
from flowviz.widgets.stage.marks import Mark

Array = npt.NDArray[np.floating[Any]]
Window = tuple[float, float, float, float]

CELLS = 8
"""The histograms' cells a side: coarse, for nobody sprays the tails as they are."""
FEWEST = 20
"""Fewer points are no drawing."""
APART = 0.75
"""From this total variation on a drawing has little in common with the samples."""


def total_variation(a: Array, b: Array, window: Window, cells: int = CELLS) -> float:
    """½ Σ |share of a − share of b| over the cells of a window, and over what is outside it.

    Args:
        a: points ``[n, 2]``.
        b: points ``[m, 2]``.
        window: (xmin, xmax, ymin, ymax).
        cells: a side.

    Returns:
        0 where the shares are the same, 1 where no cell holds points of both.
    """
    first, second = (_shares(points, window, cells) for points in (a, b))
    return float(np.abs(first - second).sum() / 2)


def _shares(points: Array, window: Window, cells: int) -> Array:
    """The share of the points in each cell, and, last, outside the window."""
    xmin, xmax, ymin, ymax = window
    x, y = points[:, 0], points[:, 1]
    counts, _, _ = np.histogram2d(x, y, bins=cells, range=[[xmin, xmax], [ymin, ymax]])
    inside = counts.ravel() / len(points)
    return np.append(inside, 1 - inside.sum())


class DrawingPrediction(Prediction, Stage):
    """A question with a stage to spray points on: see :func:`predict_drawing`."""

    _esm = esm.widget(Path(__file__).with_name("drawing.js"))
    _css = f"{Stage._css}\n{CARD}"
    answer_trait = "drawn"

    def __init__(
        self,
        question: str,
        samples: Array,
        why: str,
        window: Window,
        tolerance: float,
        slips: Sequence[tuple[Array, str]],
        marks: Sequence[Mark],
        experiment: str,
    ) -> None:
        without_comms()
        Stage.__init__(
            self, marks, question=question, experiment=experiment, window=window,
            drawing="points", transport=False, tools=False, max_width=420,
            description="An empty picture to draw on: a stroke sprays points. With the keyboard, "
            "the arrows move a cursor and Enter sprays.",
        )  # fmt: skip
        self._samples, self._why, self._tolerance, self._slips = samples, why, tolerance, slips
        self._before = self.particles
        self.begin()

    def commit(self, points: Any) -> None:
        """Commit to points ``[n, 2]``, as the button on the page does.

        Raises:
            ValueError: an answer is committed already.
            traitlets.TraitError: they have another shape.
        """
        self.fix(points)

    def taken(self) -> Array | None:
        points: Array = self.drawn
        return points if len(points) >= FEWEST and np.isfinite(points).all() else None

    def judge(self, answer: Array) -> tuple[bool, str, str]:
        distance = total_variation(answer, self._samples, self.window)
        right = distance <= self._tolerance
        how = "Close" if right else "In part" if distance < APART else "Elsewhere"
        heading = (
            f"{how}: the total variation between your points and the samples, in blue, is "
            f"{format_number(distance, 2)} (0: alike, 1: nothing in common)."
        )
        if right:
            return True, heading, self._why
        for points, reason in self._slips:
            if total_variation(answer, points, self.window) < min(distance, self._tolerance):
                return False, heading, f"{reason}\n{self._why}"
        return False, heading, self._why

    def shown(self) -> None:
        self.drawing = "off"
        truth = Particles(self._samples, palette="forward", opacity=0.4, label="the samples")
        self.particles = [*self._before, truth]

    def forgotten(self) -> None:
        self.particles = self._before
        self.drawing = "points"

    def _holds(self) -> bool:
        return np.array_equal(self.drawn, self._final)

    def in_words(self) -> str:
        return f"{self.question}\n○ a drawing of the samples"


def predict_drawing(
    question: str,
    samples: Any,
    why: str,
    *,
    window: Window = (-4.0, 4.0, -4.0, 4.0),
    tolerance: float = 0.45,
    slips: Sequence[tuple[Any, str]] = (),
    marks: Sequence[Mark] = (),
    experiment: str = "",
) -> DrawingPrediction:
    """Ask where samples will be: points are sprayed on a small stage.

    Once the reason is shown, the samples are laid over the drawing, and the total variation
    between the histograms of both, of 8 by 8 cells, is said.

    Args:
        question: one sentence or two, in plain text.
        samples: what is asked for, ``[N, 2]``, some hundreds or thousands.
        why: shown, whatever was drawn, after the experiment.
        window: xmin, xmax, ymin, ymax of the stage.
        tolerance: the total variation up to which a drawing is right. A disc sprayed evenly where
            there is a Gaussian is at about 0.3.
        slips: the samples ``[N, 2]`` that a known mistake leads to, each with a sentence that
            names the mistake. The sentence stands before the reason.
        marks: what is on the stage from the start.
        experiment: as in :func:`predict`.

    Raises:
        ValueError: samples or slips of another shape, a tolerance outside (0, 1), or a slip whose
            samples would count as right.
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"the tolerance must be between 0 and 1, got {tolerance}")
    truth = _points(samples, "samples")
    named = [(_points(points, "a slip's samples"), reason) for points, reason in slips]
    for points, reason in named:
        if total_variation(points, truth, window) <= tolerance:
            raise ValueError(f"the slip {reason!r} is within {tolerance} of the samples")
    return DrawingPrediction(question, truth, why, window, tolerance, named, marks, experiment)


def _points(samples: Any, name: str) -> Array:
    points = np.asarray(samples, dtype=np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < FEWEST:
        raise ValueError(f"{name} must be {FEWEST} points or more, [N, 2]; got {points.shape}")
    return points
