"""A log-density typed by a student: log p̃(x, y), compiled from a whitelist.

The text is parsed by Python's ``ast`` into a tree; each node must be one of a few kinds (numbers,
the variables, + − * / ^, comparisons, calls of the functions below) and becomes a torch
operation. Nothing is evaluated as code: other names, attributes, strings, comprehensions and the
rest of the language are refused, with their position.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable
from functools import reduce
from typing import NoReturn

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.grid import Grid2D, Integral, Window, check_window
from flowviz.targets.closed_forms import log_soft_box
from flowviz.targets.target import Target

MAX_LENGTH = 1_000
_MAX_PARENTHESES = 40
_MAX_DEPTH = 150
_MAX_NUMBER = 1e12
_MAX_LOG_DENSITY = 1e30  # below the largest float32

Variables = dict[str, Tensor]
Node = Callable[[Variables], Tensor]

_VARIABLES = ("x", "y", "x1", "x2", "r", "theta", "θ")
_CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}
_ONE_ARGUMENT: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp,
    "log": torch.log,
    "ln": torch.log,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "abs": torch.abs,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
}
_TWO_OR_MORE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "min": torch.minimum,
    "max": torch.maximum,
    "logaddexp": torch.logaddexp,
}
_FUNCTIONS = (*_ONE_ARGUMENT, *_TWO_OR_MORE, "where")
_OPERATORS: dict[type[ast.operator], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SPELLINGS = {
    "^": "**",
    "−": "-",
    "–": "-",
    "·": "*",
    "×": "*",
    "²": "**2",
    "³": "**3",
    "⁴": "**4",
    "≤": "<=",
    "≥": ">=",
    "\n": " ",
    "\r": " ",
    "\t": " ",
}


_PUNCTUATION = " +-*/().,<>=_"


class FormulaError(ValueError):
    """A formula that cannot be used: what is wrong, and where.

    Attributes:
        reason: what is wrong, in one sentence.
        text: the formula as typed. column: where, counted from 0; None if it is no one place.
    """

    def __init__(self, reason: str, text: str, column: int | None = None) -> None:
        self.reason = reason
        self.text = text
        self.column = column
        super().__init__(reason if column is None else f"{reason}\n{self._pointed(column)}")

    def _pointed(self, column: int) -> str:
        """The formula's line about the column, and a caret under it."""
        start = max(0, column - 60)
        line = "".join(c if c.isprintable() else " " for c in self.text[start : column + 20])
        return f"  {line}\n  {' ' * (column - start)}^ column {column + 1}"


def compile_formula(text: str) -> Callable[[Tensor], Tensor]:
    """A function from points ``[..., 2]`` to the formula's values ``[...]``.

    Variables: x and y (also x1 and x2), r = √(x² + y²), theta = the angle of (x, y) in −π…π.
    Constants: pi, e. Operators: + − * / ^ (or **) and comparisons (1 where true, 0 where false).
    Functions: exp, log (ln), sqrt, sin, cos, tan, atan, sinh, cosh, tanh, abs, sigmoid, softplus;
    of two or more arguments min, max, logaddexp; and where(condition, a, b).

    Raises:
        FormulaError: anything else, or a formula too long, too deep or with too large a number.
    """
    return _Compiler(text).function


def vocabulary() -> str:
    """What a formula may be made of, in sentences for who types one."""
    functions = ", ".join([*_ONE_ARGUMENT, *(f"{name}(a, b)" for name in _TWO_OR_MORE)])
    return (
        "Of x, y, r = √(x² + y²) and theta, the angle, with + − * / ^ < > and the numbers pi "
        f"and e. Functions: {functions}, where(a < b, c, d)."
    )


class _Compiler:
    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise FormulaError(f"a formula is a text, not {type(text).__name__}", "")
        self.text = text
        if len(text) > MAX_LENGTH:
            self._fail(f"a formula has at most {MAX_LENGTH:,} characters, this has {len(text):,}")
        if not text.strip():
            self._fail("the formula is empty; try -(x^2 + y^2)/2")
        self._check_characters()
        self._respell()
        self._used: set[str] = set()
        node = self._node(self._parse(), 0)
        if not self._used:
            self._fail("the formula is a constant: it must depend on x or y")
        self.function = self._function(node)

    def _function(self, node: Node) -> Callable[[Tensor], Tensor]:
        used = frozenset(self._used)

        def function(points: Tensor) -> Tensor:
            x, y = points.unbind(-1)
            variables = {"x": x, "x1": x, "y": y, "x2": y}
            if "r" in used:
                variables["r"] = torch.linalg.vector_norm(points, dim=-1)
            if used & {"theta", "θ"}:
                variables["theta"] = variables["θ"] = torch.atan2(y, x)
            return node(variables).expand(x.shape)

        return function

    def _fail(self, reason: str, column: int | None = None) -> NoReturn:
        raise FormulaError(reason, self.text, column)

    # ------------------------------------------------------------------ reading

    def _respell(self) -> None:
        """Mathematicians' spellings to Python's, remembering which column each came from."""
        skipped = len(self.text) - len(self.text.lstrip())
        self._python, self._columns = "", []
        for column, character in enumerate(self.text.rstrip()):
            if column < skipped:
                continue
            spelling = _SPELLINGS.get(character, character)
            self._python += spelling
            self._columns += [column] * len(spelling)
        self._columns.append(len(self.text.rstrip()))

    def _check_characters(self) -> None:
        """Only what formulas are written with; parentheses in pairs; no lone equals sign."""
        opened: list[int] = []
        for column, character in enumerate(self.text):
            if character == "(":
                opened.append(column)
                if len(opened) > _MAX_PARENTHESES:
                    self._fail(f"parentheses are nested over {_MAX_PARENTHESES} deep", column)
            elif character == ")":
                if not opened:
                    self._fail("this parenthesis was never opened", column)
                opened.pop()
            elif character == "=" and self.text[column - 1 : column] not in ("<", ">"):
                self._fail("write log p̃ alone, without an equals sign", column)
            elif not (character.isalnum() or character in _PUNCTUATION or character in _SPELLINGS):
                self._fail("this character means nothing in a formula", column)
        if opened:
            self._fail("this parenthesis is never closed", opened[-1])

    def _parse(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self._python, mode="eval").body
        except SyntaxError as error:
            # Python reports an early end as the start of a next line.
            at_end = not error.offset or (error.lineno or 1) > 1
            position = len(self._columns) - 1 if at_end else (error.offset or 1) - 1
            column = self._columns[min(position, len(self._columns) - 1)]
            self._fail(self._syntax_reason(column), column)
        except (ValueError, MemoryError, RecursionError, OverflowError):
            self._fail("the formula cannot be read: it is too deep or has too long a number")

    def _syntax_reason(self, column: int) -> str:
        here, after = self.text[column : column + 2], self.text[column:]
        if not after.strip():
            return "the formula ends too early"
        if here[:1].isdigit() and here[1:].isalpha():
            return f"a sign is missing: write {here[0]}*{here[1]}, not {here}"
        return "this cannot be read; is a sign or a parenthesis missing?"

    def _column(self, node: ast.expr) -> int:
        # ast counts in UTF-8 bytes.
        characters = len(self._python.encode()[: node.col_offset].decode(errors="ignore"))
        return self._columns[min(characters, len(self._columns) - 1)]

    # ------------------------------------------------------------------ one node at a time

    def _node(self, node: ast.expr, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            self._fail(f"the formula is over {_MAX_DEPTH} steps deep", self._column(node))
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.Name():
                return self._name(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self._node(operand, depth + 1)
                return lambda v: -value(v)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._node(operand, depth + 1)
            case ast.BinOp(op=op) if type(op) in _OPERATORS:
                return self._operation(node, depth)
            case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
                compare = _COMPARISONS[type(op)]
                left = self._node(node.left, depth + 1)
                right = self._node(node.comparators[0], depth + 1)
                return lambda v: compare(left(v), right(v)).to(v["x"].dtype)
            case ast.Call():
                return self._call(node, depth)
        self._fail(self._refusal(node), self._column(node))

    def _refusal(self, node: ast.expr) -> str:
        match node:
            case ast.Attribute():
                return "a dot after a name means nothing in a formula"
            case ast.Compare():
                return "one comparison at a time, with <, <=, > or >="
            case ast.IfExp():
                return "write where(condition, a, b)"
            case ast.Tuple():
                return "one value is wanted, not several"
            case ast.BinOp() | ast.UnaryOp() | ast.BoolOp():
                return "the operators are + - * / and ^"
        return "this is not part of a formula: numbers, x, y, operators and functions are"

    def _number(self, node: ast.Constant) -> Node:
        number = node.value
        if isinstance(number, bool) or not isinstance(number, int | float):
            self._fail("only numbers may stand here", self._column(node))
        if abs(number) > _MAX_NUMBER:
            self._fail(f"numbers are limited to ±{_MAX_NUMBER:g}", self._column(node))
        return self._constant(float(number))

    @staticmethod
    def _constant(number: float) -> Node:
        return lambda v: torch.full((), number, dtype=v["x"].dtype, device=v["x"].device)

    def _name(self, node: ast.Name) -> Node:
        name = node.id
        if name in _CONSTANTS:
            return self._constant(_CONSTANTS[name])
        if name in _VARIABLES:
            self._used.add(name)
            return lambda v: v[name]
        if name in _FUNCTIONS:
            self._fail(f"{name} is a function: write {name}(…)", self._column(node))
        known = (*_VARIABLES[:-1], "pi", "e", *_FUNCTIONS)
        self._fail(
            self._unknown(name, known, "variables are x, y, r and theta"), self._column(node)
        )

    @staticmethod
    def _unknown(name: str, known: tuple[str, ...], help_text: str) -> str:
        near = arguments.nearest(name, known)
        hint = f"did you mean {near}?" if near else help_text
        return f"{name[:40]!r} is not known here; {hint}"

    def _operation(self, node: ast.BinOp, depth: int) -> Node:
        left = self._node(node.left, depth + 1)
        match node:
            # A literal exponent keeps (-2)^2 and its gradient exact.
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int() | float() as exponent)):
                self._number(node.right)  # type: ignore[arg-type]
                power = float(exponent)
                return lambda v: left(v) ** power
        right = self._node(node.right, depth + 1)
        operate = _OPERATORS[type(node.op)]
        return lambda v: operate(left(v), right(v))

    def _call(self, node: ast.Call, depth: int) -> Node:
        column = self._column(node)
        if not isinstance(node.func, ast.Name):
            self._fail("only a function's name can be called; is a * missing?", column)
        name = node.func.id
        if name not in _FUNCTIONS:
            if name in (*_VARIABLES, *_CONSTANTS):
                self._fail(f"a sign is missing: write {name}*(…)", column)
            self._fail(
                self._unknown(name, _FUNCTIONS, f"functions are {', '.join(_FUNCTIONS)}"), column
            )
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            self._fail(f"{name} takes plain values only", column)
        count = len(node.args)
        arguments = [self._node(a, depth + 1) for a in node.args]
        if name in _ONE_ARGUMENT:
            if count != 1:
                self._fail(f"{name} takes one value, not {count}", column)
            function, argument = _ONE_ARGUMENT[name], arguments[0]
            return lambda v: function(argument(v))
        if name == "where":
            if count != 3:
                self._fail(f"where takes three values (condition, a, b), not {count}", column)
            condition, yes, no = arguments
            return lambda v: torch.where(condition(v) != 0, yes(v), no(v))
        if count < 2:
            self._fail(f"{name} takes two values or more, not {count}", column)
        combine = _TWO_OR_MORE[name]
        return lambda v: reduce(combine, [a(v) for a in arguments])


# ---------------------------------------------------------------------------- the target


class FormulaTarget(Target):
    """log p̃(x, y) = formula(x, y) + log wall(x, y).

    What counts is the formula inside the window: a smooth wall stands just within its edge, and
    beyond the window the formula keeps its value on the edge while the wall falls. So p̃ can
    always be integrated, and reverse KL has a gradient that leads back. Where the formula is
    not a number (the logarithm of a negative one), p̃ is 0. log Z is computed on a grid.

    Attributes:
        formula: the text.
    """

    def __init__(self, text: str, window: Window) -> None:
        super().__init__("formula", "Your formula", window)
        self._formula = compile_formula(text)
        self.formula = text
        self.about = f"log p̃(x, y) = {' '.join(text.split())}"
        xmin, xmax, ymin, ymax = self.window
        self._widths = ((xmax - xmin) / 160, (ymax - ymin) / 160)
        self.note = self._inspect()

    def _log_density(self, x: Tensor) -> Tensor:
        xmin, xmax, ymin, ymax = self.window
        a, b = x.unbind(-1)
        inside = torch.stack([a.clamp(xmin, xmax), b.clamp(ymin, ymax)], dim=-1)
        value = self._formula(inside)
        value = torch.where(value.isnan(), -math.inf, value)
        s, t = self._widths
        wall = log_soft_box(a, xmin + 5 * s, xmax - 5 * s, s)
        return value + wall + log_soft_box(b, ymin + 5 * t, ymax - 5 * t, t)

    def _inspect(self) -> str:
        """Refuses what cannot be a density; says in the note what the wall cuts off."""
        grid = Grid2D(self.window, 200, dtype=torch.float64)
        values = self._formula(grid.points)
        if bool((values > _MAX_LOG_DENSITY).any()):
            where = grid.points[values.nan_to_num(nan=-math.inf).argmax()].tolist()
            raise FormulaError(
                f"the formula is infinite, or nearly, at x = {where[0]:.3g}, y = {where[1]:.3g}",
                self.formula,
            )
        finite = values[values.isfinite()]
        if not len(finite):
            raise FormulaError("the formula has no finite value in the window", self.formula)
        spread = float(finite.max() - finite.min())
        if len(finite) == len(values) and spread <= 1e-9 * max(1.0, float(finite.abs().max())):
            raise FormulaError("the formula is constant in the window", self.formula)
        weights = torch.where(values.isfinite(), values - finite.max(), -math.inf).exp()
        square = weights.reshape(200, 200)
        beyond = 1 - float(square[7:-7, 7:-7].sum() / square.sum())
        notes = []
        if beyond >= 0.02:
            notes.append(self._cut_off(beyond))
        fine, error = self._log_z
        error = max(error, abs(fine - grid.log_integral(self.log_density).value))
        self._log_z = Integral(fine, error)
        if error >= 0.05:
            notes.append(
                f"The formula has a peak or a slope too steep for the grid: "
                f"log Z is uncertain by {error:.2g}."
            )
        return " ".join(notes)

    def _cut_off(self, share: float) -> str:
        """What it means, and what helps, that so much of the mass lies at the window's edge."""
        xmin, xmax, ymin, ymax = self.window
        note = (
            f"Only x from {xmin:g} to {xmax:g} and y from {ymin:g} to {ymax:g} count, and "
            f"{100 * share:.0f} % of the mass lies at that edge, where the formula is cut off. "
            f"To keep the mass inside, let log p̃ fall off towards the edge"
        )
        if xmin == ymin == -xmax == -ymax:
            # A Gaussian whose standard deviation is a third of the way to the edge, nearly.
            note += f": subtract r^2/{xmax**2 / 4:g}, say"
        return f"{note}.".replace("-", "−")


def from_formula(text: str, window: Window = (-4.0, 4.0, -4.0, 4.0)) -> FormulaTarget:
    """A target from a formula for log p̃(x, y), unnormalised, as :func:`compile_formula` reads it.

    >>> from_formula("-((r - 2)/0.4)^2 / 2").log_z is not None
    True

    Args:
        text: such as ``"-(x^2 + (y - sin(pi*x/2))^2/0.2)/2"``; at most 1,000 characters.
        window: ``(xmin, xmax, ymin, ymax)``, the part of the plane that counts.

    Raises:
        FormulaError: (a ValueError) the text cannot be read, is constant, infinite, or nowhere
            finite in the window. Its message has the formula and a caret under the place.
        ValueError: the window is not one.
    """
    return FormulaTarget(text, check_window(window))
