"""Choosing a target: thumbnails of the catalogue, a typed formula, or one's own points."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from flowviz import targets
from flowviz.targets import Target
from flowviz.widgets.controls import Controls
from flowviz.widgets.gallery import Gallery
from flowviz.widgets.layout import classed, stack
from flowviz.widgets.readouts import Kind
from flowviz.widgets.stage import Stage
from flowviz.widgets.state import Choice, PanelState, Points, Text

POINTS, FORMULA = "points", "formula"

MOST_POINTS = 2_000
"""A link carries no more; larger tables are subsampled."""

_BOUND = 100.0
_THUMBNAIL = 48
_WINDOW = (-4.0, 4.0, -4.0, 4.0)

TARGETS = {
    **{name: targets.make(name).title for name in targets.names()},
    POINTS: "Your points",
    FORMULA: "Your formula",
}
"""What can be chosen: names and their titles."""


class TargetState(PanelState):
    """The settings that name a target."""

    target = Choice("eight_gaussians", TARGETS, label="Target", help="What the flow is fitted to")
    formula = Text(
        "-((r - 2)/0.4)^2/2 + cos(4*theta)",
        label="log p̃(x, y)",
        help="Up to a constant, of x, y, r and theta: -(x^2 + y^2)/2, say",
    )
    points = Points(
        max_points=MOST_POINTS, bound=_BOUND, label="Your points", help="At least two different"
    )


TARGET_SETTINGS = ("target", "formula", "points")
"""The settings after whose change there may be another target."""


class TargetChoice:
    """The controls that choose a target, and the target that they name.

    A formula or points that cannot be used leave the last good target in force; what is wrong
    stands right under the box, or goes to ``message`` where the boxes are hidden.

    Args:
        settings: has the fields of :class:`TargetState`.
        controls: of the panel.
        message: shows words in the panel.

    Attributes:
        widget: the gallery, and under it the box for the formula or for points.
        error: what is wrong with the present formula or points, "" if nothing.
    """

    def __init__(
        self, settings: Any, controls: Controls, message: Callable[[str, Kind], None]
    ) -> None:
        self._settings = settings
        self._message = message
        self._asked: Any = None
        self._good_key: Any = (settings.fields()["target"].initial, None)
        self._good = _make(*self._good_key)
        self.error = ""
        self._gallery = controls.bind("target", _gallery())
        self._formula_error = _Words("fv-formula-error")
        self._formula_box = stack(controls["formula"], self._formula_error)
        self._points_box = _PointsBox(settings)
        controls.put("points", self._points_box.widget)
        self.widget = classed(
            stack(self._gallery, self._formula_box, self._points_box.widget), "fv-target-choice"
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
        _show(self._formula_box, wanted == FORMULA)
        _show(self._points_box.widget, wanted == POINTS)
        said = (self.error or target.note) if wanted == FORMULA else ""
        self._formula_error.show(said, "error" if self.error else "info")
        if wanted == POINTS:
            self._points_box.show(self.error, target.note)
        if self.error and wanted in self._settings.hide:
            self._message(self.error, "error")


class _PointsBox:
    """Points of one's own: drawn, pasted, or from a CSV file."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._own = False  # whether the change of the points comes from the stage
        self._source = ""
        self._stage = Stage(
            window=_WINDOW,
            drawing="points",
            transport=False,
            axes=False,
            description="An empty plane to draw points on",
        )
        self._file = widgets.FileUpload(accept=".csv,.tsv,.txt", multiple=False)
        self._file.description = "CSV file"
        self._file.tooltip = "Two columns of numbers; they are centred and scaled"
        self._table = widgets.Textarea(
            description="Or paste rows",
            placeholder="x, y\n0.3, 1.2\n…",
            tooltip="Two numbers a row; they are centred and scaled",
            continuous_update=False,
            rows=3,
        )
        self._words = _Words("fv-points-words")
        self.widget = stack(
            self._stage,
            classed(self._file, "fv-action"),
            classed(self._table, "fv-control"),
            self._words,
        )
        self._stage.observe(lambda change: self._drawn(change["new"]), names=["drawn"])
        self._file.observe(lambda change: self._uploaded(change["new"]), names=["value"])
        self._table.observe(lambda change: self._pasted(change["new"]), names=["value"])
        settings.observe(lambda _: self._to_stage(), names=["points"])
        self._to_stage()

    def show(self, error: str, note: str) -> None:
        """Say what is wrong with the points, or how many there are and where they came from."""
        count = len(self._settings.points)
        if error and count:
            self._words.show(f"{_sentence(error)} The target before is kept.", "error")
        elif error:
            self._words.show(
                "Draw points above, choose a CSV file or paste rows. Until there are two "
                "different points, the target before is kept.",
                "info",
            )
        else:
            self._words.show(f"{count:,} points. {self._source}{note}", "info")

    def _drawn(self, points: np.ndarray) -> None:
        if self._own:
            return
        source = ""
        if len(points) > MOST_POINTS:
            source = f"{MOST_POINTS:,} of {len(points):,} drawn points are used. "
            points = _some(points)
        self._take(points, source)

    def _uploaded(self, files: Any) -> None:
        if files:
            content, name = bytes(files[0]["content"]), files[0]["name"]
            self._file.value = ()  # so that the same file can be chosen again
            self._read(content, f"from {name}")

    def _pasted(self, text: str) -> None:
        if text.strip():
            self._read(text.encode(errors="replace"), "from the rows pasted")

    def _read(self, table: bytes, whence: str) -> None:
        """Take a table's points; one that is none changes nothing and is explained."""
        try:
            read = targets.from_csv(table, standardise=False)
        except (ValueError, TypeError) as error:
            self._words.show(f"Nothing was taken {whence}: {error}.", "error")
            return
        rows = _standardised(read.points.numpy())
        source = f"Read {whence}: {read.about[:-1]}, centred and scaled. "
        if "are used" in read.note:  # the table was subsampled when it was read
            source += read.note[read.note.index(".") + 1 :].strip() + " "
        if len(rows) < len(read.points):
            out = len(read.points) - len(rows)
            source += f"{out:,} farther out than {_BOUND:g} deviations are left out. "
        if len(rows) > MOST_POINTS:
            source += f"{MOST_POINTS:,} of {len(rows):,} points are kept, drawn at random. "
        self._take(_some(rows), source)

    def _take(self, points: np.ndarray, source: str) -> None:
        self._source = source
        self._settings.update({"points": points, "target": POINTS})

    def _to_stage(self) -> None:
        """The drawing follows the points, so that one goes on drawing where they are."""
        points = np.reshape(np.asarray(self._settings.points, dtype=np.float32), (-1, 2))
        if points.shape == self._stage.drawn.shape and np.allclose(points, self._stage.drawn):
            return
        self._own = True
        try:
            self._stage.drawn = points
        finally:
            self._own = False


class _Words(widgets.HTML):
    """Words right under a control; from the second line on, columns stay columns."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.text = ""
        classed(self, "fv-words", name)
        self.show("", "info")

    def show(self, text: str, kind: Kind) -> None:
        self.text = text
        (self.add_class if kind == "error" else self.remove_class)("fv-error")
        role = "alert" if kind == "error" else "status"
        said, _, columns = text.partition("\n")
        shown = escape(said) + (f"<pre>{escape(columns)}</pre>" if columns else "")
        self.value = f'<div role="{role}">{shown}</div>' if text else ""
        _show(self, bool(text))


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
    return Gallery(TARGETS, pictures, label="Target")


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
    """A tile for the formula: the default one's density."""
    return targets.from_formula(TargetState.defaults()["formula"], _WINDOW).thumbnail(_THUMBNAIL)


def _standardised(rows: np.ndarray) -> np.ndarray:
    """Each column less its mean and over its deviation, without rows beyond 100 deviations."""
    while True:
        spread = rows.std(0)
        scaled = (rows - rows.mean(0)) / np.where(spread > 0, spread, 1.0)
        near = (np.abs(scaled) <= _BOUND).all(axis=1)
        if near.all():
            return scaled
        rows = rows[near]


def _some(points: np.ndarray) -> np.ndarray:
    """At most so many of the points as the state carries; always the same ones."""
    if len(points) <= MOST_POINTS:
        return points
    chosen = np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False)
    return points[np.sort(chosen)]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _show(widget: widgets.DOMWidget, shown: bool) -> None:
    widget.layout.display = None if shown else "none"
