"""Fields for numbers, to answer in where a page has no cell to write in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.exercises.result import Result
from flowviz.widgets.headless import without_comms

_HERE = Path(__file__).parent
_TOKENS = _HERE.parent / "widgets" / "tokens.css"


class NumberFields(anywidget.AnyWidget):
    """A field for each number, a button to check them, and the answer below.

    The page keeps what was handed in, so that it survives a reload.

    Args:
        name: of the exercise.
        labels: what the numbers are called.
        judge: of the numbers; one that is missing is None.

    Attributes:
        texts: what stands in the fields.
        answer: the answer to it, as HTML.
    """

    _esm = (_HERE / "fields.js").read_text(encoding="utf-8")
    _css = "\n".join(p.read_text(encoding="utf-8") for p in (_TOKENS, _HERE / "predict.css"))

    name = traitlets.Unicode().tag(sync=True)
    labels: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    texts: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answer = traitlets.Unicode().tag(sync=True)

    def __init__(self, name: str, labels: Sequence[str], judge: Callable[[object], Result]) -> None:
        without_comms()
        super().__init__(name=name, labels=list(labels))
        self._judge = judge
        self.answer = judge([None] * len(labels)).html()
        self.observe(self._check, names=["texts"])

    def _check(self, _: Any) -> None:
        numbers = [_number(text) for text in self.texts]
        word = next((number for number in numbers if isinstance(number, str)), None)
        result = self._judge(numbers if word is None else None)
        if word is not None:
            result = replace(result, verdict="wrong", reason=f"“{word}” is no number.")
        self.answer = result.html()


def _number(text: str) -> float | str | None:
    """The number that is written, with a point or a comma; None for none, else the text itself."""
    text = text.strip()
    if not text:
        return None
    try:
        return float(text.replace("−", "-").replace(",", "."))
    except ValueError:
        return text
