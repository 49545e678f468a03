"""From operations of torch to kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from flowviz.flows.programs.kernels import Formula, Kernel, Repeat, Step, Value
from flowviz.flows.programs.listing import Listed, Listing, Loop
from flowviz.flows.programs.tidying import fused, living
from flowviz.flows.programs.views import View, contiguous
from flowviz.flows.recording.tape import Name, found, replaced

Rule = Callable[["Call"], None]
"""Appends the kernels of one call of an operator."""

Argument = Any
"""A view, a number, a list of them, …: what an operator was called with."""


aten = torch.ops.aten
MADE_ALIKE = {
    getattr(aten, operator).default
    for operator in (
        "zeros_like",
        "ones_like",
        "full_like",
        "empty_like",
        "new_zeros",
        "new_ones",
        "new_full",
        "new_empty",
    )
}
"""They look at an argument's shape, and not at its numbers."""


class Unlowered(ValueError):
    """A pass has an operation that no kernel stands for."""


class Call:
    """One call of an operator of torch, while it is being lowered.

    Attributes:
        arguments, keywords: views in the place of tensors.
        results: the tensors that it yielded: how their memory is divided.
        out: where they lie.
    """

    def __init__(self, lowering: Lowering, listed: Listed) -> None:
        self._lowering = lowering
        operation = listed.operation
        self.function = operation.function
        self.arguments: Sequence[Argument] = lowering.resolved(operation.arguments)
        self.keywords = {k: lowering.resolved(v) for k, v in operation.keywords.items()}
        self.results = listed.results
        self.out = [lowering.listing.place(t) for t in listed.results]

    def place(self, part: Tensor) -> View:
        """Where a part of a result lies."""
        return self._lowering.listing.place(part)

    def constant(self, view: View) -> Tensor:
        """The numbers of a view that are always the same.

        Raises:
            Unlowered: they are not.
        """
        return self._lowering.constant(view)

    def given(self, values: Tensor) -> View:
        """Numbers that are always the same, as a view."""
        return self._lowering.given(values)

    def temporary(self, shape: Sequence[int]) -> View:
        """Room for something in between."""
        return self._lowering.temporary(shape)

    def term(self, formula: Formula, argument: Argument) -> Argument:
        """A value for a view, which is a number where that is the same everywhere and always."""
        if not isinstance(argument, View):
            return argument
        number = self._lowering.numbers.get(argument.buffer)
        return formula.of(argument) if number is None else formula.number(number)

    def formula(self, shape: Sequence[int], write: Callable[[Formula], None]) -> None:
        """A map over a shape, as ``write`` writes it down."""
        formula = Formula(shape)
        write(formula)
        self._lowering.steps.append(formula.map())

    def map(self, out: View, function: Callable[..., Value | float], *terms: View | float) -> View:
        """``function`` of views, which are broadcast to that of ``out``, and of numbers."""

        def write(formula: Formula) -> None:
            values = [self.term(formula, t) for t in terms]
            formula.leave(function(*values), out)

        self.formula(out.shape, write)
        return out

    def copy(self, out: View, value: View | float) -> View:
        """Leave numbers, or one number, in a view."""
        return self.map(out, lambda v: v, value)

    def kernel(
        self,
        op: str,
        settings: dict[str, Any],
        reads: dict[str, View],
        writes: dict[str, View],
    ) -> None:
        """A kernel that is no map."""
        reads = {name: self._solid(view) for name, view in reads.items()}
        operands = [{k: v.operand for k, v in views.items()} for views in (reads, writes)]
        self._lowering.steps.append(Kernel(op, settings, *operands))

    def _solid(self, view: View) -> View:
        """A view that is no literal: one may depend on the number of points."""
        number = self._lowering.numbers.get(view.buffer)
        if number is None:
            return view
        return replace(view, buffer=self.copy(self.temporary(()), number).buffer)

    def reduce(self, op: str, out: View, value: View, dims: Sequence[int]) -> View:
        """Over dimensions that ``out`` does not have."""
        order = value.moved_last(dims)
        outer = len(value.shape) - len(dims)
        settings = {"shape": order.shape[:outer], "over": order.shape[outer:]}
        self.kernel(op, settings, {"in": order}, {"out": out})
        return out


class Lowering:
    """The kernels that a listing comes to.

    Args:
        listing: of a pass.
        rules: for every operator.
        moving: the buffers whose numbers may be others next time.

    Attributes:
        steps: the kernels, in order.
        sizes: of all buffers.
        constants: those whose numbers are always the same: all of it, flat.
        numbers: the buffers of one such number, which stands for a tensor that is it everywhere.

    Raises:
        Unlowered: an operator has no rule.
    """

    def __init__(self, listing: Listing, rules: dict[Any, Rule], moving: Iterable[int]) -> None:
        self.listing = listing
        self.steps: list[Step] = []
        self.sizes = listing.sizes
        self.constants: dict[int, Tensor] = {}
        self.numbers: dict[int, float] = {}
        self._condensed: dict[View, View] = {}
        self._moving = _dependent(listing, set(moving))
        for name, tensor in listing.constants.items():
            self._keep(listing.view(name), tensor)
        self._lower_all(listing.listed, rules)

    def resolved(self, value: Any) -> Any:
        """An argument with views in the place of names and tensors."""
        value = replaced(value, Name, self.at)
        return replaced(value, Tensor, self._once)

    def constant(self, view: View) -> Tensor:
        if view.buffer not in self.constants:
            raise Unlowered("an index or a mask depends on the points")
        return self.constants[view.buffer].as_strided(view.shape, view.strides, view.offset)

    def given(self, values: Tensor) -> View:
        view = self.temporary(values.shape)
        self.constants[view.buffer] = values.reshape(-1).float()
        return view

    def temporary(self, shape: Sequence[int]) -> View:
        self.sizes.append(int(torch.Size(shape).numel()))
        return contiguous(len(self.sizes) - 1, shape)

    def at(self, name: Name) -> View:
        """Where a tensor lies: once, of what is the same for all points and always."""
        view = self.listing.view(name)
        if view.buffer not in self.constants:
            return view
        turned = view.turned
        if turned in self._condensed:
            return self._condensed[turned].turned
        if view not in self._condensed:
            self._condensed[view] = self._once(self.constant(view))
        return self._condensed[view]

    def _once(self, values: Tensor) -> View:
        """Numbers that are always the same, without those that repeat along a dimension."""
        shape = values.shape
        for dim, length in enumerate(shape):
            first = values.narrow(dim, 0, min(length, 1))
            if length and bool(((values == first) | (values.isnan() & first.isnan())).all()):
                values = first
        if values.numel() != 1:
            return self.given(values).spread(shape)
        number = float(values)
        found = [b for b, n in self.numbers.items() if n == number]
        buffer = found[0] if found else self.given(values).buffer
        self.numbers[buffer] = number
        return View(buffer, 0, tuple(shape), (0,) * len(shape))

    def _lower_all(self, listed: Iterable[Listed | Loop], rules: dict[Any, Rule]) -> None:
        for one in listed:
            if isinstance(one, Loop):
                self._lower_loop(one, rules)
            else:
                self._lower(one, rules)

    def _lower_loop(self, loop: Loop, rules: dict[Any, Rule]) -> None:
        outer, self.steps = self.steps, []
        self._lower_all(loop.body, rules)
        state = [self.listing.view(name) for name in loop.state]
        after = [self.at(name) for name in loop.after]
        carried = {view.buffer for view in state}
        pairs = [(a, b) for a, b in zip(state, after, strict=True) if a != b]
        # What is another part of the state may be overwritten before it is read.
        pairs = [(a, self._copied(b) if b.buffer in carried else b) for a, b in pairs]
        for into, value in pairs:
            self._copy(into, value)
        going = self.at(loop.going)
        wanted = carried | {going.buffer}
        body = living(fused(living(self.steps, wanted)), wanted)
        self.steps = outer
        self.steps.append(Repeat(body, loop.most, going))

    def _copied(self, view: View) -> View:
        return self._copy(self.temporary(view.shape), view)

    def _copy(self, into: View, value: View) -> View:
        formula = Formula(into.shape)
        formula.leave(formula.of(value), into)
        self.steps.append(formula.map())
        return into

    def _lower(self, listed: Listed, rules: dict[Any, Rule]) -> None:
        operation = listed.operation
        out = [self.listing.view(name) for name in operation.results]
        if not any(view.buffer in self._moving for view in out):
            for view, values in zip(out, listed.values, strict=True):
                self._keep(view, values)
            return
        places = {self.listing.view(name).buffer for name in _used(listed)}
        if not listed.in_place and all(view.buffer in places for view in out):
            return  # A view.
        call = Call(self, listed)
        if not places & self._moving:
            # The same every time, but something is written over it later.
            for view, values in zip(out, listed.values, strict=True):
                call.copy(view, self._once(values))
            return
        rule = rules.get(operation.function)
        if rule is None:
            raise Unlowered(f"there is no kernel for {operation.function}")
        rule(call)

    def _keep(self, view: View, values: Tensor) -> None:
        whole = self.constants.setdefault(view.buffer, torch.zeros(self.sizes[view.buffer]))
        if values.numel():
            # Where many elements are one in memory, one of them is enough.
            first = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in view.strides)
            whole.as_strided(view.shape, view.strides, view.offset)[first].copy_(values[first])


def _dependent(listing: Listing, moving: set[int]) -> set[int]:
    """All buffers whose numbers depend on those of some."""
    links = list(_links(listing, listing.listed))
    while True:
        before = len(moving)
        for used, made in links:
            if used & moving:
                moving |= made
        if len(moving) == before:
            return moving


def _links(
    listing: Listing, listed: Iterable[Listed | Loop]
) -> Iterator[tuple[set[int], set[int]]]:
    """The buffers that each operation looks at, and those that depend on them."""

    def buffers(names: Iterable[Name]) -> set[int]:
        return {listing.view(name).buffer for name in names}

    for one in listed:
        if isinstance(one, Listed):
            yield buffers(_used(one)), buffers(one.operation.results)
            continue
        yield from _links(listing, one.body)
        # How many steps there are decides about all of the state.
        state = buffers(one.state)
        yield buffers([*one.after, one.going]) | state, state


def _used(listed: Listed) -> list[Name]:
    """The tensors whose numbers an operation looks at."""
    operation = listed.operation
    if operation.function in MADE_ALIKE:
        return []
    return found((operation.arguments, *operation.keywords.values()), Name)
