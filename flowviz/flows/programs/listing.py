"""Writing down operations together with where their tensors lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextvars import Token
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from flowviz.flows.numerics.repeat import Recorder, State, Step, recorder, repeated
from flowviz.flows.programs.views import View
from flowviz.flows.recording.tape import Name, Operation, Tape, found

aten = torch.ops.aten
NOISE = {aten.randn.default: torch.randn, aten.randn.generator: torch.randn}
"""Operators whose numbers whoever plays the program draws for it: N(0, 1) each."""
UNIFORM = {aten.rand.default, aten.rand.generator}
"""Draws from [0, 1): they are made of normal ones."""
WHOLE = {
    aten.randint.default,
    aten.randint.generator,
    aten.randint.low,
    aten.randint.low_generator,
}
"""Draws of whole numbers: they are made of uniform ones."""
BELOW_ONE = 1 - 2**-24
"""The largest number below 1 that float32 has."""


class Listed(NamedTuple):
    """An operation, and what it yielded.

    Attributes:
        operation: with names in the place of tensors.
        results: the tensors themselves: they say how the memory is divided.
        values: copies of them, as they were right after it.
    """

    operation: Operation
    results: list[Tensor]
    values: list[Tensor]

    @property
    def in_place(self) -> bool:
        """Whether it writes into what it is given."""
        return bool(self.operation.function._schema.is_mutable)


@dataclass
class Loop:
    """A step that is made again and again.

    Attributes:
        body: the operations of one.
        state: the names of what it starts from, and leaves there in the end.
        after: what one step makes of it.
        going: nowhere 0 where it has to go on.
        most: so many steps at most.
    """

    body: list[Listed | Loop]
    state: list[Name]
    after: list[Name]
    going: Name
    most: int


class Listing(Tape):
    """A tape that knows of every tensor which part of which buffer it is.

    What torch says of storages and strides is what makes views vanish: an operation whose result
    lies in the memory of an argument is no arithmetic.

    Args:
        inputs: tensors whose numbers may be others next time.

    Attributes:
        listed: the operations.
        noise: the tensors of independent draws from N(0, 1).
        sizes: of the buffers, in numbers.
    """

    most_operations = 50_000

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        self.listed: list[Listed | Loop] = []
        self.noise: list[Name] = []
        self.sizes: list[int] = []
        self._buffers: dict[int, int] = {}
        self._views: dict[Name, View] = {}
        self._alive: list[Tensor] = []
        self._tokens: list[Token[Recorder | None]] = []
        super().__init__(inputs)

    def add(self, made: Tensor) -> Name:
        name = super().add(made)
        if name not in self._views:
            self._views[name] = self.place(made)
        return name

    def view(self, name: Name) -> View:
        """Where the tensor of that name lies."""
        return self._views[name]

    def place(self, tensor: Tensor) -> View:
        """Where a tensor lies."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._buffers:
            # Kept, or the next tensor might lie where this one did.
            self._alive.append(tensor.detach())
            self._buffers[key] = len(self.sizes)
            self.sizes.append(storage.nbytes() // tensor.element_size())
        strides = tuple(
            0 if n == 1 else s for n, s in zip(tensor.shape, tensor.stride(), strict=True)
        )
        offset = int(tensor.storage_offset())
        return View(self._buffers[key], offset, tuple(tensor.shape), strides)

    def __enter__(self) -> Listing:
        self._tokens.append(recorder.set(self._repeat))
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        recorder.reset(self._tokens.pop())

    def _repeat(self, step: Step, state: State, most: int) -> State:
        """Write down one step, and make the others."""
        state = tuple(t.clone(memory_format=torch.contiguous_format) for t in state)
        before, self.listed = self.listed, []
        after, going = step(*state)
        start, end = ([self.name(t) for t in tensors] for tensors in (state, after))
        before.append(Loop(self.listed, start, end, self.name(going), most))
        self.listed = before
        with _disable_current_modes():
            token = recorder.set(None)
            if bool(going.any()):
                after, _ = repeated(step, after, most)
            recorder.reset(token)
            for mine, last in zip(state, [t.clone() for t in after], strict=True):
                mine.copy_(last)
        return state

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        if function in NOISE:
            made = NOISE[function](*arguments, **(keywords or {}))
            self.noise.append(self.add(made))
            return made
        if function in UNIFORM:
            return self._uniform(*arguments, **(keywords or {}))
        if function in WHOLE:
            return self._whole(*arguments, **(keywords or {}))
        before = len(self.operations)
        result = super().__torch_dispatch__(function, types, arguments, keywords)
        if torch.Tag.inplace_view in function.tags:
            # The tensor has another shape from here on, and so another name.
            del self.operations[before:], self._names[result]
            self.add(result)
        if len(self.operations) > before:
            results = found(result, Tensor)
            values = [t.detach().clone() for t in results]
            # Other objects: the pass may change the shape of its own in place.
            laid = [t.detach() for t in results]
            self.listed.append(Listed(self.operations[-1], laid, values))
        return result

    def _uniform(self, size: Sequence[int], **keywords: Any) -> Tensor:
        """Draws from [0, 1), written down as Φ of normal ones."""
        with self:
            normal = torch.randn(size, **keywords)
            uniform = 0.5 * torch.erfc(-math.sqrt(0.5) * normal)
            return uniform.clamp(max=BELOW_ONE)

    def _whole(self, *given: Any, dtype: Any = None, layout: Any = None, **keywords: Any) -> Tensor:
        """Draws of whole numbers from ``low`` to below ``high``, written down as uniform ones."""
        *bounds, size = given
        low, high = bounds if len(bounds) == 2 else (0, *bounds)
        with self:
            uniform = torch.rand(size, **keywords)
            whole = (uniform * (high - low)).floor()
            return aten._to_copy.default(whole, dtype=torch.int64) + low
