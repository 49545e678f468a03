"""The layers of one of two models, side by side, and what the run bar says of them."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets

from flowviz.flows import Flow
from flowviz.flows.flow import Trace
from flowviz.flows.plane import grid_trace
from flowviz.grid import Window
from flowviz.panels.parts.flow_stage import with_start
from flowviz.panels.parts.layer_names import layer_names
from flowviz.targets import Target
from flowviz.widgets.controls import Controls
from flowviz.widgets.layout import classed, stack
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Grid, Particles, Stage

CELLS = 28
EXTENT = 3.0
"""The base's grid goes from −EXTENT to EXTENT."""


class ModelLayers:
    """The strip of a model's states, the grid of the base warped by them, and whose they are.

    Args:
        controls: bind ``strip``, the model's name, to a switch.
        titles: of the models, by their names.

    Attributes:
        strip, widget: the strip of states, and the switch beside it.
    """

    def __init__(self, controls: Controls, titles: Mapping[str, str]) -> None:
        self.strip = Stage(strip=True, transport=False, tools=False, axes=False, max_width=0)
        which = widgets.ToggleButtons(
            options=[(title, name) for name, title in titles.items()],
            tooltips=[f"The layers of the {title.lower()}" for title in titles.values()],
        )
        switch = controls.bind("strip", classed(which, "fv-toggle"))
        self.widget = classed(stack(switch, self.strip), "fv-model-layers")

    def show(self, flow: Flow, title: str, trace: Trace, marked: int, target: Target) -> None:
        """Show the states of a model.

        Args:
            title: of the model.
            trace: of the particles; ``marked`` is one of them.
        """
        warped = grid_trace(flow, EXTENT, CELLS)
        self.strip.picked = marked
        with self.strip.hold_sync(), self.strip.hold_trait_notifications():
            self.strip.window = _around(target)
            self.strip.show(
                Grid(warped.corners, warped.total(), lines=False),
                Particles(trace.states, size=2.0),
            )
            self.strip.description = f"the layers of the {title.lower()}"


def tell(run: RunBar, flow: Flow, title: str, trace: Trace, marked: int) -> None:
    """Say on the run bar which layers a model has, and its log|det J| at a particle so far."""
    total = with_start(trace.logabsdet[:, marked]).cumsum(0).cpu().numpy()
    with run.hold_sync():
        run.state_names = ["base", *layer_names(flow)]
        run.readout = {"label": f"{title.split()[0]} Σ log|det J|", "values": total}


def _around(target: Target) -> Window:
    """A window that holds the target's and the base's grid."""
    xmin, xmax, ymin, ymax = target.window
    edge = 1.1 * EXTENT
    return min(xmin, -edge), max(xmax, edge), min(ymin, -edge), max(ymax, edge)
