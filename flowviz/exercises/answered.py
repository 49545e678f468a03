"""What of a lesson is answered, and the line at its head that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets as t

from flowviz.exercises.style import CARD
from flowviz.widgets import esm
from flowviz.widgets.headless import headless, without_comms
from flowviz.widgets.panel import cells


class Progress(anywidget.AnyWidget):
    """One line, such as "3 of 7 answered": see :func:`progress`.

    The page keeps what was answered under the lesson's name, so that it survives a reload and a
    kernel that was started again.

    Attributes:
        total: predictions and tasks of the lesson.
        answered: the predictions committed to and the tasks done in this kernel.
        forgotten: the predictions that are asked again.
        elsewhere: the tasks that cannot be done where the lesson is shown.
    """

    _esm = esm.widget(Path(__file__).with_name("answered.js"))
    _css = CARD

    lesson = t.Unicode().tag(sync=True)
    total = t.Int().tag(sync=True)
    answered: Any = t.List(t.Unicode()).tag(sync=True)
    forgotten: Any = t.List(t.Unicode()).tag(sync=True)
    elsewhere: Any = t.List(t.Unicode()).tag(sync=True)

    def __init__(self, lesson: str, total: int, answered: list[str]) -> None:
        without_comms()
        super().__init__(lesson=lesson, total=total, answered=answered)
        self._cell = cells.begin(self)

    def close(self) -> None:
        cells.end(self._cell, self)
        self.layout.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        made = None if headless() else super()._repr_mimebundle_(**kwargs)
        data, metadata = made if isinstance(made, tuple) else (dict(made or {}), {})
        words = f"{len(self.answered)} of {self.total} answered"
        return {**data, "text/plain": words}, metadata


_line: Progress | None = None
_answered: list[str] = []


def progress(lesson: str, total: int) -> Progress:
    """The line that says how much of a lesson is answered; it stands at the lesson's head.

    Args:
        lesson: its title; one lesson a kernel.
        total: how many predictions and tasks it has.
    """
    global _line
    if _line is not None and _line.lesson != lesson:
        _answered.clear()
    _line = Progress(lesson, total, list(_answered))
    return _line


def add(key: str) -> None:
    """A prediction is committed to, or a task is done."""
    if key not in _answered:
        _answered.append(key)
    if _line is not None:
        _line.forgotten = [other for other in _line.forgotten if other != key]
        _line.answered = list(_answered)


def needs_a_cell(key: str) -> None:
    """A task is a programme, and the lesson is shown as a page, without a cell to write it in."""
    if _line is not None and key not in _line.elsewhere:
        _line.elsewhere = [*_line.elsewhere, key]


def remove(key: str) -> None:
    """A prediction is asked again."""
    if key in _answered:
        _answered.remove(key)
    if _line is not None:
        _line.forgotten = [*(other for other in _line.forgotten if other != key), key]
        _line.answered = list(_answered)
