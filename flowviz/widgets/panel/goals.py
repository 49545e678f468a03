"""Goals: what a panel asks of who uses it, checked live and ticked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.widgets import esm


@dataclass(frozen=True)
class Goal:
    """Something to reach.

    Args:
        sentence: what is to be true, such as ``Make KL(p‖p*) < 0.1 while KL(p*‖p) > 1``.
        reached: whether it is, from the panel's own state and read-outs; asked after each picture.
        hint: what to try, for who asks.
        said: what it shows, once it is reached.
        by: settings in which it is reached, for who teaches, and for the test.
    """

    sentence: str
    reached: Callable[[Any], bool]
    hint: str
    said: str
    by: Mapping[str, Any]


class GoalList(anywidget.AnyWidget):
    """The goals with their ticks, which the browser keeps from visit to visit.

    Args:
        panel: the panel's name: what the ticks are kept under.
    """

    _esm = esm.module(Path(__file__).parent / "goals.js")
    panel = traitlets.Unicode().tag(sync=True)
    goals: Any = traitlets.List(help="{sentence, hint, said}").tag(sync=True)
    reached: Any = traitlets.List(traitlets.Int(), help="reached since the start").tag(sync=True)
    asked = traitlets.Int(0, help="the goal that a link sets, from 1; 0: none").tag(sync=True)

    def __init__(self, panel: str, goals: Sequence[Goal]) -> None:
        self._goals = list(goals)
        shown = [{"sentence": g.sentence, "hint": g.hint, "said": g.said} for g in goals]
        super().__init__(panel=panel, goals=shown)

    def check(self, panel: Any) -> None:
        """Tick what is reached now; what was reached once stays so."""
        now = {i for i, goal in enumerate(self._goals) if i in self.reached or goal.reached(panel)}
        if len(now) > len(self.reached):
            self.reached = sorted(now)
