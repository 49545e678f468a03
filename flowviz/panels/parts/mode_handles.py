"""The modes of a target as handles on its pictures: dragged, they make another target."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from flowviz.panels.parts.mode_controls import ModeControls
from flowviz.targets import Target
from flowviz.targets.mixtures import MOST_MODES, GaussianMixture
from flowviz.widgets.layout import button, stack
from flowviz.widgets.panel import Panel
from flowviz.widgets.stage import Handles, Stage
from flowviz.widgets.state import PanelState, Points


class ModesState(PanelState):
    """Where the target's modes have been moved to."""

    modes = Points(
        max_points=MOST_MODES, bound=10, label="Modes", help="Of the target, where they are moved"
    )


class ModeHandles:
    """``settings.modes``, a handle each on every picture.

    As long as none has been moved the setting is empty; of a target without modes it says nothing.
    Modes that the target cannot have leave it as it is, and the panel says why.

    Args:
        panel: its state is a :class:`ModesState`.
        stages: the pictures of the target.

    Attributes:
        controls: their twin.
        back: a button, there while they are moved, that puts them back.
        widget: both.
    """

    def __init__(self, panel: Panel, stages: Sequence[Stage]) -> None:
        self._panel, self._stages = panel, stages
        self._of: Target | None = None  # the target as it is with no mode moved
        self._target: Target | None = None
        for stage in stages:
            stage.observe(lambda change: self._dragged(change["new"]), names=["handles"])
        help = "Every mode of the target where it was"
        self.back = button("Modes back", self._put_back, help=help)
        self.controls = ModeControls(self._put)
        self.widget = panel.controls.put("modes", stack(self.controls.widget, self.back))

    def follow(self, chosen: Target, changed: frozenset[str]) -> Target:
        """The target with its modes where the settings say, handles on them.

        Args:
            chosen: the target as it is with no mode moved; another one than before has its modes
                where they were, unless they are set with it.
            changed: the settings that have changed.
        """
        other, self._of = chosen is not self._of, chosen
        if other and "modes" not in changed and self._panel.settings.modes:
            self._panel.note(modes=())
        if other or "modes" in changed or self._target is None:
            self._target = self._made(chosen)
        if other or not changed.isdisjoint(("modes", "hide")):
            self._show()
        return self._target

    def _put(self, places: Any) -> None:
        self._panel.settings.modes = places

    def _put_back(self) -> None:
        self._put(())

    def code(self) -> list[str]:
        """The lines of Python that move the modes; none where they are not moved."""
        if self._target is self._of:
            return []
        pairs = ", ".join(f"({x:g}, {y:g})" for x, y in modes_of(self._target))
        listed = textwrap.fill(pairs, 92, initial_indent="    ", subsequent_indent="    ")
        return [f"target = target.moved([\n{listed}\n])"]

    def _made(self, chosen: Target) -> Target:
        modes = self._panel.settings.modes
        if not modes or not isinstance(chosen, GaussianMixture) or chosen.modes is None:
            return chosen
        try:
            return chosen.moved(modes)
        except ValueError as error:
            self._panel.refuse(error)
            return chosen

    def _show(self) -> None:
        """Put the handles where the modes are, unless the user has them there already."""
        self.back.layout.display = "none" if self._target is self._of else None
        self.controls.show(self._target, modes_of(self._target))
        hidden = "modes" in self._panel.settings.hide
        places = modes_of(None if hidden else self._target)
        for stage in self._stages:
            if not _at(stage.handles, places):
                stage.handles = _handles(places)

    def _dragged(self, handles: Sequence[Handles]) -> None:
        """Move the modes; at the end of their room they stay, and that is said."""
        there = modes_of(self._target)
        if not isinstance(self._target, GaussianMixture) or _at(handles, there):
            return
        asked = np.asarray(handles[0].points) if handles else there[:0]
        if asked.shape != there.shape or not np.isfinite(asked).all():
            self._show()
            return
        low, high = (edge.numpy() for edge in self._target.room)
        # Where the settings round to lies inside as well.
        kept = np.clip(asked, low + 1e-3, high - 1e-3)
        self._panel.settings.modes = kept
        if not np.allclose(kept, asked, atol=2e-3):
            self._show()
            self._panel.refuse(ValueError("A mode stays where the picture holds its mass."))


def modes_of(target: Target | None) -> np.ndarray:
    """The centres of a target's modes, ``[M, 2]``; none of a target that is no mixture of few."""
    modes = target.modes if isinstance(target, GaussianMixture) else None
    return np.empty((0, 2)) if modes is None else modes.numpy()


def _handles(places: np.ndarray) -> list[Handles]:
    """One for each place, numbered from 1."""
    labels = [str(i) for i in range(1, len(places) + 1)]
    return [Handles(places, labels=labels, shape="knot", noun="mode")] if labels else []


def _at(handles: Sequence[Handles], places: Any) -> bool:
    if not handles or not len(places):
        return not handles and not len(places)
    there = np.asarray(handles[0].points)
    return there.shape == places.shape and np.allclose(there, places, atol=1e-3)
