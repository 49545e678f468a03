"""A minimal panel that shows what the base does; used by the tests only."""

from __future__ import annotations

import threading
import time

import ipywidgets as widgets
import numpy as np

from flowviz.widgets.gallery import Gallery
from flowviz.widgets.jobs import Job
from flowviz.widgets.layout import button, card, pictures, row
from flowviz.widgets.panel import Panel, Slots
from flowviz.widgets.readouts import Needs, Note, Readout
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
    summary = "The same thing twice. On the left it is blue; on the right it is not."
    group = "Basics"
    State = DemoState
    presets = (("Deep", {"layers": 9}), ("Fast ring", {"rate": 0.03}))

    def build(self) -> Slots:
        self.refreshed: list[frozenset[str]] = []
        self.main_thread = threading.get_ident()
        self.left = Readout("KL(p*‖p)", 0.04162, 0.0041)
        self.right = Readout("KL(p‖p*)", unit="nats")
        self.note = Note("not started")
        self.picture = widgets.HTML()
        count = self.controls.put("count", button("▶ Count", self.count, primary=True))
        stop = button("Stop", self.jobs.stop)
        names = ("target", "layers", "rate", "grid", "formula", "seed")
        y, x = np.mgrid[-2:2:48j, -2:2:48j]
        ring = np.exp(-8 * (np.hypot(x, y) - 1.3) ** 2)
        blob = np.exp(-((x - 1) ** 2) - (y + 1) ** 2)
        gallery = Gallery(TARGETS, {"ring": ring, "moons": blob}, label="Target")
        self.controls.bind("target", gallery)
        controls = card(self.controls.stack(*names), row(count, stop), self.note)
        left = card(
            self.picture,
            row(self.left, self.right),
            Needs({"samples of p*": True, "density p*": False, "T⁻¹": True, "T": False}),
            title="Forward: KL(p* ‖ p)",
            subtitle="maximum likelihood on samples of the target",
            voice="forward",
        )
        right = card(title="Reverse: KL(p ‖ p*)", subtitle="a variational fit", voice="reverse")
        self.draw = self.jobs.latest(self.paint)
        return Slots(controls=controls, pictures=pictures(left, right), strip=card(Note("z₀ … z₄")))

    def refresh(self, changed: frozenset[str]) -> None:
        self.refreshed.append(changed)
        if self.settings.formula == "1/0":
            raise ZeroDivisionError("division by zero")
        self.draw(self.settings.layers)

    def paint(self, layers: int) -> None:
        self.picture.value = f'<div class="demo-picture">{layers} layers</div>'

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
