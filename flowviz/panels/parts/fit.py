"""Training live in a panel: what the run bar's buttons do, how far it is, and the film of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from flowviz.compute import device
from flowviz.flows import Flow
from flowviz.flows.programs import learn
from flowviz.panels.parts import shipped
from flowviz.panels.parts.handover import go_on, moments_of
from flowviz.training import Snapshot, Trainer
from flowviz.widgets.charts import BarChart, LineChart
from flowviz.widgets.jobs import Job
from flowviz.widgets.page import Trained
from flowviz.widgets.panel import Panel
from flowviz.widgets.readouts import format_number
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Moment, Stage
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, PanelState

Weights = Sequence[Mapping[str, Any]]
"""The state of each model, in order."""

DRAWING_SHARE = 0.25
"""Pictures take at most this share of a run's time; training gets the rest."""
DRAWN_ONE_BY_ONE = 20
FIRST_SECOND = 1.0
"""So many first steps are drawn each, as far as they come within so many seconds."""
MOMENTS = 40
"""The film of a run has at most so many."""
MOST_KEPT = 10_000_000
"""So many numbers of all moments' weights are kept in memory."""
REST = 0.6
"""Seconds of rest after which the film is made anew."""
COMPUTE = {"kernel": "By the kernel", "page": "In this page"}
AVERAGE = 80
"""What is shown is the exponential average of the weights over about so many steps."""
RECENT = 50
"""The loss that a run has come to is the mean of so many steps."""
BEGUN = 2.0
"""Where a run goes on from is said for so many seconds."""
NOTED = 2.0
"""While training the settings are brought up to date every so many seconds, and links with them."""


class FitState(PanelState):
    """The settings that say how long a training is, and how far it is."""

    buttons: ClassVar[tuple[str, ...]] = ("training",)
    steps = Integer(1200, 10, 20_000, step=10, label="Steps", help="How long a run is")
    trained = Integer(0, 0, 20_000, help="Training steps made; setting it makes them")

    trained_by: ClassVar[tuple[str, ...]] = ()
    """The settings on which trained weights depend, besides how many steps were made."""

    @classmethod
    def completed(cls, values: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
        """The training of ``first`` is of its own fit: another fit begins untrained."""
        completed = super().completed(values, first)
        if "trained" not in values and not {*cls.trained_by, "steps"}.isdisjoint(values):
            completed.pop("trained", None)
        return completed

    def trained_on(self) -> dict[str, Any]:
        """The settings of :attr:`trained_by`, as JSON has them."""
        values = self.to_dict()
        return {name: values[name] for name in self.trained_by}

    asked = False
    """Whether the update under way says how far the training is to be."""

    def update(self, values: Mapping[str, Any]) -> None:
        outer, self.asked = self.asked, isinstance(values, Mapping) and "trained" in values
        try:
            super().update(values)
        finally:
            self.asked = outer


class PageFitState(FitState):
    """The settings of a training that the page can do as well."""

    compute = Choice(
        "kernel", COMPUTE, label="Train", help="Where it is computed: the page costs no server"
    )


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

    def extend(self, trained: Trained) -> None:
        """Record the steps that a page has made."""
        last = trained.step + 1
        self.steps += range(last - len(trained.losses), last)
        self.losses += trained.losses.tolist()
        self.errors += trained.errors.tolist()


class Fit:
    """Trains one flow, or several in lockstep, and shows how far it is on the run bar.

    A part of a panel (:class:`~flowviz.widgets.panel.panel.Part`).

    Args:
        panel: its state is a :class:`FitState`.
        run: the panel's run bar.
        make: makes the trainers of a run on the panel's present settings. It is handed the
            weights that each is to go on from, or None to start with untrained ones, and the
            step that these are of.
        start: makes the untrained flow.
        count: how many are trained.
        stages: what the film of a run is shown on.
        moment: the marks of each of the stages for such flows: what the film shows of a moment.
        charts: their cursors stand at the moment shown.
        bars: a chart of what the layers contribute.
        contributions: theirs, for such flows: the film of that chart.

    Attributes:
        make: as given.
        history: of the run so far, as far as it was made here.
        trainers: of the run so far; None before the first step.
    """

    def __init__(
        self,
        panel: Panel,
        run: RunBar,
        make: Callable[[Weights | None, int], Sequence[Trainer]],
        *,
        start: Callable[[], Flow],
        count: int,
        stages: Sequence[Stage],
        moment: Callable[[Sequence[Flow]], Sequence[Sequence[Mark]]],
        charts: Sequence[LineChart] = (),
        bars: BarChart | None = None,
        contributions: Callable[[Sequence[Flow]], np.ndarray] | None = None,
    ) -> None:
        if not isinstance(panel.settings, FitState):
            raise TypeError("the state of a panel that trains is a FitState")
        self._panel, self._run_bar, self.make, self._flow = panel, run, make, start
        self._settings, self._jobs = panel.settings, panel.jobs
        self._count, self._stages, self._moment = count, stages, moment
        self._charts, self._bars, self._contributions = charts, bars, contributions
        self._kept: list[tuple[int, Weights]] = []  # the moments of the run: step and weights
        self._timer: threading.Timer | None = None
        self._film = self._jobs.latest(self._show_film)
        self._quiet = False
        self._wanted: int | None = None
        self._again = False  # what runs was trained before, and a link or a preset asks for it
        self._stale = False
        self._told = 0  # how far the settings said that it is, when they were last followed
        self._goal = 0  # where a run ends that went on after its last step
        self._note = ""
        self.running = False
        self.trainers: Sequence[Trainer] | None = None
        self.history = History()
        for name, action in (
            ("train", self.toggle),
            ("step", self.step_once),
            ("reset", self.press_reset),
        ):
            run.on_press(name, action)
        self._settings.observe(
            lambda _: self._say(),
            names=["hide", *{"compute"}.intersection(self._settings.fields())],
        )
        self._say()

    # ---- what there is -------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether the settings say how far the training is."""
        return not self.running and self._wanted is None

    @property
    def done(self) -> int:
        """Steps made so far."""
        return self.trainers[0].steps if self.trainers else 0

    @property
    def flows(self) -> Sequence[Flow]:
        """What is shown: the flows with averaged weights; empty before the first step."""
        return [trainer.averaged for trainer in self.trainers or ()]

    # ---- a part of the panel -------------------------------------------------------------------

    def forget(self) -> None:
        """What was trained is of another flow or another target: forget it."""
        self._stale = True

    def follow(self, changed: frozenset[str]) -> None:
        """Follow the settings: as far as a link or a preset asks, shipped where there is that."""
        settings = self._settings
        wanted = settings.trained if settings.asked or "trained" in changed else None
        if wanted is not None:
            self._told = wanted
        if self._stale or (wanted is not None and self.trainers and wanted < self.done):
            # What runs ends without a word: it is of another fit.
            self._stale = True
            self._jobs.stop(wait=True)
            self._stale = False
            self._start_anew()
            self._note_down(wanted or 0)
            self._say()
        if self._quiet or wanted is None or wanted <= self.done:
            return
        weights = shipped.load(self.key(wanted)) if self.trainers is None else None
        if weights is not None:
            self.trainers = self.make(weights, wanted)
            self._note = "pretrained"
            self._say()
        else:
            self._wanted = wanted

    def begin(self) -> None:
        """Start the training that was asked for."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._jobs.stop(wait=True)
            self._again = True
            self._start(lambda: wanted - self.done)

    def key(self, trained: int) -> str:
        """The name of the weights after so many steps: a hash of all that they depend on."""
        settings = {**self._settings.trained_on(), "trained": trained}
        return shipped.key(self._panel.name, settings, self._flow())

    # ---- the buttons ---------------------------------------------------------------------------

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

    def press_reset(self) -> None:
        """Back to the untrained flow, and say so."""
        self._jobs.stop(wait=True)
        # What is drawn on the job thread meanwhile waits for it.
        with self._jobs.lock:
            self._start_anew()
            self._panel.header.invitation = ""
            self._note_down(0)
            # The bar does not wait for the pictures, which are of the trained flow still.
            self._say()
            self._panel.header.drawing = True
            self._panel.redraw()

    def _press(self, steps: Callable[[], int]) -> None:
        self._panel.header.invitation = ""
        self._again = False
        self._start(steps)

    # ---- a run ---------------------------------------------------------------------------------

    @property
    def _left(self) -> bool:
        """Whether the settings are another fit's by now, whatever is shown yet."""
        return self._stale or self._settings.trained != self._told

    @property
    def _steps(self) -> int:
        """How many steps a run has in all."""
        return min(max(self._settings.steps, self._settings.trained, self._goal), self._most)

    @property
    def _most(self) -> int:
        """How many steps the settings can say."""
        most: int = type(self._settings).trained.max
        return most

    def _start_anew(self) -> None:
        self.trainers, self.history = None, History()
        self._goal, self._wanted, self._note = 0, None, ""
        self._kept = []
        self._hide_film()

    def _note_down(self, trained: int | None = None) -> None:
        """Say in the settings how far the training is, which is drawn already.

        Not where they say by now how far it is to be.
        """
        if self._left:
            return
        outer, self._quiet = self._quiet, True
        self._told = self.done if trained is None else trained
        try:
            self._panel.note(trained=self._told)
        finally:
            self._quiet = outer

    def _start(self, steps: Callable[[], int]) -> None:
        try:
            if self.trainers is None:
                self.trainers = self.make(None, 0)
        except ValueError as error:
            self._panel.fail(error)
            return
        self._jobs.start(
            lambda job: self._run(job, steps()),
            on_progress=lambda draw: draw(),
            on_done=lambda _: self._ended(None),
            on_error=self._ended,
        )

    def _run(self, job: Job, steps: int) -> None:
        assert self.trainers is not None
        self.running = True
        self._hide_film()
        stride = max(1, math.ceil(self._steps / self._most_kept))
        if not self._kept:
            self._keep()
        started, first = time.monotonic(), self.done
        going_on = first and f"going on from step {first:,}"
        self._say(_again(steps) if self._again else going_on or "preparing")
        next_picture, next_note = 0.0, started + NOTED

        def picture() -> None:
            nonlocal next_picture, next_note
            if self._left:
                return
            began = time.monotonic()
            self._panel.redraw()
            # A link that is being trained again says already how far it is to be.
            if began >= next_note and self.done > self._settings.trained:
                self._note_down()
                next_note = began + NOTED
            ended = time.monotonic()
            made, rate = self.done - first, (self.done - first) / max(ended - started, 1e-9)
            again = self._again and _again(steps, (steps - made) / rate)
            begun = going_on if ended - started < BEGUN else ""
            self._say(again or begun or f"{rate:.0f} steps/s")
            next_picture = ended + (ended - began) * (1 / DRAWING_SHARE - 1)

        for _ in range(steps):
            if not self._advance(job):
                return
            if self.done % stride == 0:
                self._keep()
            if self.done <= DRAWN_ONE_BY_ONE and time.monotonic() - started < FIRST_SECOND:
                with self._jobs.lock:
                    picture()
                continue
            due = time.monotonic() >= next_picture
            job.report(lambda due=due: picture if due else _nothing)

    def _advance(self, job: Job) -> bool:
        """One step of all trainers, or of none: False where the run was stopped."""
        assert self.trainers is not None
        snapshots: list[Snapshot] = []
        for trainer in self.trainers:
            snapshot = None if job.cancelled else trainer.step()
            if snapshot is None and not snapshots:
                return False
            # Lockstep: once the first trainer has made the step, the others make it too.
            snapshot = snapshot or trainer.step()
            assert snapshot is not None
            snapshots.append(snapshot)
        failed = next((s.failure for s in snapshots if s.failure), None)
        if failed:
            raise ValueError(failed)
        self.history.add(snapshots)
        return True

    def _ended(self, error: Exception | None) -> None:
        self.running = self._again = False
        if self._left:
            return
        paused = 0 < self.done < self._steps
        self._note = "stopped" if error else "paused" if paused else self._reached()
        if self._kept and self._kept[-1][0] != self.done:
            self._keep()
        self._panel.redraw()
        self._say()
        # Last, for what waits for the end, as a prediction does, speaks as soon as this is noted.
        if not self._jobs.running:
            self._note_down()
        if error is not None:
            self._panel.fail(error)
        self._film()

    def _reached(self) -> str:
        """What a run has come to: the mean loss of its last steps, where it is of one flow."""
        if self._count > 1 or not self.history.losses:
            return "trained" if self.done else ""
        return f"loss {format_number(float(np.mean(self.history.losses[-RECENT:])))}"

    # ---- a run in the page ---------------------------------------------------------------------

    @property
    def in_page(self) -> bool:
        """Whether the page is to train."""
        return bool(getattr(self._settings, "compute", "kernel") == "page")

    def moments(self) -> list[dict[str, Any] | None]:
        """Of each training what the page is to go on from; None of what is not trained here."""
        return [moments_of(one).in_page() for one in self.trainers or ()] or [None] * self._count

    def take(self, trained: Trained) -> None:
        """Go on from what the page has trained; the film of that run is the page's.

        Raises:
            ValueError: there are not as many flows as here, or they have learned other numbers.
        """
        if len(trained.learned) != self._count:
            raise ValueError(f"{self._count} flows are trained here, got {len(trained.learned)}")
        self._jobs.stop(wait=True)
        flows = [self._flow() for _ in trained.learned]
        weights = [one.weights for one in trained.moments] or trained.learned
        for flow, learned in zip(flows, weights, strict=True):
            learn(flow, learned)
        with self._jobs.lock:
            trainers = self.make([flow.state_dict() for flow in flows], trained.step)
            for trainer, shown, moments in zip(
                trainers, trained.learned, trained.moments, strict=False
            ):
                go_on(trainer, shown, moments)
            self.trainers = trainers
            self.history.extend(trained)
            self._kept = []
            self._hide_film()
            self._note_down()
            self._panel.redraw()
            self._say(trained.status)

    # ---- the film ------------------------------------------------------------------------------

    def film_again(self) -> None:
        """The film is shown otherwise now: it is made anew once the settings rest for a moment."""
        if len(self._kept) < 2 or self.running:
            return
        self._hide_film()
        self._timer = threading.Timer(REST, self._film)
        self._timer.daemon = True
        self._timer.start()

    @property
    def _most_kept(self) -> int:
        """How many moments are kept: fewer of large flows."""
        size = sum(t.numel() for flow in self.flows for t in flow.state_dict().values())
        return max(8, min(MOMENTS, MOST_KEPT // max(size, 1)))

    def _keep(self) -> None:
        """Keep the weights of the moment; every other is dropped where there are too many."""
        if len(self._kept) >= self._most_kept:
            self._kept = self._kept[::2]
        states = [flow.state_dict().items() for flow in self.flows]
        weights = [{name: tensor.detach().clone() for name, tensor in one} for one in states]
        self._kept.append((self.done, weights))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hide_film(self) -> None:
        self._stop_timer()
        for stage in self._stages:
            stage.film = []
        self._run_bar.moments = []

    def _show_film(self) -> None:
        """Show all the moments as the settings of now would show them."""
        # What was to be made anew in a moment is made now: a film that takes longer than the rest
        # would be overtaken by itself, again and again.
        self._stop_timer()
        if self.running or len(self._kept) < 2 or not self.trainers:
            return
        flows = [self._flow() for _ in self.trainers]
        shots, contributions = [], []
        for step, weights in self._kept:
            if self._jobs.awaited:
                # A slider's picture is not kept waiting for a second.
                self.film_again()
                return
            for flow, state in zip(flows, weights, strict=True):
                flow.load_state_dict(state)
            shots.append((step, self._moment(flows)))
            if self._contributions is not None:
                contributions.append(self._contributions(flows))
        steps = [step for step, _ in shots]
        for index, stage in enumerate(self._stages):
            stage.film = [Moment(step=step, marks=list(marks[index])) for step, marks in shots]
        for chart in self._charts:
            chart.moments = steps
        if self._bars is not None:
            film = np.array(contributions)
            self._bars.show_contributions(self._bars.names, self._bars.values, film=film)
        self._run_bar.moments = steps

    # ---- words ---------------------------------------------------------------------------------

    def _say(self, status: str = "") -> None:
        """Bring the run bar up to date."""
        hidden = "training" in self._settings.hide
        with self._run_bar.hold_sync():
            self._run_bar.hidden = ["train", "step", "reset"] if hidden else []
            self._run_bar.running = self.running
            self._run_bar.step = self.done
            self._run_bar.steps = max(self.done, self._steps)
            words = [status or self._note or ("not trained" if not self.done else "")]
            in_page = self.in_page and not self.running
            where = "in this page" if in_page else device().type.upper()
            self._run_bar.status = " · ".join(filter(None, [*words, where]))


def _again(steps: int, seconds: float | None = None) -> str:
    """What is said while a link or a preset is trained again, which Stop skips."""
    left = "" if seconds is None else f", about {max(1, math.ceil(seconds)):,} s"
    return f"training {steps:,} steps again{left}"


def _nothing() -> None:
    """Progress that draws nothing, between pictures."""
