"""The KL panel's modes as handles, the Gaussian of p*'s moments, the shares, and the estimates."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from torch import Generator

from flowviz import targets
from flowviz.flows import catalog
from flowviz.grid import Grid2D
from flowviz.objectives import reverse_kl
from flowviz.panels import KLComparison
from flowviz.panels.parts import shipped
from flowviz.panels.parts.divergence_curves import divergence_curves
from flowviz.panels.parts.estimate_fan import ESTIMATES, EstimateFan, estimate
from flowviz.panels.parts.fit import History
from flowviz.panels.parts.flow_choice import ENTRIES
from flowviz.panels.parts.mode_handles import modes_of
from flowviz.panels.parts.mode_shares import ModeShares
from flowviz.panels.parts.model_on_grid import ModelOnGrid
from flowviz.panels.parts.moment_ellipses import LINEAR, gaussian_ellipses
from flowviz.training import Trainer, maximum_likelihood
from flowviz.widgets.readouts import format_estimate
from flowviz.widgets.stage import Handles
from flowviz.widgets.stage.export import state_of
from tests.panels.every_tab import with_every_tab

GAUSSIAN = {"target": "correlated_gaussian", "flow": "plu", "layers": 1, "learning_rate": 0.03}
SMALL = {"flow": "real_nvp", "layers": 2, "hidden": "16,16", "batch": 64, "steps": 30}
AWAY = (0.9, -0.8)


@pytest.fixture
def make():
    made = []

    def make_(**state):
        made.append(with_every_tab(KLComparison(**state)))
        return settle(made[-1])

    yield make_
    for panel in made:
        panel.close()


def settle(panel):
    assert panel.jobs.wait(60), "the panel did not come to rest"
    return panel


def drag(panel, places, stage=0):
    """What the page sends of a handle that is dragged."""
    was = panel.stages[stage].handles[0]
    panel.stages[stage].handles = [Handles(places, was.labels, was.shape, was.noun)]


def wait_for(panel, steps):
    while panel.fit.done < steps:
        assert panel.jobs.running
        time.sleep(0.01)


def middle(flow) -> np.ndarray:
    x = flow(flow.base.sample(4_000, Generator().manual_seed(1)))[0]
    return x.detach().mean(0).numpy()


# ---- modes are handles ---------------------------------------------------------------------------


def test_every_mode_of_a_mixture_is_a_handle_on_both_pictures_and_of_no_other_target(make):
    panel = make(**SMALL)
    for stage in panel.stages:
        np.testing.assert_allclose(stage.handles[0].points, targets.make("eight_gaussians").modes)
        assert stage.handles[0].labels == [str(i) for i in range(1, 9)]
        assert stage.carried["handles"] == ["modes"], "a page moves its target by them"
    for target, count in (("cross", 2), ("pinwheel", 0), ("two_moons", 0)):
        panel.update(target=target)
        settle(panel)
        assert [sum(len(h.points) for h in s.handles) for s in panel.stages] == [count, count]
    hidden = make(**SMALL, hide=["modes"])
    assert not hidden.stages[0].handles


def test_a_dragged_mode_moves_the_target_and_the_training_goes_on(make):
    panel = make(**GAUSSIAN, steps=100)
    panel.fit.toggle()
    settle(panel)
    trainers, before = panel.fit.trainers, [m.kls[0] for m in panel.measured]
    assert max(before) < 0.1
    drag(panel, [AWAY])
    settle(panel)
    assert panel.settings.modes == (AWAY,)
    np.testing.assert_allclose(panel.stages[1].handles[0].points, [AWAY])
    assert panel.fit.trainers is trainers and panel.fit.done == panel.settings.trained == 100
    # The models are where they were: KL(p*‖p) of a shift μ is ½ μᵀ Σ⁻¹ μ.
    inverse = np.linalg.inv(1.44 * np.array([[1, 0.9], [0.9, 1]]))
    shift = 0.5 * np.array(AWAY) @ inverse @ np.array(AWAY)
    for model in panel.measured:
        assert model.kls[0] == pytest.approx(shift, rel=0.15)
    assert modes_of(panel.models.target).tolist() == [list(AWAY)]
    panel.update(steps=250)
    panel.fit.toggle()
    settle(panel)
    assert panel.fit.history.steps == list(range(1, 251)), "the history goes on"
    for flow, model in zip(panel.models.flows, panel.measured, strict=True):
        np.testing.assert_allclose(middle(flow), AWAY, atol=0.12)
        assert max(model.kls) < 0.08


def test_a_mode_is_dragged_while_it_trains(make):
    panel = make(**GAUSSIAN, steps=20_000)
    panel.fit.toggle()
    for share in (0.2, 0.4, 0.6, 0.8, 1.0):
        wait_for(panel, 100 * share)
        trainers = panel.fit.trainers
        drag(panel, [share * np.array(AWAY)], stage=1)
    wait_for(panel, 350)
    panel.fit.toggle()
    settle(panel)
    assert panel.fit.trainers is trainers
    assert not panel._message.text
    for flow in panel.models.flows:
        np.testing.assert_allclose(middle(flow), AWAY, atol=0.12)
    np.testing.assert_allclose(panel.stages[0].handles[0].points, [AWAY], atol=1e-3)


def test_a_curve_is_above_the_entropy_of_the_target_of_its_time():
    entropies = {0: 1.0, 10: 3.0}
    steps = list(range(1, 21))
    losses = [[(1.0 if step <= 10 else 3.0) + 0.5, 0.25] for step in steps]
    history = History(steps, losses, [[0.1, 0.1] for _ in steps])
    forward, reverse = divergence_curves(history, entropies, 0.0, {}, ("a", "b"))
    np.testing.assert_allclose(forward.values, 0.5)
    np.testing.assert_allclose(reverse.values, 0.25)
    # Of a run that begins later, the first target known.
    late = divergence_curves(history, {15: 3.0}, 0.0, {}, ("a", "b"))[0]
    assert late.values[0] == pytest.approx(-1.5)


def test_moving_modes_moves_the_entropy_of_the_steps_to_come(make):
    panel = make(target="cross", flow="plu", layers=1, steps=10)
    panel.fit.toggle()
    settle(panel)
    drag(panel, [(-0.9, 0), (0.9, 0)])
    settle(panel)
    own, moved = (
        -Grid2D(t.window, 120).kl(t.log_prob, lambda x: x[:, 0] * 0).value
        for t in (targets.make("cross"), panel.models.target)
    )
    assert moved > own + 0.05
    assert panel.models.entropies == pytest.approx({0: own, 10: moved}, abs=1e-4)


def test_a_mode_stays_in_the_picture_and_the_panel_says_so(make):
    panel = make(**SMALL)
    places = np.array(panel.stages[0].handles[0].points)
    places[2] = 4.4, 4.4
    drag(panel, places)
    settle(panel)
    most = 4.5 - 2.5 * 0.35
    assert panel.settings.modes[2] == pytest.approx((most, most), abs=2e-3)
    np.testing.assert_allclose(panel.stages[0].handles[0].points[2], (most, most), atol=2e-3)
    assert "A mode stays" in panel._message.text
    for stale in ([[0, 0]], np.full((8, 2), np.nan)):
        drag(panel, stale) if len(stale) == 8 else setattr(
            panel.stages[0], "handles", [Handles(stale)]
        )
        assert len(panel.stages[0].handles[0].points) == 8
    assert panel.settings.modes[2] == pytest.approx((most, most), abs=2e-3)


def test_a_link_with_impossible_modes_is_answered_in_words(make):
    panel = make(**SMALL)
    own = panel.models.target
    for query in ("modes=nan,1", "modes=1,2,3", "modes=99,0", "modes=" + ";".join(["0,0"] * 13)):
        assert panel.restore(query), query
        assert "modes" in panel._message.text
    for modes, words in (([[0, 0]] * 3, "has 8 modes"), ([[4.4, 0]] * 8, "stays inside")):
        panel.update(modes=modes)
        assert words in panel._message.text
        assert panel.models.target is own


def test_moved_modes_survive_a_link_json_and_the_code(make, capsys):
    panel = make(**SMALL, target="cross", modes=[(-0.9, 0.25), (0.8, 0)], trained=10)
    other = make(**SMALL)
    assert other.restore(panel.link()) == []
    settle(other)
    assert other.state == panel.state
    assert other.measured[0].kls == pytest.approx(panel.measured[0].kls)
    other.from_json(panel.to_json())
    assert other.state == panel.state
    exec(panel.code(), {})
    printed = capsys.readouterr().out
    values = [float(part.split(",")[0]) for part in printed.split("value=")[1:]]
    assert values == pytest.approx([kl for model in panel.measured for kl in model.kls], rel=2e-2)


def test_sliders_are_the_twin_of_the_handles(make):
    panel = make(**SMALL)
    twin = panel.models.modes.controls
    assert [slider.value for slider in twin.sliders] == modes_of(panel.models.target)[0].tolist()
    twin.menu.value = 2
    twin.sliders[0].value = 0.5
    settle(panel)
    places = modes_of(panel.models.target).copy()
    assert panel.settings.modes[2] == (0.5, 3) and len(panel.settings.modes) == 8
    np.testing.assert_allclose(panel.stages[1].handles[0].points, places, atol=1e-3)
    places[5] = AWAY
    drag(panel, places)
    settle(panel)
    assert twin.menu.value == 5, "the one last moved"
    assert tuple(slider.value for slider in twin.sliders) == AWAY
    # Neither end of a slider is refused.
    for end in (twin.sliders[1].min, twin.sliders[1].max):
        twin.sliders[1].value = end
        settle(panel)
        assert panel.settings.modes[5] == (AWAY[0], end) and not panel._message.text
    panel.update(target="two_moons")
    settle(panel)
    assert twin.widget.layout.display == "none"


def test_modes_go_back_by_a_button_and_with_another_target(make):
    panel = make(**SMALL)
    back = panel.models.modes.back
    assert back.layout.display == "none"
    own = panel.models.target
    drag(panel, 0.8 * np.array(panel.stages[0].handles[0].points))
    assert back.layout.display is None and panel.models.target is not own
    panel.fit.step_once()
    settle(panel)
    back.click()
    settle(panel)
    assert panel.models.target is own and panel.settings.modes == () and panel.fit.done == 1
    assert back.layout.display == "none"
    drag(panel, 0.8 * np.array(panel.stages[0].handles[0].points))
    panel.update(target="grid_gaussians")
    settle(panel)
    assert panel.settings.modes == () and len(panel.stages[1].handles[0].points) == 9
    assert not panel._message.text and panel.fit.done == 0


def test_shipped_weights_are_of_the_unmoved_target(make):
    panel = make()
    landed = [model.kls for model in panel.measured]
    assert shipped.load(panel.fit.key(1200)) is not None
    drag(panel, 0.9 * np.array(panel.stages[0].handles[0].points))
    settle(panel)
    assert shipped.load(panel.fit.key(1200)) is None
    assert panel.fit.done == 1200 and panel.header.preset == -1
    panel.fit.step_once()
    settle(panel)
    panel.apply_preset(0)
    settle(panel)
    assert panel.fit.done == 1200 and panel.header.preset == 0
    assert [model.kls for model in panel.measured] == landed, "not what was trained on"


def test_a_page_is_given_the_moved_target(make):
    panel = make(**GAUSSIAN, compute="page")
    learned, live, fit = panel.models.learned, panel.models.in_page(), panel._beside.fit
    drag(panel, [AWAY])
    settle(panel)
    assert panel.models.learned != learned and panel._beside.fit == fit, "it can train on"
    moved = panel.models.in_page()
    for program in ("draws", "density"):
        assert live["target"][program] != moved["target"][program], program
    assert live["programs"] == moved["programs"], "they are of the flow alone"
    (handles,) = state_of(panel.stages)["stages"][0]["handles"]
    np.testing.assert_allclose(handles["points"], [AWAY], rtol=1e-6)
    assert moved["movable"] and moved["target"]["room"], "and can be moved on there"
    panel.update(seed=5)
    settle(panel)
    assert panel._beside.fit == fit + 1, "another fit"


# ---- the Gaussian of p*'s moments ----------------------------------------------------------------


def test_moments_on_the_grid_are_those_of_the_mixture():
    mean, covariance = ModelOnGrid(targets.make("eight_gaussians")).moments()
    np.testing.assert_allclose(mean, 0, atol=1e-6)
    np.testing.assert_allclose(covariance, (9 / 2 + 0.35**2) * np.eye(2), atol=1e-3)
    mean, covariance = ModelOnGrid(targets.make("correlated_gaussian").moved([[0.9, 0]])).moments()
    np.testing.assert_allclose(mean, [0.9, 0], atol=0.02)
    np.testing.assert_allclose(covariance, 1.44 * np.array([[1, 0.9], [0.9, 1]]), atol=0.06)


def test_ellipses_are_one_and_two_sigma():
    mean, covariance = torch.tensor([1.0, -2.0]).double(), torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    lines = gaussian_ellipses(mean, covariance.double())
    off = lines.states[0] - mean.numpy()
    squared = np.einsum("mvi,ij,mvj->mv", off, np.linalg.inv(covariance.numpy()), off)
    np.testing.assert_allclose(squared, np.array([[1.0], [4.0]]) + np.zeros((2, 97)), rtol=1e-5)
    assert lines.palette == "ink" and lines.label == "moments of p*"


@pytest.mark.parametrize("name", LINEAR)
def test_forward_kl_of_a_linear_flow_ends_at_the_moments(name):
    target = targets.make("cross").moved([[-1.0, 0.5], [0.5, 1.0]])
    mean, covariance = ModelOnGrid(target).moments()
    flow = catalog.make(name, layers=1, seed=0)
    objective = maximum_likelihood(target, 1024)
    trainer = Trainer(flow, objective, learning_rate=0.03, average=80)
    for _ in trainer.run(300):
        pass
    x = trainer.averaged(flow.base.sample(100_000, Generator().manual_seed(0)))[0].detach()
    np.testing.assert_allclose(x.mean(0), mean, atol=0.06)
    np.testing.assert_allclose(np.cov(x.T.numpy()), covariance, atol=0.12)


def test_the_gaussian_is_drawn_where_the_flow_is_linear_before_and_after_training(make):
    others = [name for name, e in ENTRIES.items() if e.family == "Linear" and name not in LINEAR]
    assert others == ["permutation"]
    panel = make(flow="plu", layers=1, steps=30)
    assert "will end at the ellipses" in panel.words()
    assert [len(stage.lines) for stage in panel.stages] == [1, 0]
    before = panel.stages[0].lines[0].states
    panel.fit.toggle()
    settle(panel)
    assert "ends at the ellipses" in panel.words()
    np.testing.assert_array_equal(panel.stages[0].lines[0].states, before)
    drag(panel, 0.5 * np.array(panel.stages[0].handles[0].points))
    settle(panel)
    assert panel.stages[0].lines[0].states.max() < before.max()
    panel.update(flow="real_nvp")
    settle(panel)
    assert [len(stage.lines) for stage in panel.stages] == [0, 0]


# ---- shares of the modes -------------------------------------------------------------------------


def test_shares_are_counts_of_the_particles_nearest_to_each_mode(make):
    panel = make()
    target, shares = targets.make("eight_gaussians"), panel.shares
    np.testing.assert_allclose(shares.shares.sum(1), 1)
    np.testing.assert_allclose(shares.shares[0], 1 / 8)
    for row, error, stage in zip(shares.shares[1:], shares.errors[1:], panel.stages, strict=True):
        x = torch.from_numpy(stage.particles[0].states[-1]).double()
        counts = torch.bincount(torch.cdist(x, target.modes).argmin(-1), minlength=8) / len(x)
        np.testing.assert_allclose(row, counts, atol=0.005)
        np.testing.assert_allclose(error, np.sqrt(row * (1 - row) / len(x)), atol=1.5e-3)
    forward, reverse = shares.shares[1:]
    assert abs(forward - 1 / 8).max() < 4 * shares.errors[1].max()
    assert (reverse < 0.02).sum() >= 3, "reverse leaves modes out"
    assert "forward 14, 13" in shares.chart.label and "reverse 13, 0, 0" in shares.chart.label
    assert shares.chart.label.count(";") == 2


def test_a_target_without_modes_has_no_bars():
    shares = ModeShares()
    shares.show(targets.make("two_moons"), [torch.zeros(9, 2), torch.zeros(9, 2)])
    assert shares.shares.shape == (3, 0) and "no modes" in shares.chart.label
    lost = torch.tensor([[0.0, 0.0], [math.nan, 0.0], [math.inf, 1.0], [0.1, 0.0]])
    shares.show(targets.make("grid_gaussians"), [lost, lost])
    np.testing.assert_allclose(shares.shares.sum(1), 1)
    assert shares.shares[1].argmax() == 4, "the one in the middle"


def test_what_stands_in_a_tab_that_nobody_has_opened_costs_a_run_nothing():
    panel = settle(KLComparison(**GAUSSIAN, trained=300))
    assert not panel.shares.shares.size and not panel.fan.estimates.size
    assert math.isnan(panel.probe.value)
    panel.tabs.turn_to("Constant")
    settle(panel)
    assert panel.probe.value < 1 and not panel.fan.estimates.size
    panel.close()


# ---- estimates below 0 ---------------------------------------------------------------------------


def test_a_negative_estimate_is_no_bug_and_the_panel_says_so(make):
    panel = make(**GAUSSIAN, trained=300)
    fan, kl = panel.fan, panel.measured[1].kls[1]
    assert 0 <= kl < 0.002
    assert len(fan.estimates) == ESTIMATES and 5 <= fan.below <= 25
    assert fan.words.startswith(f"{fan.below} of 30 estimates are below 0. No bug")
    assert "only their mean is never below 0" in fan.words
    error = fan.estimates.std(ddof=1) / math.sqrt(ESTIMATES)
    assert fan.estimates.mean() == pytest.approx(kl, abs=4 * error)
    assert fan.difference.text == format_estimate(fan.estimates.mean() - kl, error)
    np.testing.assert_allclose(fan.chart.drawn[-1].y, fan.estimates, atol=1e-7)


def test_estimates_are_those_of_the_reverse_loss(make):
    panel = make(target="two_moons", flow="plu", layers=1, batch=512)
    flow, target = panel.models.flows[1], panel.models.target
    mine = [estimate(flow, target, 512, Generator().manual_seed(s)) for s in range(20)]
    other = reverse_kl(flow, target.log_prob, 20_000, generator=Generator().manual_seed(99))
    error = math.hypot(float(other.standard_error), np.std(mine) / math.sqrt(20))
    assert np.mean(mine) == pytest.approx(float(other.value.detach()), abs=4 * error)
    assert panel.fan.below == 0 and panel.fan.words.startswith("None of 30 estimates is below 0")


def test_estimates_are_drawn_once_a_model_and_not_while_it_trains(make):
    panel = make(**GAUSSIAN, steps=20_000)
    drawn = panel.fan.estimates
    panel.update(show="integrand", marked=3)
    settle(panel)
    assert panel.fan.estimates is drawn
    panel.update(batch=64)
    settle(panel)
    assert panel.fan.estimates is not drawn and "64 draws each" in panel.fan.chart.title
    panel.fit.toggle()
    wait_for(panel, 30)
    assert "Training" in panel.fan.chart.label and not panel.fan.words
    assert panel.fan.difference.text == "–"
    panel.fit.toggle()
    settle(panel)
    assert len(panel.fan.estimates) == ESTIMATES


def test_what_takes_long_is_drawn_when_asked_for(monkeypatch):
    times = iter(np.arange(0, 100, 0.5))
    monkeypatch.setattr("flowviz.panels.parts.estimate_fan.time.thread_time", lambda: next(times))
    flow, target = catalog.make("plu", layers=1, seed=0), targets.make("cross")
    fan = EstimateFan(lambda: fan.show(flow, target, 1.0, 16, 0, "flow"))
    fan.show(flow, target, 1.0, 16, 0, "flow")
    assert not len(fan.estimates) and "takes about 15 s" in fan.chart.label
    again = fan.widget.children[1].children[-1]
    again.click()
    first = fan.estimates
    again.click()
    assert len(first) == ESTIMATES and not np.array_equal(first, fan.estimates), "others"
