"""Two modes and a map to them, as a stage draws them: turned by an angle, on the way from t = 0."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from flowviz.grid import Grid2D, Window
from flowviz.panels.parts.following import Unmade
from flowviz.two_modes import Discs, Map, Modes
from flowviz.two_modes.normal import number
from flowviz.widgets.stage import Contours, Grid, Lines, Particles

STEPS = 20
"""K: the map is shown at t = 0, 1/K … 1."""
EXTENT = 3.0
"""Half the side of the square of the base that the grid covers."""
ALONG, ACROSS = 33, 16
"""Cells; along it an odd number, so that one lies in the middle, where the bridge comes from."""
INTO_DISC = (0.0, 0.02, 0.08, 0.2, 0.4)
"""Of its radius: where lines are added to the grid."""
CLOSE = 1e-9
"""To the line along which a map tears."""
COLOURS = (-3.0, 3.0)
"""Of log|det J|."""
OUTLINE_CELLS = 120
RING = ((-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1))
"""Corners."""


class Frame:
    """The axis through both modes in the plane, at an angle in degrees."""

    def __init__(self, angle: float | Tensor) -> None:
        turn = torch.as_tensor(angle, dtype=torch.float64) * (math.pi / 180)
        along, across = (
            torch.stack([turn.cos(), turn.sin()]),
            torch.stack([-turn.sin(), turn.cos()]),
        )
        self._axes = torch.stack([along, across])

    def out(self, points: Tensor) -> Tensor:
        """(along, across) ``[…, 2]`` as (x, y)."""
        return points @ self._axes

    def into(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """x and y, which are broadcast, as along and across."""
        (a, b), (c, d) = self._axes
        return a * x + b * y, c * x + d * y


def on_the_way(u: Tensor, x: Tensor) -> Tensor:
    """(1 − t) u + t x at every t, ``[K+1, …]``: of an increasing map each is one."""
    t = torch.linspace(0, 1, STEPS + 1, dtype=torch.float64).reshape(-1, *[1] * u.dim())
    return u + t * (x - u)


def particles(frame: Frame, u: Tensor, x: Tensor) -> Unmade:
    """Samples of the base on their way: ``u`` and T(u), both ``[N, 2]``, along and across."""
    states = frame.out(on_the_way(u, x))
    return Unmade(Particles, states=states, palette="forward", label="samples of p")


def grids(frame: Frame, map_: Map) -> list[Unmade]:
    """The base's grid, its cells coloured by log of area over the area that they had.

    To discs it has two, for without a cap nothing leads from one to the other.
    """
    along = _lines(map_)
    if not isinstance(map_.target, Discs):
        return [_grid(frame, map_, along)]
    right = torch.cat([along.new_tensor([CLOSE]), along[len(along) // 2 :]])
    return [_grid(frame, map_, half) for half in (-right.flip(0), right)]


def _lines(map_: Map) -> Tensor:
    """The grid's lines along the axis; more of them where a disc begins, which is round."""
    along = torch.linspace(-EXTENT, EXTENT, ALONG + 1, dtype=torch.float64)
    if not isinstance(map_.target, Discs):
        return along
    into = torch.tensor(INTO_DISC, dtype=torch.float64)
    more = map_.inverse(map_.target.bridge + into * map_.target.radius).clamp(CLOSE, EXTENT)
    return _sorted(torch.cat([along, more, -more]))


def _sorted(values: Tensor) -> Tensor:
    """In ascending order ``[N]``, of few values."""
    number = torch.arange(len(values))
    before = (values[None] < values[:, None]) | (
        (values[None] == values[:, None]) & (number[None] < number[:, None])
    )
    here = before.sum(-1)[None] == number[:, None]
    return torch.where(here, values[None], 0.0).sum(-1)


def _grid(frame: Frame, map_: Map, along: Tensor) -> Unmade:
    across = torch.linspace(-EXTENT, EXTENT, ACROSS + 1, dtype=torch.float64)
    size = len(across), len(along)
    u = torch.stack([along.expand(size), across[:, None].expand(size)], dim=-1)
    x, _ = map_.carry(u.reshape(-1, 2))
    corners = on_the_way(u, x.reshape(u.shape))
    areas = _areas(corners)
    tiny = torch.finfo(torch.float32).tiny
    squared = ((u[1:, 1:] + u[:-1, :-1]) / 2).square().sum(-1)
    changes = areas.clamp(min=tiny) / areas[0].clamp(min=tiny)
    return Unmade(
        Grid,
        states=frame.out(corners),
        values=changes.log(),
        value_range=COLOURS,
        weights=torch.exp(-squared / 8),
    )


def _areas(corners: Tensor) -> Tensor:
    """Of the cells between corners ``[K+1, R, C, 2]``: half the cross product of the diagonals."""
    first = corners[:, 1:, 1:] - corners[:, :-1, :-1]
    second = corners[:, 1:, :-1] - corners[:, :-1, 1:]
    return (first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]).abs() / 2


def outlines(frame: Frame, target: Modes, window: Window) -> list[Unmade]:
    """The target's contours, and the bridge between its modes."""
    grid = Grid2D(window, OUTLINE_CELLS, dtype=torch.float64)
    side = grid.points.reshape(OUTLINE_CELLS, OUTLINE_CELLS, 2)
    along, across = frame.into(side[0, :, 0].clone(), side[:, :1, 1].clone())
    if isinstance(target, Discs):
        # A field that is smooth at the rims, where it is 0; the density jumps there.
        image = target.radius**2 - (along.abs() - target.m).square() - across.square()
        shares = [0.0]
    else:
        points = torch.stack([along, across], -1).reshape(-1, 2)
        image, shares = target.log_prob(points).exp().reshape(along.shape), [0.1, 0.5]
    levels = torch.stack([share * image.amax() for share in shares])
    look: dict[str, Any] = {"extent": window, "absolute": True, "label": "target p*"}
    return [Unmade(Contours, values=image, levels=levels, **look), _bridge(frame, target)]


def _bridge(frame: Frame, target: Modes) -> Unmade:
    """A dashed frame around what lies between the modes; none where they touch."""
    x = number(target.bridge)
    x, y = torch.where(x > 0, x, torch.nan), number(target.reach)
    ring = torch.stack([torch.stack([a * x, b * y]) for a, b in RING])
    lines = frame.out(ring[None])
    return Unmade(Lines, states=lines, palette="ink", dashed=True, width=1.25, label="bridge")
