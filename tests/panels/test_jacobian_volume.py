"""The Jacobian volume panel without a browser: its numbers are the engine's, three ways."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from flowviz.flows import catalog, check, jacobian
from flowviz.flows.plane import grid_trace
from flowviz.panels import JacobianVolume
from flowviz.panels.parts.cursor import area_factors, look, polygon_area
from flowviz.panels.parts.flow_choice import make_flow
from flowviz.panels.parts.six_dimensions import random_flow
from flowviz.panels.parts.volume_words import structure_in_words, volume_in_words
from flowviz.panels.parts.warped_grid import EXTENT, base_weights
from flowviz.widgets.readouts import format_number
from flowviz.widgets.stage import Handles
from tests.panels.one_line import on_one_line

STATE = {
    "cells": 12,
    "layers": 4,
    "hidden": "16,16",
    "spread": 2.5,
    "contours": False,
    "batch": 64,
}


@pytest.fixture(scope="module")
def shared():
    made = JacobianVolume(**STATE)
    yield made
    made.close()


@pytest.fixture
def panel(shared):
    """The panel of the module, in the same state for every test."""
    shared.state = STATE
    shared.message("")
    return settle(shared)


def settle(panel: JacobianVolume) -> JacobianVolume:
    assert panel.jobs.wait(60), "the panel did not come to rest"
    return panel


@pytest.mark.parametrize("name", ["real_nvp", "planar", "radial", "maf", "rq_spline_coupling"])
def test_the_three_ways_agree_and_the_area_does_better_as_the_square_shrinks(name):
    flow = catalog.make(name, layers=3, seed=1).double().eval()
    for parameter in flow.parameters():
        parameter.data.mul_(2)
    point = [(0.7, -0.4)]
    wide, small = look(flow, point, 0.4), look(flow, point, 0.02)
    u = torch.tensor(point[0], dtype=torch.float64)
    reference = torch.autograd.functional.jacobian(lambda u: flow(u)[0], u)
    torch.testing.assert_close(small.whole, reference, atol=1e-10, rtol=0)
    product = small.jacobians[2] @ small.jacobians[1] @ small.jacobians[0]
    torch.testing.assert_close(product, reference, atol=1e-10, rtol=0)
    for layer in range(4):
        analytic, autodiff, area = small.three_ways(layer)
        assert autodiff == pytest.approx(analytic, abs=1e-9)
        assert area == pytest.approx(analytic, abs=2e-3)
    error = [abs(c.three_ways(0)[2] - c.three_ways(0)[0]) for c in (wide, small)]
    assert error[1] < error[0]


def test_the_predicted_outline_is_the_image_s_linearisation():
    flow = catalog.make("planar", layers=2, seed=3).double()
    image, predicted = look(flow, [(0.3, 0.2)], 0.02).shapes()
    np.testing.assert_allclose(image.states, predicted.states, atol=1e-3)
    assert image.states.shape == predicted.states.shape == (3, 1, 64, 2)


def test_polygon_area_of_a_known_shape():
    square = torch.tensor([[0.0, 0], [3, 0], [3, 2], [0, 2]])
    assert polygon_area(square) == polygon_area(square.flip(0)) == 6


def test_cells_have_the_engine_s_values(panel):
    flow = make_flow(panel.settings)
    expected = grid_trace(flow, 3.0, 12)
    (grid,) = panel.stage.grids
    np.testing.assert_allclose(grid.states, expected.corners, atol=1e-6)
    np.testing.assert_allclose(grid.values, expected.total(), atol=1e-6)
    panel.settings.per = "layer"
    settle(panel)
    (grid,) = panel.stage.grids
    np.testing.assert_allclose(grid.values[1:], expected.logabsdet, atol=1e-6)
    assert (grid.values[0] == 0).all()
    assert grid.value_range[0] == -grid.value_range[1]
    np.testing.assert_array_equal(grid.weights, base_weights(12))


def test_cells_fade_with_the_base_s_mass_in_them():
    weights = base_weights(31)
    assert weights[15, 15] == 1
    corner = 3 * 30 / 31  # the centre of the last cell, on either axis
    assert float(weights[30, 30]) == pytest.approx(np.exp(-2 * corner**2 / 8), rel=1e-5)
    torch.testing.assert_close(weights, weights.flip(0).mT)


def test_readouts_are_those_numbers(panel):
    flow = make_flow(panel.settings)
    for layer in (0, 2):
        panel.settings.layer = layer
        settle(panel)
        numbers = look(flow, panel.settings.point, panel.settings.side).three_ways(layer)
        assert panel.cursor.ways == pytest.approx(numbers)
        shown = [readout.text for readout in panel.cursor.three]
        assert shown == [format_number(number) for number in numbers]
        assert panel.choice.menu.value == layer
    total = look(flow, panel.settings.point, 0.5).logabsdet.sum()
    assert panel.waterfall.label.endswith(f"sum {format_number(float(total))}")
    assert panel.show.run.readout["values"][-1] == pytest.approx(float(total), abs=1e-5)
    assert panel.waterfall.clock == panel.show.run.clock == panel.stage.clock != ""


def test_a_layer_s_matrix_shows_its_structure(panel):
    panel.settings.layer = 1
    settle(panel)
    assert "upper triangular" in panel.cursor.structure.text
    assert panel.cursor.matrix.label.count("0,") + panel.cursor.matrix.label.count(" 0") >= 1
    panel.settings.layer = 2
    settle(panel)
    assert "lower triangular" in panel.cursor.structure.text
    panel.settings.update({"flow": "planar", "layers": 2, "layer": 2})
    settle(panel)
    assert "identity plus rank one" in panel.cursor.structure.text
    panel.settings.layer = 0
    settle(panel)
    assert "dense" in panel.cursor.structure.text


def test_structure_in_words():
    J = torch.tensor([[2.0, 0], [0, 3]])
    eye = torch.eye(2, dtype=torch.bool)
    assert structure_in_words(eye, J, rank_one=False).startswith("diagonal")
    w, v = torch.tensor([1.0, 2.0]), torch.tensor([[0.5], [1.0]])
    words = structure_in_words(eye | ~eye, torch.eye(2) + v * w, rank_one=True)
    assert "singular values 2.50 and" in words


def test_nice_couplings_are_exactly_neutral_and_said_to_keep_volume(panel):
    panel.update(flow="nice", spread=4.0, layer=1)
    settle(panel)
    (grid,) = panel.stage.grids
    assert (grid.values == 0).all()
    assert panel.words() == "Layer 1 of NICE preserves volume: log|det J| = 0 everywhere."
    assert not panel.keeps_volume, "one layer is not the flow"
    panel.settings.layer = 0
    settle(panel)
    assert panel.header.words == "NICE preserves volume: log|det J| = 0 everywhere."
    assert panel.keeps_volume


def test_a_trained_nice_says_why_it_no_longer_keeps_volume(panel):
    panel.update(flow="nice", spread=4.0, trained=3, rate=0.05)
    settle(panel)
    assert not panel.keeps_volume
    assert panel.header.words.startswith("Trained NICE scales every area by")
    assert panel.header.words.endswith(". Only its last layer scales.")
    assert on_one_line(panel)
    panel.settings.layer = 1
    settle(panel)
    assert panel.header.words == (
        "Trained layer 1 of NICE preserves volume: log|det J| = 0 everywhere."
    )


def test_volume_in_words():
    assert "preserves volume" in volume_in_words(torch.zeros(3, 3))
    twice = volume_in_words(torch.full((3, 3), float(np.log(2))))
    assert twice == "scales every area by 2.00, every density by 0.500."
    words = volume_in_words(torch.tensor([[float(np.log(0.5))], [float(np.log(3))]]))
    assert words == "scales the cells' areas by 0.50 to 3.0, densities there by 2.0 to 0.33."


def test_where_area_shrinks_the_density_is_said_to_grow(panel):
    """The misconception: the sign of the log-det; log p(x) = log p(u) − log|det J|."""
    values = grid_trace(panel.model.flow, EXTENT, STATE["cells"]).total()[-1]
    least, most = (float(values.min()), float(values.max()))
    areas, densities = (
        [format_number(math.exp(sign * end), 2) for end in (least, most)] for sign in (1, -1)
    )
    assert least < -0.1 < 0.1 < most
    assert panel.words() == (
        f"Real NVP scales the cells' areas by {areas[0]} to {areas[1]}, densities there by "
        f"{densities[0]} to {densities[1]}."
    )
    with torch.no_grad():
        u = panel.model.flow.base.sample(200, torch.Generator().manual_seed(0))
        x, logabsdet = panel.model.flow(u)
        grows = panel.model.flow.log_prob(x) > panel.model.flow.base.log_prob(u)
    assert torch.equal(grows, logabsdet < 0)


def test_check_every_cell_is_the_engine_s_check_and_goes_stale(panel):
    assert panel.checks.errors["logabsdet"].text == "–"
    panel.controls["check"].click()
    settle(panel)
    lines = torch.linspace(-3, 3, 13)
    centres = (lines[1:] + lines[:-1]) / 2
    result = check(panel.model.flow.transform, torch.cartesian_prod(centres, centres))
    assert panel.checks.errors["logabsdet"].text == format_number(result.logabsdet)
    assert panel.checks.errors["round_trip"].text == format_number(result.round_trip)
    assert result.logabsdet < 1e-4
    assert "144 cells" in panel.checks.checked.text
    panel.settings.per = "layer"  # the same flow, coloured otherwise
    settle(panel)
    assert panel.checks.errors["logabsdet"].text != "–"
    panel.settings.spread = 1.0
    settle(panel)
    assert panel.checks.errors["logabsdet"].text == "–"
    assert panel.checks.checked.text == "not checked yet"


def test_dragging_the_cursor_sends_the_square_and_not_the_grid(panel):
    sent = []
    panel.stage.observe(lambda change: sent.append(change["name"]))
    panel.settings.point = [(-0.5, 0.25)]
    settle(panel)
    assert "shapes" in sent and "grids" not in sent
    np.testing.assert_allclose(panel.stage.shapes[0].states[0, 0].mean(0), [-0.5, 0.25], atol=1e-5)
    assert "(-0.50, 0.25)" in panel.stage.description
    cursor, image = panel.stage.handles
    np.testing.assert_allclose(cursor.points[0], [-0.5, 0.25], atol=1e-6)
    square = panel.stage.shapes[0].states[-1, 0].mean(0)
    assert np.linalg.norm(image.points[0] - square) < 0.3, "at the data end it is in the square"
    # Dragged there, it takes the cursor along.
    moved = image.points + 0.2
    panel.stage.held = {"set": 1, "index": 0}
    panel.stage.handles = [cursor, Handles(moved, labels=image.labels)]
    settle(panel)
    there = panel.model.flow(torch.tensor(panel.settings.point))[0].detach().numpy()
    np.testing.assert_allclose(there, moved, atol=1e-3)
    panel.stage.held = None


def test_training_changes_the_grid_and_a_link_brings_it_back(panel):
    start = panel.stage.grids[0].states.copy()
    panel.update(trained=8, layer=3, position=1.5)
    settle(panel)
    assert not np.allclose(panel.stage.grids[0].states, start, atol=1e-4)
    assert panel.words().startswith("Trained layer 3 of Real NVP")
    again = JacobianVolume(cells=12)
    assert again.restore(panel.link()) == []
    settle(again)
    assert again.state == panel.state and again.numbers() == panel.numbers()
    np.testing.assert_allclose(again.stage.grids[0].states, panel.stage.grids[0].states, atol=1e-5)
    assert again.stage.position == 1.5 and again.choice.menu.value == 3
    again.close()


def test_a_layer_that_the_flow_does_not_have_is_the_whole_flow(panel):
    panel.restore("layer=150")
    settle(panel)
    assert panel.choice.menu.value == 0
    assert "whole flow" in panel.cursor.structure.text
    with pytest.raises(ValueError, match="layer"):
        panel.state = {"layer": 1000}


def test_particles_and_contours_come_and_go(panel):
    panel.settings.update({"particles": True, "contours": True})
    settle(panel)
    assert panel.stage.particles and panel.stage.contours
    panel.settings.update({"particles": False, "contours": False, "layers": 2})
    settle(panel)
    assert not panel.stage.particles and not panel.stage.contours


OF_EACH_STRUCTURE = {
    catalog.entry(name).jacobian: name for name in reversed(JacobianVolume.State.flow.options)
}
"""The first family of each."""


@pytest.mark.parametrize("name", OF_EACH_STRUCTURE.values(), ids=OF_EACH_STRUCTURE)
def test_a_flow_of_each_jacobian_structure_draws(panel, name):
    """(The Trajectories panel draws all of them.)"""
    panel.update(flow=name, layers=2)
    settle(panel)
    assert panel._message.text == ""
    assert np.isfinite(panel.stage.grids[0].values).all()
    analytic, autodiff, _ = panel.cursor.ways
    assert autodiff == pytest.approx(analytic, abs=1e-3)


def test_the_code_runs_and_prints_the_numbers_of_the_panel(panel, capsys):
    panel.settings.update({"flow": "planar", "layers": 2, "layer": 2, "adjustments": {"2.b": 0.5}})
    settle(panel)
    exec(panel.code(), {})
    printed = capsys.readouterr().out
    value = panel.cursor.ways[0]
    formula, autodiff = (float(n) for n in re.findall(r"tensor\(\[?(-?[\d.]+)", printed))
    assert formula == pytest.approx(value, abs=1e-3) == autodiff


def test_the_measured_area_has_det_j_for_its_limit(panel):
    panel.update(spread=2.0, side=0.5)
    settle(panel)
    flow, point = panel.model.flow, panel.settings.point
    sides = [2.0, 0.5, 0.05]
    for layer in (0, 2):
        exact = math.exp(look(flow, point, 0.1).three_ways(layer)[1])
        errors = [abs(f - exact) for f in area_factors(flow, point, sides, layer)]
        assert errors[0] > errors[1] > errors[2] and errors[2] < 0.02 * exact
    assert not panel.cursor.limit.drawn, "nobody has opened its tab"
    panel.tabs.turn_to("Checks")
    settle(panel)
    drawn = panel.cursor.limit.label
    assert panel.cursor.limit.drawn
    panel.update(side=0.1)
    settle(panel)
    assert panel.cursor.limit.label != drawn


def test_why_the_area_is_another_number_is_said_beside_it(panel):
    said = {}
    for side in (1.0, 0.02):
        panel.update(side=side)
        settle(panel)
        analytic, _, area = panel.cursor.ways
        said[side] = panel.cursor.why.text
        assert said[side].startswith(f"Area − formula {format_number(area - analytic, 2)}: ")
    assert said[1.0].endswith(": det J varies over the square.")
    assert said[0.02].endswith(": det J hardly varies over it.")
    panel.state = dict(panel.presets)["Shear"]
    settle(panel)
    assert panel.cursor.why.text == "The area agrees: det J is the same all over the square."
    assert panel.cursor.why in panel.cursor.widget.children, "beside the three, in no tab"


@pytest.mark.parametrize("preset", ["Shear", "Rotation"])
def test_det_1_does_not_mean_that_nothing_moves(panel, preset):
    state = dict(panel.presets)[preset]
    panel.state = state
    settle(panel)
    assert panel.cursor.ways == pytest.approx((0, 0, 0), abs=2e-6)
    assert [readout.text for readout in panel.cursor.three] == ["0", "0", "0"]
    moved = panel.stage.grids[0].states
    assert np.abs(moved[-1] - moved[0]).max() > 1
    assert "preserves volume" in panel.words()


def test_six_dimensions_show_what_is_zero_by_construction(panel):
    zeros = {"maf": 15, "real_nvp": 21, "dense": 0, "actnorm": 30}
    for family, count in zeros.items():
        panel.update(flow=family, layers=3, layer=1, dims="6")
        settle(panel)
        shown = panel.cursor.matrix
        assert shown.matrix.shape == (6, 6) and int(shown.zeros.sum()) == count
        assert not shown.matrix[shown.zeros].any()
        told = "not a sum of 720 products" if count >= 15 else "no entry is 0"
        assert told in panel.cursor.structure.text
    panel.update(dims="2")
    settle(panel)
    assert panel.cursor.matrix.matrix.shape == (2, 2)
    lower = random_flow("maf", 1, 0)
    u = torch.randn(1, 6, generator=torch.Generator().manual_seed(1))
    J = jacobian(lower.transform, u)[0]
    trace = float(J.detach().diagonal().log().sum())
    assert trace == pytest.approx(float(lower(u)[1].detach()), abs=1e-4)
    panel.update(flow="tabulated", dims="6")
    settle(panel)
    assert "takes no six dimensions" in panel.cursor.structure.text
