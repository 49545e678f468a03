"""The few kinds of kernel that a program consists of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowviz.flows.programs.views import Operand, View


@dataclass
class Kernel:
    """One kernel that is no map: a sum, a product of matrices, …

    Attributes:
        op: which.
        settings: its sizes and switches, as the header has them.
        reads, writes: its operands by name.
    """

    op: str
    settings: dict[str, Any]
    reads: dict[str, Operand]
    writes: dict[str, Operand]


Instruction = tuple[Any, ...]
"""Its name, then the numbers of the values that it takes."""


@dataclass
class Map:
    """Instructions that are done for every element of a shape, one after the other.

    Values are numbered: the operands that are read, the literal numbers, the results.
    """

    shape: tuple[int, ...]
    inputs: list[Operand] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    outputs: list[tuple[Operand, int]] = field(default_factory=list)

    @property
    def reads(self) -> dict[str, Operand]:
        return {str(i): operand for i, operand in enumerate(self.inputs)}

    @property
    def writes(self) -> dict[str, Operand]:
        return {str(i): operand for i, (operand, _) in enumerate(self.outputs)}


@dataclass
class Repeat:
    """Kernels that are played until a tensor is 0 everywhere.

    Attributes:
        body: the kernels of one round.
        most: so many rounds at most.
        going: where it is not 0, it has to go on.
    """

    body: list[Step]
    most: int
    going: View

    @property
    def reads(self) -> dict[str, Operand]:
        operands = [o for step in self.body for o in step.reads.values()]
        return {str(i): operand for i, operand in enumerate([*operands, self.going.operand])}

    @property
    def writes(self) -> dict[str, Operand]:
        operands = [o for step in self.body for o in step.writes.values()]
        return {str(i): operand for i, operand in enumerate(operands)}


Step = Kernel | Map | Repeat


class Value:
    """A number of every element, while a formula is being written down."""

    def __init__(self, formula: Formula, at: tuple[str, int]) -> None:
        self.formula, self.at = formula, at

    def __add__(self, other: Term) -> Value:
        return self.formula.do("add", self, other)

    def __radd__(self, other: Term) -> Value:
        return self.formula.do("add", other, self)

    def __sub__(self, other: Term) -> Value:
        return self.formula.do("sub", self, other)

    def __rsub__(self, other: Term) -> Value:
        return self.formula.do("sub", other, self)

    def __mul__(self, other: Term) -> Value:
        return self.formula.do("mul", self, other)

    def __rmul__(self, other: Term) -> Value:
        return self.formula.do("mul", other, self)

    def __truediv__(self, other: Term) -> Value:
        return self.formula.do("div", self, other)

    def __rtruediv__(self, other: Term) -> Value:
        return self.formula.do("div", other, self)

    def __neg__(self) -> Value:
        return self.formula.do("neg", self)

    def do(self, name: str, *others: Term) -> Value:
        """The instruction of that name on this value and others."""
        return self.formula.do(name, self, *others)


Term = Value | float


class Formula:
    """A map that is being written down.

    Args:
        shape: over which.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        self._places: dict[str, dict[Any, int]] = {"in": {}, "number": {}, "result": {}}
        self._outputs: list[tuple[Operand, tuple[str, int]]] = []

    def of(self, view: View) -> Value:
        """The number that a view has there."""
        return self.read(view.spread(self.shape).operand)

    def read(self, operand: Operand) -> Value:
        """The number of an operand of the formula's shape."""
        return self._value("in", operand)

    def number(self, value: float) -> Value:
        """The same number everywhere."""
        return self._value("number", float(value))

    def do(self, name: str, *terms: Term) -> Value:
        """The result of an instruction."""
        values = [t if isinstance(t, Value) else self.number(t) for t in terms]
        return self._value("result", (name, *(v.at for v in values)))

    def leave(self, value: Term, at: View) -> None:
        """Leave a value in a view of that shape."""
        value = value if isinstance(value, Value) else self.number(value)
        self.write(at.operand, value)

    def write(self, operand: Operand, value: Value) -> None:
        """Leave a value in an operand of the formula's shape."""
        self._outputs.append((operand, value.at))

    def map(self) -> Map:
        """What was written down."""
        inputs, numbers, results = (list(self._places[k]) for k in ("in", "number", "result"))
        start = {"in": 0, "number": len(inputs), "result": len(inputs) + len(numbers)}

        def place(at: tuple[str, int]) -> int:
            return start[at[0]] + at[1]

        return Map(
            self.shape,
            inputs,
            numbers,
            [(name, *map(place, terms)) for name, *terms in results],
            [(operand, place(at)) for operand, at in self._outputs],
        )

    def _value(self, kind: str, what: Any) -> Value:
        places = self._places[kind]
        return Value(self, (kind, places.setdefault(what, len(places))))


def rewritten(step: Map, keep: Iterable[tuple[Operand, int]]) -> Map:
    """The map with these outputs alone, and only what they need."""
    outputs = list(keep)
    used = {value for _, value in outputs}
    first = len(step.inputs) + len(step.numbers)
    for place in range(len(step.instructions) - 1, -1, -1):
        if first + place in used:
            used.update(step.instructions[place][1:])
    order = sorted(used)
    new = {old: place for place, old in enumerate(order)}

    def among(things: Sequence[Any], start: int) -> Iterator[Any]:
        return (things[i - start] for i in order if start <= i < start + len(things))

    instructions = among(step.instructions, first)
    return Map(
        step.shape,
        list(among(step.inputs, 0)),
        list(among(step.numbers, len(step.inputs))),
        [(name, *(new[value] for value in values)) for name, *values in instructions],
        [(operand, new[value]) for operand, value in outputs],
    )
