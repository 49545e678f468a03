"""How two densities on the line follow their handles, and the pull of a divergence on one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from flowviz.objectives.on_the_line import measure, slopes
from flowviz.panels.parts.density_stage import Pair, handles, marks, reach, window_on
from flowviz.panels.parts.following import (
    Descent,
    Following,
    Move,
    Moved,
    Plot,
    Said,
    Seen,
    Table,
    within,
)
from flowviz.panels.parts.line_charts import FARTHEST, LEAST_TOP, mirrored
from flowviz.panels.parts.line_fit import NODES, SYMBOLS, LineFitState, clipped
from flowviz.targets.line import Line

ROUNDING = 1e-5
DISTANCES, FEW_NODES = 33, 300
"""At so many on each side the chosen divergence is measured, by so many nodes in each piece."""
SETTINGS = (
    (LineFitState.target_position, LineFitState.target_width),
    (LineFitState.model_position, LineFitState.model_width),
)
"""Centre and width of p*, and of p."""


def following(settings: Any, model: Line, done: int) -> Following:
    """The picture of p* and p as a function of the centre and the width of each.

    The numbers ``[6]``: those of p*, those of p, and those that p starts from.

    Args:
        settings: a :class:`LineFitState`.
        model: p as it is now.
        done: how many steps it is trained.
    """
    of_target = settings.target_position, settings.target_width
    start = settings.model_position, settings.model_width
    now = model.centre, model.width
    numbers = torch.tensor([*of_target, *map(float, now), *start], dtype=torch.float64)

    def pair(numbers: Tensor) -> Pair:
        return (
            Line.known(settings.target, numbers[0], numbers[1]),
            Line.known(model.family, numbers[2], numbers[3]),
        )

    def draw(numbers: Tensor) -> Seen:
        lines = pair(numbers)
        found = {name: slopes(name, *lines, nodes=NODES) for name in SYMBOLS}
        value, slope, _ = found[settings.divergence] = slopes(settings.divergence, *lines)
        window = window_on(lines)
        shown = [*marks(lines, -slope, window), *handles(lines, window[3])]
        symbol = SYMBOLS[settings.divergence]
        said = [
            Said(f"{symbol} = {{}}", _above_rounding(value), f"{symbol} = ∞"),
            Said("pull on p {}", _pull(slope), "no gradient to follow"),
        ]
        plot = against_distance(settings.divergence, lines, value)
        known = _known(found) | _on_one_bump(numbers)
        return Seen(shown, window, said, known, _table(found), plot)

    def to_centre(i: int) -> Move:
        def move(numbers: Tensor, place: Tensor) -> Moved:
            centre, refused = within(SETTINGS[i][0], place[0])
            return Moved(_anew(numbers, i, 0, centre), refused)

        return move

    def to_knot(i: int) -> Move:
        def move(numbers: Tensor, place: Tensor) -> Moved:
            reached = (place[0] - numbers[2 * i]).abs() / reach(pair(numbers)[i])
            width, refused = within(SETTINGS[i][1], reached)
            return Moved(_anew(numbers, i, 1, width), refused)

        return move

    def step(numbers: Tensor) -> Tensor:
        _, *slope = slopes(settings.divergence, *pair(numbers), nodes=NODES)
        known = torch.stack([torch.where(one.isnan(), 0.0, one) for one in slope])
        along, across = clipped(known)
        width = numbers[3] * torch.exp(-settings.rate * across)
        moved = torch.stack([numbers[2] - settings.rate * along, width])
        return torch.cat([numbers[:2], moved, numbers[4:]])

    moves = [[to_centre(0), to_centre(1)], [to_knot(0), to_knot(1)]]
    most = LineFitState.trained.max
    training = Descent(step, _back, done, settings.steps, most)
    return Following(numbers, draw, moves, training=training)


Found = Mapping[str, tuple[Tensor, ...]]
"""Of every divergence its value and both of its slopes."""


def _table(found: Found) -> Table:
    """All divergences, and how each pulls."""
    rows = {
        SYMBOLS[name]: [Said("{}", _above_rounding(value), "∞"), Said("{}", _pull(slope), "none")]
        for name, (value, slope, _) in found.items()
    }
    return Table(("D", "pull on p"), rows)


def _pull(slope: Tensor) -> Tensor:
    """∞ where there is no gradient."""
    return torch.where(slope.isnan(), torch.inf, _above_rounding(-slope))


def against_distance(name: str, lines: Pair, value: Tensor) -> Plot:
    """A divergence of p* and p against the distance of their centres, and where they are."""
    target, model = lines
    distances = torch.linspace(0.0, FARTHEST, DISTANCES, dtype=torch.float64)
    fixed = Line.known(target.family, torch.zeros_like(target.centre), target.width)
    slid = Line.known(model.family, distances[:, None], model.width)
    heights = mirrored(measure(name, fixed, slid, nodes=FEW_NODES))
    top = torch.where(value.isfinite(), 1.2 * value, 0.0).clamp(min=LEAST_TOP)
    seen = torch.where(heights <= top, heights, torch.nan)
    title = f"{SYMBOLS[name]} against p's distance from p*"
    drawn = {"": ("forward", seen)}
    return Plot(title, mirrored(distances, -1), drawn, model.centre - target.centre)


def _known(found: Found) -> dict[str, Tensor]:
    """By JS: how far apart p* and p are, and how that pulls; and how W₁ does.

    And TV, and whether KL(p*‖p) or χ² is infinite (1).
    """
    apart, pull, _ = found["jensen_shannon"]
    _, other, _ = found["wasserstein"]
    infinite = found["kl"][0].isinf() | found["chi_squared"][0].isinf()
    return {
        "js": apart,
        "js_pull": pull.abs(),
        "w1_pull": other.abs(),
        "tv": found["total_variation"][0],
        "infinite": torch.where(infinite, 1.0, torch.zeros_like(apart)),
    }


def _on_one_bump(numbers: Tensor) -> dict[str, Tensor]:
    """How far p's centre is from a bump of p*, and how wide it is beside p*."""
    at, width, centre, own = numbers[:4]
    return {"bump": ((centre - at).abs() - 2 * width).abs(), "wide": own / width}


def _anew(numbers: Tensor, i: int, which: int, value: Tensor) -> Tensor:
    """The numbers with another centre (0) or width (1) of p* (i = 0) or p, as a handle sets it.

    Training begins anew: with p* moved p goes back to its start, and p moved starts where it is.
    """
    target, model, start = numbers.unflatten(0, (3, 2))
    if i == 0:
        return torch.cat([_with(target, which, value), start, start])
    model = _with(model, which, value)
    return torch.cat([target, model, model])


def _back(numbers: Tensor) -> Tensor:
    return torch.cat([numbers[:2], numbers[4:], numbers[4:]])


def _above_rounding(value: Tensor) -> Tensor:
    """0 for what is but rounding in float32."""
    return torch.where(value.abs() < ROUNDING, 0.0, value)


def _with(numbers: Tensor, i: int, value: Tensor) -> Tensor:
    """Numbers with another one in the i-th place."""
    return torch.cat([numbers[:i], value[None], numbers[i + 1 :]])
