"""How the picture of a map of the line follows its knots and its marked point."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

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
)
from flowviz.panels.parts.knots import COUNT, slid
from flowviz.panels.parts.line_maps import LEAST_SCALE, POINT, LineBase, line_base, pushforward
from flowviz.panels.parts.line_picture import LinePicture
from flowviz.widgets.stage import Handles

MUST_RISE = "T must rise, so the knot stops at its neighbour; “Let the knots fold” lets it pass."
NO_PREIMAGE = "x = {} has no preimage: T does not reach it, and p is 0 there."
NEAR = 0.02
"""A knot that is less off its place is there."""
POINTS = 201
"""At so many both formulas are drawn."""
CELLS = 800
"""Of u, for an area."""
HUMP = 0.05
"""Of the highest: what is lower is no hump."""


def following(settings: Any) -> Following:
    """The picture of ``settings`` as a function of the marked u, and of the knots or of a and b
    where these make the map: numbers ``[1]``, ``[1 + 2 COUNT]`` or ``[3]``."""
    base = line_base(settings.base)
    by_knots, affine = settings.map == "knots", settings.map == "affine"
    given = [[settings.u], *(settings.knots if by_knots else ())]
    if affine:
        given.append([settings.scale, settings.shift])
    numbers = torch.cat([torch.tensor(one, dtype=torch.float64) for one in given])

    def picture(numbers: Tensor) -> LinePicture:
        made_of = _knots(numbers) if by_knots else numbers[1:] if affine else None
        push = pushforward(settings, made_of)
        return LinePicture.of(push, base, settings.map)

    def draw(numbers: Tensor) -> Seen:
        shown, u = picture(numbers), numbers[:1]
        marks = [*shown.point(u), *handles(shown, u, _knots(numbers) if by_knots else None)]
        said, table = _said(shown, u, settings.length), _table(shown, u, settings.length)
        if not (by_knots or affine):
            return Seen(marks, said=said, table=table, plot=_formulas(shown, u))
        return Seen(
            [*shown.marks(), *marks],
            shown.window,
            said,
            _known(shown) | ({"single": _single(shown)} if by_knots else {}),
            table,
            _formulas(shown, u),
        )

    def to_u(numbers: Tensor, place: Tensor) -> Moved:
        return Moved(torch.cat([_inside(place[:1], base), numbers[1:]]), _nothing(place))

    def to_x(numbers: Tensor, place: Tensor) -> Moved:
        found = picture(numbers).push.preimages(place[1:])[:, 0]
        u = _inside(_nearest(found, numbers[0])[None], base)
        missed = torch.where(found.isnan().all(), place[1], math.nan)
        return Moved(torch.cat([u, numbers[1:]]), Said(NO_PREIMAGE, missed))

    def to_knot(index: int) -> Move:
        def move(numbers: Tensor, place: Tensor) -> Moved:
            knots = slid(_knots(numbers), index, place, fold=settings.fold)
            stopped = (knots[index, 1] - place[1]).abs() > NEAR
            refused = torch.where(stopped, place[1], math.nan)
            said = _nothing(place) if settings.fold else Said(MUST_RISE, refused)
            return Moved(torch.cat([numbers[:1], knots.flatten()]), said)

        return move

    knots = [[to_knot(index) for index in range(COUNT)]] if by_knots else []
    fields = type(settings)
    sliders = [Turned(fields.scale, 1, _sloping, POINT), Turned(fields.shift, 2)] if affine else []
    return Following(numbers, draw, [[to_u, to_x], *knots], sliders)


def handles(picture: LinePicture, u: Tensor, knots: Tensor | None) -> list[Unmade]:
    """The marked point ``[1]`` at both of its ends, and the knots ``[K, 2]``."""
    made = [Unmade(Handles, points=picture.route(u)[0, ::2], labels=["u", "x"])]
    if knots is not None:
        labels = [str(number) for number in range(1, len(knots) + 1)]
        made.append(Unmade(Handles, points=knots, labels=labels, shape="knot"))
    return made


def _nothing(place: Tensor) -> Said:
    """Nothing is refused: where the base ends the marked point just stops."""
    return Said("", place[0] * math.nan)


def _sloping(scale: Tensor) -> Tensor:
    """The nearest slope of a map that has a density."""
    least = torch.where(scale < 0, -LEAST_SCALE, LEAST_SCALE)
    return torch.where(scale.abs() < LEAST_SCALE, least, scale)


def _knots(numbers: Tensor) -> Tensor:
    return numbers[1:].reshape(-1, 2)


def _inside(u: Tensor, base: LineBase) -> Tensor:
    """Where the base has mass."""
    return u.clamp(*base.marked)


def _nearest(found: Tensor, u: Tensor) -> Tensor:
    """Of some numbers ``[B]`` the one that is nearest to u; u itself where all are NaN."""
    far = torch.where(found.isnan(), torch.inf, (found - u).abs())
    nearest = torch.where(far == far.amin(), found, -torch.inf).amax()
    return torch.where(nearest.isfinite(), nearest, u)


def _said(picture: LinePicture, u: Tensor, length: float) -> list[Said]:
    """What is read off at the marked point."""
    _, _, slope, p, weighed = _marked(picture, u, length)
    return [Said("T′(u) = {}", slope), Said("p(x) = {} by T′", p), Said("{} by mass", weighed)]


def _table(picture: LinePicture, u: Tensor, length: float) -> Table:
    """The same and more, number by number."""
    there, x, slope, p, weighed = _marked(picture, u, length)
    rows = {
        "u": there,
        "x = T(u)": x,
        "T′(u)": slope,
        "p(x) by T′": p,
        f"p(x) by mass, ± {length / 2:g}": weighed,
        "−log p(x)": -p.log(),
        "area without 1/|T′|": _unscaled(picture),
    }
    return Table(("",), {name: [Said("{}", number)] for name, number in rows.items()})


def _marked(picture: LinePicture, u: Tensor, length: float) -> tuple[Tensor, ...]:
    """u, x, T′(u), p(x), and p(x) as the mass of a piece around x of that length over it."""
    push = picture.push
    x, slope = push.function(u)
    weighed = push.mass(x - length / 2, x + length / 2) / length
    return u[0], x[0], slope[0], push.prob(x)[0], weighed[0]


def _unscaled(picture: LinePicture) -> Tensor:
    """The area under the density of x where 1/|T′| is forgotten, by the midpoint rule in u.

    It is infinite where T is at an end of the base.
    """
    push, (first, last) = picture.push, picture.base.ends
    length = (last - first) / CELLS
    u = first + length * (torch.arange(CELLS, dtype=torch.float64) + 0.5)
    area = (push.base_prob(u) * push.function(u)[1].abs()).sum() * length
    ends, _ = push.function(torch.tensor([first, last], dtype=torch.float64))
    return torch.where(ends.isfinite().all(), area, torch.inf)


def _single(picture: LinePicture) -> Tensor:
    """The area under the formula with one preimage: the mass of all u that are the largest of x."""
    push, (first, last) = picture.push, picture.base.marked
    length = (last - first) / CELLS
    u = first + length * (torch.arange(CELLS, dtype=torch.float64) + 0.5)
    others = push.preimages(push.function(u)[0])
    largest = torch.where(others.isnan(), -torch.inf, others).amax(0)
    return torch.where(u > largest - length / 2, push.base_prob(u), 0.0).sum() * length


def _formulas(picture: LinePicture, u: Tensor) -> Plot:
    """The density of x as far as it is seen, and what becomes of it where 1/|T′| is forgotten."""
    push = picture.push
    low, high = picture.span
    x = low + (high - low) * ((torch.arange(POINTS, dtype=torch.float64) + 0.5) / POINTS)
    density, without = push.prob(x), push.contributions(x, jacobian=False).sum(0)
    top = 1.15 * torch.maximum(picture.highest, without.amax())
    seen = torch.where(density <= top, density, torch.nan)
    curves = {"with 1/|T′|": ("forward", seen), "without 1/|T′|": ("danger", without)}
    return Plot("density of x", x, curves, push.function(u)[0][0])


def _known(picture: LinePicture) -> dict[str, Tensor]:
    """How high the density of x is, and how deep it falls between two humps: to 1/dip of them."""
    density = picture.density
    before, after = highest_before(density), highest_before(density.flip(0)).flip(0)
    lower = torch.minimum(before, after)
    dip = torch.where(lower > HUMP * density.amax(), lower / density, 0.0)
    return {"peak": density.amax(), "dip": dip.amax()}


def highest_before(values: Tensor) -> Tensor:
    """The largest of each of some values ``[N]`` and all before it: in steps twice as long each."""
    step = 1
    while step < len(values):
        shifted = torch.cat([values[:step], values[:-step]])
        values, step = torch.maximum(values, shifted), 2 * step
    return values
