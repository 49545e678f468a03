"""Which passes of a flow are recorded, and when a recording is played."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from flowviz.flows.recording.recording import Recording, play, record

Pass = Callable[[Tensor, "Tensor | None"], tuple[Tensor, Tensor]]
"""A method of a flow that takes points and a context."""

WARM_UP = 10
"""Passes before one is recorded: a short run is not worth the tenths of a second it takes."""

MOST_KINDS = 4
"""Of passes that a player remembers, at 5 to 20 MB; another one takes the place of the first."""


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
        # Where the tensors are, not which: a functional call puts others in their places.
        slots: dict[int, tuple[dict[str, Any], str]] = {}
        for module in self._modules:
            for table in (module._parameters, module._buffers):
                for name, value in table.items():
                    if value is not None:
                        slots.setdefault(id(value), (table, name))
        self._slots = list(slots.values())
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
        return play(kind.recording, run, given, state)


@dataclass
class _Kind:
    """Passes that are alike: how many there were, and what was recorded of one."""

    passes: int = 0
    recording: Recording | None = None
