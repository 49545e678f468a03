"""Writing down operations, below autograd."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

aten = torch.ops.aten
SHAPED = {
    getattr(aten, name).default
    for name in ("new_full", "new_ones", "new_zeros", "full_like", "ones_like", "zeros_like")
}
"""Operations that take no more than the shape of their tensor."""
ARITHMETIC = {op.Tensor for op in (aten.add, aten.sub, aten.mul, aten.div)}


class Name(int):
    """Stands for a tensor in what is written down: the tensor itself need not be kept."""


class Operation(NamedTuple):
    """One call, names in the place of tensors.

    Attributes:
        function: an operator of torch.
        arguments, keywords: what it was called with.
        results: the tensors that it returned.
    """

    function: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    results: list[Name]


class Unsteady(Exception):
    """The operations can be others next time."""


class Tape(TorchDispatchMode):
    """Writes down the operations within ``with tape:``.

    Raises :class:`Unsteady` before an operation that looks at numbers, draws random ones, or
    yields a shape that depends on them.

    Args:
        inputs: tensors whose numbers may be others next time.

    Attributes:
        operations: so far.
        inputs: their names.
        constants: the tensors that were used but neither made on the tape nor given to it.
        conditions: those of the inputs whose number was looked at, with that number.
    """

    most_operations = 5000
    """Longer recordings take seconds to prepare."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.constants: dict[Name, Tensor] = {}
        self.conditions: list[tuple[Name, Any]] = []
        self._names = WeakTensorKeyDictionary()
        self._transposed: dict[Name, Name] = {}
        self._steady: dict[Name, Tensor] = {}
        self._count = 0
        self.inputs = [self.add(t) for t in inputs]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # The wrapper that keeps the compiler out would import it: two seconds and 80 MB.
        return False

    def add(self, made: Tensor) -> Name:
        """The name of a tensor that has one or is new."""
        if made not in self._names:
            self._names[made] = Name(self._count)
            self._count += 1
        name: Name = self._names[made]
        return name

    def name(self, used: Tensor) -> Name:
        """The name of a tensor; one that has none yet is a constant."""
        if used not in self._names:
            self.constants[self.add(used)] = used
        name: Name = self._names[used]
        return name

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        keywords = keywords or {}
        if function is aten._local_scalar_dense.default:
            name = self.name(arguments[0])
            if name not in self.inputs:
                raise Unsteady("the pass looks at its numbers")
            value = function(*arguments)
            self.conditions.append((name, value))
            return value
        if torch.Tag.nondeterministic_seeded in function.tags:
            raise Unsteady("the pass draws random numbers")
        if torch.Tag.data_dependent_output in function.tags or _picks(function, arguments):
            raise Unsteady(f"the shape of what {function} yields depends on the numbers")
        if len(self.operations) == self.most_operations:
            raise Unsteady(f"the pass has more than {self.most_operations} operations")
        result = function(*arguments, **keywords)
        if function is aten.detach.default:
            self._names[result] = self.name(arguments[0])
            return result
        written = replaced(arguments, Tensor, self.name)
        if function in ARITHMETIC and isinstance(arguments[1], int | float):
            # Each time, a number would be made a tensor, and that converted.
            written = (written[0], torch.tensor(arguments[1], dtype=result.dtype), *written[2:])
        named = {key: replaced(value, Tensor, self.name) for key, value in keywords.items()}
        if function is aten.t.default and written[0] in self._transposed:
            # Autograd transposes weights and their gradients twice.
            self._names[result] = self._transposed[written[0]]
            return result
        results = [self.add(t) for t in found(result, Tensor)]
        if function is aten.t.default:
            self._transposed[results[0]] = written[0]
        operation = Operation(function, written, named, results)
        if function in SHAPED or self._steady.keys() >= set(names_in(operation)):
            self._steady.update(zip(results, found(result, Tensor), strict=True))
        self.operations.append(operation)
        return result

    def fold(self, middle: int) -> int:
        """Make constants of results that depend on no input's numbers; nothing makes them any more.

        Args:
            middle: a number of operations from the first.

        Returns:
            How many of those are left.
        """
        written = _written(self.operations)
        folded: dict[Name, Tensor] = {}
        left = []
        for operation in self.operations:
            names, results = set(names_in(operation)), operation.results
            steady = operation.function in SHAPED or folded.keys() >= names
            if fold := steady and not written & names.union(results):
                folded.update((name, self._steady[name]) for name in results)
            left.append(not fold)
        self.constants.update(folded)
        self.operations = list(itertools.compress(self.operations, left))
        return sum(left[:middle])


def taken(operations: Sequence[Operation], outputs: Iterable[Name]) -> list[Name]:
    """What the operations and the outputs refer to but do not make, each once."""
    made: set[Name] = set()
    names: dict[Name, None] = {}
    for operation in operations:
        names.update(dict.fromkeys(name for name in names_in(operation) if name not in made))
        made.update(operation.results)
    names.update(dict.fromkeys(name for name in outputs if name not in made))
    return list(names)


def replaced(value: Any, kind: type, other: Callable[[Any], Any]) -> Any:
    """An argument with ``other(x)`` for every x of that kind in it."""
    if isinstance(value, kind):
        return other(value)
    if isinstance(value, list | tuple):
        return type(value)(replaced(item, kind, other) for item in value)
    return value


def found(value: Any, kind: type) -> list[Any]:
    """Everything of that kind in an argument or a result."""
    if isinstance(value, kind):
        return [value]
    if isinstance(value, list | tuple):
        return [x for item in value for x in found(item, kind)]
    return []


def names_in(operation: Operation) -> list[Name]:
    """What the operation takes, each as often as it does."""
    return found((operation.arguments, *operation.keywords.values()), Name)


def _written(operations: Sequence[Operation]) -> set[Name]:
    """What operations in place write to, through views as well."""
    written: set[Name] = set()
    for operation in reversed(operations):
        schema = operation.function._schema
        is_view = any(result.alias_info for result in schema.returns)
        if schema.is_mutable or (is_view and written & {*operation.results}):
            written.update(names_in(operation))
    return written


def _picks(function: Any, arguments: Sequence[Any]) -> bool:
    """Whether the result's shape depends on the numbers; indices do so where they are masks."""
    if torch.Tag.dynamic_output_shape not in function.tags:
        return False
    indexed = function.name().startswith("aten::index")
    return not indexed or any(t.dtype == torch.bool for t in found(arguments[1], Tensor))
