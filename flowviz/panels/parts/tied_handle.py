"""Handles on a stage that are tied to a panel's point; what is refused snaps back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from flowviz.flows import Flow
from flowviz.panels.parts.own_doing import OwnDoing
from flowviz.widgets.panel import Panel
from flowviz.widgets.readouts import format_number
from flowviz.widgets.stage import Handles, Stage
from flowviz.widgets.state import Points

Carry = Callable[[ArrayLike], ArrayLike]
"""``[1, 2]`` to ``[1, 2]``."""


@dataclass(frozen=True)
class End:
    """Where the point can be grabbed on its way; by default at its start.

    Attributes:
        label: the handle's name.
        state: of the way, 0 or −1.
        back: from there to the point; by default it is the point itself.
    """

    label: str
    state: int = 0
    back: Carry | None = None


def at_data(label: str, flow: Callable[[], Flow]) -> End:
    """The end where a flow carries the point to: from there its inverse brings it back."""

    @torch.no_grad()
    def back(x: ArrayLike) -> ArrayLike:
        carrying = flow()
        points = torch.as_tensor(np.asarray(x)).to(carrying.like)
        return carrying.inverse(points)[0].cpu().numpy()

    return End(label, -1, back)


def beyond(field: Points, there: str = "{}") -> str:
    """Said of a handle that is dragged to where the marked point may not be."""
    most = f"{field.bound:g}"
    return f"There u would be at {there}: its coordinates go from −{most} to {most}."


class TiedHandles:
    """The handles of a stage, each where ``settings.point`` is on its way.

    A drag sets the point to the preimage of where it ends. Past the setting's bounds the handle
    goes back, and the panel says why.

    Args:
        panel: its state has ``point``, one point.
        ends: a handle each.
    """

    def __init__(self, panel: Panel, stage: Stage, *ends: End) -> None:
        self._panel, self._stage, self._ends = panel, stage, ends
        self._states = np.full((1, 1, 2), np.nan)
        self._held = 0  # which one the user has, or had last; the page's others may be behind
        self._doing = OwnDoing()
        self._doing.hear(stage, "handles", self._dragged)

    def show(self, states: Tensor) -> None:
        """Put them on the point's way ``[K+1, 1, 2]``, if that is the point still.

        A drawing that was long under way would else take a handle back that was dragged on since;
        the next one is due then.
        """
        self._states = states.cpu().numpy()
        if np.allclose(self._panel.settings.point, self._states[0], atol=1e-3):
            self._place()

    def _place(self) -> None:
        """Put them where they belong, unless the user has them there already."""
        places = [self._states[end.state] for end in self._ends]
        if len(self._stage.handles) == len(places) and all(map(_at, self._stage.handles, places)):
            return
        named = zip(places, self._ends, strict=True)
        with self._doing.ours():
            self._stage.handles = [Handles(place, labels=[end.label]) for place, end in named]

    def _dragged(self, handles: Sequence[Handles]) -> None:
        if self._stage.held:
            self._held = int(self._stage.held["set"])
        if not self._held < min(len(handles), len(self._ends)):
            return
        settings, handle, end = self._panel.settings, handles[self._held], self._ends[self._held]
        still = np.allclose(settings.point, self._states[0], atol=1e-6)
        if still and _at(handle, self._states[end.state]):
            return
        point = np.asarray(end.back(handle.points) if end.back else handle.points)
        field = type(settings).fields()["point"]
        if (np.abs(point) <= field.bound).all():  # false for NaN too
            settings.point = point.tolist()
        else:
            self._place()
            there = ", ".join(format_number(float(x)) for x in point[0])
            self._panel.refuse(ValueError(beyond(field, f"({there})")))


def _at(handle: Handles, place: Any) -> bool:
    return np.allclose(handle.points, place, atol=1e-3)
