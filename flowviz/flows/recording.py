"""A flow's map and its gradient, recorded once and then played without autograd's bookkeeping.

Half of a small flow's training step is not arithmetic: autograd builds the same graph of some
hundred nodes, step after step, and takes it apart again. A :class:`Player` writes down which
operations one pass and its gradient consist of, below autograd, and plays them from then on as
two TorchScript programs that are one node of autograd's graph. They are the same operations in
the same order, and so yield the same numbers.

>>> player = Player(flow)
>>> for x in batches:
...     with player:
...         loss = -flow.log_prob(x).mean()
...     loss.backward()
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.utils._python_dispatch import TorchDispatchMode

Pass = Callable[[Tensor, "Tensor | None"], tuple[Tensor, Tensor]]
"""A method of a flow that takes points and a context."""

WARM_UP = 10
"""Passes before one is recorded: a short run is not worth the tenths of a second it takes."""

MOST_KINDS = 8
"""Of passes that a player remembers; another one takes the place of the first."""

MOST_OPERATIONS = 5000
"""Of one recording: longer ones take seconds to prepare."""


class Player:
    """Within ``with player:`` the flow's passes are recorded and played, on this thread.

    A pass is played where one alike was recorded: of the same method, shapes, dtypes and
    training flags, with gradients to the same tensors. Parameters and buffers are read anew each
    time, and may change in between. Everything else is computed as ever: passes without
    gradients or on another device than the CPU, and those whose operations depend on the data (a
    root found to a tolerance) or draw random numbers.

    Args:
        flow: a :class:`~flowviz.flows.flow.Flow`, which asks its attribute ``player`` for its
            passes. Its layers and their settings must stay as they are.
    """

    def __init__(self, flow: nn.Module) -> None:
        self._flow = flow
        self._modules = list(flow.modules())
        tables = [table for m in self._modules for table in (m._parameters, m._buffers)]
        # Where the tensors are, not which: a functional call puts others in their places.
        self._slots: list[tuple[dict[str, Any], str]] = [
            (table, name) for table in tables for name, value in table.items() if value is not None
        ]
        self._kinds: dict[tuple[Any, ...], _Kind] = {}
        self._thread: int | None = None

    def __enter__(self) -> Player:
        self._thread = threading.get_ident()
        object.__setattr__(self._flow, "player", self)
        return self

    def __exit__(self, *exception: object) -> None:
        object.__setattr__(self._flow, "player", None)

    @property
    def recordings(self) -> list[Recording]:
        """Those made so far."""
        return [kind.recording for kind in self._kinds.values() if kind.recording is not None]

    def play(self, run: Pass, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """``run(z, context)``, from a recording where there is one; ``run`` is the flow's."""
        if not (torch.is_grad_enabled() and z.device.type == "cpu"):
            return run(z, context)
        if threading.get_ident() != self._thread:
            return run(z, context)
        state = [table[name] for table, name in self._slots]
        given = [z] if context is None else [z, context]
        key = (
            run,
            *((t.shape, t.stride(), t.dtype) for t in given),
            *(t.requires_grad for t in (*given, *state)),
            *(module.training for module in self._modules),
        )
        if key not in self._kinds:
            if len(self._kinds) == MOST_KINDS:
                del self._kinds[next(iter(self._kinds))]
            self._kinds[key] = _Kind()
        kind = self._kinds[key]
        kind.passes += 1
        if kind.passes == WARM_UP + 1:
            result, kind.recording = record(run, given, state)
            return result
        if kind.recording is None or not kind.recording.holds(state):
            return run(z, context)
        played: tuple[Tensor, Tensor] = _Play.apply(kind.recording, run, len(given), *given, *state)
        return played


@dataclass
class _Kind:
    """Passes that are alike: how many there were, and what was recorded of one."""

    passes: int = 0
    recording: Recording | None = None


class Recording:
    """The operations of one pass and of its gradient, as two programs.

    The first takes the pass's inputs (points, context, then the map's tensors) to its outputs and
    to whatever the second needs of what lies between; the second takes that, what it needs of the
    inputs, and the gradients to the outputs, to the gradients to the inputs.

    Args:
        tape: what was recorded; ``operations[:middle]`` are the pass's, the rest its gradient's.
        inputs, outputs: of the pass.
        upstream: the gradients to those outputs that have one.
        gradients: to the inputs; None where there is none.
    """

    def __init__(
        self,
        tape: _Tape,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        upstream: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
    ) -> None:
        pass_, gradient = tape.operations[: tape.middle], tape.operations[tape.middle :]
        made = {id(t) for operation in pass_ for t in _tensors(operation.result)}
        needed = _taken(gradient, gradients)
        between = [t for t in needed if id(t) in made]
        places = {id(t): place for place, t in enumerate(inputs)}
        self.needed_inputs = [places[id(t)] for t in needed if id(t) in places]
        known = made | places.keys() | {id(t) for t in upstream}
        self.constants = [t for t in _taken(pass_, outputs) if id(t) not in places]
        self.later_constants = [t for t in needed if id(t) not in known]
        self.differentiable = [output.requires_grad for output in outputs]
        self.has_gradient = [gradient is not None for gradient in gradients]
        self.conditions = [(places[id(t)], value) for t, value in tape.conditions]
        self.pass_ = _program(pass_, [*inputs, *self.constants], [*outputs, *between])
        needed_inputs = [inputs[place] for place in self.needed_inputs]
        self.gradient = _program(
            gradient,
            [*between, *needed_inputs, *self.later_constants, *upstream],
            [t for t in gradients if t is not None],
        )

    def holds(self, state: Sequence[Tensor]) -> bool:
        """Whether the flags that the pass looked at are as they were."""
        first = len(self.has_gradient) - len(state)
        return all(state[place - first].item() == value for place, value in self.conditions)


def record(
    run: Pass, given: Sequence[Tensor], state: Sequence[Tensor]
) -> tuple[tuple[Tensor, Tensor], Recording | None]:
    """``run(*given)``, and its recording unless its operations can be others next time.

    Args:
        run: takes the points and, where there is one, the context.
        given: what it takes.
        state: the tensors that it may look at.
    """
    inputs = [*given, *state]
    tape = _Tape(state)
    with tape:
        outputs = run(given[0], given[1] if len(given) > 1 else None)
    ends = [t for t in outputs if t.requires_grad]
    if tape.reason or not ends:
        return outputs, None
    tape.middle = len(tape.operations)
    upstream = [torch.ones_like(t) for t in ends]
    wanted = [t for t in inputs if t.requires_grad]
    seed = _Seed.apply(upstream, *ends)
    with tape:
        gradients = torch.autograd.grad(seed, wanted, retain_graph=True, allow_unused=True)
    if tape.reason:
        return outputs, None
    in_turn = iter(gradients)
    found = [next(in_turn) if t.requires_grad else None for t in inputs]
    _keep_freed_memory()
    try:
        return outputs, Recording(tape, inputs, outputs, upstream, found)
    except RuntimeError:
        # An operation that TorchScript has no name for.
        return outputs, None


class _Seed(Function):
    """A number whose gradient sends ``upstream`` to ``ends``.

    ``autograd.grad`` takes such gradients as an argument as well; but then it imports sympy.
    """

    @staticmethod
    def forward(ctx: Any, upstream: Sequence[Tensor], *ends: Tensor) -> Tensor:
        ctx.upstream = upstream
        return ends[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *ctx.upstream)


class _Play(Function):
    """A recorded pass as one node of autograd's graph."""

    @staticmethod
    def forward(
        ctx: Any, recording: Recording, run: Pass, given: int, *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        # Detached: the program would else be made for tensors that want a gradient.
        results = recording.pass_(*(t.detach() for t in inputs), *recording.constants)
        count = len(recording.differentiable)
        ctx.save_for_backward(*inputs)
        # What lies between can hold on to the outputs (as their views do), and must not be held
        # by them: hence the outputs are others, of the same memory.
        outputs = tuple(t.detach() for t in results[:count])
        ctx.recording, ctx.run, ctx.given, ctx.between = recording, run, given, results[count:]
        ctx.mark_non_differentiable(
            *(t for t, moves in zip(outputs, recording.differentiable, strict=True) if not moves)
        )
        return outputs

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        recording, inputs = ctx.recording, ctx.saved_tensors
        moves = recording.differentiable
        upstream = tuple(g.contiguous() for g, m in zip(upstream, moves, strict=True) if m)
        if torch.is_grad_enabled():
            found = _differentiably(ctx, inputs, upstream)
        else:
            needed = (inputs[place] for place in recording.needed_inputs)
            found = recording.gradient(*ctx.between, *needed, *recording.later_constants, *upstream)
        in_turn = iter(found)
        gradients = (next(in_turn) if has else None for has in recording.has_gradient)
        return (None, None, None, *gradients)


def _differentiably(
    ctx: Any, inputs: Sequence[Tensor], upstream: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """The gradients as functions of the inputs, by the pass that was recorded."""
    outputs = ctx.run(*inputs[: ctx.given], *[None] * (2 - ctx.given))
    moves, has = ctx.recording.differentiable, ctx.recording.has_gradient
    return torch.autograd.grad(
        [t for t, m in zip(outputs, moves, strict=True) if m],
        [t for t, h in zip(inputs, has, strict=True) if h],
        upstream,
        create_graph=True,
    )


class _Operation(NamedTuple):
    """One call below autograd."""

    function: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    result: Any


class _Tape(TorchDispatchMode):
    """Writes down the operations within ``with tape:``.

    Attributes:
        operations: so far.
        middle: how many of them are the pass's.
        conditions: the flags that were looked at, with their values.
        reason: why they can be others next time; empty where they can't.
    """

    def __init__(self, state: Iterable[Tensor]) -> None:
        super().__init__()
        self.operations: list[_Operation] = []
        self.middle = 0
        self.conditions: list[tuple[Tensor, Any]] = []
        self.reason = ""
        self._state = {id(t) for t in state}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # The wrapper that keeps the compiler out would import it: two seconds and 80 MB.
        return False

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        keywords = keywords or {}
        result = function(*arguments, **keywords)
        if self.reason:
            return result
        if function is torch.ops.aten._local_scalar_dense.default:
            if id(arguments[0]) in self._state:
                self.conditions.append((arguments[0], result))
            else:
                self.reason = "the pass looks at its numbers"
        elif torch.Tag.nondeterministic_seeded in function.tags:
            self.reason = "the pass draws random numbers"
        elif torch.Tag.data_dependent_output in function.tags or _picks(function, arguments):
            self.reason = f"the shape of what {function} yields depends on the numbers"
        elif len(self.operations) == MOST_OPERATIONS:
            self.reason = f"the pass has more than {MOST_OPERATIONS} operations"
            self.operations.clear()
        else:
            self.operations.append(_Operation(function, arguments, keywords, result))
        return result


def _picks(function: Any, arguments: Sequence[Any]) -> bool:
    """Whether the result's shape depends on the numbers; indices do so where they are masks."""
    if torch.Tag.dynamic_output_shape not in function.tags:
        return False
    indexed = function.name().startswith("aten::index")
    return not indexed or any(t.dtype == torch.bool for t in _tensors(arguments[1]))


def _program(
    operations: Sequence[_Operation], inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> Callable[..., tuple[Tensor, ...]]:
    """The operations as a function of ``inputs``, run by TorchScript."""

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        now = {id(t): value for t, value in zip(inputs, values, strict=True)}

        def present(value: Any) -> Any:
            if isinstance(value, Tensor):
                return now[id(value)]
            if isinstance(value, list | tuple):
                return type(value)(present(item) for item in value)
            return value

        for function, arguments, keywords, result in operations:
            if function is torch.ops.aten.detach.default:
                now[id(result)] = present(arguments[0])
                continue
            again = function(*present(arguments), **keywords)
            for old, new in zip(_tensors(result), _tensors(again), strict=True):
                now[id(old)] = new
        return tuple(now[id(t)] for t in outputs)

    # On copies: the pass itself may have moved a buffer, and has done so already.
    copies = tuple(t.detach().clone() for t in inputs)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(run, copies, check_trace=False)


def _taken(operations: Sequence[_Operation], outputs: Iterable[Tensor | None]) -> list[Tensor]:
    """The tensors that the operations and the outputs refer to but do not make."""
    made: set[int] = set()
    taken: dict[int, Tensor] = {}

    def take(value: Any) -> None:
        for t in _tensors(value):
            if id(t) not in made:
                taken.setdefault(id(t), t)

    for operation in operations:
        take(operation.arguments)
        take(list(operation.keywords.values()))
        made.update(id(t) for t in _tensors(operation.result))
    take(list(outputs))
    return list(taken.values())


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in an argument or a result."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [t for item in value for t in _tensors(item)]
    return []


def _keep_freed_memory() -> None:
    """Let the C library keep what a step frees, for the next step to use.

    A played step frees all of its tensors at once. The library then gives that memory back to
    the system and asks for it again, page by page, which can take longer than the arithmetic;
    unless a larger block has been freed before: its size is what the library goes by (mallopt(3),
    dynamic threshold, at most 32 MB). The block is not touched and so costs nothing.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)
