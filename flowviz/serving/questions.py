"""The predictions that a lesson asks for, read from its notebook; nothing in it is run."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat


@dataclass(frozen=True)
class Question:
    """A prediction as its call says it.

    Attributes:
        kind: "choice", "number" or "drawing".
        text: the question.
        why: the reason.
        options: of a choice.
        answer: the right option or number; None where the call does not say it in letters.
        unit: of a number.
        window: (xmin, xmax, ymin, ymax) of a drawing.
    """

    kind: str
    text: str
    why: str
    options: tuple[str, ...] = ()
    answer: str | float | None = None
    unit: str = ""
    window: tuple[float, float, float, float] = (-4.0, 4.0, -4.0, 4.0)


_KINDS = {
    "predict": ("choice", ("question", "options", "answer", "why", "experiment")),
    "predict_number": ("number", ("question", "answer", "tolerance", "why")),
    "predict_drawing": ("drawing", ("question", "samples", "why")),
}
"""By function: the kind of question, and what it says without a name."""


def read(notebook: Path) -> list[Question]:
    """The questions of a lesson, in their order."""
    cells = nbformat.read(notebook, as_version=4).cells
    sources = (cell.source for cell in cells if cell.cell_type == "code")
    asked = (question(call) for source in sources for call in calls(source))
    return [one for one in asked if one is not None]


def calls(source: str) -> Iterator[ast.Call]:
    """The calls that a cell makes when it is run, outer ones first; none where it is no Python."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return
    for statement in statements:
        if isinstance(statement, (ast.Expr, ast.Assign)):
            yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def question(call: ast.Call) -> Question | None:
    """The prediction that a call asks for; None for any other call."""
    kind, names = _KINDS.get(ast.unparse(call.func).split(".")[-1], ("", ()))
    if not kind:
        return None
    given = [*zip(names, call.args, strict=False), *((w.arg, w.value) for w in call.keywords)]
    said = {name: _value(node) for name, node in given}
    if said.get("question") is None or said.get("why") is None:
        return None
    return Question(
        kind,
        said["question"],
        said["why"],
        options=tuple(said.get("options") or ()),
        answer=said.get("answer"),
        unit=said.get("unit") or "",
        window=said.get("window") or Question.window,
    )


def _value(node: ast.expr) -> Any:
    """What an argument says in letters or as arithmetic with logarithms; None for any other."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        pass
    try:
        return _number(node)
    except (ValueError, ArithmeticError):
        return None


_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def _number(node: ast.expr) -> float:
    """The value of an arithmetic expression with functions of ``math``, without running it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_number(node.left), _number(node.right))
    if isinstance(node, ast.Call):
        module, _, name = ast.unparse(node.func).partition(".")
        if module == "math" and name in ("log", "exp", "sqrt") and len(node.args) == 1:
            return float(getattr(math, name)(_number(node.args[0])))
    if ast.unparse(node) == "math.pi":
        return math.pi
    raise ValueError(ast.unparse(node))
