"""What a saved page draws after a drag is what the kernel would: the programs against torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from flowviz.flows.programs import of_function
from flowviz.panels.change_of_variables import FOLDED, ChangeOfVariables
from flowviz.panels.divergences import Divergences
from flowviz.panels.limits import NO_CAP, Limits
from flowviz.panels.parts import density_following, line_following
from flowviz.panels.parts.following import Following, Move, Said, _named, made
from flowviz.panels.parts.line_maps import pushforward
from flowviz.targets.line import Line
from flowviz.widgets.stage import Handles
from tests.engine.programs import play

NEAR = 5e-5
"""Of a picture's numbers, which float32 has to seven digits, after some arithmetic."""
Drag = tuple[int, int, tuple[float, float]]
"""A handle's set, its index, and the place where the user has it; of SLIDERS, the value first."""
SLIDERS = -1

FOLD = {"knots": FOLDED, "fold": True}
LINES: list[tuple[dict[str, Any], list[Drag]]] = [
    ({}, [(1, 3, (0.7, 3.0)), (0, 0, (1.3, 0.0)), (0, 1, (0.0, -1.2))]),
    ({}, [(1, 1, (3.0, 3.9)), (0, 0, (9.0, 0.0)), (1, 4, (1.0, -9.0))]),  # past their limits
    (FOLD, [(1, 2, (0.3, -0.5)), (0, 1, (0.0, 0.2)), (1, 3, (0.8, 1.9))]),
    (FOLD, [(0, 0, (-1.3, 0.0)), (1, 1, (-1.5, -1.4)), (1, 3, (1.0, 1.0))]),  # no turn is left
    ({"base": "uniform", "u": 0.5}, [(1, 2, (0.4, 0.2)), (0, 0, (2.0, 0.0))]),
    ({"map": "square", "u": 1.2}, [(0, 1, (0.0, 2.3)), (0, 1, (0.0, -1.0))]),
    ({"map": "quantile", "base": "uniform", "u": 0.8}, [(0, 1, (0.0, -0.5))]),
    ({"map": "affine", "u": 0.4}, [(SLIDERS, 0, (-0.3, 0.0)), (0, 1, (0.0, 0.9))]),
    ({"map": "affine"}, [(SLIDERS, 1, (1.2, 0.0)), (SLIDERS, 0, (0.0, 0.0))]),  # it stops
]


DENSITIES: list[tuple[dict[str, Any], list[Drag]]] = [
    ({}, [(0, 1, (1.2, 0.0)), (1, 1, (3.1, 0.2)), (0, 0, (-9.0, 0.1)), (1, 0, (-6.05, 0.1))]),
    ({"divergence": "wasserstein", "target": "two_bumps"}, [(1, 0, (2.1, 0.0))]),
    ({"divergence": "jensen_shannon", "target": "uniform"}, [(0, 1, (0.7, 0.0))]),
    ({"divergence": "kl", "target": "student", "model": "uniform"}, [(0, 1, (0.7, 0.0))]),  # ∞
    ({"divergence": "mmd", "model": "uniform"}, [(1, 1, (-0.3, 0.0))]),
]


MODES: list[tuple[dict[str, Any], list[Drag]]] = [
    ({}, [(0, 1, (1.0, 0.8)), (0, 0, (-4.9, 5.0)), (0, 1, (0.1, -0.1))]),
    ({}, [(SLIDERS, 0, (64.0, 0.0)), (SLIDERS, 3, (0.7, 0.0)), (SLIDERS, 0, (NO_CAP, 0.0))]),
    ({"modes": "discs"}, [(SLIDERS, 0, (30.0, 0.0)), (SLIDERS, 0, (NO_CAP, 0.0))]),
    ({"cap": NO_CAP}, [(0, 0, (1.0, -2.0))]),
    ({"modes": "discs"}, [(0, 1, (1.0, 2.0)), (0, 1, (0.9, 1.1))]),
    ({"modes": "discs", "cap": NO_CAP}, [(0, 1, (1.5, 2.0))]),
    ({"map": "cells_8"}, [(0, 1, (1.5, -2.0))]),
    ({"map": "cells_32", "modes": "discs"}, [(0, 0, (-2.5, -2.0))]),
    ({"map": "affine", "modes": "discs"}, [(0, 1, (2.0, 0.3))]),
]


def _move(following: Following, set_: int, index: int) -> Move:
    return following.sliders[index].move if set_ == SLIDERS else following.moves[set_][index]


def after(following: Following, drags: Sequence[Drag]) -> list[Tensor]:
    """The numbers before and after each drag, by torch."""
    numbers = [following.numbers]
    for set_, index, place in drags:
        numbers.append(
            _move(following, set_, index)(
                numbers[-1], torch.tensor(place, dtype=torch.float64)
            ).numbers
        )
    return numbers


def check(following: Following, drags: Sequence[Drag], folder: Path, near: float = NEAR) -> None:
    """The programs play what the functions do, from the start and after each drag."""
    marks = made(following.draw(following.numbers).marks)

    def picture(numbers: Tensor) -> dict[str, Tensor]:
        seen = _named(following.draw(numbers), marks)
        return {n: v.number if isinstance(v, Said) else v for n, v in seen.items()}

    numbers = after(following, drags)
    drawn = of_function(picture, numbers=following.numbers)
    jobs = [{"program": drawn, "inputs": {"numbers": one}} for one in numbers]
    refused: list[Tensor] = []
    for one, (set_, index, place) in zip(numbers, drags, strict=False):
        to = torch.tensor(place, dtype=torch.float64)

        def moved(numbers: Tensor, place: Tensor, set_=set_, index=index) -> dict[str, Tensor]:
            moved = _move(following, set_, index)(numbers, place)
            return {"numbers": moved.numbers, "refused": moved.refused.number}

        move = of_function(moved, numbers=one, place=to)
        refused.append(moved(one, to)["refused"])
        jobs.append({"program": move, "inputs": {"numbers": one, "place": to}})
    played = play([{**job, "n": 1, "noise": {}} for job in jobs], folder)
    for one, shown in zip(numbers, played, strict=False):
        for name, wanted in picture(one).items():
            where = f"{name} at {one.tolist()}"
            np.testing.assert_allclose(shown[name][0], wanted, rtol=near, atol=near, err_msg=where)
    for one, why, shown in zip(numbers[1:], refused, played[len(numbers) :], strict=True):
        np.testing.assert_allclose(shown["numbers"][0], one, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(shown["refused"][0], why, rtol=1e-5)


@pytest.mark.parametrize(("settings", "drags"), LINES)
def test_a_map_of_the_line(settings: dict[str, Any], drags: list[Drag], tmp_path: Path) -> None:
    state = ChangeOfVariables.State(**settings)
    # Where T turns p is infinite, and steep beside it.
    check(line_following.following(state), drags, tmp_path, 2e-3 if state.fold else NEAR)


@pytest.mark.parametrize("settings", [one for _, one in ChangeOfVariables.presets])
def test_the_area_beside_a_map_is_the_panels(settings: dict[str, Any]) -> None:
    state = ChangeOfVariables.State(**settings)
    following = line_following.following(state)
    table = following.draw(following.numbers).table
    assert table is not None
    (area,) = table.rows["area without 1/|T′|"]
    wanted = pushforward(state).areas().unscaled
    assert float(area.number) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize(("settings", "drags"), DENSITIES)
def test_two_densities(settings: dict[str, Any], drags: list[Drag], tmp_path: Path) -> None:
    state = Divergences.State(**settings)
    model = Line(state.model, state.model_position, state.model_width)
    # Sums over thousands of nodes have four digits in float32.
    check(density_following.following(state, model, 0), drags, tmp_path, 2e-4)


@pytest.mark.parametrize(("settings", "drags"), MODES)
def test_a_map_to_two_modes(settings: dict[str, Any], drags: list[Drag], tmp_path: Path) -> None:
    panel = Limits(**settings)
    # Beside a tear a map bends without end: there float32 has three digits.
    torn = settings.get("modes") == "discs"
    check(panel.following(), drags, tmp_path, 2e-2 if torn else 1e-4)
    panel.close()


def test_what_is_refused_is_said_as_the_panel_says_it() -> None:
    panel = Limits()
    move = panel.following().moves[0][1]
    numbers = panel.following().numbers
    assert math.isnan(move(numbers, torch.tensor([2.0, 0.5]).double()).refused.number)
    far = move(numbers, torch.tensor([9.0, 0.0]).double())
    panel.stage.handles = [Handles([[-3.0, 0.0], [9.0, 0.0]])]
    assert panel._message.text == str(far.refused)
    assert float(far.numbers[0]) == type(panel.settings).apart.max
    panel.close()


def test_a_page_descends_as_the_kernel_does(tmp_path: Path) -> None:
    panel = Divergences(divergence="reverse_kl", target="two_bumps", trained=40)
    assert panel.jobs.wait(60)
    model = Line(panel.settings.model, panel.settings.model_position, panel.settings.model_width)
    training = density_following.following(panel.settings, model, 0).training
    numbers = density_following.following(panel.settings, model, 0).numbers
    start = numbers
    for _ in range(40):
        numbers = training.step(numbers)
    trained = panel.lines[1]
    torch.testing.assert_close(numbers[2:4], torch.stack([trained.centre, trained.width]))
    assert float((numbers - start).abs().max()) > 0.1
    torch.testing.assert_close(training.back(numbers), start)
    step = of_function(lambda numbers: {"numbers": training.step(numbers)}, numbers=numbers)
    job = {"program": step, "n": 1, "inputs": {"numbers": start}, "noise": {}}
    (played,) = play([job], tmp_path)
    np.testing.assert_allclose(played["numbers"][0], training.step(start), rtol=1e-5, atol=1e-5)
    panel.close()
