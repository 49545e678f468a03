"""Trajectories: samples carried through the layers of a flow, and one point followed closely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from flowviz import panels
from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.grid import Window
from flowviz.panels.parts.flow_choice import flow_field
from flowviz.panels.parts.flow_stage import FlowStage, beside, first, window_on, with_start
from flowviz.panels.parts.forward_fit import ForwardFit, ForwardFitState
from flowviz.pictures import carried_log_density
from flowviz.widgets.charts import BarChart
from flowviz.widgets.layout import card, row, stack
from flowviz.widgets.panel import Panel, Slots
from flowviz.widgets.readouts import Note, Readout, format_number
from flowviz.widgets.stage import Image, Particles, Paths
from flowviz.widgets.state import Choice, Integer, Points, Real, Toggle

COLOURS = {
    "angle": "Angle in the base",
    "radius": "Distance from the base's centre",
    "density": "Log-density on the way",
    "layer": "log|det J| of the layer",
    "group": "Quadrant of the base",
}
DIRECTIONS = {"forward": "Base → data: sample", "inverse": "Data → base: normalize"}

STRETCHES = 8
"""A layer that is an ODE is shown in so many stretches of time, to be seen along its path."""
STRIP_PARTICLES = 500
ROUND_TRIPS = 2_000
"""So many particles are carried there and back for the round-trip error."""
DENSITY_CELLS = 72


class TrajectoriesState(ForwardFitState):
    """What the panel can be set to."""

    flow = flow_field("real_nvp")
    layers = Integer(6, 1, 32, label="Layers", help="How many layers carry base to data")
    spread = Real(
        3.0, 0.0, 4.0, step=0.1, label="Initial scale", help="Factor on the random start's weights"
    )
    seed = Integer(7, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")
    direction = Choice(
        "forward", DIRECTIONS, label="Direction", help="Carry samples of the base, or of the target"
    )
    color = Choice("angle", COLOURS, label="Colour", help="What the particles' colours mean")
    particles = Integer(3_000, 500, 100_000, step=500, label="Particles")
    contours = Toggle(True, label="Target's contours", help="Outline the target in ink")
    density = Toggle(False, label="Density", help="The density of every state, as an image")
    point = Points(((1.0, 0.6),), count=1, bound=10, help="The marked point, in the base plane")
    position = Real(0.0, 0.0, 200.0, label="Position", help="0 (base) to the number of layers")


class Trajectories(Panel):
    """Base samples on their way to the data, or data on its way to the base.

    The stage plays the states z_0 … z_K; the marked point's share of every layer in
    Σ log|det J_k| stands beside it, and gives log p(x) = log p(u) − Σ log|det J_k|.
    """

    name = "trajectories"
    title = panels.entry(name).title
    summary = panels.entry(name).summary
    group = panels.entry(name).group
    State = TrajectoriesState
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("A random flow", {}),
        (
            "One planar layer",
            {
                "flow": "planar",
                "layers": 1,
                "color": "layer",
                "contours": False,
                "position": 1.0,
                "adjustments": {"1.w.0": 2.0, "1.w.1": 1.0, "1.u.0": 1.5, "1.u.1": -0.5},
            },
        ),
        (
            "Eight modes, trained now",
            {
                "flow": "rq_spline_coupling",
                "layers": 4,
                "spread": 1.0,
                "trained": 400,
                "position": 4.0,
            },
        ),
        (
            "Moons back to the Gaussian",
            {
                "target": "two_moons",
                "direction": "inverse",
                "spread": 1.0,
                "position": 6.0,
                "trained": 400,
            },
        ),
    )

    def build(self) -> Slots:
        settings = self.settings
        self.model = ForwardFit(
            settings, self.controls, self.jobs, self._draw, self.message, self.fail
        )
        self.screen = FlowStage(settings, handle="u", picking=True)
        self.stage, self.strip = self.screen.stage, self.screen.strip
        self.waterfall = BarChart("log|det J| of each layer at the marked point", height=260)
        self.identity = Note()
        self.worst = Readout(
            "Round trip, largest", help="The largest ‖T(T⁻¹(x)) − x‖ over the particles"
        )
        self.typical = Readout("Round trip, median", help="The median of ‖T(T⁻¹(x)) − x‖")
        self.caption = Note()
        self._base = torch.zeros(0, 2)
        self._follow = self.jobs.latest(self._draw_point)
        self._redraw = self.jobs.latest(self._draw)
        self.screen.hear("picked", self._picked)
        self.screen.hear("direction", lambda direction: settings.update({"direction": direction}))
        view = self.controls.stack("direction", "color", "particles", "contours", "density")
        point = card(
            self.waterfall,
            self.identity,
            row(self.worst, self.typical),
            title="The marked point, layer by layer",
            subtitle="log|det J| of every layer: orange stretches space there, blue squeezes it",
        )
        return Slots(
            pictures=beside(card(self.stage, self.caption), point),
            controls=card(self.model.controls, view),
            charts=stack(card(self.strip)),
        )

    def refresh(self, changed: frozenset[str]) -> None:
        if self.model.refresh(changed):
            return
        if changed <= {"position", "hide"}:
            self.screen.seek()
        elif changed <= {"point", "position", "hide"}:
            self._follow()
        elif changed - {"steps", "rate", "batch", "trained", "hide"}:
            self._redraw()

    def code(self) -> str:
        lines = [*self.model.imports(), "import torch", "", *self.model.code()]
        count, seed = self.settings.particles, self.settings.seed
        traced = f"flow.unrolled({STRETCHES})" if self._stretches() > 1 else "flow"
        lines.append(f"generator = torch.Generator().manual_seed({seed})")
        if self.settings.direction == "forward":
            lines.append(f"trace = {traced}.trace(flow.base.sample({count}, generator))")
        else:
            lines.append(f"trace = {traced}.trace_inverse(target.sample({count}, generator))")
        (x, y), *_ = self.settings.point
        lines += [
            "trace.states  # z_0 … z_K, [K+1, N, 2]",
            "",
            f"point = flow.trace(torch.tensor([[{x}, {y}]]))",
            "for name, change in zip(point.names, point.logabsdet[:, 0]):",
            '    print(f"{name}: log|det J| = {change:.3f}")',
            "print(flow.base.log_prob(point.states[0]) - point.logabsdet.sum(0))  # log p(x)",
        ]
        return "\n".join(lines)

    # ---- what is drawn -------------------------------------------------------------------------

    def _draw(self) -> None:
        """Everything: the particles, what lies behind them, the marked point, the readouts."""
        target = self.model.target
        flow = self.model.flow.unrolled(STRETCHES)
        trace = self._carry(flow)
        self._base = trace.states[0]
        window = window_on(trace.states, target.window)
        marks = [
            *self.screen.outline(target, self.settings.contours),
            *self._density(flow, window),
            self._particles(flow, trace),
        ]
        small = replace(self._particles(flow, first(trace, STRIP_PARTICLES)), label="")
        with self.screen.ours():
            self.screen.show(marks, [small], trace.names, window, self._stretches())
            self.stage.direction = self.settings.direction
        self._measure(flow, trace)
        self._draw_point()
        self.screen.seek()
        self.model.show()

    def _stretches(self) -> int:
        """How many of the layers shown are one of the flow."""
        layers = self.model.flow.transform
        return len(layers.stretches(STRETCHES)) // len(layers)

    @torch.no_grad()
    def _carry(self, flow: Flow) -> Trace:
        """The particles' way: base samples to the data, or samples of the target to the base."""
        like = flow.like
        generator = Generator(device=like.device).manual_seed(self.settings.seed)
        if self.settings.direction == "forward":
            return flow.trace(flow.base.sample(self.settings.particles, generator))
        x = self.model.target.sample(self.settings.particles, generator, like.device, like.dtype)
        return flow.trace_inverse(x)

    def _particles(self, flow: Flow, trace: Trace) -> Particles:
        return Particles(trace.states, **_coloured(self.settings.color, flow, trace))

    def _density(self, flow: Flow, window: Window) -> list[Image]:
        if not self.settings.density:
            return []
        values = carried_log_density(flow, window, DENSITY_CELLS).exp()
        # The last state sets the scale: what is seen there is the model.
        top = float(torch.quantile(values[-1], 0.995)) or 1.0
        return [Image(values, window, palette="forward", value_range=(0, top), label="density")]

    @torch.no_grad()
    def _draw_point(self) -> None:
        """The marked point: its handle, its path, its waterfall, and its log p(x)."""
        flow = self.model.flow.unrolled(STRETCHES)
        layers = [layer.describe() for layer in self.model.flow.transform]
        like = flow.like
        u = torch.tensor(self.settings.point, device=like.device, dtype=like.dtype)
        trace = flow.trace(u)
        logabsdet = trace.logabsdet[:, 0].cpu().double().numpy()
        total = np.concatenate([[0.0], np.cumsum(logabsdet)])
        with self.screen.ours():
            self.screen.place_handle()
            self.stage.paths = [Paths(trace.states, palette="reverse")]
            self.stage.readout = {"label": "Σ log|det J| of the marked point", "values": total}
            self.stage.description = self._in_words(trace)
        self.waterfall.show_contributions(layers, logabsdet.reshape(len(layers), -1).sum(1))
        log_base = float(flow.base.log_prob(u)[0])
        self.identity.show(log_density_in_words(log_base, float(total[-1])))

    def _measure(self, flow: Flow, trace: Trace) -> None:
        errors = round_trip(flow, trace.states[-1][:ROUND_TRIPS])
        self.worst.show(float(errors.max()))
        self.typical.show(float(errors.median()))
        self.caption.show(self._caption())

    def _picked(self, index: int) -> None:
        """Mark the particle that was clicked."""
        if 0 <= index < len(self._base):
            self.settings.point = self._base[index : index + 1].clamp(-10, 10)
            self.stage.picked = -1

    # ---- words ---------------------------------------------------------------------------------

    def _caption(self) -> str:
        settings = self.settings
        title = type(settings).flow.options[settings.flow]
        count = f"{settings.particles:,}"
        if settings.direction == "forward":
            carried = f"{count} samples of the base, carried to the data"
        else:
            carried = f"{count} samples of the target, carried back to the base"
        history = self.model.fit.history
        if not self.model.trained:
            return f"{carried} by {title}, not trained"
        loss = format_number(history.losses[-1][0])
        steps = f"{self.model.trained:,} step" + ("s" if self.model.trained > 1 else "")
        return f"{carried} by {title}, trained {steps}, loss {loss} nats"

    def _in_words(self, trace: Trace) -> str:
        (u, v), (x, y) = (trace.states[i, 0].tolist() for i in (0, -1))
        return (
            f"{self._caption()}. The marked point goes from u = ({u:.2f}, {v:.2f}) to "
            f"x = ({x:.2f}, {y:.2f}) through {len(self.model.flow.bijections)} layers."
        )


def log_density_in_words(log_base: float, total: float) -> str:
    """log p(x) = log p(u) − Σ log|det J|, with numbers that add up as they are written."""
    base, change = round(log_base, 3), round(total, 3)
    numbers = [format(value, ".3f").replace("-", "−") for value in (base, change, base - change)]
    middle = f"({numbers[1]})" if change < 0 else numbers[1]
    return f"log p(x) = log p(u) − Σ log|det J| = {numbers[0]} − {middle} = {numbers[2]}"


@torch.no_grad()
def round_trip(flow: Flow, x: Tensor) -> Tensor:
    """‖T(T⁻¹(x)) − x‖ for ``x [N, 2]``, ``[N]``."""
    return torch.linalg.vector_norm(flow(flow.inverse(x)[0])[0] - x, dim=-1)


def _coloured(kind: str, flow: Flow, trace: Trace) -> dict[str, Any]:
    """What colours the particles: the arguments of :class:`Particles`."""
    base = trace.states[0]
    if kind == "angle":
        values = torch.atan2(base[:, 1], base[:, 0])
        palette, limits, label = "cyclic", (-math.pi, math.pi), "angle of u"
    elif kind == "radius":
        values = torch.linalg.vector_norm(base, dim=-1)
        palette, limits, label = "sequential", (-1.0, 3.0), "distance of u from 0"
    elif kind == "group":
        values = 2.0 * (base[:, 1] < 0) + ((base[:, 0] < 0) ^ (base[:, 1] < 0))
        palette, limits, label = "groups", (0.0, 3.0), "quadrant of u"
    elif kind == "density":
        values = flow.base.log_prob(base) - with_start(trace.logabsdet).cumsum(0)
        low, high = np.quantile(values[:, :2_000].cpu().numpy(), (0.05, 0.99))
        # Two fifths of the scale lie below: the faintest particle is still seen.
        limits = (float(low - 0.66 * (high - low)) - 1e-3, float(high))
        palette, label = "sequential", "log p(z)"
    else:
        values = with_start(trace.logabsdet)
        return {"values": values, "palette": "diverging", "label": "log|det J| of the layer"}
    return {"values": values, "palette": palette, "value_range": limits, "label": label}
