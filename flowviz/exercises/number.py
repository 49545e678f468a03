"""A prediction that is a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import anywidget
import traitlets as t

from flowviz.exercises.prediction import Prediction
from flowviz.exercises.style import CARD
from flowviz.exercises.written import read_number
from flowviz.widgets import esm
from flowviz.widgets.headless import without_comms
from flowviz.widgets.readouts import format_number


class NumberPrediction(Prediction, anywidget.AnyWidget):
    """A question with a field for a number: see :func:`predict_number`.

    Attributes:
        text: what is committed to, as it was written.
    """

    _esm = esm.widget(Path(__file__).with_name("number.js"))
    _css = CARD
    answer_trait = "text"

    text = t.Unicode().tag(sync=True)
    unit = t.Unicode().tag(sync=True)

    def __init__(
        self,
        question: str,
        answer: float,
        tolerance: float,
        why: str,
        slips: Mapping[float, str],
        unit: str,
        experiment: str,
    ) -> None:
        without_comms()
        anywidget.AnyWidget.__init__(self, question=question, unit=unit, experiment=experiment)
        self._answer, self._tolerance, self._why = answer, tolerance, why
        self._slips = dict(slips)
        self.begin()

    def commit(self, number: float | str) -> None:
        """Commit to a number, as the button on the page does.

        Raises:
            ValueError: an answer is committed already.
        """
        self.fix(str(number))

    def taken(self) -> str | None:
        number = read_number(self.text)
        return self.text if isinstance(number, float) and math.isfinite(number) else None

    def judge(self, answer: str) -> tuple[bool, str, str]:
        number = read_number(answer)
        assert isinstance(number, float)
        exact = self._said(self._answer)
        if abs(number - self._answer) <= self._tolerance:
            return True, f"You predicted it: {exact}.", self._why
        heading = f"You said {self._said(number)}; it is {exact}."
        slip = min(self._slips, key=lambda wrong: abs(number - wrong), default=math.inf)
        # What is right may be a wide range; a mistake is known by its own number.
        if abs(number - slip) > min(self._tolerance, abs(slip) / 4 or math.inf):
            return False, heading, self._why
        return False, heading, f"{self._slips[slip]}\n{self._why}"

    def in_words(self) -> str:
        return f"{self.question}\n○ a number{f', in {self.unit}' if self.unit else ''}"

    def _said(self, number: float) -> str:
        return f"{format_number(number)}{f' {self.unit}' if self.unit else ''}"


def predict_number(
    question: str,
    answer: float,
    tolerance: float,
    why: str,
    *,
    slips: Mapping[float, str] | None = None,
    unit: str = "",
    experiment: str = "",
) -> NumberPrediction:
    """Ask for a prediction that is a number.

    Args:
        question: one sentence or two, in plain text; says in what unit.
        answer: the right number.
        tolerance: how far from it a prediction is right.
        why: shown, whatever the student has committed to, after the experiment.
        slips: numbers that a known mistake leads to, each with a sentence that names the mistake.
            The sentence stands before the reason.
        unit: written behind the field, such as "nats".
        experiment: as in :func:`predict`.

    Raises:
        ValueError: a tolerance that is not positive, or a slip that would count as right.
    """
    slips = {} if slips is None else slips
    if not tolerance > 0:
        raise ValueError(f"the tolerance must be positive, got {tolerance}")
    for slip in slips:
        if abs(slip - answer) <= tolerance:
            raise ValueError(f"the slip {slip} is within {tolerance} of the answer {answer}")
    return NumberPrediction(question, answer, tolerance, why, slips, unit, experiment)
