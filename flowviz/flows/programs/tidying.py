"""Fewer kernels for the same numbers: dead ones go, neighbouring maps become one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowviz.flows.programs.kernels import Formula, Map, Step, Value, rewritten
from flowviz.flows.programs.views import Operand

MOST_INSTRUCTIONS = 48
"""Of one map: what lies between them is to stay in a processor's nearest memory."""
MOST_INPUTS = 24


def living(steps: Sequence[Step], wanted: Iterable[int]) -> list[Step]:
    """The kernels that some buffers depend on."""
    alive = set(wanted)
    while True:
        before = len(alive)
        for step in reversed(steps):
            if buffers(step.writes.values()) & alive:
                alive |= buffers(step.reads.values())
        if len(alive) == before:
            break
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Map):
            outputs = [(operand, value) for operand, value in step.outputs if operand[0] in alive]
            if outputs and 0 not in step.shape:
                kept.append(rewritten(step, outputs))
        elif buffers(step.writes.values()) & alive:
            kept.append(step)
    return kept


def split(steps: Sequence[Step], moving: Iterable[int]) -> tuple[list[Step], list[Step]]:
    """The kernels that do not depend on some buffers, and those that do.

    One that writes where another does belongs with it: played alone it would not find what that
    left the first time.
    """
    moved = set(moving)
    while True:
        before = len(moved)
        for step in steps:
            touched = buffers(step.reads.values()) | buffers(step.writes.values())
            if touched & moved:
                moved |= buffers(step.writes.values())
        if len(moved) == before:
            break
    once = [step for step in steps if not buffers(step.writes.values()) & moved]
    return once, [step for step in steps if buffers(step.writes.values()) & moved]


def fused(steps: Sequence[Step]) -> list[Step]:
    """Each map joined to the nearest earlier one of its shape, where nothing is in the way."""
    result: list[Step] = []
    for step in steps:
        place = _host(result, step) if isinstance(step, Map) else None
        if place is None:
            result.append(step)
        else:
            result[place] = _joined(result[place], step)  # type: ignore[arg-type]
    return result


def _host(steps: Sequence[Step], step: Map) -> int | None:
    """Where there is a map that ``step`` can be joined to."""
    reads, writes = buffers(step.reads.values()), buffers(step.writes.values())
    for place in range(len(steps) - 1, -1, -1):
        other = steps[place]
        if isinstance(other, Map) and other.shape == step.shape and _fits(other, step):
            return place
        made, used = buffers(other.writes.values()), buffers(other.reads.values())
        if made & (reads | writes) or used & writes:
            return None
    return None


def _fits(first: Map, second: Map) -> bool:
    """Whether doing both for one element after the other is doing one after the other."""
    if len(first.instructions) + len(second.instructions) > MOST_INSTRUCTIONS:
        return False
    if len({*first.inputs, *second.inputs}) > MOST_INPUTS:
        return False
    made = [operand for operand, _ in first.outputs]
    later = [operand for operand, _ in second.outputs]
    return (
        _apart_or_same(made, second.inputs)
        and _apart_or_same(made, later)
        and _apart_or_same(first.inputs, later)
    )


def _apart_or_same(some: Sequence[Operand], others: Sequence[Operand]) -> bool:
    return all(a == b or a[0] != b[0] for a in some for b in others)


def _joined(first: Map, second: Map) -> Map:
    """Both as one: what the first leaves the second takes at once."""
    formula = Formula(first.shape)
    made: dict[Operand, Value] = {}
    for step in (first, second):
        values = [made.get(operand) or formula.read(operand) for operand in step.inputs]
        values += [formula.number(number) for number in step.numbers]
        for name, *terms in step.instructions:
            values.append(formula.do(name, *(values[term] for term in terms)))
        made.update((operand, values[value]) for operand, value in step.outputs)
    for operand, value in made.items():
        formula.write(operand, value)
    return formula.map()


def buffers(operands: Iterable[Operand]) -> set[int]:
    """Which buffers operands are views of."""
    return {operand[0] for operand in operands}
