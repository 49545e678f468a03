"""Choosing a target: thumbnails of the catalogue, a typed formula, or one's own points."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from flowviz import targets
from flowviz.grid import Grid2D
from flowviz.panels.parts.own_formula import FORMULA, OwnFormula
from flowviz.panels.parts.own_points import BOUND, MOST_POINTS, POINTS, OwnPoints
from flowviz.targets import Target
from flowviz.targets.formula import MAX_LENGTH, compile_formula
from flowviz.widgets.gallery import Gallery
from flowviz.widgets.layout import classed, stack
from flowviz.widgets.panel import Panel
from flowviz.widgets.stage import Stage
from flowviz.widgets.state import Choice, PanelState, Points, Text

FAVOURITES = ("eight_gaussians", "two_moons", "pinwheel", "checkerboard", "circles")
"""The targets that are always in sight."""
SHORT = {
    "eight_gaussians": "Eight",
    "two_moons": "Moons",
    "checkerboard": "Checker",
    "grid_gaussians": "Grid",
    "correlated_gaussian": "Gaussian",
    "heavy_tailed": "Heavy tails",
    "old_faithful": "Geyser",
    "fiji_earthquakes": "Quakes",
    POINTS: "Points",
    FORMULA: "Formula",
    **{f"energy_{i}": f"Energy U{sub}" for i, sub in enumerate("₁₂₃₄", 1)},
}
_THUMBNAIL = 48
_WINDOW = (-4.0, 4.0, -4.0, 4.0)

TARGETS = {
    **{name: targets.make(name).title for name in targets.names()},
    POINTS: "Your points",
    FORMULA: "Your formula",
}
"""What can be chosen: names and their titles."""


def target_field(default: str) -> Choice:
    """The setting that names the target."""
    return Choice(default, TARGETS, label="Target", help="What the flow is fitted to")


class TargetState(PanelState):
    """The settings that name a target."""

    target = target_field("eight_gaussians")
    formula = Text(
        "-((r - 2)/0.4)^2/2 + cos(4*theta)",
        max_length=MAX_LENGTH,
        label="log p̃(x, y)",
        help="Up to a constant, of x, y, r and theta: -(x^2 + y^2)/2, say",
    )
    points = Points(
        max_points=MOST_POINTS, bound=BOUND, label="Your points", help="At least two different"
    )


TARGET_SETTINGS = ("target", "formula", "points")
"""The settings after whose change there may be another target."""


class TargetChoice:
    """The controls that choose a target, and the target that they name.

    A formula or points that cannot be used leave the last good target in force; what is wrong
    stands right under the box, or goes to ``message`` where the boxes are hidden.

    Args:
        panel: its state has the fields of :class:`TargetState`.
        stage: the panel's main picture, on which one's own points are drawn.

    Attributes:
        widget: the gallery, and under it the box for the formula or for points.
        error: what is wrong with the present formula or points, "" if nothing.
    """

    def __init__(self, panel: Panel, stage: Stage) -> None:
        if not isinstance(panel.settings, TargetState):
            raise TypeError("the state of a panel with a TargetChoice is a TargetState")
        settings, controls = panel.settings, panel.controls
        self._settings: Any = settings
        self._message = panel.message
        self._asked: Any = None
        self._good_key: Any = (settings.fields()["target"].initial, None)
        self._good = _make(*self._good_key)
        self.error = ""
        self._gallery = controls.bind("target", _gallery())
        self._formula = OwnFormula(settings)
        self._points = OwnPoints(settings, stage)
        controls.put("formula", self._formula.box)
        controls.put("points", self._points.widget)
        self.widget = classed(
            stack(self._gallery, self._formula.widget, self._points.widget), "fv-target-choice"
        )
        settings.on_change(self._changed)
        self._changed(frozenset(TARGET_SETTINGS))

    def target(self) -> Target:
        """The target that the settings name, or the last good one where they name none."""
        wanted = self._settings.target
        key = wanted, getattr(self._settings, wanted) if wanted in (POINTS, FORMULA) else None
        if key != self._asked:
            self._asked = key
            try:
                self._good, self._good_key, self.error = _make(*key), key, ""
            except ValueError as error:
                self.error = str(error)
        return self._good

    def code(self) -> str:
        """The line of Python that makes the target in force."""
        self.target()
        wanted, given = self._good_key
        if wanted == FORMULA:
            return f"target = flowviz.targets.from_formula({given!r})"
        if wanted == POINTS:
            pairs = ", ".join(f"({x:g}, {y:g})" for x, y in given)
            listed = textwrap.fill(pairs, 92, initial_indent="    ", subsequent_indent="    ")
            return f"target = flowviz.targets.from_points([\n{listed}\n])"
        return f"target = flowviz.targets.make({wanted!r})"

    def _changed(self, changed: frozenset[str]) -> None:
        if not changed.intersection((*TARGET_SETTINGS, "hide")):
            return
        target, wanted = self.target(), self._settings.target
        for name, own in ((FORMULA, self._formula), (POINTS, self._points)):
            own.widget.layout.display = None if wanted == name else "none"
            if wanted == name:
                own.show(self.error, target.note)
        self._points.draw_on_stage(wanted == POINTS and "points" not in self._settings.hide)
        if self.error and wanted in self._settings.hide:
            self._message(self.error, "error")


def _make(wanted: str, given: Any) -> Target:
    """The target of that name, of that formula, or of those points; ValueError if it is none."""
    if wanted == FORMULA:
        return targets.from_formula(given, _WINDOW)
    if wanted == POINTS:
        return targets.from_points(np.reshape(given, (-1, 2)))
    return targets.make(wanted)


def _gallery() -> Gallery:
    """A tile for each target of the catalogue, and the two for one's own."""
    pictures = {name: targets.make(name).thumbnail(_THUMBNAIL) for name in targets.names()}
    pictures[POINTS], pictures[FORMULA] = _scatter(), _waves()
    return Gallery(TARGETS, pictures, label="Target", favourites=FAVOURITES, short=SHORT)


def _scatter() -> np.ndarray:
    """A tile of dots, for points of one's own."""
    rows, columns = np.indices((_THUMBNAIL, _THUMBNAIL)) + 0.5
    random = np.random.default_rng(5)
    centres = np.concatenate(
        [random.normal((16, 32), 4.5, (14, 2)), random.normal((33, 17), 4.5, (14, 2))]
    )
    squared = (columns[..., None] - centres[:, 0]) ** 2 + (rows[..., None] - centres[:, 1]) ** 2
    return np.clip(2.2 - np.sqrt(squared.min(-1)), 0, 1).astype(np.float32)


def _waves() -> np.ndarray:
    """A tile for the formula: the default one's density, by its square root."""
    log_density = compile_formula(TargetState.defaults()["formula"])
    values = log_density(Grid2D(_WINDOW, _THUMBNAIL).points)
    picture = (0.5 * (values - values.max())).exp().reshape(_THUMBNAIL, _THUMBNAIL)
    return picture.flip(0).numpy()
