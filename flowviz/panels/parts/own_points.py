"""Points of one's own: drawn, pasted, or from a CSV file."""

from __future__ import annotations

from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import torch

from flowviz.moments import standardised
from flowviz.panels.parts.words import Words
from flowviz.targets.points import check_points
from flowviz.targets.table import read_table
from flowviz.widgets.file_button import FileButton
from flowviz.widgets.layout import classed, row, stack
from flowviz.widgets.stage import Stage

POINTS = "points"
"""The target's name."""

MOST_POINTS = 2_000
"""A link carries no more; larger tables are subsampled."""

BOUND = 100.0
"""The largest coordinate; tables are scaled, so that few points lie beyond."""


class _Sheet(NamedTuple):
    """A table as it came.

    Attributes:
        content: its bytes.
        whence: where it came from, in words.
        file: its name, "" for pasted rows.
    """

    content: bytes
    whence: str
    file: str = ""


class _Reading(NamedTuple):
    """What points were read from.

    Attributes:
        sheet: the table.
        numeric: what its columns of numbers are called.
        columns: which two of them are x and y.
        words: what is said of it all.
    """

    sheet: _Sheet
    numeric: tuple[str, ...]
    columns: tuple[str, ...]
    words: str


class OwnPoints:
    """``settings.points``, drawn on the panel's picture or brought as a table, in two ways.

    The picture's undo goes back over strokes and tables alike.

    Args:
        settings: has ``points``.
        stage: the picture; it is drawn on while one's own points are the target.

    Attributes:
        widget: the button, the box, and the words under them.
    """

    def __init__(self, settings: Any, stage: Stage) -> None:
        self._settings = settings
        self._said: tuple[str, str] = "", ""
        self._on_pad: tuple[tuple[float, float], ...] = ()  # the points, as the picture has them
        self._read: dict[Any, _Reading] = {}  # of each set of points that was
        self._offering = False
        self._stage = stage
        self._file = FileButton(
            self._uploaded,
            description="CSV file",
            accept=".csv,.tsv,.txt",
            tooltip="Two columns of numbers; they are centred and scaled",
        )
        self._table = widgets.Textarea(
            description="Or paste rows",
            placeholder="x, y\n0.3, 1.2\n…",
            tooltip="Two numbers a row; they are centred and scaled",
            continuous_update=False,
            rows=3,
        )
        self._axes = [
            widgets.Dropdown(description=axis, tooltip=f"Which column is {axis}") for axis in "xy"
        ]
        self._columns = row(*(classed(axis, "fv-control") for axis in self._axes))
        self._columns.layout.display = "none"
        self._words = Words("fv-points-words")
        self.widget = stack(
            self._file,
            classed(self._table, "fv-control"),
            self._columns,
            self._words,
        )
        self._stage.observe(lambda change: self._drawn(change["new"]), names=["drawn"])
        self._table.observe(lambda change: self._pasted(change["new"]), names=["value"])
        for axis in self._axes:
            axis.observe(self._choose, names=["value"])

    def show(self, error: str, note: str) -> None:
        """Follow the points: on the pad, in the menus, and in words on what is wrong or read."""
        self._said = error, note
        self._to_stage()
        points = self._settings.points
        count, drawn = len(points), len(self._stage.drawn)
        reading = self._read.get(points)
        self._offer(reading)
        self._file.loaded = reading.sheet.file if reading else ""
        source = reading.words if reading else ""
        if drawn > count:
            source = f"{count:,} of {drawn:,} drawn points are used. "
        if error and count:
            self._words.show(f"{_sentence(error)} The target before is kept.", "error")
        elif error:
            self._words.show(
                "Draw points on the picture, choose a CSV file or paste rows. Until there are two "
                "different points, the target before is kept.",
                "info",
            )
        else:
            self._words.show(f"{count:,} points. {source}{note}", "info")

    def _drawn(self, points: np.ndarray) -> None:
        if self._stage.drawing == "off":
            return
        taken = self._points(points)
        if taken != self._on_pad:
            # The pad keeps all that was drawn: an answer would be a step of its own to undo.
            self._on_pad = taken
            self._settings.update({"points": taken, "target": POINTS})

    def _uploaded(self, name: str, content: bytes | None) -> None:
        if content is None:
            most = f"{self._file.most_bytes >> 20} MiB"
            self._refuse(f"from {name}", f"it is larger than {most}; a part of its rows will do")
        else:
            self._read_table(_Sheet(content, f"from {name}", name))

    def _pasted(self, text: str) -> None:
        if text.strip():
            self._read_table(_Sheet(text.encode(errors="replace"), "from the rows pasted"))

    def _read_table(self, sheet: _Sheet, columns: tuple[str, ...] | None = None) -> None:
        """Take a table's points; one that has none changes nothing and is explained."""
        try:
            table = read_table(sheet.content, columns, count=2)
            given = check_points(table.points)
            rows = _scaled(given)
            taken = self._points(rows)
            check_points(taken)
        except ValueError as error:
            self._refuse(sheet.whence, str(error))
            return
        words = f"Read {sheet.whence}: {' and '.join(table.labels)}, centred and scaled. "
        if table.remarks:
            words += f"{table.remarks} "
        if len(rows) < len(given):
            out = len(given) - len(rows)
            words += f"{out:,} farther out than {BOUND:g} deviations are left out. "
        if len(rows) > MOST_POINTS:
            words += f"{MOST_POINTS:,} of {len(rows):,} points are kept, drawn at random. "
        self._read[taken] = _Reading(sheet, table.numeric, table.labels, words)
        self._settings.update({"points": taken, "target": POINTS})
        self.show(*self._said)  # no change is heard of if these were the points already

    def _offer(self, reading: _Reading | None) -> None:
        """Where three columns or more hold numbers, which two of them are x and y is chosen."""
        more = reading is not None and len(reading.numeric) > 2
        self._columns.layout.display = None if more else "none"
        if reading is None:
            return
        self._offering = True
        for axis, label in zip(self._axes, reading.columns, strict=True):
            if axis.options != reading.numeric:
                axis.options = reading.numeric
            axis.value = label
        self._offering = False

    def _choose(self, change: Any) -> None:
        """Take the columns that are chosen; one that was the other axis's changes places."""
        reading = self._read.get(self._settings.points)
        if self._offering or reading is None:
            return
        x, y = (axis.value for axis in self._axes)
        self._read_table(reading.sheet, (x, y) if x != y else reading.columns[::-1])
        # If that was refused, the menus are as the points are.
        self._offer(self._read[self._settings.points])

    def _refuse(self, whence: str, why: str) -> None:
        self._words.show(f"Nothing was taken {whence}: {why}.", "error")

    def draw_on_stage(self, on: bool) -> None:
        """Let the picture be drawn on, or take the points off it."""
        self._stage.drawing = "points" if on else "off"
        if not on and len(self._stage.drawn):
            self._on_pad = ()
            self._stage.drawn = np.empty((0, 2), dtype=np.float32)

    def _to_stage(self) -> None:
        """One goes on drawing where the points are."""
        if self._settings.points != self._on_pad:
            self._on_pad = self._settings.points
            self._stage.drawn = np.reshape(np.array(self._on_pad, dtype=np.float32), (-1, 2))

    def _points(self, points: np.ndarray) -> tuple[tuple[float, float], ...]:
        """The points as the settings have them."""
        taken: tuple[tuple[float, float], ...]
        taken = self._settings.fields()["points"].coerce(_some(points))
        return taken


def _scaled(rows: np.ndarray) -> np.ndarray:
    """The rows standardised, without those beyond 100 deviations."""
    while True:
        scaled = standardised("points", torch.from_numpy(rows)).numpy()
        near = (np.abs(scaled) <= BOUND).all(axis=1)
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
