"""Which passes of a flow are recorded, and when a recording is played."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from flowviz.flows.numerics.transforms import transformed
from flowviz.flows.recording.descent import Descent, record_descent
from flowviz.flows.recording.recording import Recording, play, record

Pass = Callable[[Tensor, "Tensor | None"], tuple[Tensor, Tensor]]
"""A method of a flow that takes points and a context."""

Again = Callable[..., tuple[Tensor, Tensor]]
"""The same of all tensors that it looks at: points, context, then those of the flow."""

WARM_UP = 10
"""Passes before one is recorded: a short run is not worth the tenths of a second it takes."""

MANY = 10
"""So many players of a flow in a row, each used once and without a recording, are a mistake."""

_unplayed: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
"""How many such players in a row a flow had so far."""

MOST_KINDS = 4
"""Of passes that a player remembers, at 5 to 20 MB; another one takes the place of the first."""


class Player:
    """Within ``with player:`` the flow's passes are recorded and played, on this thread.

    A pass is played where one alike was recorded: of the same method, shapes, dtypes and
    training flags, with gradients to the same tensors or without. Parameters and buffers are read
    anew each time, and may change in between. Everything else is computed as ever: passes under a
    transform of ``torch.func`` or in forward mode, those on other devices than a CPU or an NVIDIA
    GPU, and those whose operations depend on the data (a root found to a
    tolerance) or draw random numbers.

    A player needs some passes before it records: one is made for a whole loop. Where one is made
    anew in each round, a UserWarning says so, once a flow.

    Args:
        flow: a :class:`~flowviz.flows.flow.Flow`, which asks its attribute ``player`` for its
            passes. Its base, its layers and their settings must stay as they are, and hooks on
            layers are not called.
    """

    def __init__(self, flow: nn.Module) -> None:
        if not isinstance(flow, nn.Module) or not hasattr(flow, "player"):
            raise TypeError(f"a player takes a flow, got {type(flow).__name__}")
        self._flow = flow
        self._modules = list(flow.modules())
        # Where each tensor is, and not which it is: a functional call puts others in their places.
        # One that two modules share is in two.
        places: dict[int, list[_Place]] = {}
        for module in self._modules:
            for table in (module._parameters, module._buffers):
                for name, value in table.items():
                    if value is not None:
                        places.setdefault(id(value), []).append((table, name))
        self._places = list(places.values())
        self._first_places = [first for first, *_ in self._places]
        self._kinds: dict[tuple[Any, ...], _Kind] = {}
        self._resumed: dict[str, int] = {}
        self._entered = 0
        self._outer: list[tuple[Player | None, int | None]] = []
        self._thread: int | None = None

    def __reduce__(self) -> tuple[type[Player], tuple[nn.Module], dict[str, Any]]:
        # A copy, of a trainer or its like, makes recordings of its own.
        return Player, (self._flow,), {"_resumed": self.passes()}

    def passes(self) -> dict[str, int]:
        """How many passes there were of each kind, up to the one that is recorded.

        What is played may differ from what is computed in the last digit: a run goes on to the
        bit where its player's :meth:`resume` is given this.
        """
        counts = {_written(key): min(kind.passes, WARM_UP) for key, kind in self._kinds.items()}
        return {**self._resumed, **counts}

    def resume(self, passes: Mapping[str, int]) -> None:
        """Count on from these passes, and record anew where that is due."""
        self._kinds.clear()
        self._resumed = dict(passes)

    def __enter__(self) -> Player:
        self._entered += 1
        self._outer.append((self._flow.player, self._thread))  # type: ignore[arg-type]
        self._thread = threading.get_ident()
        object.__setattr__(self._flow, "player", self)
        return self

    def __exit__(self, *exception: object) -> None:
        outer, self._thread = self._outer.pop()
        object.__setattr__(self._flow, "player", outer)
        if self._entered > 1 or self.recordings:
            _unplayed.pop(self._flow, None)
        else:
            self._warn_of_many()

    def _warn_of_many(self) -> None:
        """Say once that players which are made anew each time record nothing."""
        if not 0 < sum(kind.passes for kind in self._kinds.values()) <= WARM_UP:
            return
        count = _unplayed.get(self._flow, 0) + 1
        _unplayed[self._flow] = count
        if count == MANY:
            warnings.warn(
                f"{MANY} players in a row were used once and recorded nothing: a pass is "
                f"recorded after {WARM_UP} like it. Make one player for the whole loop, "
                "player = Player(flow), and enter it in each round, with player: …",
                stacklevel=3,
            )

    @property
    def recordings(self) -> list[Recording | Descent]:
        """Those made so far."""
        return [kind.recording for kind in self._kinds.values() if kind.recording is not None]

    def play(self, run: Pass, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """``run(z, context)``, from a recording where there is one; ``run`` is the flow's."""
        if not self._may_play(z):
            return run(z, context)
        recording, again, inputs = self._recorded(record, run, z, context)
        return run(z, context) if recording is None else play(recording, again, inputs)

    def descend(self, run: Pass, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """``run(z, context)`` without gradient; that of −mean of its logs goes to ``grad``.

        None, and nothing is done, where there is no recording of that, or autograd has more to do
        than to leave gradients at parameters.
        """
        if not self._may_play(z):
            return None
        recording, _, inputs = self._recorded(record_descent, run, z, context)
        if recording is None:
            return None
        ends = [inputs[place] for place in recording.moved]
        if not all(map(_takes_a_gradient_only, ends)):
            return None
        state, logs, *gradients = recording(inputs)
        for end, gradient in zip(ends, gradients, strict=True):
            end.grad = gradient if end.grad is None else end.grad + gradient
        return state, logs

    def _recorded(
        self,
        make: Callable[[Again, list[Tensor], int], Any],
        run: Pass,
        z: Tensor,
        context: Tensor | None,
    ) -> tuple[Any, Again, list[Tensor]]:
        """What ``make`` makes of a pass like this one; the pass on other tensors; and its own."""
        given = [z] if context is None else [z, context]
        state = [table[name] for table, name in self._first_places]
        training = [module.training for module in self._modules]
        inputs, count = [*given, *state], len(given)

        def again(*inputs: Tensor) -> tuple[Tensor, Tensor]:
            """The pass on other tensors in the places of all that it may look at."""
            with self._as(training, inputs[count:]):
                return run(inputs[0], inputs[1] if count > 1 else None)

        key = (
            make,
            run,
            torch.is_grad_enabled(),
            *((t.shape, t.stride(), t.dtype, t.device) for t in given),
            *(t.requires_grad for t in inputs),
            *training,
        )
        if key not in self._kinds:
            if len(self._kinds) == MOST_KINDS:
                del self._kinds[next(iter(self._kinds))]
            before = self._resumed.pop(_written(key), 0) if self._resumed else 0
            self._kinds[key] = _Kind(before)
        kind = self._kinds[key]
        kind.passes += 1
        if kind.passes == WARM_UP + 1:
            kind.recording = make(again, inputs, count)
        if kind.recording is None or not kind.recording.holds(inputs):
            return None, again, inputs
        return kind.recording, again, inputs

    def _may_play(self, z: Tensor) -> bool:
        return (
            z.device.type in ("cpu", "cuda")
            and threading.get_ident() == self._thread
            and not transformed()
        )

    @contextmanager
    def _as(self, training: Sequence[bool], state: Sequence[Tensor]) -> Iterator[None]:
        """The flow with these flags and tensors."""
        own = [table[name] for table, name in self._first_places]
        flags = [module.training for module in self._modules]
        self._put(training, state)
        try:
            yield
        finally:
            self._put(flags, own)

    def _put(self, training: Sequence[bool], state: Sequence[Tensor]) -> None:
        for module, flag in zip(self._modules, training, strict=True):
            object.__setattr__(module, "training", flag)
        for places, tensor in zip(self._places, state, strict=True):
            for table, name in places:
                table[name] = tensor


def _written(key: tuple[Any, ...]) -> str:
    """A kind of pass in letters: the same in another process."""
    return " ".join(getattr(part, "__name__", None) or str(part) for part in key)


def _takes_a_gradient_only(t: Tensor) -> bool:
    """Whether all that ``backward`` would do with the gradient is to leave it at ``t``."""
    hooks = t._backward_hooks or t._post_accumulate_grad_hooks
    return isinstance(t, nn.Parameter) and not hooks


_Place = tuple[dict[str, Any], str]
"""A module's table of tensors, and a name in it."""


@dataclass
class _Kind:
    """Passes that are alike: how many there were, and what was recorded of one."""

    passes: int = 0
    recording: Recording | None = None
