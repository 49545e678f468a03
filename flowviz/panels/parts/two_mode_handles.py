"""Handles on two modes, at opposite points of the plane: where one is dragged the other follows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from flowviz.panels.parts.following import Unmade, made, stops
from flowviz.panels.parts.timed_stage import TimedStage
from flowviz.widgets.panel import Panel
from flowviz.widgets.stage import Handles


class TwoModeHandles:
    """The two handles of a stage, tied to ``settings.apart`` and ``settings.angle`` in degrees.

    A drag sets both. Where the distance has its bounds the handles stop, and the panel says why.

    Args:
        panel: its state has these two settings.
        show: the stage.
    """

    def __init__(self, panel: Panel, show: TimedStage) -> None:
        self._panel, self._show = panel, show
        self._held: int | None = None
        show.hear("handles", self._dragged)

    def marks(self) -> list[Handles]:
        """Where the settings say."""
        settings = self._panel.settings
        given = (settings.apart, settings.angle)
        apart, angle = (torch.tensor(one, dtype=torch.float64) for one in given)
        return made([handles(apart, angle)])

    def _dragged(self, handles: Sequence[Handles]) -> None:
        stage, there = self._show.stage, self.marks()[0].points
        if not handles:
            return
        points = handles[0].points
        # The other handle may still be where it was some messages ago: which one is held is told.
        moved = int(np.abs(points - there).sum(-1).argmax())
        which = moved if self._held is None else self._held
        if stage.held:
            which = self._held = int(stage.held["index"])
        else:
            self._held = None
        if np.allclose(points, there, atol=1e-3):
            return
        x, y = (points[which] if which else -points[which]).tolist()
        apart, angle = round(2 * math.hypot(x, y), 3), round(math.degrees(math.atan2(y, x)), 2)
        settings = self._panel.settings
        field = type(settings).apart
        settings.update({"apart": field.nearest(apart), "angle": angle})
        if apart != settings.apart:
            with self._show.ours():
                stage.show(*self.marks())
            self._panel.refuse(ValueError(stops(field)))


def handles(apart: Tensor, angle: Tensor) -> Unmade:
    """The two handles: so far apart, on an axis at an angle in degrees."""
    turn = angle * (math.pi / 180)
    place = apart / 2 * torch.stack([turn.cos(), turn.sin()])
    return Unmade(Handles, points=torch.stack([-place, place]), labels=["mode 1", "mode 2"])
