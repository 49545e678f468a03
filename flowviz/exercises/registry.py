"""The exercises by name. Adding one: a judge in a lesson's file, and one entry below.

A judge takes the submission and returns why it is right, or raises
:class:`~flowviz.exercises.result.Wrong` with the reason why it is not.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from flowviz import arguments
from flowviz.exercises.result import Result, Unanswered, Wrong


@dataclass(frozen=True)
class Entry:
    """An exercise, known without importing its judge."""

    name: str
    title: str
    path: str
    """``module:function`` of the judge."""
    numbers: tuple[str, ...] = ()
    """What they are called, where numbers are asked for and not a programme."""

    def load(self) -> Callable[[object], str]:
        """Import the judge."""
        module, _, function = self.path.partition(":")
        return getattr(importlib.import_module(module), function)


_ENTRIES = {
    entry.name: entry
    for entry in (
        Entry("forward_kl", "Forward KL from samples", "flowviz.exercises.kl:forward_kl"),
        Entry("reverse_kl", "Reverse KL from log p̃", "flowviz.exercises.kl:reverse_kl"),
        Entry(
            "best_gaussian",
            "The Gaussian nearest in forward KL",
            "flowviz.exercises.kl:best_gaussian",
            numbers=("mean", "standard deviation"),
        ),
    )
}


def names() -> list[str]:
    """The exercises' names, in the course's order."""
    return list(_ENTRIES)


def on_a_page() -> bool:
    """Whether Voila shows the notebook: a page has no cell to write in."""
    software = os.environ.get("SERVER_SOFTWARE", "")
    return software.startswith("voila/") or os.environ.get("VOILA_PREHEAT") == "True"


def check(name: str, submission: object) -> Result:
    """Judge a submission. Never raises for what it holds or does.

    On a page, which has no cell to write in, what is not answered yet has fields for numbers, and
    says where programmes can be written.

    Args:
        name: of the exercise.
        submission: what the task asks for: the function itself, or numbers.

    Raises:
        ValueError: there is no exercise of that name.
    """
    if not isinstance(name, str) or name not in _ENTRIES:
        offered = arguments.among(name, _ENTRIES, "the names are")
        raise ValueError(f"there is no exercise {name!r}{offered}")
    entry = _ENTRIES[name]
    result = _judge(entry, submission)
    if result.verdict != "open" or not on_a_page():
        return result
    if not entry.numbers:
        return Result(entry.title, "open", _NO_CELL)
    from flowviz.exercises.fields import NumberFields

    fields = NumberFields(entry.name, entry.numbers, lambda numbers: _judge(entry, numbers))
    return Result(entry.title, "open", result.reason, fields)


_NO_CELL = (
    "the answer is a programme, and this page has no cell to write it in. Open the lesson in "
    "JupyterLab to do this task: flowviz --lab."
)


def _judge(entry: Entry, submission: object) -> Result:
    judge = entry.load()
    try:
        return Result(entry.title, "right", judge(submission))
    except Unanswered as reason:
        return Result(entry.title, "open", str(reason))
    except Wrong as reason:
        return Result(entry.title, "wrong", str(reason))
    except (Exception, SystemExit) as error:
        excuse = f"what you handed in cannot be judged ({type(error).__name__})."
        return Result(entry.title, "wrong", excuse)
