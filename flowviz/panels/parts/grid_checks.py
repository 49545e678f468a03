"""Checks on demand: a flow's formulas held against autodiff and areas, over a whole grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from flowviz.flows import Flow, check
from flowviz.flows.plane import grid_trace
from flowviz.widgets.layout import button, row, stack
from flowviz.widgets.panel import Panel
from flowviz.widgets.readouts import Note, Readout

_ERRORS = {
    "logabsdet": ("Formula against autodiff", "Largest error of log|det J|"),
    "inverse_logabsdet": ("The same of the inverse", "Largest error, data → base"),
    "round_trip": ("Round trip", "Largest |T⁻¹(T(u)) − u|"),
    "structure": ("Structural zeros", "Largest |∂z'ᵢ/∂zⱼ| where zero by construction"),
    "area": ("Areas of the cells", "Median error of log|det J| against the cell's area"),
}


class GridChecks:
    """A button that checks a flow at the centres of all cells, and what came of it.

    Args:
        panel: its state has ``cells``, and the button ``check``.
        flow: the flow in use.
        extent: half the side of the grid.

    Attributes:
        widget: the button, and a read-out for each error.
        errors: the read-outs, by what they show.
        checked: a note on what was checked.
    """

    def __init__(self, panel: Panel, flow: Callable[[], Flow], extent: float) -> None:
        self._settings, self._flow, self._extent = panel.settings, flow, extent
        self.errors = {name: Readout(title, help=help) for name, (title, help) in _ERRORS.items()}
        self.checked = Note()
        self._version: Any = None  # what was checked
        self._present: Any = None  # what is shown
        run = panel.jobs.latest(self._check)
        action = button("Check every cell", run, help="Hold the formula against autodiff and area")
        panel.controls.put("check", action)
        self.widget = stack(action, self.checked, row(*self.errors.values()))

    def show(self, version: Any) -> None:
        """Show no errors but those of this version of the flow and its grid."""
        if self._version is None or self._version != version:
            self._version = None
            for readout in self.errors.values():
                readout.show(None)
            self.checked.show("not checked yet")
        self._present = version

    def _check(self) -> None:
        version = self._present
        flow, cells = self._flow(), self._settings.cells
        grid = grid_trace(flow, self._extent, cells)
        lines = torch.linspace(-self._extent, self._extent, cells + 1)
        centres = (lines[1:] + lines[:-1]) / 2
        result = check(flow.transform, torch.cartesian_prod(centres, centres).to(flow.like))
        for name in ("logabsdet", "inverse_logabsdet", "round_trip", "structure"):
            self.errors[name].show(getattr(result, name))
        areas = (grid.measured()[-1] - grid.total()[-1]).abs()
        self.errors["area"].show(float(areas.median()))
        self.checked.show(
            f"The largest errors over the centres of {cells**2:,} cells, for the whole flow, in "
            f"{str(flow.like.dtype).removeprefix('torch.')}."
        )
        self._version = version
