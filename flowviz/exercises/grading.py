"""Checks for graders, to which a wrong answer is a cell that fails."""

from __future__ import annotations

from flowviz.exercises.registry import check
from flowviz.exercises.result import Result


class NotRight(Exception):
    """An answer that is wrong or missing; a notebook shows its verdict, and no traceback."""

    def __init__(self, result: Result) -> None:
        super().__init__(str(result))
        self.result = result

    def _render_traceback_(self) -> list[str]:
        return [str(self.result)]


def grade(name: str, submission: object) -> None:
    """Judge a submission as :func:`check` does, and fail if it is not right.

    A grader such as nbgrader gives a cell its points unless the cell fails. The verdict is
    displayed and not returned: a cell's value would be read as points.

    Raises:
        NotRight: the submission is wrong or missing, with the reason.
        ValueError: there is no exercise of that name.
    """
    result = check(name, submission)
    if not result.passed:
        raise NotRight(result)
    from IPython.display import display

    display(result)
