"""A formula of one's own: its box, what is wrong with it, and what it may be made of."""

from __future__ import annotations

from typing import Any

from flowviz.panels.parts.words import Words
from flowviz.targets.formula import FormulaError, compile_formula, vocabulary
from flowviz.widgets.layout import classed, stack
from flowviz.widgets.text_box import TextBox

FORMULA = "formula"
"""The target's name."""


class OwnFormula:
    """The box for ``settings.formula``.

    A text that the settings do not take, because no link can carry it, stays in the box and is
    explained as any other mistake.

    Attributes:
        box: holds the text.
        widget: the box and the words under it.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._said: tuple[str, str] = "", ""
        self._refused = ""
        field = settings.fields()["formula"]
        self.box = TextBox(value=settings.formula, description=field.label, tooltip=field.text_help)
        self._words = Words("fv-formula-words")
        hint = Words("fv-formula-hint")
        hint.show(f"Enter, or leaving the box, applies it. {vocabulary()}", "info")
        self.widget = classed(stack(self.box, self._words, hint), "fv-formula")
        self.box.observe(lambda change: self._typed(change["new"]), names=["value"])
        settings.observe(lambda change: self._follow(change["new"]), names=["formula"])

    def show(self, error: str, note: str) -> None:
        """Say what is wrong with the formula, or what is worth knowing about its density."""
        self._said = error, note
        error = self._refused or error
        self._words.show(error or note, "error" if error else "info")

    def _typed(self, text: str) -> None:
        self._refused = ""
        try:
            self._settings.formula = text
        except ValueError:
            self._refused = _refusal(text)
        self.show(*self._said)

    def _follow(self, formula: str) -> None:
        self._refused = ""
        self.box.value = formula


def _refusal(text: str) -> str:
    """Why the text is no formula; "" if it is one."""
    try:
        compile_formula(text)
    except FormulaError as error:
        return str(error)
    return ""
