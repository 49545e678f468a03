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
from flowviz.exercises import answered
from flowviz.exercises.result import Result, Unanswered, Wrong


@dataclass(frozen=True)
class Entry:
    """An exercise, known without importing its judge."""

    name: str
    title: str
    path: str
    """``module:function`` of the judge, one module a lesson."""
    numbers: tuple[str, ...] = ()
    """What they are called, where numbers are asked for and not a programme."""
    options: tuple[str, ...] = ()
    """What is to be chosen from, where a choice is asked for."""

    def load(self) -> Callable[[object], str]:
        """Import the judge."""
        module, _, function = self.path.partition(":")
        return getattr(importlib.import_module(module), function)


_ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            "squeezed_log_density",
            "A squeezed Gaussian",
            "flowviz.exercises.density:squeezed_log_density",
            numbers=("log p(0)",),
        ),
        Entry(
            "negative_loss",
            "A loss of −0.88",
            "flowviz.exercises.density:negative_loss",
            options=(
                "A bug: a negative log-likelihood cannot be negative",
                "A bug: somewhere a probability exceeds 1",
                "No bug: a density may exceed 1, and its logarithm depends on the unit of x",
                "No bug: below zero a fit is better than any fit above zero",
            ),
        ),
        Entry(
            "lognormal_log_density",
            "The log-density of exp(a·u)",
            "flowviz.exercises.density:lognormal_log_density",
        ),
        Entry(
            "total_log_det",
            "Two layers by hand",
            "flowviz.exercises.composition:total_log_det",
            numbers=("log|det J|",),
        ),
        Entry(
            "linear_test",
            "A test on linear layers",
            "flowviz.exercises.composition:linear_test",
            options=("all layers", "invertible layers", "linear layers", "no layers"),
        ),
        Entry(
            "inverse_of_layers",
            "The inverse of a list of layers",
            "flowviz.exercises.composition:inverse_of_layers",
        ),
        Entry(
            "log_slope",
            "The slope between two modes",
            "flowviz.exercises.universality:log_slope",
            numbers=("log slope",),
        ),
        Entry(
            "two_discs",
            "A Real NVP and two discs",
            "flowviz.exercises.universality:two_discs",
            options=(
                "yes, with layers enough",
                "no, it leaves a bridge",
                "no, it stays one Gaussian",
            ),
        ),
        Entry(
            "rosenblatt_map",
            "The Rosenblatt map of a Gaussian",
            "flowviz.exercises.universality:rosenblatt_map",
        ),
        Entry("forward_kl", "Forward KL from samples", "flowviz.exercises.kl:forward_kl"),
        Entry("reverse_kl", "Reverse KL from log p̃", "flowviz.exercises.kl:reverse_kl"),
        Entry(
            "best_gaussian",
            "The Gaussian nearest in forward KL",
            "flowviz.exercises.kl:best_gaussian",
            numbers=("mean", "standard deviation"),
        ),
        Entry(
            "uniform_divergences",
            "Two uniform densities by hand",
            "flowviz.exercises.duality:uniform_divergences",
            numbers=("JS", "TV", "W₁"),
        ),
        Entry(
            "normal_latents",
            "Latents that look normal",
            "flowviz.exercises.duality:normal_latents",
            options=(
                "The fit is good: normal latents mean that p = p*",
                "Nothing yet of how the coordinates depend on one another, and so nothing of KL",
                "KL in x may be large all the same, for it is not KL in u",
                "p and p* are close in W₁, for distances are the same on both sides",
            ),
        ),
        Entry(
            "pulled_back",
            "The target as the base sees it",
            "flowviz.exercises.duality:pulled_back",
        ),
    )
}


def names() -> list[str]:
    """The exercises' names, in the course's order."""
    return list(_ENTRIES)


def options(name: str) -> tuple[str, ...]:
    """What is to be chosen from in an exercise; a judge that needs them takes them from here."""
    return _ENTRIES[name].options


def on_a_page() -> bool:
    """Whether Voila shows the notebook: a page has no cell to write in."""
    software = os.environ.get("SERVER_SOFTWARE", "")
    return software.startswith("voila/") or os.environ.get("VOILA_PREHEAT") == "True"


def check(name: str, submission: object) -> Result:
    """Judge a submission. Never raises for what it holds or does.

    On a page, which has no cell to write in, what is not answered yet has fields for numbers or
    options, and says where programmes can be written.

    Args:
        name: of the exercise.
        submission: what the task asks for: the function itself, numbers, or one of the options.

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
    if not entry.numbers and not entry.options:
        answered.needs_a_cell(f"check {entry.name}")
        return Result(entry.title, "open", _NO_CELL)
    from flowviz.exercises.fields import Fields

    fields = Fields(entry.name, entry.numbers, entry.options, lambda given: _judge(entry, given))
    return Result(entry.title, "open", result.reason, fields)


_NO_CELL = (
    "the answer is a programme, and this page has no cell to write it in. Open the lesson in "
    "JupyterLab to do this task: flowviz --lab."
)


def _judge(entry: Entry, submission: object) -> Result:
    judge = entry.load()
    try:
        reason = judge(submission)
    except Unanswered as missing:
        return Result(entry.title, "open", str(missing))
    except Wrong as mistake:
        return Result(entry.title, "wrong", str(mistake))
    except (Exception, SystemExit) as error:
        excuse = f"what you handed in cannot be judged ({type(error).__name__})."
        return Result(entry.title, "wrong", excuse)
    answered.add(f"check {entry.name}")
    return Result(entry.title, "right", reason)
