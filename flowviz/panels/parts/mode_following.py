"""How the picture of a map to two modes follows the handles on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from flowviz.grid import Window
from flowviz.panels.parts import two_modes_marks as marks
from flowviz.panels.parts.following import (
    Following,
    Move,
    Moved,
    Plot,
    Said,
    Seen,
    Table,
    Turned,
    Unmade,
    within,
)
from flowviz.panels.parts.two_mode_handles import handles
from flowviz.two_modes import Map
from flowviz.two_modes.normal import number

NO_CAP = 1e5
"""The end of the slider of L, where there is no cap."""


def following(
    settings: Any, map_to: Callable[[Tensor, Tensor, Tensor], Map], u: Tensor, window: Window
) -> Following:
    """The picture as a function of how far apart the modes are, of the angle, of their width and
    of the cap: numbers ``[4]``.

    Args:
        settings: of the panel: ``apart``, ``angle``, ``width`` and ``cap``, with their bounds, and
            ``map``.
        map_to: the map to modes that are so far apart and so wide, with that cap.
        u: samples of the base ``[N, 2]``.
        window: what is seen.
    """
    fields, capped = type(settings), settings.map == "capped"
    given = [settings.apart, settings.angle, settings.width, settings.cap]
    numbers = torch.tensor(given, dtype=torch.float64)

    def draw(numbers: Tensor) -> Seen:
        apart, angle, width, cap = numbers
        cap = torch.where(cap < NO_CAP, cap, torch.inf)
        map_ = map_to(apart, width, cap)
        shown = picture(map_, apart, angle, u, window)
        share, _ = _bridge(map_)
        needed = map_.target.log_slope.reshape(())
        known = {"needed": needed, "apart": apart, "cap": cap, "share": share}
        if capped:
            known["slope"] = torch.minimum(needed, cap.log())
        said, table, plot = _said(map_), _table(map_, needed), _densities(map_, window)
        return Seen(shown, said=said, known=known, table=table, plot=plot)

    def to(sign: int) -> Move:
        def move(numbers: Tensor, place: Tensor) -> Moved:
            x, y = sign * place
            angle = torch.atan2(y, x) * (180 / math.pi)
            far, refused = within(fields.apart, 2 * (x.square() + y.square()).sqrt())
            return Moved(torch.cat([torch.stack([far, angle]), numbers[2:]]), refused)

        return move

    sliders = [Turned(fields.apart, 0), Turned(fields.angle, 1), Turned(fields.width, 2)]
    if capped:
        sliders.insert(0, Turned(fields.cap, 3))
    return Following(numbers, draw, [[to(-1), to(1)]], sliders)


def picture(map_: Map, apart: Tensor, angle: Tensor, u: Tensor, window: Window) -> list[Unmade]:
    """The base's grid and its samples on their way, the target's contours, the bridge, the handles.

    Args:
        map_: to modes that are ``apart`` on an axis at ``angle`` in degrees.
        u: samples of the base ``[N, 2]``.
        window: what is seen.
    """
    frame = marks.Frame(angle)
    x, _ = map_.carry(u)
    return [
        *marks.grids(frame, map_),
        marks.particles(frame, u, x),
        *marks.outlines(frame, map_.target, window),
        handles(apart, angle),
    ]


CURVE = 161
"""So many points of both densities."""


def _table(map_: Map, needed: Tensor) -> Table:
    """What lies between the modes, and what the exact map would take."""
    share, wanted = _bridge(map_)
    rows = {
        "in the bridge, p": Said("{} %", share),
        "in the bridge, p*": Said("{} %", wanted),
        "log T′ that p* needs": Said("{}", needed, "∞"),
        "KL(p*‖p), in nats": Said("{}", map_.divergence(), "∞"),
    }
    return Table(("",), {name: [said] for name, said in rows.items()})


def _densities(map_: Map, window: Window) -> Plot:
    """p* and p along the axis of the modes."""
    x = torch.linspace(*window[:2], CURVE, dtype=torch.float64)
    curves = {
        "p*": ("ink", map_.target.log_density(x).exp()),
        "p": ("forward", map_.log_density(x).exp()),
    }
    return Plot("densities along the axis", x, curves, torch.zeros((), dtype=torch.float64))


def _said(map_: Map) -> list[Said]:
    """The mass between the modes, of p and of p*."""
    share, wanted = _bridge(map_)
    return [Said("{} % of p in the bridge", share), Said("{} % of p*", wanted)]


def _bridge(map_: Map) -> tuple[Tensor, Tensor]:
    """What p and p* have between the modes, in percent."""
    half = number(map_.target.bridge).reshape(1)
    share, wanted = (
        torch.where(half > 0, 200 * central, 0.0)[0]
        for central in (map_.central(half), map_.target.log_central(half).exp())
    )
    return share, wanted
