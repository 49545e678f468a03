"""The knots of a map of the line: a field, the rule that they rise, and their controls."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor

from flowviz.widgets.controls import Controls
from flowviz.widgets.layout import classed, stack
from flowviz.widgets.slider import Slider
from flowviz.widgets.state import Field
from flowviz.widgets.state.fields import Pairs, Points

BOUND = 4.0
"""Knots lie inside ±BOUND; beyond, the map is the identity."""
COUNT = 5
GAP = 0.05
"""Neighbours are so far apart, in u and in x."""


class Knots(Field[Pairs]):
    """Five points (u, x) that a map goes through, u rising, inside ±BOUND.

    Whether x rises is not the field's business: where it does not, the map folds.
    """

    def __init__(self, default: Sequence[Sequence[float]], *, label: str, help: str) -> None:
        self._points = Points(default, count=COUNT, bound=BOUND - GAP)
        super().__init__(default, label=label, help=help)

    def coerce(self, value: Any) -> Pairs:
        points = self._points.coerce(value)
        pairs = list(pairwise(points))
        if any(b[0] - a[0] < GAP - 1e-6 for a, b in pairs):
            raise ValueError
        if any(a[1] == b[1] for a, b in pairs):
            raise ValueError
        return points

    def allowed(self) -> str:
        return (
            f"exactly {COUNT} points (u, x) inside ±{BOUND:g}, each u at least {GAP:g} above the "
            f"one before, neighbours of different x"
        )

    def parse(self, text: str) -> list[list[float]]:
        return self._points.parse(text)

    def format(self, value: Pairs) -> str:
        return self._points.format(value)

    def plain(self, value: Pairs) -> list[list[float]]:
        return self._points.plain(value)


def risen(knots: Pairs) -> Pairs:
    """The knots with every x at least GAP above the one before; those that rise stay."""
    made: list[tuple[float, float]] = []
    for number, (u, x) in enumerate(knots):
        floor = made[-1][1] + GAP if made else -BOUND + GAP
        # So that those to come have room.
        ceiling = BOUND - GAP * (len(knots) - number)
        made.append((u, round(min(max(x, floor), ceiling), 3)))
    return tuple(made)


def moved(knots: Pairs, index: int, place: Sequence[float], *, fold: bool) -> Pairs:
    """The knots with one of them moved as near to ``place`` as is allowed, to three digits."""
    there, to = (torch.tensor(given, dtype=torch.float64) for given in (knots, place))
    u, x = slid(there, index, to, fold=fold)[index].tolist()
    return (*knots[:index], (round(u, 3), round(x, 3)), *knots[index + 1 :])


def slid(knots: Tensor, index: int, place: Tensor, *, fold: bool) -> Tensor:
    """The knots ``[K, 2]`` with one of them moved as near to ``place`` ``[2]`` as is allowed.

    Its u stays between its neighbours', and so does its x unless the map may fold.
    """
    ends = knots.new_tensor([[-BOUND, -BOUND], [BOUND, BOUND]])
    before, after = torch.cat([ends[:1], knots, ends[1:]])[index : index + 3 : 2]
    at = place.clamp(-BOUND + GAP, BOUND - GAP)
    within = torch.minimum(torch.maximum(at, before + GAP), after - GAP)
    x = within[1]
    if fold:
        flat = ((at[1] - before[1]).abs() < GAP / 2) | ((at[1] - after[1]).abs() < GAP / 2)
        x = torch.where(flat, at[1] + GAP, at[1])  # all the mass of a flat piece would lie on x
    return torch.cat([knots[:index], torch.stack([within[0], x])[None], knots[index + 1 :]])


class KnotControls:
    """A knot to choose, and a slider for each of its coordinates: the twin of the handles.

    Args:
        settings: a state with ``knots`` and ``fold``, which the sliders write.
        controls: the panel's, so that the section can be hidden as ``knots``.

    Attributes:
        widget: the section.
    """

    def __init__(self, settings: Any, controls: Controls) -> None:
        self._settings = settings
        self._following = False
        options = [(f"Knot {number}", number) for number in range(1, COUNT + 1)]
        self.which = classed(
            widgets.Dropdown(options=options, value=3, description="Move", tooltip="Which knot"),
            "fv-control",
        )
        self.sliders = [
            Slider(min=-BOUND, max=BOUND, step=0.05, description=name, tooltip=f"The knot's {name}")
            for name in ("u", "x")
        ]
        for slider in self.sliders:
            slider.observe(lambda _: self._turned(), names=["value"])
        self.widget = controls.put("knots", stack(self.which, *self.sliders))
        self.which.observe(lambda _: self.show(), names=["value"])
        self.show()

    def show(self) -> None:
        """Follow the settings."""
        self._following = True
        for slider, value in zip(self.sliders, self._knot, strict=True):
            if abs(slider.value - value) > 1e-6:
                slider.value = value
        self._following = False

    def choose(self, index: int) -> None:
        """Offer this knot: it is the one that is dragged."""
        self.which.value = index + 1

    @property
    def _knot(self) -> tuple[float, float]:
        return self._settings.knots[self.which.value - 1]

    def _turned(self) -> None:
        if self._following:
            return
        place = [slider.value for slider in self.sliders]
        settings = self._settings
        index = self.which.value - 1
        settings.knots = moved(settings.knots, index, place, fold=settings.fold)
        self.show()
