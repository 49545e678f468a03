"""A stage with its strip of states and its run bar, tied to a panel's position and point."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
import traitlets
from torch import Generator, Tensor

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.grid import Grid2D, Window
from flowviz.panels.parts.layer_names import layer_names
from flowviz.panels.parts.own_doing import OwnDoing
from flowviz.panels.parts.tied_handle import End, TiedHandles
from flowviz.targets import Target
from flowviz.widgets.charts import BarChart
from flowviz.widgets.layout import classed
from flowviz.widgets.panel import Panel
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Contours, Stage
from flowviz.widgets.stage.marks import Mark

BASE_WINDOW: Window = (-3.5, 3.5, -3.5, 3.5)
FARTHEST = 20.0
"""A window grows no farther than this, however far a flow throws its points."""
MARGIN = 0.1
"""At least so much room is left beside what a window holds."""
MOST_MEASURED = 2_000
"""About so many points of each state say how large the window is."""
SHARE = 0.98
"""A window holds this share of the particles of all states."""
OUTLINE_CELLS = 96
LAYER_TIME = 600.0
"""Milliseconds."""


class FlowStage:
    """The stage that plays a flow, the strip of its states, and the run bar that drives both.

    Settings with a ``position`` and a ``point`` follow the page, and the page follows them. A part
    of a panel (:class:`~flowviz.widgets.panel.panel.Part`).

    Args:
        panel: its state has ``position`` and ``point``.
        *ends: where the marked point can be grabbed on the stage.
        bars: the title of a chart of what each layer contributes at that point; "": none.
        **traits: of the stage.

    Attributes:
        stage, strip, run: the widgets, on one clock.
        stages: the stage, and the one beside it if there is one.
        bars: the chart of that title; None without.
        names: of the flow's layers.
        stretches: so many of the layers shown are one of the flow.
    """

    settled = True

    def __init__(
        self,
        panel: Panel,
        *ends: End,
        bars: str = "",
        **traits: Any,
    ) -> None:
        missing = {"position", "point"} - set(panel.settings.fields())
        if missing:
            raise TypeError(f"a panel with a FlowStage needs the settings {sorted(missing)}")
        self._panel, self._settings = panel, panel.settings
        self.stretches = 1
        self._outlined: tuple[Target, bool] | None = None
        self._window: tuple[Any, Window] | None = None
        self.stage = Stage(max_width=0, fit=True, transport=False, tools=False, **traits)
        classed(self.stage, "fv-fills")
        self.strip = Stage(strip=True, transport=False, axes=False, tools=False, max_width=0)
        self._doing = OwnDoing(self.stage, self.strip)
        clock = f"flow {self.stage.model_id}"
        self.stage.clock = self.strip.clock = clock
        self.run = RunBar(clock=clock)
        self.stages = [self.stage]
        self.names: list[str] = []
        self.bars = BarChart(bars, height=0) if bars else None
        if self.bars is not None:
            self.bars.clock = clock
        traitlets.dlink((self.stage, "direction"), (self.strip, "direction"))
        self.hear("position", self._moved)
        self._handles = [TiedHandles(panel, self.stage, *ends)]

    def follow(self, changed: frozenset[str]) -> None:
        """Go where the settings say."""
        if "position" in changed and self.stage.frames > 1:
            self.seek()

    def begin(self) -> None:
        """Nothing here takes its time."""

    @property
    def last(self) -> int:
        """The number of the last state shown."""
        return max(len(self.stage.state_names) - 1, 0)

    @property
    def layer(self) -> int:
        """The layer at hand, 1 … K: that which ends at the position, or passes it; 0: none."""
        return math.ceil(min(self._settings.position, self.last / self.stretches) - 1e-6)

    def hear(self, trait: str, take: Callable[[Any], None]) -> None:
        """Call ``take`` with what the user made of a trait of the stage."""
        self._doing.hear(self.stage, trait, take)

    def ours(self) -> AbstractContextManager[None]:
        """What this thread sets on the stage now is not the user's doing."""
        return self._doing.ours()

    def show(
        self,
        marks: Sequence[Mark],
        small: Sequence[Mark],
        flow: Flow,
        window: Window,
        unrolled: Flow | None = None,
    ) -> None:
        """Show a flow: ``marks`` on the stage, ``small`` on the strip.

        Args:
            flow: whose layers are shown; the settings' position counts them.
            window: what is seen.
            unrolled: the same flow with each layer in several stretches, where those are shown.
        """
        self.names = layer_names(flow)
        names = ["base", *(layer_names(unrolled) if unrolled else self.names)]
        stretches = self.stretches = (len(names) - 1) // len(self.names)
        for stage, shown in ((self.stage, marks), (self.strip, small)):
            stage.window = window
            stage.state_names = names
            stage.stretches = stretches
            # A layer with a path of its own is to be seen on it.
            stage.speed = LAYER_TIME if stretches == 1 else 2 * LAYER_TIME
            with stage.hold_trait_notifications():
                # A kind that is not given goes: it may have another number of states.
                for kind in ("images", "shapes"):
                    if not any(mark.kind == kind for mark in shown):
                        setattr(stage, kind, [])
                stage.show(*shown)
        with self.run.hold_sync():
            self.run.state_names = names
            self.run.stretches = stretches

    def seek(self) -> None:
        """Put the stage where the settings say, as far as the flow has layers."""
        position = self._wanted()
        with self.ours():
            # Whichever of the two the page draws first starts their clock.
            for stage in (self.stage, self.strip):
                if abs(stage.position - position) > 1e-3:
                    stage.position = position

    def show_point(self, states: Tensor, logabsdet: Tensor, *marks: Mark) -> None:
        """Show the marked point: its handles, its marks, and how its log|det J| adds up.

        Args:
            states: of the point on its way, ``[K+1, 1, 2]``.
            logabsdet: of each layer shown, at the point, ``[K]``.
            marks: on the stage.
        """
        with self.ours():
            for handle in self._handles:
                handle.show(states)
            self.stage.show(*marks)
        total = with_start(logabsdet.double()).cumsum(0).cpu().numpy()
        self.run.readout = {"label": "Σ so far", "values": total}
        if self.bars is not None:
            self.bars.show_contributions(self.names, self.contributions(logabsdet))

    def contributions(self, logabsdet: Tensor) -> np.ndarray:
        """Of the layers shown ``[K]`` as of those of the flow."""
        return logabsdet.cpu().double().numpy().reshape(-1, self.stretches).sum(1)

    def beside(self, window: Window, *, handle: str) -> Stage:
        """A second stage on the clock, of the base plane: the point itself has a handle there."""
        like: dict[str, Any] = {"max_width": 0, "fit": True, "transport": False, "tools": False}
        stage = classed(Stage(window=window, axes=self.stage.axes, **like), "fv-fills")
        stage.clock = self.stage.clock
        # Whichever the page draws first starts their clock.
        for trait in ("position", "direction", "speed"):
            traitlets.dlink((self.stage, trait), (stage, trait))
        self._handles.append(TiedHandles(self._panel, stage, End(handle)))
        self.stages.append(stage)
        return stage

    def outline(self, target: Target, shown: bool) -> list[Contours]:
        """The target's contours, unless the stage has them already."""
        shown = shown and target.has_density
        if (target, shown) == self._outlined:
            return []
        self._outlined = target, shown
        if not shown:
            self.stage.contours = []
            return []
        return [outline_of(target)]

    def window(self, states: Tensor, target: Target, why: Any) -> Window:
        """What is seen: the same as before while ``why`` is, so that axes never jump.

        Args:
            states: ``[K+1, N, 2]``.
            why: what makes the window another: the flow's settings, say, and not its weights.
        """
        if self._window is None or self._window[0] != (target, why):
            self._window = (target, why), window_on(states, target.window, SHARE)
        return self._window[1]

    def window_of(self, target: Target) -> Window:
        """What would be seen of another target, wherever a flow has its points."""
        return window_on(torch.zeros(1, 1, 2), target.window, 1.0)

    def _wanted(self) -> float:
        return min(self._settings.position * self.stretches, self.last)

    def _moved(self, position: float) -> None:
        if abs(self._wanted() - position) > 1e-3:
            self._settings.position = round(min(position, self.last) / self.stretches, 3)


def outline_of(target: Target, cells: int = OUTLINE_CELLS) -> Contours:
    """The contours of a target that has a density."""
    density = Grid2D(target.window, cells).evaluate(target.log_prob)
    density = (density - density.max()).exp().reshape(cells, cells)
    return Contours(density, target.window, levels=(0.1, 0.5), label="target p*")


@torch.no_grad()
def carried(flow: Flow, count: int, seed: int, target: Target | None = None) -> Trace:
    """So many samples of the base on their way to the data; of ``target`` on theirs to the base."""
    like = flow.like
    generator = Generator(device=like.device).manual_seed(seed)
    if target is None:
        return flow.trace(flow.base.sample(count, generator))
    return flow.trace_inverse(target.sample(count, generator, like.device, like.dtype))


def with_start(logabsdet: Tensor) -> Tensor:
    """``[K, …]`` of the layers as ``[K+1, …]`` of the states; 0 in the first."""
    return torch.cat([torch.zeros_like(logabsdet[:1]), logabsdet])


def first(trace: Trace, count: int) -> Trace:
    """The trace of the first so many points."""
    return Trace(trace.states[:, :count], trace.logabsdet[:, :count], trace.names)


def outside(states: Tensor, window: Window) -> float:
    """The largest share of the points of a state ``[K+1, N, 2]`` that lie outside a window."""
    xmin, xmax, ymin, ymax = window
    x, y = states[..., 0], states[..., 1]
    inside = (x >= xmin) & (x <= xmax) & (y >= ymin) & (y <= ymax)
    return float((~inside).float().mean(1).max())


def window_on(states: Tensor, window: Window, share: float) -> Window:
    """A square window on the base, the target and a share of ``states [K+1, N, 2]`` on each axis.

    However far they are, it grows no farther than FARTHEST.
    """
    some = states[:, :: max(1, states.shape[1] // MOST_MEASURED)].reshape(-1, 2).cpu().numpy()
    some = some[np.isfinite(some).all(-1)]
    edges = ((1 - share) / 2, (1 + share) / 2)
    low, high = np.quantile(some, edges, axis=0) if len(some) else np.zeros((2, 2))
    bounds: list[float] = []
    for axis in (0, 1):
        ends = BASE_WINDOW[2 * axis : 2 * axis + 2], window[2 * axis : 2 * axis + 2]
        edge_low, edge_high = min(e[0] for e in ends), max(e[1] for e in ends)
        least, most = max(low[axis], -FARTHEST), min(high[axis], FARTHEST)
        # Whole numbers, so that the scale does not creep while a slider is dragged.
        bounds.append(math.floor(least - MARGIN) if least < edge_low else edge_low)
        bounds.append(math.ceil(most + MARGIN) if most > edge_high else edge_high)
    xmin, xmax, ymin, ymax = bounds
    # Square, so that the page does not jump when the window grows.
    x, y, half = (xmin + xmax) / 2, (ymin + ymax) / 2, max(xmax - xmin, ymax - ymin) / 2
    return x - half, x + half, y - half, y + half
