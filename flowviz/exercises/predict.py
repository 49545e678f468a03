"""A question that the student commits an answer to before the reason is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anywidget
import traitlets

from flowviz.widgets.headless import headless, without_comms
from flowviz.widgets.panel import cells

_HERE = Path(__file__).parent
_TOKENS = _HERE.parent / "widgets" / "tokens.css"

AnyPanel = TypeVar("AnyPanel")

_asked: dict[str, Prediction] = {}
"""By question: the prediction that was made last, for a cell may be run again."""


def trained(settings: Any) -> bool:
    """Whether a panel's training has run to its end."""
    return bool(settings.trained >= settings.steps)


class Prediction(anywidget.AnyWidget):
    """One question with its options. The reason reaches the page only after the commitment and,
    where an experiment belongs to it, only after that.

    The page keeps what was committed to, so that it survives a reload.

    Attributes:
        experiment: what to do before the reason is shown; "" if it follows the commitment.
        chosen: index of the option that is marked, −1 for none.
        committed: whether the student has committed; from then on ``chosen`` is fixed.
        tried: whether the experiment has been made.
        verdict: "" until the reason is shown, then "right" or "wrong".
    """

    _esm = (_HERE / "predict.js").read_text(encoding="utf-8")
    _css = "\n".join(p.read_text(encoding="utf-8") for p in (_TOKENS, _HERE / "predict.css"))

    question = traitlets.Unicode().tag(sync=True)
    options: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    experiment = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    committed = traitlets.Bool(False).tag(sync=True)
    tried = traitlets.Bool(False).tag(sync=True)
    verdict = traitlets.Unicode().tag(sync=True)
    answer = traitlets.Int(-1, help="index of the right option once revealed").tag(sync=True)
    why = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, question: str, options: Sequence[str], answer: int, why: str, experiment: str = ""
    ) -> None:
        without_comms()
        super().__init__(question=question, options=list(options), experiment=experiment)
        self._answer = answer
        self._why = why
        self._final: int | None = None
        self._cell = cells.begin(self)
        _asked[question] = self
        self.observe(self._settle, names=["committed", "chosen", "tried"])
        self.on_msg(self._receive)

    def commit(self, option: str) -> None:
        """Commit to an option, as the button on the page does.

        Raises:
            ValueError: there is no such option, or an answer is committed already.
        """
        if self._final is not None:
            raise ValueError(f"committed already, to {self.options[self._final]!r}")
        self.chosen = _index(option, self.options)
        self.committed = True

    def tried_in(self, panel: AnyPanel, done: Callable[[Any], bool] = trained) -> AnyPanel:
        """Show the reason once the experiment has been made in ``panel``, which is returned.

        Args:
            panel: as a cell displays it.
            done: whether the panel's settings are those after the experiment; asked when they
                change.
        """
        settings: Any = panel.settings  # type: ignore[attr-defined]

        def look(_: frozenset[str]) -> None:
            if done(settings):
                _asked[self.question].tried = True

        settings.on_change(look)
        return panel

    def ask_again(self) -> None:
        """Forget the commitment."""
        self._final = None
        with self.hold_sync():
            self.chosen, self.committed, self.tried = -1, False, False
            self.verdict, self.answer, self.why = "", -1, ""

    def close(self) -> None:
        cells.end(self._cell, self)
        self.layout.close()
        super().close()

    def _settle(self, _: Any) -> None:
        """Hold a commitment against later changes; reveal the answer when it is time."""
        if self._final is None and self.committed:
            if not 0 <= self.chosen < len(self.options):
                self.committed = False
                return
            self._final = self.chosen
        if self._final is None:
            return
        self.set_trait("chosen", self._final)
        self.set_trait("committed", True)
        if not self.verdict and (self.tried or not self.experiment):
            self.answer = self._answer
            self.why = self._why
            self.verdict = "right" if self._final == self._answer else "wrong"

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        if isinstance(content, dict) and content.get("kind") == "again":
            self.ask_again()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        made = None if headless() else super()._repr_mimebundle_(**kwargs)
        data, metadata = made if isinstance(made, tuple) else (dict(made or {}), {})
        options = (f"○ {option}" for option in self.options)
        return {**data, "text/plain": "\n".join([self.question, *options])}, metadata


def predict(
    question: str, options: Sequence[str], answer: str, why: str, experiment: str = ""
) -> Prediction:
    """Ask for a prediction.

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
    return Prediction(question, options, _index(answer, options), why, experiment)


def _index(option: str, options: Sequence[str]) -> int:
    if option not in options:
        raise ValueError(f"{option!r} is not among the options {list(options)!r}")
    return list(options).index(option)
