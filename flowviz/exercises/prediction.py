"""What predictions have in common: commit first, try, and read the reason after that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import traitlets as t

from flowviz.exercises import answered
from flowviz.widgets.headless import headless
from flowviz.widgets.panel import cells

AnyPanel = TypeVar("AnyPanel")

_asked: dict[str, Prediction] = {}
"""By question: the prediction that was made last, for a cell may be run again."""


def trained(settings: Any) -> bool:
    """Whether a panel's training has run to its end."""
    return bool(settings.trained >= settings.steps)


class Prediction(t.HasTraits):
    """A question. The reason reaches the page only after the commitment and, where an experiment
    belongs to it, only after that.

    The page keeps what was committed to, so that it survives a reload. A kind of prediction is a
    widget as well, names the trait that holds the answer, and judges it.

    Attributes:
        experiment: what to do before the reason is shown; "" if it follows the commitment.
        committed: whether the student has committed; from then on the answer is fixed.
        tried: whether the experiment has been made.
        verdict: "" until the reason is shown, then "right" or "wrong".
        heading: how the answer compares with what is right, in a sentence; "" until then.
        why: the reason, a paragraph a line; "" until then.
    """

    answer_trait: ClassVar[str]

    question = t.Unicode().tag(sync=True)
    experiment = t.Unicode().tag(sync=True)
    committed = t.Bool(False).tag(sync=True)
    tried = t.Bool(False).tag(sync=True)
    verdict = t.Unicode().tag(sync=True)
    heading = t.Unicode().tag(sync=True)
    why = t.Unicode().tag(sync=True)

    # ---- of each kind --------------------------------------------------------------------------

    def taken(self) -> Any:
        """The answer that stands, as it is held; None for one that cannot be committed to."""
        raise NotImplementedError

    def judge(self, answer: Any) -> tuple[bool, str, str]:
        """Whether the committed answer is right, the heading, and the reason."""
        raise NotImplementedError

    def shown(self) -> None:
        """The verdict is there: show what is right."""

    def forgotten(self) -> None:
        """The question is asked again: take back what :meth:`shown` has shown."""

    def in_words(self) -> str:
        """The question as a text."""
        raise NotImplementedError

    # ---- of all --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Listen from now on; the last thing that a kind does when it is made."""
        self._final: Any = None
        self._cell = cells.begin(self)
        _asked[self.question] = self
        self.observe(self._settle, names=["committed", "tried", self.answer_trait])
        self.on_msg(self._receive)  # type: ignore[attr-defined]

    def fix(self, answer: Any) -> None:
        """Commit to an answer, as the button on the page does.

        Raises:
            ValueError: an answer is committed already.
        """
        if self._final is not None:
            raise ValueError(f"committed already, to {self._final!r}")
        setattr(self, self.answer_trait, answer)
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
        with self.hold_sync():  # type: ignore[attr-defined]
            self.committed, self.tried = False, False
            self.verdict, self.heading, self.why = "", "", ""
            self.set_trait(self.answer_trait, self.trait_defaults(self.answer_trait))
            self.forgotten()
        answered.remove(self._key)

    def close(self) -> None:
        cells.end(self._cell, self)
        self.layout.close()  # type: ignore[attr-defined]
        super().close()  # type: ignore[misc]

    @property
    def _key(self) -> str:
        return f"predict {self.question}"

    def _settle(self, _: Any) -> None:
        """Hold a commitment against later changes; reveal the answer when it is time."""
        if self._final is None and self.committed:
            self._final = self.taken()
            if self._final is None:
                self.committed = False
            else:
                answered.add(self._key)
        if self._final is None:
            return
        if not self._holds():
            self.set_trait(self.answer_trait, self._final)
        self.committed = True
        if not self.verdict and (self.tried or not self.experiment):
            right, heading, why = self.judge(self._final)
            self.heading, self.why = heading, why
            self.shown()
            self.verdict = "right" if right else "wrong"

    def _holds(self) -> bool:
        """Whether the answer is still the one that was committed to."""
        return bool(getattr(self, self.answer_trait) == self._final)

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        if isinstance(content, dict) and content.get("kind") == "again":
            self.ask_again()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        made = None if headless() else super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        data, metadata = made if isinstance(made, tuple) else (dict(made or {}), {})
        return {**data, "text/plain": self.in_words()}, metadata
