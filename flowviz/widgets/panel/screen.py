"""What goes where on a panel's one screen: everything pressed and everything watched, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ipywidgets as widgets

from flowviz.widgets.charts import BarChart
from flowviz.widgets.layout import classed
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Stage
from flowviz.widgets.tabs import Tabs


@dataclass(frozen=True)
class Screen:
    """The parts of a panel.

    Wide: controls left, one picture with its companion beside it, or two pictures with a chart
    and the tabs under them, the run bar at the bottom. Narrower, the controls are the first
    of the tabs; on a phone the companion is the second.

    Args:
        pictures: one card, or two.
        stages: the stages in them, in the same order: what is exported and printed.
        controls: what the panel is set by; scrolls by itself.
        run: the run bar.
        companion: beside one picture; under two, the chart.
        companion_name: the tab that shows it on a phone.
        tabs: what is looked at now and then, by name; Goals come before, Code after.
        voices: of the pictures, where they have voices.
        bars: what the layers contribute, beside the pictures of a page of its own.
    """

    pictures: Sequence[widgets.DOMWidget]
    stages: Sequence[Stage]
    controls: widgets.DOMWidget
    run: RunBar
    companion: widgets.DOMWidget
    companion_name: str = "Numbers"
    tabs: Mapping[str, widgets.DOMWidget] = field(default_factory=dict)
    voices: Sequence[str] = ()
    bars: BarChart | None = None


def body(screen: Screen, tabs: Tabs) -> widgets.Box:
    """The screen between the head and the run bar."""
    two = len(screen.pictures) == 2
    areas = [
        classed(widgets.VBox([screen.controls]), "fv-slot", "fv-slot-controls"),
        *(classed(widgets.VBox([p]), "fv-slot", "fv-slot-picture") for p in screen.pictures),
        classed(widgets.VBox([screen.companion]), "fv-slot", "fv-slot-companion"),
        classed(widgets.VBox([tabs]), "fv-slot", "fv-slot-tabs"),
    ]
    return classed(widgets.Box(areas), "fv-body", "fv-two" if two else "fv-one")
