"""What a class can answer: the predictions of the lessons, and the goals of the panels.

Both are read from the files that ask for them; nothing in them is run, so that the server of a
class needs no PyTorch.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from flowviz import panels
from flowviz.serving import paths, questions
from flowviz.serving.questions import Question


@dataclass(frozen=True)
class LessonTasks:
    """The predictions of a lesson, in its order."""

    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class PanelGoals:
    """The goals of a panel: their sentences."""

    name: str
    title: str
    sentences: tuple[str, ...]


class Tasks:
    """All that there is to answer.

    Attributes:
        lessons: in the course's order.
        questions: those of all lessons by their text, which is a prediction's name.
        panels: in the order of the menu.
        goals: how many goals a panel has, by its name.
    """

    def __init__(self) -> None:
        self.lessons = [
            LessonTasks(paths.title(lesson), tuple(questions.read(lesson)))
            for lesson in paths.lessons()
        ]
        self.questions = {asked.text: asked for one in self.lessons for asked in one.questions}
        self.panels = [_goals(panels.entry(name)) for name in panels.names()]
        self.goals = {panel.name: len(panel.sentences) for panel in self.panels}


def _goals(entry: panels.Entry) -> PanelGoals:
    module, _, name = entry.path.partition(":")
    path = paths.PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return PanelGoals(entry.name, entry.title, _sentences(path, name))


def _sentences(path: Path, name: str) -> tuple[str, ...]:
    """The first argument of every ``Goal`` in the ``goals`` of a class."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    (panel,) = (one for one in body if isinstance(one, ast.ClassDef) and one.name == name)
    declared = (
        one.value
        for one in panel.body
        if isinstance(one, (ast.Assign, ast.AnnAssign))
        and ast.unparse(one).startswith(("goals =", "goals:"))
    )
    return tuple(
        str(ast.literal_eval(call.args[0]))
        for value in declared
        if value is not None
        for call in ast.walk(value)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Goal"
    )
