"""The lessons as notebooks for a class: without solutions, or solved; ready for nbgrader.

A task's cell becomes two: one to answer in, and one that checks the answer and fails unless it is
right. Both carry nbgrader's metadata, by which it finds, locks and grades them; any other grader
may run the notebook and count the cells that failed.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat.v4 import new_code_cell

from flowviz import arguments, atomic
from flowviz.serving import paths

Cell = Any

POINTS = 1
"""Of each task."""

_SOLUTION = re.compile(r"<details>.*?</summary>(.*?)```python\n(.*?)```(.*?)</details>", re.DOTALL)


class Task(NamedTuple):
    """A task of a lesson.

    Attributes:
        name: of its exercise.
        written: what stands in its cell for the student to go on from.
        submission: the expression that is handed to the check.
        solution: the programme that solves it.
        reason: what the lesson says of the solution besides, in Markdown.
    """

    name: str
    written: str
    submission: str
    solution: str
    reason: str


def export(
    folder: str | Path,
    lessons: Sequence[str] = (),
    *,
    solutions: bool = False,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Write lessons as notebooks for a class.

    Args:
        folder: where to; it is made if it is not there.
        lessons: their names, such as ``"04_forward_and_reverse_kl"``; by default all.
        solutions: whether the tasks are solved; else they are empty, and what the lesson says of
            their solutions is taken out.
        say: is told every file as it is written.

    Returns:
        The files written.

    Raises:
        ValueError: an unknown lesson, a folder that is a file, or a file that is there already.
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    chosen = _choose(lessons)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file, not a folder")
    for notebook in chosen:
        if (folder / notebook.name).exists():
            raise ValueError(
                f"{str(folder / notebook.name)!r} is there already, and nothing is overwritten; "
                "name another folder, or move it away"
            )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for notebook in chosen:
        made, tasks = for_class(nbformat.read(notebook, as_version=4), solutions=solutions)
        with atomic.replacing(folder / notebook.name) as file:
            nbformat.write(made, file)
        written.append(folder / notebook.name)
        state = "solved" if solutions else "to be solved"
        say(f"{folder / notebook.name}: {paths.title(notebook)}, {len(tasks)} tasks {state}")
    return written


def _choose(names: Sequence[str]) -> list[Path]:
    every = {path.stem: path for path in paths.lessons()}
    for name in names:
        if name not in every:
            raise ValueError(
                f"there is no lesson {name!r}{arguments.among(name, every, 'the lessons are')}"
            )
    return [path for name, path in every.items() if not names or name in names]


def for_class(lesson: Any, *, solutions: bool) -> tuple[Any, list[Task]]:
    """A lesson's notebook as a class gets it, and its tasks."""
    made = deepcopy(lesson)
    made.cells, tasks = [], []
    waiting = list(deepcopy(lesson.cells))
    while waiting:
        cell = waiting.pop(0)
        below = waiting[0] if waiting else None
        task = _task(cell, below)
        if task is None:
            made.cells.append(cell)
            continue
        waiting.pop(0)
        tasks.append(task)
        made.cells += _cells(task, cell, solutions)
    return made, tasks


def _task(cell: Cell, below: Cell | None) -> Task | None:
    """The task in a cell, with the solution that is folded away below it; None if it has none."""
    if cell.cell_type != "code" or below is None:
        return None
    try:
        last = ast.parse(cell.source).body[-1:]
    except SyntaxError:
        return None
    call = last[0].value if last and isinstance(last[0], ast.Expr) else None
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "check":
        return None
    folded = _SOLUTION.search(below.source)
    if folded is None:
        return None
    name, submission = call.args
    written = "".join(cell.source.splitlines(keepends=True)[: call.lineno - 1])
    before, solution, after = folded.groups()
    return Task(
        ast.literal_eval(name),
        written.rstrip(),
        ast.unparse(submission),
        solution.rstrip(),
        "\n\n".join(filter(None, (before.strip(), after.strip()))),
    )


def _cells(task: Task, cell: Cell, solutions: bool) -> list[Cell]:
    """The cell to answer in, and the one that checks the answer."""
    answer = new_code_cell(
        source=_solved(task) if solutions else task.written,
        id=cell.id,
        metadata={"nbgrader": _nbgrader(task.name, grade=False)},
    )
    check = new_code_cell(
        source=f'from flowviz.exercises import grade\n\ngrade("{task.name}", {task.submission})',
        id=f"{cell.id}-check",
        metadata={"nbgrader": _nbgrader(f"{task.name}-check", grade=True)},
    )
    return [answer, check]


def _nbgrader(grade_id: str, *, grade: bool) -> dict[str, Any]:
    """nbgrader's metadata, schema 3, of a cell that is graded or of one to answer in."""
    points = {"points": POINTS} if grade else {}
    return {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade,
        "schema_version": 3,
        "solution": not grade,
        "task": False,
        **points,
    }


def _solved(task: Task) -> str:
    """The solution between the marks that nbgrader takes it out by.

    What a student goes on from stays before it: a function's head, or the options and the name
    that the answer is given.
    """
    lines = task.solution.splitlines()
    (*_, last) = ast.parse(task.solution).body
    start, indent, head = 0, "", task.written.splitlines()
    if isinstance(last, ast.FunctionDef):
        start = last.body[0].lineno - 1
        indent = " " * last.body[0].col_offset
        head = lines[:start]
    comments = [
        f"{indent}# {line}".rstrip()
        for line in textwrap.wrap(
            " ".join(task.reason.split()), 94 - len(indent), break_on_hyphens=False
        )
    ]
    marked = [f"{indent}### BEGIN SOLUTION", *comments, *lines[start:], f"{indent}### END SOLUTION"]
    return "\n".join([*head, *marked])
