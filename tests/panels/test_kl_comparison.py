"""The KL panel without a browser: what it measures, what its training does, what it survives."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from flowviz import targets
from flowviz.grid import Grid2D
from flowviz.panels import KLComparison
from flowviz.widgets.readouts import format_number
from tests.panels.every_tab import with_every_tab

SMALL = {"flow": "real_nvp", "layers": 2, "hidden": "16,16", "batch": 64, "steps": 30}


@pytest.fixture
def make():
    made = []

    def make_(**state):
        made.append(with_every_tab(KLComparison(**{**SMALL, **state})))
        return settle(made[-1])

    yield make_
    for panel in made:
        panel.close()


def train(panel, seconds=60):
    panel.fit.toggle()
    assert panel.jobs.wait(seconds)


def settle(panel):
    assert panel.jobs.wait(60), "the panel did not come to rest"
    return panel


def number(readout) -> float:
    return float(readout.text.replace("−", "-").replace(",", "").split(" ± ")[0])


# ---- what is measured ----------------------------------------------------------------------------


def test_both_models_start_equal_and_are_drawn_before_training(make):
    panel = make(target="two_moons")
    assert np.array_equal(*(stage.images[0].values for stage in panel.stages))
    assert np.array_equal(*(stage.particles[0].states for stage in panel.stages))
    assert panel.stages[0].particles[0].states.shape == (3, 800, 2)
    assert panel.stages[0].window == targets.make("two_moons").window
    assert panel.fit.history.steps == []


def test_the_readouts_are_the_divergences_of_the_models(make):
    panel = make(
        target="correlated_gaussian", flow="plu", layers=1, trained=300, learning_rate=0.05
    )
    settle(panel)
    p_star = targets.make("correlated_gaussian")
    grid = Grid2D(p_star.window, 300)
    for flow, readouts, model in zip(
        panel.models.flows, panel.readouts, panel.measured, strict=True
    ):
        expected = grid.kl(p_star.log_prob, flow.log_prob), grid.kl(flow.log_prob, p_star.log_prob)
        for readout, measured, kl in zip(readouts, model.kls, expected, strict=True):
            assert measured == pytest.approx(kl.value, abs=1e-3)
            assert readout.text == format_number(measured), "no ±: that is a standard error's"
    # a Gaussian flow can be the target: both fits find it
    assert number(panel.readouts[0][0]) < 0.05 and number(panel.readouts[1][1]) < 0.05


def test_the_curves_are_estimates_of_the_divergences(make):
    panel = make(target="correlated_gaussian", flow="plu", layers=1, log_c=2.0, steps=40)
    for drawn, i in zip(panel.chart.drawn, (0, 1), strict=True):
        assert drawn.given.name == ("KL(p*‖p)", "KL(p‖p*)")[i], "before the first step: dots"
        assert drawn.last == (0, panel.measured[i].kls[i])
    train(panel)
    label = panel.chart.label
    panel.update(learning_rate=1e-4)
    panel.update(steps=90)
    train(panel)
    assert label != panel.chart.label and "at step 90" in panel.chart.label
    assert len(panel.chart.drawn) == 4
    for i, drawn in enumerate(panel.chart.drawn[2:]):
        assert drawn.last == (90, panel.measured[i].kls[i]), "what is shown: the averaged flow"
    for i, drawn in enumerate(panel.chart.drawn[:2]):
        assert drawn.given.name == ("KL(p*‖p)", "KL(p‖p*)")[i]
        # the mean of 25 steps of 64 draws: within a few tenths of a nat
        assert drawn.last[1] == pytest.approx(panel.measured[i].kls[i], abs=0.5)
    assert panel.chart.clock == panel.run.clock and panel.chart.moments == panel.run.moments


def test_the_integrands_sum_to_the_divergences(make):
    panel = make(target="two_moons", show="integrand")
    xmin, xmax, ymin, ymax = panel.stages[0].window
    area = (xmax - xmin) * (ymax - ymin) / 120**2
    density = panel.models.grids[120].log_target.reshape(120, 120)
    for i, stage in enumerate(panel.stages):
        image = stage.images[0]
        assert image.palette == ("forward", "reverse")[i], "one hue, and hatching for the sign"
        log_p = panel.measured[i].log_p.reshape(120, 120)
        here, other = (density, log_p) if i == 0 else (log_p, density)
        integrand = (here.exp() * (here - other)).numpy()
        assert integrand.sum() * area == pytest.approx(panel.measured[i].kls[i], rel=1e-2)
        shown = image.values.reshape(120, 120)
        solid = shown != 0
        np.testing.assert_allclose(shown[solid], np.abs(integrand)[solid], rtol=1e-3, atol=1e-6)
        assert solid[integrand > 1e-6].all(), "what is positive is whole"
        negative = integrand < -1e-6
        assert 0.2 < solid[negative].mean() < 0.8, "what is negative is hatched"


def test_mass_outside_the_window_makes_the_second_number_a_bound(make):
    panel = make(target="two_moons", flow="plu", layers=1, spread=0.0)
    inside = math.erf(3.8 / math.sqrt(2)) ** 2
    assert 1 - inside < 0.005 and "outside" not in panel.readouts[0][1].text
    with torch.no_grad():
        for parameter in panel.models.flows[0].parameters():
            if parameter.ndim == 1:
                parameter.add_(1.0)  # the base, e times as wide and moved by (1, 1)
    panel.redraw()
    low, high = (math.erf((edge - 1) / math.e / math.sqrt(2)) / 2 for edge in (-3.8, 3.8))
    share = 1 - (high - low) ** 2
    assert re.fullmatch(rf"≥ \S+, {100 * share:.0f} % outside", panel.readouts[0][1].text)
    assert "outside" not in panel.readouts[0][0].text, "the target's own mass is all inside"


def test_the_marked_point_carries_its_log_det(make):
    panel = make(marked=11)
    flow = panel.models.flows[0]
    u = torch.from_numpy(panel.stages[0].particles[0].states[0, 11:12])
    values = panel.run.readout["values"]
    assert values[0] == 0
    assert values[-1] == pytest.approx(float(flow.forward(u)[1].detach()), abs=1e-5)
    panel.stages[1].picked = 30
    assert panel.settings.marked == 30
    settle(panel)
    assert [stage.picked for stage in (*panel.stages, panel.strip)] == [30, 30, 30]


def test_the_strip_shows_the_chosen_model(make):
    panel = make()
    train(panel)
    forward = panel.strip.grids[0].states.copy()
    panel.update(strip="reverse")
    settle(panel)
    assert not np.array_equal(forward, panel.strip.grids[0].states)
    assert np.array_equal(panel.strip.particles[0].states, panel.stages[1].particles[0].states)


# ---- the constant --------------------------------------------------------------------------------


@pytest.mark.parametrize("path_gradient", [False, True])
def test_a_constant_moves_the_loss_and_not_the_gradient(make, path_gradient):
    panel = make(target="energy_2", path_gradient=path_gradient)
    train(panel)
    loss, gap, norm = panel.probe.value, number(panel.probe.gap), panel.probe.gradient.text
    panel.update(log_c=2.5)
    settle(panel)
    assert panel.probe.value == pytest.approx(loss - 2.5, abs=1e-5)
    assert "log C = 2.5, moves the reverse loss by −2.5" in panel.words()
    assert number(panel.probe.gap) == pytest.approx(gap, abs=0.02)
    assert panel.probe.gradient.text == norm
    assert number(panel.probe.loss) == pytest.approx(panel.probe.value, abs=0.1)


def test_a_constant_does_not_change_the_fit(make):
    plain, scaled = make(target="energy_2"), make(target="energy_2", log_c=-4.0)
    train(plain)
    train(scaled)
    a, b = (np.array(panel.fit.history.losses) for panel in (plain, scaled))
    assert np.allclose(a[:, 0], b[:, 0], atol=1e-4)
    assert np.allclose(a[:, 1] + 4.0, b[:, 1], atol=1e-3)
    assert np.allclose(*(p.stages[1].images[0].values for p in (plain, scaled)), atol=1e-3)
    assert np.allclose(*(_curve(panel, 1) for panel in (plain, scaled)), atol=1e-3, equal_nan=True)


def test_a_constant_turned_later_leaves_the_curve_where_it_is(make):
    panel, plain = make(target="energy_2", steps=10), make(target="energy_2", steps=20)
    train(panel)
    panel.update(log_c=3.0, steps=20)
    settle(panel)
    train(panel)
    train(plain)
    assert np.allclose(_curve(panel, 1), _curve(plain, 1), atol=1e-3, equal_nan=True)


def _curve(panel, i):
    return panel.chart.drawn[i].y


# ---- training ------------------------------------------------------------------------------------


def test_both_models_change_and_in_their_own_ways(make):
    panel = make()
    before = [stage.images[0].values for stage in panel.stages]
    train(panel)
    after = [stage.images[0].values for stage in panel.stages]
    assert not any(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    assert not np.array_equal(*after)
    assert panel.words().endswith(("both measures.", "descends.", "close."))
    for i, voice in enumerate(("forward", "reverse")):
        assert f"after 30 steps of {voice} KL on Eight Gaussians" in panel.stages[i].description


def test_rate_batch_and_constant_apply_at_once_without_a_restart(make):
    panel = make()
    train(panel)
    trainers = panel.fit.trainers
    panel.update(learning_rate=1e-4, batch=128, log_c=1.0, path_gradient=True, steps=40)
    assert panel.fit.trainers is trainers
    assert [t.optimizer.learning_rate for t in trainers] == [1e-4, 1e-4]
    train(panel)
    assert panel.fit.done == 40


# ---- bad input -----------------------------------------------------------------------------------


def test_a_hostile_formula_leaves_the_panel_alive(make):
    panel = make(target="formula", formula="-(x^2 + y^2)/2", steps=10)
    before = panel.numbers()
    panel.controls["formula"].value = "__import__('os').system('rm -rf /')"
    settle(panel)
    assert panel.models.choice.error and panel.numbers() == before
    train(panel)
    assert panel.fit.done == 10


def test_a_hostile_link_is_answered_in_words(make):
    panel = make()
    messages = panel.restore("target=%3Cscript%3E&layers=1e9&log_c=nan&formula=x%2B&nonsense=1")
    assert len(messages) == 4
    assert panel.state["layers"] == KLComparison.State.defaults()["layers"]
    assert "target" in panel._message.text


UNLIKE = ("nice", "iaf", "contractive_hutchinson", "planar", "batch_norm", "ffjord")
"""Without scales, inverted in a loop, with estimates, by a root, with buffers, by a solver."""


def test_every_target_and_flows_of_every_kind_can_be_chosen(make):
    panel = make(batch=32)
    for name in panel.settings.fields()["target"].options:
        panel.update(target=name)
        settle(panel)
        assert panel._message.text == "", name
    for name in UNLIKE:
        panel.update(target="two_moons", flow=name)
        panel.fit.step_once()
        settle(panel)
        assert panel.fit.done == 1, name
        assert panel._message.text == "", name


# ---- the code ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        {"target": "two_moons"},
        {"target": "formula", "log_c": 1.5, "path_gradient": True, "spread": 1.5},
    ],
)
def test_the_code_makes_the_same_models(make, state, capsys):
    panel = make(steps=10, **state)
    train(panel)
    exec(panel.code(), {})
    printed = capsys.readouterr().out
    assert printed.count("KL(p") == 4
    values = [float(part.split(",")[0]) for part in printed.split("value=")[1:]]
    assert values == pytest.approx([kl for model in panel.measured for kl in model.kls], rel=2e-2)


def test_the_code_of_a_target_that_was_moved_says_what_it_makes(make):
    panel = make(target="eight_gaussians", steps=10)
    train(panel)
    assert not panel.code().startswith("#")
    moved = panel.models.target.modes.numpy().copy()
    moved[0] += 0.5
    panel.update(modes=moved, steps=20)
    settle(panel)
    train(panel)
    assert panel.code().startswith(
        "# Both fits from the start, 20 steps on the target as it stands"
    )
    assert "others" in panel.code().splitlines()[1]


def test_the_preset_with_a_constant_shows_what_it_does(make):
    panel = make()
    panel.apply_preset(0)
    assert panel.tabs.list.chosen == ""
    panel.apply_preset(2)
    assert panel.tabs.list.chosen == "Constant"


# ---- what it is for ------------------------------------------------------------------------------


def test_eight_modes_forward_covers_all_and_reverse_does_not(make):
    panel = make()
    panel.apply_preset(0)  # its weights come with flowviz
    settle(panel)
    assert panel.fit.done == 1200
    assert panel.words() == "Forward covers p* (KL(p*‖p) 0.016), reverse less of it (7.8)."
    target = targets.make("eight_gaussians")
    grid = Grid2D(target.window, 160)
    angle = torch.atan2(grid.points[:, 1], grid.points[:, 0])
    nearest = (angle / (math.pi / 4)).round().long() % 8
    near = grid.evaluate(target.log_prob) > math.log(1e-3)
    masses = []
    for flow in panel.models.flows:
        mass = grid.evaluate(flow.log_prob).exp() * near * grid.cell_area
        masses.append(torch.zeros(8).double().index_add(0, nearest, mass))
    forward, reverse = masses
    assert forward.min() > 0.05
    assert (reverse < 0.01).sum() >= 2
    assert reverse.sum() > 0.8
