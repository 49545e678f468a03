"""Fields for numbers and for choices, to answer in where a page has no cell to write in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.exercises.result import Result
from flowviz.exercises.style import CARD
from flowviz.exercises.written import read_number
from flowviz.widgets import esm
from flowviz.widgets.headless import without_comms


class Fields(anywidget.AnyWidget):
    """A field for each number, or one for a choice, a button to check, and the answer below.

    The page keeps what was handed in, so that it survives a reload.

    Args:
        name: of the exercise.
        labels: what the numbers are called; none for a choice.
        options: what is to be chosen from; none for numbers.
        judge: of the numbers, of which one that is missing is None, or of the option.

    Attributes:
        texts: what stands in the fields.
        answer: the answer to it, as HTML.
    """

    _esm = esm.widget(Path(__file__).with_name("fields.js"))
    _css = CARD

    name = traitlets.Unicode().tag(sync=True)
    labels: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    options: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    texts: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answer = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        options: Sequence[str],
        judge: Callable[[object], Result],
    ) -> None:
        without_comms()
        super().__init__(name=name, labels=list(labels), options=list(options))
        self._judge = judge
        self.answer = judge([None] * len(labels) if labels else None).html()
        self.observe(self._check, names=["texts"])

    def _check(self, _: Any) -> None:
        if self.options:
            self.answer = self._judge(self.texts[0] if self.texts else None).html()
            return
        numbers = [read_number(text) for text in self.texts]
        word = next((number for number in numbers if isinstance(number, str)), None)
        result = self._judge(numbers if word is None else None)
        if word is not None:
            result = replace(result, verdict="wrong", reason=f"“{word}” is no number.")
        self.answer = result.html()
