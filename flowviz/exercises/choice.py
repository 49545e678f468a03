"""A prediction that is one of several options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets as t

from flowviz.exercises.prediction import Prediction
from flowviz.exercises.style import CARD
from flowviz.widgets import esm
from flowviz.widgets.headless import without_comms


class ChoicePrediction(Prediction, anywidget.AnyWidget):
    """A question with options: see :func:`predict`.

    Attributes:
        chosen: index of the option that is marked, −1 for none.
        answer: index of the right option once it is revealed, −1 before.
    """

    _esm = esm.widget(Path(__file__).with_name("choice.js"))
    _css = CARD
    answer_trait = "chosen"

    options: Any = t.List(t.Unicode()).tag(sync=True)
    chosen = t.Int(-1).tag(sync=True)
    answer = t.Int(-1).tag(sync=True)

    def __init__(
        self, question: str, options: Sequence[str], answer: int, why: str, experiment: str = ""
    ) -> None:
        without_comms()
        anywidget.AnyWidget.__init__(
            self, question=question, options=list(options), experiment=experiment
        )
        self._answer, self._why = answer, why
        self.begin()

    def commit(self, option: str) -> None:
        """Commit to an option, as the button on the page does.

        Raises:
            ValueError: there is no such option, or an answer is committed already.
        """
        self.fix(_index(option, self.options))

    def taken(self) -> int | None:
        return self.chosen if 0 <= self.chosen < len(self.options) else None

    def judge(self, answer: int) -> tuple[bool, str, str]:
        right = answer == self._answer
        return right, "You predicted it." if right else "It turns out otherwise.", self._why

    def shown(self) -> None:
        self.answer = self._answer

    def forgotten(self) -> None:
        self.answer = -1

    def in_words(self) -> str:
        return "\n".join([self.question, *(f"○ {option}" for option in self.options)])


def predict(
    question: str, options: Sequence[str], answer: str, why: str, experiment: str = ""
) -> ChoicePrediction:
    """Ask for a prediction among options.

    Args:
        question: one sentence or two, in plain text.
        options: two or more different ones.
        answer: the right option.
        why: shown, whichever way the student has committed, after the experiment.
        experiment: what to do after the commitment, in a sentence; the panel is then handed to
            :meth:`Prediction.tried_in`. Without one the reason follows the commitment.

    Raises:
        ValueError: fewer than two options, two that are equal, or ``answer`` is none of them.
    """
    if isinstance(options, str) or len(options) < 2 or len(set(options)) < len(options):
        raise ValueError(f"a prediction needs two or more different options, not {options!r}")
    return ChoicePrediction(question, options, _index(answer, options), why, experiment)


def _index(option: str, options: Sequence[str]) -> int:
    if option not in options:
        raise ValueError(f"{option!r} is not among the options {list(options)!r}")
    return list(options).index(option)
