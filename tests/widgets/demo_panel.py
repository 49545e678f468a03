"""A minimal panel that shows what the base does; used by the tests only."""

from __future__ import annotations

import threading
import time

import numpy as np

from flowviz.widgets.gallery import Gallery
from flowviz.widgets.jobs import Job
from flowviz.widgets.layout import button, card, classed, row
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Note, Readout
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Particles, Stage
from flowviz.widgets.state import Choice, Integer, PanelState, Points, Real, Text, Toggle

TARGETS = {"ring": "Ring", "moons": "Two moons", "eight": "Eight Gaussians"}


class DemoState(PanelState):
    buttons = ("count",)
    target = Choice("ring", TARGETS, label="Target", help="what is fitted")
    layers = Integer(4, 1, 12, label="Layers")
    rate = Real(0.003, 1e-4, 0.1, log=True, label="Learning rate")
    grid = Toggle(True, label="Show the grid")
    formula = Text("exp(-x^2)", label="Formula")
    seed = Integer(0, 0, 1_000_000, label="Seed")
    points = Points()


class Demo(Panel):
    name = "demo"
    title = "Demonstration"
    summary = "The same thing twice."
    group = "Basics"
    State = DemoState
    presets = (("Deep", {"layers": 9}), ("Fast ring", {"rate": 0.03}))
    goals = (
        Goal(
            "Make it at least 11 layers deep",
            lambda panel: panel.settings.layers >= 11,
            "There is a slider.",
            "Deep it is.",
            by={"layers": 11},
        ),
    )

    def build(self) -> Screen:
        self.drawn: list[str] = []
        self.main_thread = threading.get_ident()
        self.left = Readout("KL(p*‖p)", 0.04162, 0.0041)
        self.right = Readout("KL(p‖p*)", unit="nats")
        self.note = Note("not started")
        self.picture = Note()
        options = {"fit": True, "transport": False, "tools": False, "axes": False, "max_width": 0}
        self.stages = [classed(Stage(**options), "fv-fills") for _ in range(2)]
        self.run = RunBar(clock=f"demo {self.stages[0].model_id}", training=False)
        for stage in self.stages:
            stage.clock = self.run.clock
        count = self.controls.put("count", button("▶ Count", self.count, primary=True))
        stop = button("Stop", self.jobs.stop)
        names = ("target", "layers", "rate", "grid", "formula", "seed")
        y, x = np.mgrid[-2:2:48j, -2:2:48j]
        ring = np.exp(-8 * (np.hypot(x, y) - 1.3) ** 2)
        blob = np.exp(-((x - 1) ** 2) - (y + 1) ** 2)
        gallery = Gallery(TARGETS, {"ring": ring, "moons": blob}, label="Target")
        self.controls.bind("target", gallery)
        left = card(self.stages[0], row(self.left), title="Forward: KL(p* ‖ p)", voice="forward")
        right = card(self.stages[1], row(self.right), title="Reverse", voice="reverse")
        return Screen(
            pictures=[left, right],
            stages=self.stages,
            controls=card(self.controls.stack(*names), row(count, stop), self.note),
            run=self.run,
            companion=card(self.picture),
            tabs={"Numbers": Note("nothing more")},
        )

    @draws("layers", "formula")
    def paint(self) -> None:
        self.drawn.append("paint")
        if self.settings.formula == "1/0":
            raise ZeroDivisionError("division by zero")
        self.picture.show(f"{self.settings.layers} layers")
        angles = np.linspace(0, 6, 60)
        states = [(k + 1) * np.c_[np.cos(angles), np.sin(angles)] / 4 for k in range(5)]
        for stage in self.stages:
            stage.show(Particles(np.array(states)))
        self.run.state_names = ["base", "a", "b", "c", "d"]

    @draws("rate")
    def tell(self) -> None:
        self.drawn.append("tell")
        self.right.show(self.settings.rate)

    def words(self) -> str:
        return f"There are {self.settings.layers} layers."

    def count(self) -> None:
        self.jobs.start(self.steps, on_progress=self.note.show, on_done=self.ended)

    def steps(self, job: Job) -> None:
        for step in range(1, 2_001):
            if job.cancelled:
                break
            time.sleep(0.002)
            job.report(lambda step=step: f"step {step} of 2,000")

    def ended(self, job: Job) -> None:
        self.note.show(("stopped, " if job.cancelled else "ready, ") + self.note.text)
