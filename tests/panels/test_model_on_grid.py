"""What is read off a model on the grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from flowviz import targets
from flowviz.flows import Flow
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import Diagonal
from flowviz.panels.parts import model_on_grid
from flowviz.widgets.readouts import Readout


class Boastful(Flow):
    """Twice as dense as it is."""

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return super().log_prob(x, context) + torch.log(torch.tensor(2.0))


def test_what_integrates_to_more_than_1_has_no_divergence() -> None:
    grid = model_on_grid.ModelOnGrid(targets.make("two_moons"), model_on_grid.FEW_CELLS)
    readouts = (Readout("KL(p*‖p)"), Readout("KL(p‖p*)"))
    layer = Diagonal(2)
    layer.log_scale.data.fill_(-0.5)
    honest = grid.measure(Flow(StandardNormal(2), [layer]))
    assert honest.no_density == "" and "nats" in model_on_grid.in_words(honest)
    model_on_grid.show(readouts, honest)
    assert "density" not in readouts[0].text
    boastful = grid.measure(Boastful(StandardNormal(2), [layer]))
    said = boastful.no_density
    assert said.startswith(("p is no density: ∫p is 1.9", "p is no density: ∫p is 2.0"))
    model_on_grid.show(readouts, boastful)
    assert [readout.text for readout in readouts] == [said, said]
    assert model_on_grid.in_words(boastful) == said


UNEQUAL = "logaddexp(-((x+2)^2 + y^2)/0.3, {} - ((x-3)^2 + y^2)/0.3)"


def test_a_light_mode_has_a_contour_and_modes_alike_have_no_other() -> None:
    def outline(target: targets.Target) -> model_on_grid.Contours:
        return model_on_grid.ModelOnGrid(target).outline()

    for alike in (targets.make("eight_gaussians"), targets.from_formula(UNEQUAL.format(0))):
        marks = outline(alike)
        assert np.allclose(marks.levels, [share * marks.values.max() for share in (0.1, 0.5)])
    light = outline(targets.from_formula(UNEQUAL.format(-3)))
    right = light.values[:, light.values.shape[1] // 2 + 10 :]
    assert right.max() < 0.1 * light.values.max(), "the lighter mode is below the other levels"
    assert any(level < right.max() for level in light.levels)


def measured(there: float, here: float, left_out: float = 0.0) -> model_on_grid.Measured:
    return model_on_grid.Measured(torch.empty(0), (there, here), (0, 0), 0, 0, left_out)


@pytest.mark.parametrize(
    ("forward", "reverse", "said"),
    [
        ((0.1, 0.2), (0.2, 0.1), "Each run is ahead"),
        ((0.523, 0.9), (0.525, 0.8), "By KL(p*‖p) the runs are level, by the other reverse is"),
        ((17.8, 0.9), (17.9, 0.91), "The runs are level by both measures."),
        ((0.1, 0.2), (5.0, 0.4, 0.1), "covers p* (KL(p*‖p) 0.10), reverse less of it (5.0)"),
        (
            (0.1, 0.2),
            (5.0, 0.693, 0.5),
            "leaves out 50 % of p*: KL(p‖p*) 0.693 ≈ −log(1 − 0.50)",
        ),
    ],
)
def test_who_is_ahead_by_more_than_rounding_and_what_is_left_out_is_said(
    forward: tuple[float, ...], reverse: tuple[float, ...], said: str
) -> None:
    assert said in model_on_grid.compared([measured(*forward), measured(*reverse)], 100, False)


def test_a_hatching_is_named_where_there_is_one() -> None:
    grid = model_on_grid.ModelOnGrid(targets.make("two_moons"), model_on_grid.FEW_CELLS)
    model = grid.measure(Flow(StandardNormal(2), [Diagonal(2)]))
    assert grid.integrand(model, 0, "forward").label == "p* log(p*/p), hatched < 0"
    own = measured(0, 0)
    exact = model_on_grid.Measured(grid.log_target, own.kls, own.errors, 0, 0, 0)
    assert grid.integrand(exact, 0, "forward").label == "p* log(p*/p)"
