"""One pass and its gradient, as two programs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from flowviz.flows.recording.tape import Name, Operation, Tape, found, replaced, taken

Program = Callable[..., tuple[Tensor, ...]]


class Recording:
    """The operations of one pass and of its gradient, as two programs.

    The first takes the pass's inputs (points, context, then the flow's tensors) to its outputs and
    to whatever the second needs of what lies between; the second takes that, what it needs of the
    inputs, and the gradients to the outputs, to the gradients to the inputs.

    Args:
        tape: what was recorded; its first ``middle`` operations are the pass's, the others its
            gradient's.
        middle: see above.
        inputs: of the pass, in the order of the tape's.
        outputs: of the pass.
        upstream: the gradients to those outputs that have one.
        gradients: to the inputs; None where there is none.
    """

    def __init__(
        self,
        tape: Tape,
        middle: int,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        upstream: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
    ) -> None:
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
        self.constants = [tape.constants[name] for name in constants]
        self.later_constants = [tape.constants[name] for name in later]
        self.conditions = [(places[name], number) for name, number in tape.conditions]
        # On copies: the pass itself may have moved a buffer, and has done so already.
        copies = [t.detach().clone() for t in inputs]
        examples = [*copies, *(t.clone() for t in self.constants)]
        self.pass_ = _program(pass_, [*tape.inputs, *constants], examples, [*ends, *between])
        with torch.no_grad():
            kept = run(self.pass_, *examples)[len(outputs) :]
        examples = [*kept, *(copies[place] for place in self.needed_inputs)]
        examples += [t.clone() for t in (*self.later_constants, *upstream)]
        self.gradient = _program(gradient, [*between, *used, *later, *starts], examples, wanted)

    def holds(self, state: Sequence[Tensor]) -> bool:
        """Whether the flags that the pass looked at, among the flow's tensors, are as they were."""
        first = len(self.has_gradient) - len(state)
        return all(state[place - first].item() == value for place, value in self.conditions)


def record(
    run: Callable[..., tuple[Tensor, Tensor]], given: Sequence[Tensor], state: Sequence[Tensor]
) -> tuple[tuple[Tensor, Tensor], Recording | None]:
    """``run(*given)``, and its recording unless its operations can be others next time.

    Args:
        run: takes the points and, where there is one, the context.
        given: what it takes.
        state: the tensors that it may look at.
    """
    inputs = [*given, *state]
    tape = Tape(inputs)
    with tape:
        outputs = run(*given, *[None] * (2 - len(given)))
    ends = [t for t in outputs if t.requires_grad]
    if tape.reason or not ends:
        return outputs, None
    middle = len(tape.operations)
    upstream = [torch.ones_like(t) for t in ends]
    wanted = [t for t in inputs if t.requires_grad]
    seed = _Seed.apply(upstream, *ends)
    with tape:
        gradients = torch.autograd.grad(seed, wanted, retain_graph=True, allow_unused=True)
    if tape.reason:
        return outputs, None
    in_turn = iter(gradients)
    to_inputs = [next(in_turn) if t.requires_grad else None for t in inputs]
    try:
        recording = Recording(tape, middle, inputs, outputs, upstream, to_inputs)
    except RuntimeError:
        # An operation that TorchScript has no name for.
        return outputs, None
    _keep_freed_memory()
    return outputs, recording


def play(
    recording: Recording,
    run: Callable[..., tuple[Tensor, Tensor]],
    given: Sequence[Tensor],
    state: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """What ``run(*given)`` yields; the arguments are those of :func:`record`."""
    played: tuple[Tensor, Tensor] = _Play.apply(recording, run, len(given), *given, *state)
    return played


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
        ctx: Any,
        recording: Recording,
        run_again: Callable[..., tuple[Tensor, Tensor]],
        given: int,
        *inputs: Tensor,
    ) -> tuple[Tensor, ...]:
        # Detached: what wants a gradient is not the program's concern.
        results = run(recording.pass_, *(t.detach() for t in inputs), *recording.constants)
        count = len(recording.differentiable)
        ctx.save_for_backward(*inputs)
        # What lies between can hold on to the outputs (as their views do), and must not be held
        # by them: hence the outputs are others, of the same memory.
        outputs = tuple(t.detach() for t in results[:count])
        ctx.recording, ctx.run_again, ctx.given = recording, run_again, given
        ctx.between = results[count:]
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
            gradients = _differentiably(ctx, inputs, upstream)
        else:
            needed = (inputs[place] for place in recording.needed_inputs)
            constants = recording.later_constants
            gradients = run(recording.gradient, *ctx.between, *needed, *constants, *upstream)
        in_turn = iter(gradients)
        return (None, None, None, *(next(in_turn) if h else None for h in recording.has_gradient))


def _differentiably(
    ctx: Any, inputs: Sequence[Tensor], upstream: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """The gradients as functions of the inputs, by the pass that was recorded."""
    outputs = ctx.run_again(*inputs[: ctx.given], *[None] * (2 - ctx.given))
    moves, has = ctx.recording.differentiable, ctx.recording.has_gradient
    return torch.autograd.grad(
        [t for t, m in zip(outputs, moves, strict=True) if m],
        [t for t, h in zip(inputs, has, strict=True) if h],
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

    def every(*values: Tensor) -> tuple[Tensor, ...]:
        now = dict(zip(inputs, values, strict=True))
        for operation, last in zip(operations, spent, strict=True):
            arguments = replaced(operation.arguments, Name, now.__getitem__)
            keywords = {
                k: replaced(v, Name, now.__getitem__) for k, v in operation.keywords.items()
            }
            result = operation.function(*arguments, **keywords)
            now.update(zip(operation.results, found(result, Tensor), strict=True))
            for name in last:
                now.pop(name, None)
        return tuple(now[name] for name in outputs)

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(every, tuple(examples), check_trace=False)


def _spent(operations: Sequence[Operation], outputs: Iterable[Name]) -> list[list[Name]]:
    """For every operation, what is not used any more after it."""
    alive = set(outputs)
    spent = []
    for operation in reversed(operations):
        used = found((operation.arguments, *operation.keywords.values()), Name)
        last = [name for name in (*used, *operation.results) if name not in alive]
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
