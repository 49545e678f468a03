"""A question that the student commits an answer to before the reason is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent
_TOKENS = _HERE.parent / "widgets" / "tokens.css"


class Prediction(anywidget.AnyWidget):
    """One question with its options; the answer reaches the page only after the commitment.

    Attributes:
        chosen: index of the option that is marked, −1 for none.
        committed: whether the student has committed; from then on ``chosen`` is fixed.
        verdict: "" before, "right" or "wrong" after.
    """

    _esm = (_HERE / "predict.js").read_text(encoding="utf-8")
    _css = "\n".join(p.read_text(encoding="utf-8") for p in (_TOKENS, _HERE / "predict.css"))

    question = traitlets.Unicode().tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    committed = traitlets.Bool(False).tag(sync=True)
    verdict = traitlets.Unicode().tag(sync=True)
    answer = traitlets.Int(-1, help="index of the right option once revealed").tag(sync=True)
    why = traitlets.Unicode().tag(sync=True)

    def __init__(self, question: str, options: Sequence[str], answer: int, why: str) -> None:
        super().__init__(question=question, options=list(options))
        self._answer = answer
        self._why = why
        self._final: int | None = None
        self.observe(self._settle, names=["committed", "chosen"])

    def commit(self, option: str) -> None:
        """Commit to an option, as the button on the page does.

        Raises:
            ValueError: there is no such option, or an answer is committed already.
        """
        if self._final is not None:
            raise ValueError(f"committed already, to {self.options[self._final]!r}")
        self.chosen = _index(option, self.options)
        self.committed = True

    def _settle(self, _: Any) -> None:
        """Reveal the answer at the commitment; hold it against later changes."""
        if self._final is not None:
            self.set_trait("chosen", self._final)
            self.set_trait("committed", True)
        elif self.committed and not 0 <= self.chosen < len(self.options):
            self.committed = False
        elif self.committed:
            self._final = self.chosen
            self.answer = self._answer
            self.why = self._why
            self.verdict = "right" if self.chosen == self._answer else "wrong"


def predict(question: str, options: Sequence[str], answer: str, why: str) -> Prediction:
    """Ask for a prediction.

    Args:
        question: one sentence or two, in plain text.
        options: two or more different ones.
        answer: the right option.
        why: shown once the student has committed, whichever way.

    Raises:
        ValueError: fewer than two options, two that are equal, or ``answer`` is none of them.
    """
    if isinstance(options, str) or len(options) < 2 or len(set(options)) < len(options):
        raise ValueError(f"a prediction needs two or more different options, not {options!r}")
    return Prediction(question, options, _index(answer, options), why)


def _index(option: str, options: Sequence[str]) -> int:
    if option not in options:
        raise ValueError(f"{option!r} is not among the options {list(options)!r}")
    return list(options).index(option)
