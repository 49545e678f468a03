"""Where a training step's batch comes from: a target's draws, rows of a table, or a loader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from flowviz import arguments
from flowviz.flows.flow import Flow

BATCH = 512
"""Points a step, where nothing is said."""


class Sampler(Protocol):
    """What forward KL needs of a target."""

    def sample(
        self,
        n: int,
        generator: Generator | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """``n`` draws ``[n, D]``."""


Data = Sampler | Tensor | DataLoader
"""A target; rows ``[N, D]``; or a loader of batches ``x [B, D]`` or ``(x, context)``."""

Batch = tuple[Tensor, "Tensor | None"]
"""x ``[B, D]`` and its context ``[B, C]``, if there is one, as the flow computes."""


class Batches(Protocol):
    """A source of batches."""

    def draw(self, flow: Flow, generator: Generator) -> Batch:
        """The next batch, of the flow's dtype and on its device."""

    def state_dict(self) -> dict[str, Any]:
        """What decides about the batches to come, besides the generator."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as from there."""


@dataclass(frozen=True)
class OnData:
    """An objective on batches of a source, whose place in the data is saved with a trainer."""

    source: Batches

    def state_dict(self) -> dict[str, Any]:
        """The place in the data."""
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from that place."""
        self.source.load_state_dict(state)


def batches(data: Data, batch: int | None, context: Tensor | None = None) -> Batches:
    """The source of batches for ``data``; see :func:`flowviz.training.maximum_likelihood`.

    Raises:
        TypeError: it is neither a target, nor a tensor, nor a loader.
        ValueError: a setting is out of its range, or means nothing for such data.
    """
    if context is not None and not isinstance(data, Tensor):
        raise ValueError("a context is given beside a tensor x; a loader yields (x, context)")
    if isinstance(data, DataLoader):
        if batch is not None:
            raise ValueError("a DataLoader has a batch size of its own: leave batch out")
        return Loaded(data)
    batch = arguments.whole("batch", BATCH if batch is None else batch, 1)
    if isinstance(data, Tensor):
        return Rows(data, context, batch)
    example = "targets.make('two_moons')"
    if not hasattr(data, "sample"):
        raise TypeError(
            "data must be a tensor [N, D], a DataLoader or a target with a method sample, "
            f"as {example} has; got {type(data).__name__}"
        )
    arguments.method("target", data, "sample", ("n", "generator", "device", "dtype"), example)
    return Draws(data, batch)


class _Stateless:
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Draws(_Stateless):
    """Fresh draws of a target."""

    def __init__(self, target: Sampler, batch: int) -> None:
        self.target = target
        self.batch = batch

    def draw(self, flow: Flow, generator: Generator) -> Batch:
        """``batch`` of them."""
        like = flow.like
        return self.target.sample(self.batch, generator, like.device, like.dtype), None


class Rows(_Stateless):
    """Rows of ``x [N, D]``, drawn with replacement; all of them where N ≤ ``batch``."""

    def __init__(self, x: Tensor, context: Tensor | None, batch: int) -> None:
        self.x = arguments.array("x", x, "[N, D]").detach()
        self.context = context
        if context is not None:
            self.context = arguments.array("context", context, "[N, C]").detach()
            if len(context) != len(x):
                raise ValueError(f"x has {len(x)} rows and the context {len(context)}")
        self.batch = batch

    def draw(self, flow: Flow, generator: Generator) -> Batch:
        """The rows of a step."""
        x, context = self.x, self.context
        if self.batch < len(x):
            at = torch.randint(
                len(x), (self.batch,), generator=generator, device=generator.device
            ).to(x.device)
            x, context = x[at], None if context is None else context[at.to(context.device)]
        return x.to(flow.like), None if context is None else context.to(flow.like)


class Loaded:
    """The batches of a loader, epoch after epoch.

    The loader's draws, those of torch's global generator, follow from the trainer's generator, one
    seed an epoch. So a copy of the source and one whose state was loaded find their place again.
    """

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._running: Iterator[Any] | None = None
        self._taken = 0
        self._seed: int | None = None
        self._shuffler: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        # An iterator cannot be copied: it is made again, and taken to its place.
        return {**vars(self), "_running": None}

    def draw(self, flow: Flow, generator: Generator) -> Batch:
        """The next batch; after the last one of an epoch, the first of the next."""
        if self._seed is None:
            self._begin(generator)
        if self._running is None:
            self._go_to_place()
        batch = self._next()
        if batch is None:
            self._begin(generator)
            self._go_to_place()
            batch = self._next()
        if batch is None:
            raise ValueError("the DataLoader yields no batch")
        return _tensors(batch, flow.like)

    def state_dict(self) -> dict[str, Any]:
        """The epoch and the place in it."""
        return {"taken": self._taken, "seed": self._seed, "shuffler": self._shuffler}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; the batches before it are loaded once more, to be passed over."""
        self._taken, self._seed = state["taken"], state["seed"]
        self._shuffler, self._running = state["shuffler"], None

    def _begin(self, generator: Generator) -> None:
        """A new epoch."""
        seed = torch.randint(2**62, (), generator=generator, device=generator.device)
        self._taken, self._seed, self._running = 0, int(seed), None
        # That of a loader which was given one.
        own = self._loader.generator
        self._shuffler = None if own is None else own.get_state()

    def _go_to_place(self) -> None:
        if self._shuffler is not None:
            self._loader.generator.set_state(self._shuffler)
        with self._seeded(0):
            self._running = iter(self._loader)
        place, self._taken = self._taken, 0
        for _ in range(place):
            self._next()

    def _next(self) -> Any:
        """None at the end of the epoch."""
        assert self._running is not None
        self._taken += 1
        with self._seeded(self._taken):
            return next(self._running, None)

    def _seeded(self, place: int) -> Any:
        """torch's global generator, for the draws of the loader: given back as it was."""
        assert self._seed is not None
        return _Seeded(self._seed + place)


class _Seeded:
    """Within, torch's global generator starts from a seed; afterwards it is as it was."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __enter__(self) -> None:
        self._before = torch.random.get_rng_state()
        torch.random.default_generator.manual_seed(self._seed)

    def __exit__(self, *exception: object) -> None:
        torch.random.set_rng_state(self._before)


def _tensors(batch: Any, like: Tensor) -> Batch:
    """x and the context of what a loader yielded."""
    x, *rest = batch if isinstance(batch, list | tuple) else [batch]
    if len(rest) > 1:
        raise ValueError(
            f"a loader's batches are x or (x, context); this one has {1 + len(rest)} parts"
        )
    arguments.array("x of the loader's batch", x, "[B, D]")
    if not rest:
        return x.to(like), None
    return x.to(like), arguments.array("its context", rest[0], "[B, C]").to(like)
