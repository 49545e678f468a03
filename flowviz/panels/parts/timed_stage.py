"""A stage that plays a map from t = 0, the base, to t = 1, the data, with its run bar."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from flowviz.panels.parts.own_doing import OwnDoing
from flowviz.widgets.layout import classed
from flowviz.widgets.panel import Panel
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Stage


class TimedStage:
    """The stage and its run bar on one clock, tied to a panel's ``position``, t from 0 to 1.

    A part of a panel (:class:`~flowviz.widgets.panel.panel.Part`).

    Args:
        panel: its state has ``position``.
        steps: K; the stage's marks have K + 1 states, t = 0, 1/K … 1.
        seconds: from one end to the other.
        **traits: of the stage.

    Attributes:
        stage, run: the widgets.
    """

    settled = True

    def __init__(self, panel: Panel, steps: int, *, seconds: float = 2.5, **traits: Any) -> None:
        self._settings, self._steps = panel.settings, steps
        named: dict[str, Any] = {"unit": "t =", "reversible": False}
        self.stage = Stage(max_width=0, fit=True, transport=False, tools=False, **named, **traits)
        classed(self.stage, "fv-fills")
        self.stage.clock = f"t {self.stage.model_id}"
        self.stage.speed = 1000 * seconds / steps
        self.run = RunBar(clock=self.stage.clock, training=False, **named)
        self._doing = OwnDoing(self.stage)
        self.hear("position", self._moved)

    def follow(self, changed: frozenset[str]) -> None:
        """Go where the settings say."""
        if "position" in changed and self.stage.frames > 1:
            self.seek()

    def begin(self) -> None:
        """Nothing here takes its time."""

    def hear(self, trait: str, take: Callable[[Any], None]) -> None:
        """Call ``take`` with what the user made of a trait of the stage."""
        self._doing.hear(self.stage, trait, take)

    def ours(self) -> AbstractContextManager[None]:
        """What this thread sets on the stage now is not the user's doing."""
        return self._doing.ours()

    def seek(self) -> None:
        """Put the stage where the settings say."""
        position = self._settings.position * self._steps
        if abs(self.stage.position - position) > 1e-3:
            with self.ours():
                self.stage.position = position

    def _moved(self, position: float) -> None:
        t = min(position / self._steps, 1.0)
        if abs(self._settings.position - t) > 1e-3:
            self._settings.position = round(t, 3)
