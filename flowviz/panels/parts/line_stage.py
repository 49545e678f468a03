"""A stage that carries mass along a map of the line, with its run bar and its handles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowviz.panels.parts.following import made
from flowviz.panels.parts.knots import moved
from flowviz.panels.parts.line_following import (
    MUST_RISE,
    NEAR,
    NO_PREIMAGE,
    following,
    handles,
)
from flowviz.panels.parts.line_picture import STATES, LinePicture
from flowviz.panels.parts.own_doing import OwnDoing
from flowviz.widgets.layout import classed
from flowviz.widgets.panel import Panel
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Handles, Stage

STEP_TIME = 1400.0
"""Milliseconds."""


class LineStage:
    """The stage, the run bar that plays it, and handles for the knots and the marked point.

    A part of a panel (:class:`~flowviz.widgets.panel.panel.Part`) whose settings have
    ``position``, ``u``, ``map``, ``knots`` and ``fold``.

    Attributes:
        stage, run: the widgets, on one clock.
    """

    settled = True

    def __init__(self, panel: Panel) -> None:
        self._panel, self._settings = panel, panel.settings
        self._picture: LinePicture | None = None
        self._held: dict[str, int] | None = None
        self._knot_listeners: list[Callable[[int], None]] = []
        step: dict[str, Any] = {"unit": "step", "state_names": list(STATES)}
        self.stage = Stage(
            aspect="free",
            axis_titles=("u", "x"),
            max_width=0,
            fit=True,
            transport=False,
            tools=False,
            reversible=False,
            speed=STEP_TIME,
            **step,
        )
        classed(self.stage, "fv-fills")
        self.stage.clock = f"line {self.stage.model_id}"
        self.run = RunBar(clock=self.stage.clock, training=False, reversible=False, **step)
        self.stage.follows = lambda: following(self._settings).in_page()
        self._doing = OwnDoing(self.stage)
        self._doing.hear(self.stage, "position", self._moved)
        self._doing.hear(self.stage, "handles", self._dragged)

    def follow(self, changed: frozenset[str]) -> None:
        """Go where the settings say."""
        if "position" in changed and self.stage.frames > 1:
            self.seek()

    def begin(self) -> None:
        """Nothing here takes its time."""

    def on_knot(self, listener: Callable[[int], None]) -> None:
        """Call ``listener`` with the index of a knot that is dragged."""
        self._knot_listeners.append(listener)

    def show(self, picture: LinePicture) -> None:
        """Show a map."""
        self._picture = picture
        with self._doing.ours():
            self.stage.window = tuple(picture.window.tolist())
            self.stage.show(*made(picture.marks()))
        self.seek()

    def show_point(self, description: str) -> None:
        """Show the marked point, and put every handle where the settings say."""
        assert self._picture is not None
        with self._doing.ours():
            self.stage.show(*made(self._picture.point(self._u)))
            self._place_handles()
            self.stage.description = description

    def seek(self) -> None:
        """Put the stage where the settings say."""
        with self._doing.ours():
            if abs(self.stage.position - self._settings.position) > 1e-3:
                self.stage.position = self._settings.position

    def _moved(self, position: float) -> None:
        self._settings.position = round(min(position, len(STATES) - 1.0), 3)

    # ---- handles -------------------------------------------------------------------------------

    @property
    def _u(self) -> Tensor:
        return torch.tensor([self._settings.u], dtype=torch.float64)

    def _wanted(self) -> list[Handles]:
        """The marked point at both of its ends, and the knots where they make the map."""
        assert self._picture is not None
        settings = self._settings
        knots = torch.tensor(settings.knots) if settings.map == "knots" else None
        return made(handles(self._picture, self._u, knots))

    def _place_handles(self) -> None:
        wanted = self._wanted()
        if not _alike(self.stage.handles, wanted):
            self.stage.handles = wanted

    def _dragged(self, handles: Sequence[Handles]) -> None:
        if self._picture is None:
            return
        wanted = self._wanted()
        # Others may be where they were some messages ago: which one the user has, or had last, is
        # told.
        self._held = held = self.stage.held or self._held
        try:
            if held is not None and len(handles) == len(wanted):
                number, index = held["set"], held["index"]
                place, there = (one[number].points[index] for one in (handles, wanted))
                if np.abs(place - there).max() > 1e-3:
                    self._take(number, index, place.tolist())
        except ValueError as error:
            self._panel.refuse(error)
        with self._doing.ours():
            self._place_handles()

    def _take(self, number: int, index: int, place: Sequence[float]) -> None:
        """A handle is at ``place`` now: of the marked point (0), or of a knot (1).

        Raises:
            ValueError: it may not be there, and why.
        """
        settings = self._settings
        if number == 0:
            settings.u = self.u_at(place[1]) if index else round(place[0], 3)
            return
        for listener in self._knot_listeners:
            listener(index)
        knots = moved(settings.knots, index, place, fold=settings.fold)
        settings.knots = knots
        if not settings.fold and abs(knots[index][1] - place[1]) > NEAR:
            raise ValueError(MUST_RISE)

    def u_at(self, x: float) -> float:
        """The preimage of x that is nearest to the marked u.

        Raises:
            ValueError: there is none.
        """
        assert self._picture is not None
        found = self._picture.push.preimages(torch.tensor([x], dtype=torch.float64))[:, 0]
        found = found[~found.isnan()]
        if not len(found):
            raise ValueError(NO_PREIMAGE.replace("{}", f"{x:.3g}"))
        nearest = found[(found - self._settings.u).abs().argmin()]
        return round(float(nearest), 4)


def _alike(shown: Sequence[Handles], wanted: Sequence[Handles]) -> bool:
    return len(shown) == len(wanted) and all(
        a.labels == b.labels and np.allclose(a.points, b.points, atol=1e-4)
        for a, b in zip(shown, wanted, strict=True)
    )
