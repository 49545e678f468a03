"""Goals: what a panel asks of who uses it, checked live and ticked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.widgets import esm

PRESETS = "A preset ticks nothing."
"""Said with a hint: what a preset brings nobody has reached."""
Within = tuple[float | None, float | None] | Sequence[str]


@dataclass(frozen=True)
class Goal:
    """Something to reach.

    Args:
        sentence: what is to be true, such as ``Make KL(p‖p*) < 0.1 while KL(p*‖p) > 1``.
        reached: whether it is, from the panel's own state and read-outs; asked after each picture.
        hint: what to try, for who asks.
        said: what it shows, once it is reached.
        by: settings in which it is reached, for who teaches, and for the test.
        in_page: how a page that was saved tells without a kernel: of the panel then, between which
            bounds, None for none, the numbers lie that such a page knows, and among which texts
            its texts are. Those are "total" and "ratio", Σ log|det J| and log p*/p at the marked
            point, "step" of the training, "position", "inverse", 1 where that is the direction,
            "target", its title, "moved", 1 where its modes are, of the i-th model shown "there i"
            and "here i", KL(p*‖p) and KL(p‖p*), and "loss" and "constant", the reverse loss and
            |log C|, "area" and "away", what the square's area misses Σ log|det J| by, and how far
            that is from 0; and what follows handles has those of its own (``Seen.known``). None:
            the page cannot tell, or one cannot get there in it.
    """

    sentence: str
    reached: Callable[[Any], bool]
    hint: str
    said: str
    by: Mapping[str, Any]
    in_page: Callable[[Any], Mapping[str, Within] | None] = lambda panel: None


class GoalList(anywidget.AnyWidget):
    """The goals with their ticks, which the browser keeps from visit to visit.

    Where the browser forgets them, what is true then nobody has reached, until it has been false.

    Args:
        panel: the panel's name: what the ticks are kept under.
    """

    _esm = esm.widget(Path(__file__).parent / "goals.js")
    panel = traitlets.Unicode().tag(sync=True)
    goals: Any = traitlets.List(help="{sentence, hint, said}").tag(sync=True)
    reached: Any = traitlets.List(traitlets.Int(), help="reached since the start").tag(sync=True)
    asked = traitlets.Int(0, help="the goal that a link sets, from 1; 0: none").tag(sync=True)

    def __init__(self, panel: str, goals: Sequence[Goal]) -> None:
        self._goals = list(goals)
        self._given: set[int] = set()
        self._now: set[int] = set()
        shown = [
            {"sentence": g.sentence, "hint": f"{g.hint} {PRESETS}", "said": g.said} for g in goals
        ]
        super().__init__(panel=panel, goals=shown)
        self.observe(self._forget, names=["reached"])

    def in_page(self, panel: Any) -> dict[str, Any]:
        """What a page of its own needs to show them, and to tick those that it can tell."""
        within = [goal.in_page(panel) for goal in self._goals]
        goals = [
            {
                **shown,
                "hint": goal.hint,
                "within": bounds and dict(bounds),
                "elsewhere": bounds is None,
            }
            for goal, shown, bounds in zip(self._goals, self.goals, within, strict=True)
        ]
        return {"panel": self.panel, "goals": goals}

    def check(self, panel: Any, *, given: bool = False) -> None:
        """Tick what is reached now; what was reached once stays so.

        Args:
            given: the state is a preset's, or a lesson's. What is true in it nobody has reached,
                nor is it reached later until it has been false.
        """
        self._now = now = {i for i, goal in enumerate(self._goals) if goal.reached(panel)}
        self._given = self._given | now if given else self._given & now
        done = now - self._given | set(self.reached)
        if len(done) > len(self.reached):
            self.reached = sorted(done)

    def _forget(self, change: Any) -> None:
        if not change["new"]:
            self._given = self._given | self._now
