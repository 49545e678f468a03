"""One pass and its gradient, as two programs."""

from __future__ import annotations

import functools
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.recording.captured import Captured, Program, capturable
from flowviz.flows.recording.tape import (
    Name,
    Operation,
    Tape,
    Unsteady,
    found,
    names_in,
    replaced,
    taken,
)

log = logging.getLogger(__name__)
aten = torch.ops.aten
IN_PLACE = {
    aten.add.Tensor: aten.add_.Tensor,
    aten.sub.Tensor: aten.sub_.Tensor,
    aten.mul.Tensor: aten.mul_.Tensor,
    aten.div.Tensor: aten.div_.Tensor,
    aten.lerp.Tensor: aten.lerp_.Tensor,
    aten.neg.default: aten.neg_.default,
    aten.exp.default: aten.exp_.default,
    aten.tanh.default: aten.tanh_.default,
    aten.sigmoid.default: aten.sigmoid_.default,
    aten.silu.default: aten.silu_.default,
}
"""Operations that can leave their result where their first argument was."""

Pass = Callable[..., tuple[Tensor, ...]]
"""Takes all that it looks at: points, the context where there is one, then the flow's tensors."""


class Recording:
    """The operations of one pass and of its gradient, as two programs.

    The first takes the pass's inputs to its outputs and to whatever the second needs of what lies
    between; the second takes that, what it needs of the inputs, and the gradients to the outputs,
    to the gradients to the inputs. A pass without gradients is the first program alone.

    Args:
        tape: what was recorded; its first ``middle`` operations are the pass's, the others its
            gradient's.
        middle: see above.
        inputs: of the pass, in the order of the tape's.
        outputs: of the pass.
        upstream: the gradients to those outputs that have one.
        gradients: to the inputs; None where there is none.
        moving: how many of the inputs, from the first, lie elsewhere at every pass.
    """

    def __init__(
        self,
        tape: Tape,
        middle: int,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        upstream: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        moving: int,
    ) -> None:
        middle = tape.fold(middle)
        pass_, gradient = tape.operations[:middle], tape.operations[middle:]
        ends = [tape.name(t) for t in outputs]
        starts = [tape.name(t) for t in upstream]
        wanted = [tape.name(t) for t in gradients if t is not None]
        made = {name for operation in pass_ for name in operation.results}
        needed = taken(gradient, wanted)
        between = [name for name in needed if name in made]
        places = {name: place for place, name in enumerate(tape.inputs)}
        used = [name for name in needed if name in places]
        constants = [name for name in taken(pass_, ends) if name not in places]
        later = [name for name in needed if name not in made | places.keys() | set(starts)]

        self.differentiable = [t.requires_grad for t in outputs]
        self.has_gradient = [t is not None for t in gradients]
        self.needed_inputs = [places[name] for name in used]
        # A buffer may have moved until the gradient is asked for: it is kept only where needed.
        self.kept = [t.requires_grad or i in self.needed_inputs for i, t in enumerate(inputs)]
        self.constants = [tape.constants[name] for name in constants]
        self.later_constants = [tape.constants[name] for name in later]
        self.conditions = [(places[name], number) for name, number in tape.conditions]
        examples = [t.detach().clone() for t in (*inputs, *self.constants)]
        program = _program(pass_, [*tape.inputs, *constants], examples, [*ends, *between])
        on_gpu = inputs[0].is_cuda and capturable(tape.operations)
        self.pass_ = Captured(program, range(moving)) if on_gpu else program
        if not wanted:
            return
        with torch.no_grad():
            kept = run(program, *examples)[len(outputs) :]
        examples = [*kept, *(examples[place] for place in self.needed_inputs)]
        examples += [t.clone() for t in (*self.later_constants, *upstream)]
        taken_in = [*between, *used, *later, *starts]
        self.gradient = _program(gradient, taken_in, examples, wanted)
        if on_gpu:
            steady = {*tape.inputs[moving:], *later}
            elsewhere = [place for place, name in enumerate(taken_in) if name not in steady]
            self.gradient = Captured(self.gradient, elsewhere)

    def holds(self, inputs: Sequence[Tensor]) -> bool:
        """Whether the flags that the pass looked at are as they were."""
        return all(inputs[place].item() == value for place, value in self.conditions)


def record(pass_: Pass, inputs: Sequence[Tensor], moving: int) -> Recording | None:
    """What ``pass_(*inputs)`` consists of; None where that can be something else next time.

    The first ``moving`` of the inputs are those that lie elsewhere at every pass.

    The pass is made on copies: whatever it moves stays where it is, and where the inputs come
    from, which may be the flow itself, is not recorded with it.
    """
    if not torchscript_works():
        return None
    copies = [t.detach().clone().requires_grad_(t.requires_grad) for t in inputs]
    tape = Tape(copies)
    try:
        with tape:
            outputs = pass_(*copies)
        middle = len(tape.operations)
        ends = [t for t in outputs if t.requires_grad]
        upstream = [torch.ones_like(t) for t in ends]
        to_inputs: list[Tensor | None] = [None] * len(copies)
        if ends:
            wanted = [place for place, t in enumerate(copies) if t.requires_grad]
            seed = _Seed.apply(upstream, *ends)
            with tape:
                gradients = torch.autograd.grad(
                    seed, [copies[place] for place in wanted], allow_unused=True
                )
            for place, gradient in zip(wanted, gradients, strict=True):
                to_inputs[place] = gradient
        recording = Recording(tape, middle, copies, outputs, upstream, to_inputs, moving)
    except (Unsteady, Untraced):
        return None
    except RuntimeError:
        return None  # The pass itself fails, and will say so.
    _keep_freed_memory()
    return recording


def play(recording: Recording, pass_: Pass, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """What ``pass_(*inputs)`` yields, by its recording."""
    if any(recording.has_gradient):
        state, logs = _Play.apply(recording, pass_, *inputs)
    else:
        state, logs = run(recording.pass_, *inputs, *recording.constants)
    return state, logs


class _Seed(Function):
    """A number whose gradient sends ``upstream`` to ``ends``.

    ``autograd.grad`` takes such gradients as an argument as well; but then it imports sympy.
    """

    @staticmethod
    def forward(ctx: Any, upstream: Sequence[Tensor], *ends: Tensor) -> Tensor:
        ctx.upstream = upstream
        return ends[0].new_zeros(())

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *ctx.upstream)


class _Play(Function):
    """A recorded pass as one node of autograd's graph."""

    @staticmethod
    def forward(ctx: Any, recording: Recording, pass_: Pass, *inputs: Tensor) -> tuple[Tensor, ...]:
        # Detached: what wants a gradient is not the program's concern.
        results = run(recording.pass_, *(t.detach() for t in inputs), *recording.constants)
        count = len(recording.differentiable)
        # What lies between can hold on to the outputs (as their views do), and must not be held
        # by them: hence the outputs are others, of the same memory.
        outputs = tuple(t.detach() for t in results[:count])
        ctx.recording, ctx.pass_ = recording, pass_
        kept = [t if keep else None for t, keep in zip(inputs, recording.kept, strict=True)]
        ctx.moving = [None if keep else t for t, keep in zip(inputs, recording.kept, strict=True)]
        ctx.save_for_backward(*kept, *results[count:])
        ctx.mark_non_differentiable(
            *(t for t, moves in zip(outputs, recording.differentiable, strict=True) if not moves)
        )
        return outputs

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        recording = ctx.recording
        count = len(recording.has_gradient)
        inputs, between = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        moves = recording.differentiable
        upstream = tuple(g.contiguous() for g, m in zip(upstream, moves, strict=True) if m)
        if torch.is_grad_enabled():
            gradients = _differentiably(ctx, inputs, upstream)
        else:
            needed = (inputs[place] for place in recording.needed_inputs)
            constants = recording.later_constants
            gradients = run(recording.gradient, *between, *needed, *constants, *upstream)
        in_turn = iter(gradients)
        return (None, None, *(next(in_turn) if h else None for h in recording.has_gradient))


def _differentiably(
    ctx: Any, inputs: Sequence[Tensor | None], upstream: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """The gradients as functions of the inputs, by the pass that was recorded."""
    # Copies of what may move: it has moved in this pass already.
    whole = [m.clone() if k is None else k for k, m in zip(inputs, ctx.moving, strict=True)]
    outputs = ctx.pass_(*whole)
    moves, has = ctx.recording.differentiable, ctx.recording.has_gradient
    return torch.autograd.grad(
        [t for t, m in zip(outputs, moves, strict=True) if m],
        [t for t, h in zip(whole, has, strict=True) if h],
        upstream,
        create_graph=True,
    )


def run(program: Program, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Call a program."""
    # There is nothing to optimise in what autograd would run as it is; trying to takes longer than
    # the recording itself, and twice its memory.
    with torch.jit.optimized_execution(False):
        return program(*inputs)


def _program(
    operations: Sequence[Operation],
    inputs: Sequence[Name],
    examples: Sequence[Tensor],
    outputs: Sequence[Name],
) -> Program:
    """The operations as a function of ``inputs``, traced on ``examples`` for TorchScript to run."""
    spent = _spent(operations, outputs)
    functions = _in_place_where_possible(
        operations, spent, dict(zip(inputs, examples, strict=True))
    )

    def every(*values: Tensor) -> tuple[Tensor, ...]:
        now = dict(zip(inputs, values, strict=True))
        for operation, function, last in zip(operations, functions, spent, strict=True):
            _perform(operation, function, now)
            for name in last:
                now.pop(name, None)
        return tuple(now[name] for name in outputs)

    return _traced(every, tuple(examples))


class Untraced(Exception):
    """TorchScript cannot take the operations down; it has no name for one of them, say."""


def _traced(function: Program, examples: tuple[Tensor, ...]) -> Program:
    try:
        with torch.no_grad(), warnings.catch_warnings(), torch.jit.optimized_execution(False):
            warnings.simplefilter("ignore")
            return torch.jit.trace(function, examples, check_trace=False)
    except Exception as error:
        raise Untraced(f"{type(error).__name__}: {error}") from error


@functools.cache
def torchscript_works() -> bool:
    """Whether TorchScript can take down an addition; says so in the log where it cannot.

    It is deprecated in torch 2.13, and not to be had on Python 3.14.
    """
    try:
        _traced(lambda x: (x + 1,), (torch.zeros(1),))
    except Untraced as error:
        log.warning("torch.jit.trace fails, so that flows are not recorded and slower: %s", error)
        return False
    return True


@torch.no_grad()
def _in_place_where_possible(
    operations: Sequence[Operation], spent: Sequence[Sequence[Name]], now: dict[Name, Tensor]
) -> list[Any]:
    """The operators, those in place that can have their result where nobody needs anything."""
    functions = []
    # How many use a block of memory; the caller's has one user more, and is never free.
    users = Counter(map(memory, (*now.values(), *now.values())))
    for operation, last in zip(operations, spent, strict=True):
        function, first = operation.function, operation.arguments[:1]
        if function in IN_PLACE and first[0] in last and users[memory(now[first[0]])] == 1:
            others = replaced(operation.arguments[1:], Name, now.__getitem__)
            if _fits(now[first[0]], found(others, Tensor)):
                function = IN_PLACE[function]
        functions.append(function)
        users.update(map(memory, _perform(operation, function, now)))
        users.subtract(memory(now.pop(name)) for name in last if name in now)
    return functions


def _perform(operation: Operation, function: Any, now: dict[Name, Tensor]) -> list[Tensor]:
    """Do the operation, by this operator, with what the names stand for now."""
    arguments = replaced(operation.arguments, Name, now.__getitem__)
    keywords = {k: replaced(v, Name, now.__getitem__) for k, v in operation.keywords.items()}
    results = found(function(*arguments, **keywords), Tensor)
    now.update(zip(operation.results, results, strict=True))
    return results


def memory(t: Tensor) -> int:
    """Where the block of memory is that ``t`` is part of."""
    return t.untyped_storage().data_ptr()


def _fits(place: Tensor, others: Sequence[Tensor]) -> bool:
    """Whether an operation of these arguments has a result like the first of them."""

    def is_spread_over_it(t: Tensor) -> bool:
        # torch.broadcast_shapes imports sympy.
        sizes = zip(reversed(t.shape), reversed(place.shape), strict=False)
        return t.ndim <= place.ndim and all(mine in (1, its) for mine, its in sizes)

    return (
        place.is_floating_point()
        and place.is_contiguous()
        and all(t.dtype == place.dtype and is_spread_over_it(t) for t in others)
    )


def _spent(operations: Sequence[Operation], outputs: Iterable[Name]) -> list[list[Name]]:
    """For every operation, what is not used any more after it."""
    alive = set(outputs)
    spent = []
    for operation in reversed(operations):
        last = [name for name in (*names_in(operation), *operation.results) if name not in alive]
        alive.update(last)
        spent.append(last)
    return spent[::-1]


def _keep_freed_memory() -> None:
    """Let the C library keep what a step frees, for the next step to use.

    A played step frees all of its tensors at once. The library then gives that memory back to
    the system and asks for it again, page by page, which can take longer than the arithmetic;
    unless a larger block has been freed before: its size is what the library goes by (mallopt(3),
    dynamic threshold, at most 32 MB). The block is not touched and so costs nothing.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)
