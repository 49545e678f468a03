"""Training live in a panel: Train, Step, Reset, and what is running said in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ipywidgets as widgets

from flowviz.compute import device
from flowviz.training import Snapshot, Trainer
from flowviz.widgets.jobs import Job, JobRunner
from flowviz.widgets.layout import button, classed, row, stack
from flowviz.widgets.readouts import Note
from flowviz.widgets.state import Integer, PanelState

DRAWING_SHARE = 0.25
"""Pictures take at most this share of a run's time; training gets the rest."""


class FitState(PanelState):
    """The setting that says how far the training is; the panel adds ``steps``, the run's length."""

    trained = Integer(0, 0, 20_000, help="Training steps made; setting it makes them")

    asked = False
    """Whether the update under way says how far the training is to be."""

    def update(self, values: Mapping[str, Any]) -> None:
        outer, self.asked = self.asked, isinstance(values, Mapping) and "trained" in values
        try:
            super().update(values)
        finally:
            self.asked = outer


@dataclass
class History:
    """What a run has shown so far, one list for each trainer.

    Attributes:
        steps: the step of each record.
        losses, errors: the objective and its standard error there, in nats.
    """

    steps: list[int] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    errors: list[list[float]] = field(default_factory=list)

    def add(self, snapshots: Sequence[Snapshot]) -> None:
        """Record one step of all trainers."""
        self.steps.append(snapshots[0].step)
        self.losses.append([snapshot.loss for snapshot in snapshots])
        self.errors.append([snapshot.standard_error for snapshot in snapshots])


class Fit:
    """Trains one flow, or several in lockstep, and shows how far it is.

    Args:
        settings: the panel's state, a :class:`FitState` with ``steps``.
        jobs: the panel's job runner.
        make: makes the trainers of a fresh run, on the panel's present settings.
        draw: called while a run goes on and at its end, to redraw the panel.
        fail: shows a failure where the user is looking.
        pressed: called when a button starts a fresh run.

    Attributes:
        controls: the buttons and the line under them.
        history: of the run so far.
        trainers: of the run so far; None before the first step.
    """

    def __init__(
        self,
        settings: Any,
        jobs: JobRunner,
        make: Callable[[], Sequence[Trainer]],
        draw: Callable[[], None],
        fail: Callable[[Exception], None],
        pressed: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._make = make
        self._draw = draw
        self._fail = fail
        self._pressed = pressed
        self._quiet = False
        self._goal = 0  # where a run ends that went on after its last step
        self.trainers: Sequence[Trainer] | None = None
        self.history = History()
        self._train = button("▶ Train", self.toggle, primary=True, help="Train, or go on training")
        self._step = button("Step", self.step_once, help="One training step")
        self._reset = button("Reset", lambda: self.reset(), help="Back to the untrained flow")
        self._note = Note()
        buttons = classed(row(self._train, self._step, self._reset), "fv-fit-buttons")
        self.controls: widgets.Widget = stack(buttons, self._note)
        self._say("not trained yet")

    @property
    def done(self) -> int:
        """Steps made so far."""
        return self.history.steps[-1] if self.history.steps else 0

    def follow(self, changed: frozenset[str], stale: str = "") -> None:
        """Follow the settings: train as far as they ask, by a link or a preset.

        Args:
            changed: the settings' names.
            stale: why the run so far is worth nothing any more, in words; it is forgotten.
        """
        settings = self._settings
        wanted = settings.trained if settings.asked or "trained" in changed else None
        if self.trainers is not None and (stale or (wanted is not None and wanted < self.done)):
            self._quietly(lambda: self.reset(stale))
            settings.trained = wanted or 0
        if wanted is not None and wanted > self.done:
            self._quietly(lambda: self.train_to(wanted))

    def hold(self) -> None:
        """Stop, for the moment: the settings already say how far the training is to be."""
        self._quietly(lambda: self._jobs.stop(wait=True))

    def toggle(self) -> None:
        """Start or go on; pause if it runs."""
        if self._jobs.running:
            self._jobs.stop()
            return
        if self.done >= self._steps:
            # What is trained is not thrown away: as many steps again.
            self._goal = self.done + self._settings.steps
        self._press(lambda: self._steps - self.done)

    def step_once(self) -> None:
        """Make one step, if nothing runs and the settings can say so many."""
        self._press(lambda: min(1, self._most - self.done))

    def train_to(self, step: int) -> None:
        """Train until that step, unless it is passed; a run that goes on is stopped first."""
        self._jobs.stop(wait=True)
        if step > self.done:
            self._start(lambda: step - self.done)

    def reset(self, why: str = "") -> None:
        """Stop, forget the run and draw the untrained flow; ``why`` stands in the line below."""
        self._jobs.stop(wait=True)
        self.trainers = None
        self.history = History()
        self._goal = 0
        self._draw()
        self._note_progress()
        self._say(f"{why}: back to the untrained flow" if why else "not trained yet")

    @property
    def _steps(self) -> int:
        """How many steps a run has in all."""
        return min(max(self._settings.steps, self._settings.trained, self._goal), self._most)

    @property
    def _most(self) -> int:
        """How many steps the settings can say."""
        most: int = type(self._settings).trained.max
        return most

    def _note_progress(self) -> None:
        """Once nothing runs any more, note in the settings how far the training is."""
        if not self._jobs.running and not self._quiet:
            self._settings.trained = self.done

    def _quietly(self, action: Callable[[], object]) -> None:
        """Do it while the settings already say how far the training is to be."""
        outer, self._quiet = self._quiet, True
        try:
            action()
        finally:
            self._quiet = outer

    def _press(self, steps: Callable[[], int]) -> None:
        if self.trainers is None:
            self._pressed()
        self._start(steps)

    def _start(self, steps: Callable[[], int]) -> None:
        try:
            if self.trainers is None:
                self.trainers = self._make()
        except ValueError as error:
            self._fail(error)
            return
        self._jobs.start(
            lambda job: self._run(job, steps()),
            on_progress=lambda draw: draw(),
            on_done=self._ended,
            on_error=self._broke,
        )

    def _run(self, job: Job, steps: int) -> None:
        assert self.trainers is not None
        # Said by the run itself: one that is stopped before it begins leaves no trace.
        self._train.description = "❚❚ Pause"
        self._say(self._progress(None) + " · starting")
        started, first = time.monotonic(), self.done
        next_picture = 0.0

        def picture() -> None:
            nonlocal next_picture
            began = time.monotonic()
            self._draw()
            ended = time.monotonic()
            self._say(self._progress((self.done - first) / max(ended - started, 1e-9)))
            next_picture = ended + (ended - began) * (1 / DRAWING_SHARE - 1)

        for _ in range(steps):
            snapshots: list[Snapshot | None] = []
            for trainer in self.trainers:
                snapshot = None if job.cancelled else trainer.step()
                if snapshot is None and not snapshots:
                    return
                # Lockstep: once the first trainer has made the step, the others make it too.
                snapshots.append(snapshot or trainer.step())
            failed = next((s.failure for s in snapshots if s.failure), None)  # type: ignore[union-attr]
            if failed:
                raise ValueError(failed)
            self.history.add(snapshots)  # type: ignore[arg-type]
            due = time.monotonic() >= next_picture
            job.report(lambda due=due: picture if due else _nothing)

    def _ended(self, job: Job) -> None:
        self._draw()
        self._note_progress()
        self._train.description = "▶ Train"
        paused = self.done < self._steps
        self._say(self._progress(None) + (" · paused" if paused and self.done else ""))

    def _broke(self, error: Exception) -> None:
        self._draw()
        self._note_progress()
        self._train.description = "▶ Train"
        self._say(self._progress(None) + " · stopped")
        self._fail(error)

    def _progress(self, rate: float | None) -> str:
        parts = [f"step {self.done:,} of {max(self.done, self._steps):,}"]
        if rate is not None:
            parts.append(f"{rate:.0f} steps/s")
        return " · ".join([*parts, device().type.upper()])

    def _say(self, text: str) -> None:
        self._note.show(text)


def _nothing() -> None:
    """Progress that draws nothing, between pictures."""
