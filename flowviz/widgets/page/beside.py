"""The flows of a panel in the page, beside the kernel that is told afterwards what they did."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import traitlets

from flowviz.widgets import esm
from flowviz.widgets.page.packed import packed
from flowviz.widgets.shared_widget import SharedWidget

_HERE = Path(__file__).parent
MOST_STEPS = 20_000
"""A page has trained at most so many."""


@dataclass(frozen=True)
class Moments:
    """What a training goes on from besides what it shows.

    Attributes:
        weights: where it is: what it shows is their average.
        first, second: Adam's moments of the gradients, ordered as the weights.
        count: of Adam's steps.
    """

    weights: np.ndarray
    first: np.ndarray
    second: np.ndarray
    count: int

    def check(self) -> None:
        """Whether there can be such.

        Raises:
            ValueError: there cannot.
        """
        vectors = self.weights, self.first, self.second
        finite = all(bool(np.isfinite(vector).all()) for vector in vectors)
        if not finite or bool((self.second < 0).any()) or not 0 <= self.count <= MOST_STEPS:
            raise ValueError("a training cannot go on from what the page tells")

    def in_page(self) -> dict[str, Any]:
        """As a page has them."""
        vectors = {"weights": self.weights, "first": self.first, "second": self.second}
        return {"count": self.count, **{name: one.tobytes() for name, one in vectors.items()}}


@dataclass(frozen=True)
class Trained:
    """What a page has trained.

    Attributes:
        step: how many steps led to it.
        learned: a vector for each flow, as :func:`flowviz.flows.programs.numbers` orders it.
        losses, errors: ``[S, flows]``, of the last S steps, in nats.
        running: whether it goes on.
        status: how it goes, in words.
        moments: for each flow what to go on from; none while it runs.
    """

    step: int
    learned: Sequence[np.ndarray]
    losses: np.ndarray
    errors: np.ndarray
    running: bool
    status: str
    moments: Sequence[Moments] = ()

    @classmethod
    def of(cls, content: Mapping[str, Any], buffers: Sequence[Any]) -> Trained:
        """What a page has sent: a vector for each flow, the losses and their errors.

        Where there are "counts", three more for each flow: weights and moments.

        Raises:
            ValueError: it makes no sense.
        """
        try:
            step, running = int(content["step"]), bool(content["running"])
            status = str(content["status"])[:200]
            counts = [int(count) for count in content.get("counts", ())]
            vectors = [np.frombuffer(b, dtype=np.float32) for b in buffers]
            vectors, kept = _split(vectors, 3 * len(counts))
            *learned, losses, errors = vectors
            losses, errors = (told.reshape(-1, max(len(learned), 1)) for told in (losses, errors))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("what the page has trained cannot be read") from error
        if losses.shape != errors.shape or not len(losses) <= step <= MOST_STEPS:
            raise ValueError("the page tells of other steps than it has made")
        if counts and len(counts) != len(learned):
            raise ValueError("the page tells of other flows than it has trained")
        triples = zip(kept[::3], kept[1::3], kept[2::3], counts, strict=True)
        moments = [Moments(*of_flow) for of_flow in triples]
        for one in moments:
            one.check()
        return cls(step, learned, losses, errors, running, status, moments)


@runtime_checkable
class Carried(Protocol):
    """A part of a panel whose flows a page can carry, and train."""

    @property
    def learned(self) -> Hashable:
        """Another one whenever a page is to be given something else."""

    @property
    def fitted(self) -> Hashable:
        """Another one where a page that trains the flows cannot go on from what it has learned."""

    @property
    def trains_in_page(self) -> bool:
        """Whether the page is to train what it has."""

    def in_page(self, training: bool = True, alone: bool = True) -> dict[str, Any] | None:
        """What a page needs to go on without a kernel; None: nothing that it shows is carried.

        Args:
            training: whether it is to train as well.
            alone: whether it has to choose its target without a kernel.

        Raises:
            ValueError: it cannot be without one, and why.
        """

    def take(self, trained: Trained) -> None:
        """Go on from what the page has trained.

        Raises:
            ValueError: it is not of these flows.
        """


class BesideKernel(SharedWidget):
    """Answers in the page what is dragged there, and trains there if that is asked for.

    It has no view. The page asks for the flows when one comes near the pictures that they carry;
    where they have no programs the kernel goes on to answer.

    Args:
        stages: their keys.
        clock: of the stages and of the run bar.
        give: what the page is to be given (:meth:`Carried.in_page`).
        take: what it has trained.
        fail: says what could not be taken.

    Attributes:
        version: goes up whenever the page would be given something else.
        fit: goes up whenever what the page has learned by then is of no use for that.
        trains: whether the page trains.
    """

    _esm = esm.widget(_HERE / "beside.js")
    stages: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    clock = traitlets.Unicode().tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    fit = traitlets.Int(0).tag(sync=True)
    trains = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        stages: Sequence[str],
        clock: str,
        give: Callable[[bool, bool], Mapping[str, Any] | None],
        take: Callable[[Trained], None],
        fail: Callable[[Exception], None],
    ) -> None:
        super().__init__(stages=list(stages), clock=clock)
        self._give, self._take, self._fail = give, take, fail
        self._learned: Hashable = None
        self._fitted: Hashable = None
        # The thread that takes what the page has trained: that is what the page has.
        self._taking: int | None = None
        self.on_msg(self._hear)

    def show(self, learned: Hashable, fitted: Hashable, trains: bool) -> None:
        """Follow the panel: what its flows have learned, and whether the page is to train them.

        Args:
            learned, fitted, trains: as :class:`Carried` has them.
        """
        with self.hold_sync():
            if fitted != self._fitted:
                self._fitted, self.fit = fitted, self.fit + 1
            if learned != self._learned and self._taking != threading.get_ident():
                self.version += 1
            self._learned, self.trains = learned, trains

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "flows":
            training, code = bool(content.get("training")), bool(content.get("code"))
            self.send(*self._flows(training, code))
        if kind == "trained":
            self._taking = threading.get_ident()
            try:
                self._take(Trained.of(content, buffers or ()))
            except ValueError as error:
                self._fail(error)
            finally:
                self._taking = None

    def _flows(self, training: bool, code: bool) -> tuple[dict[str, Any], list[bytes]]:
        """The answer to a page that asks for the flows, which go packed beside it."""
        answer: dict[str, Any] = {"kind": "flows", "version": self.version, "training": training}
        try:
            live = self._give(training, False)
            if live is None and training:
                raise ValueError("nothing in its pictures is carried by a flow")
        except ValueError as error:
            live = None
            if training:
                self._fail(ValueError(f"The page cannot train this, so the kernel does: {error}."))
        if live is None:
            return answer, []
        source = esm.module(_HERE / "beside_page.js") if code else None
        return {**answer, "code": source}, [packed(live)]


def _split(values: list[Any], last: int) -> tuple[list[Any], list[Any]]:
    """All but so many, and those."""
    first = len(values) - last
    return values[:first], values[first:]
