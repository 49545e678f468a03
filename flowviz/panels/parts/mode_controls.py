"""The modes of a target by numbers: the twin of their handles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np

from flowviz.targets import Target
from flowviz.targets.mixtures import GaussianMixture
from flowviz.widgets.layout import classed, folded
from flowviz.widgets.slider import Slider

STEP = 0.05
AXES = ("x", "y")


class ModeControls:
    """A menu of the modes, and a slider for either coordinate of the one chosen.

    That is the one last moved, wherever it was.

    Args:
        move: called with the places of all modes, ``[M, 2]``.

    Attributes:
        widget: the section; out of sight of a target without modes.
    """

    def __init__(self, move: Callable[[np.ndarray], None]) -> None:
        self._move = move
        self._following = False
        self._target: GaussianMixture | None = None
        self._places = np.empty((0, 2))
        tooltip = "Which one the sliders move; on the picture it has this number"
        self.menu = classed(widgets.Dropdown(description="Mode", tooltip=tooltip), "fv-control")
        self.sliders = [
            Slider(step=STEP, description=axis, tooltip=f"The {axis} of its centre")
            for axis in AXES
        ]
        for control in (self.menu, *self.sliders):
            control.observe(self._turned, names=["value"])
        self.widget = folded("Modes by numbers", self.menu, *self.sliders)

    def show(self, target: Target | None, places: np.ndarray) -> None:
        """Follow the modes of ``target``, which are at ``places``, ``[M, 2]``; M may be 0."""
        before, self._places = self._places, places
        self.widget.layout.display = None if len(places) else "none"
        if not isinstance(target, GaussianMixture) or not len(places):
            return
        self._target = target
        self._following = True
        if len(before) != len(places):
            self.menu.options = [(str(i + 1), i) for i in range(len(places))]
            self.menu.value = 0
        else:
            moved = np.flatnonzero(np.abs(places - before).max(1) > 1e-3)
            if len(moved) == 1:
                self.menu.value = int(moved[0])
        self._following = False
        self._follow()

    def _follow(self) -> None:
        """Put the sliders where the chosen mode is; they go as far as it can."""
        assert self._target is not None
        chosen = self.menu.value
        low, high = self._target.room
        self._following = True
        for k, slider in enumerate(self.sliders):
            with slider.hold_sync():
                slider.min = round(STEP * math.ceil(float(low[chosen, k]) / STEP + 1e-3), 2)
                slider.max = round(STEP * math.floor(float(high[chosen, k]) / STEP - 1e-3), 2)
                slider.value = round(float(self._places[chosen, k]), 3)
        self._following = False

    def _turned(self, change: Any) -> None:
        if self._following:
            return
        if change["owner"] is self.menu:
            self._follow()
            return
        places = self._places.copy()
        places[self.menu.value] = [slider.value for slider in self.sliders]
        self._move(places)
