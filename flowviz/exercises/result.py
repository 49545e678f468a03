"""What a check answers, and how a judge says no."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

Verdict = Literal["right", "wrong", "open"]

_MARKS: dict[Verdict, str] = {"right": "✓", "wrong": "✗", "open": "○"}
_WORDS: dict[Verdict, str] = {"right": "Right", "wrong": "Not yet", "open": "Not answered yet"}
# Each reads at 3:1 or better on the light and on the dark page.
_COLOURS: dict[Verdict, str] = {"right": "#0a8f6a", "wrong": "#e0443a", "open": "#7a8594"}


class Wrong(Exception):
    """Raised by a judge; the message is the reason that the student reads."""


class Unanswered(Exception):
    """Raised by a judge for a submission that is still the empty task."""


@dataclass(frozen=True)
class Result:
    """The answer to a submission; a cell displays it, and it is true if the submission is right.

    Attributes:
        title: of the exercise.
        verdict: "right", "wrong", or "open" where nothing was submitted yet.
        reason: why, in a sentence or two.
        fields: a widget to answer in, where there is no cell to write in.
    """

    title: str
    verdict: Verdict
    reason: str
    fields: Any = field(default=None, repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """Whether the submission is right."""
        return self.verdict == "right"

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return f"{_MARKS[self.verdict]} {self.title}. {_WORDS[self.verdict]}: {self.reason}"

    __repr__ = __str__

    def html(self) -> str:
        """The answer as a page shows it."""
        colour = _COLOURS[self.verdict]
        head = f"{_MARKS[self.verdict]} {_WORDS[self.verdict]}:"
        return (
            f'<div role="status" style="border-left: 4px solid {colour}; padding: 2px 14px; '
            'margin: 6px 0; max-width: 68ch; overflow-wrap: anywhere; line-height: 1.5">'
            f"<small>{escape(self.title)}</small><br>"
            f"<strong>{head}</strong> {escape(self.reason)}</div>"
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if self.fields is not None:
            return self.fields._repr_mimebundle_(**kwargs)
        return {"text/plain": str(self), "text/html": self.html()}
