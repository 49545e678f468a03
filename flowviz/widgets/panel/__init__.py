"""The base of every panel: what a panel file declares, and all that follows from it."""

from flowviz.widgets.panel.drawing import draws
from flowviz.widgets.panel.goals import Goal
from flowviz.widgets.panel.panel import Panel
from flowviz.widgets.panel.screen import Screen

__all__ = ["Goal", "Panel", "Screen", "draws"]
