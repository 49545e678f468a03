"""The KL panel without a browser: what it measures, what its training does, what it survives."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
import torch

from flowviz import targets
from flowviz.grid import Grid2D
from flowviz.panels.kl_comparison import KLComparison

SMALL = {"flow": "real_nvp", "layers": 2, "hidden": "16,16", "batch": 64, "steps": 30}


@pytest.fixture
def make():
    made = []

    def make_(**state):
        made.append(KLComparison(**{**SMALL, **state}))
        return made[-1]

    yield make_
    for panel in made:
        panel.close()


def train(panel, seconds=60):
    panel.fit.toggle()
    assert panel.jobs.wait(seconds)


def numbers(panel):
    """Everything seen of the models, as numbers."""
    return {
        "images": [stage.images[0].values.copy() for stage in panel.stages],
        "particles": [stage.particles[0].states.copy() for stage in panel.stages],
        "strip": panel.strip.grids[0].states.copy(),
        "readouts": [readout.text for pair in panel.readouts for readout in pair],
        "losses": list(panel.fit.history.losses),
    }


def same(one, other):
    return all(
        all(np.array_equal(a, b) for a, b in zip(one[name], other[name], strict=True))
        for name in one
    )


# ---- state ---------------------------------------------------------------------------------------


def test_state_round_trips_and_presets_are_in_force(make):
    panel = make()
    for index, (_, values) in enumerate(panel.presets):
        panel.apply_preset(index)
        assert panel.header.preset == index
        assert panel._message.text == ""
        state = panel.state
        json.dumps(state)
        other = make()
        assert other.restore(panel.link()) == []
        assert other.state == state
        assert values.items() <= state.items()


def test_the_same_state_and_seed_give_the_same_numbers(make):
    one, other = make(seed=3), make(seed=3)
    train(one)
    train(other)
    assert same(numbers(one), numbers(other))
    another = make(seed=4)
    train(another)
    assert not same(numbers(one), numbers(another))


def test_hidden_controls_are_out_of_sight(make):
    panel = make(hide=["layers", "training", "log_c", "strip", "formula"])
    for name in ("layers", "training", "log_c", "strip"):
        assert "fv-hidden" in panel.controls[name]._dom_classes
    assert "fv-hidden" not in panel.controls["flow"]._dom_classes


# ---- what is measured ----------------------------------------------------------------------------


def test_both_models_start_equal_and_are_drawn_before_training(make):
    panel = make(target="two_moons")
    assert np.array_equal(*(stage.images[0].values for stage in panel.stages))
    assert np.array_equal(*(stage.particles[0].states for stage in panel.stages))
    assert panel.stages[0].particles[0].states.shape == (3, 800, 2)
    assert panel.stages[0].window == targets.make("two_moons").window
    assert panel.fit.history.steps == []


def test_the_readouts_are_the_divergences_of_the_models(make):
    panel = make(target="correlated_gaussian", flow="plu", layers=1, steps=200, learning_rate=0.05)
    train(panel)
    p_star = targets.make("correlated_gaussian")
    grid = Grid2D(p_star.window, 300)
    for flow, readouts in zip(panel.flows(), panel.readouts, strict=True):
        expected = grid.kl(p_star.log_prob, flow.log_prob), grid.kl(flow.log_prob, p_star.log_prob)
        for readout, kl in zip(readouts, expected, strict=True):
            value, error = map(float, readout.text.replace("−", "-").split(" ± "))
            assert value == pytest.approx(kl.value, abs=max(3 * error, 1e-3))
    # a Gaussian flow can be the target: both fits find it
    assert float(panel.readouts[0][0].text.split(" ± ")[0]) < 0.05
    assert float(panel.readouts[1][1].text.split(" ± ")[0]) < 0.05


def test_the_curves_are_estimates_of_the_divergences(make):
    panel = make(target="correlated_gaussian", flow="plu", layers=1, log_c=2.0, steps=40)
    train(panel)
    label = panel.chart.label
    panel.update(learning_rate=1e-4)
    panel.update(steps=90)
    train(panel)
    assert label != panel.chart.label
    for i in (0, 1):
        measured = float(panel.readouts[i][i].text.split(" ± ")[0])
        trace = panel.chart.arrays[f"{2 * i + 1}.y"]
        last = np.frombuffer(trace["data"], dtype=np.float32)[-1]
        # the mean of 25 steps of 64 draws: within a few tenths of a nat
        assert last == pytest.approx(measured, abs=0.5)


def test_the_integrands_sum_to_the_divergences(make):
    panel = make(target="two_moons", show="integrand")
    xmin, xmax, ymin, ymax = panel.stages[0].window
    area = (xmax - xmin) * (ymax - ymin) / 120**2
    for i in (0, 1):
        image = panel.stages[i].images[0]
        assert image.palette == "diverging"
        kl = float(panel.readouts[i][i].text.split(" ± ")[0])
        assert float(image.values.sum()) * area == pytest.approx(kl, rel=1e-2)


def test_mass_outside_the_window_is_spoken_of(make):
    panel = make(target="two_moons", flow="plu", layers=1, spread=0.0)
    inside = math.erf(3.8 / math.sqrt(2)) ** 2
    assert 1 - inside < 0.005 and panel.outside[0].text == ""
    with torch.no_grad():
        for parameter in panel.flows()[0].parameters():
            if parameter.ndim == 1:
                parameter.add_(1.0)  # the base, e times as wide
    panel._draw()
    assert "of the model lies outside the window" in panel.outside[0].text


def test_the_marked_point_carries_its_log_det(make):
    panel = make(marked=11)
    flow = panel.flows()[0]
    u = torch.from_numpy(panel.stages[0].particles[0].states[0, 11:12])
    values = panel.transport.readout["values"]
    assert values[0] == 0
    assert values[-1] == pytest.approx(float(flow.forward(u)[1].detach()), abs=1e-5)
    panel.stages[1].picked = 30
    assert panel.settings.marked == 30
    assert panel.jobs.wait(5)
    assert [stage.picked for stage in (*panel.stages, panel.strip)] == [30, 30, 30]


def test_the_strip_shows_the_chosen_model(make):
    panel = make()
    train(panel)
    forward = panel.strip.grids[0].states.copy()
    panel.update(strip="reverse")
    assert panel.jobs.wait(5)
    assert not np.array_equal(forward, panel.strip.grids[0].states)
    assert np.array_equal(panel.strip.particles[0].states, panel.stages[1].particles[0].states)


# ---- the constant --------------------------------------------------------------------------------


@pytest.mark.parametrize("path_gradient", [False, True])
def test_a_constant_moves_the_loss_and_not_the_gradient(make, path_gradient):
    panel = make(target="energy_2", path_gradient=path_gradient)
    train(panel)
    flow = panel.flows()[1]
    loss, norm = panel._probe(flow)
    panel.update(log_c=2.5)
    assert panel.jobs.wait(5)
    moved, same_norm = panel._probe(flow)
    assert float(moved.value.detach()) == pytest.approx(float(loss.value.detach()) - 2.5, abs=1e-5)
    assert same_norm == pytest.approx(norm, rel=1e-5)
    shown = float(panel.loss.text.replace("−", "-").split(" ± ")[0])
    assert shown == pytest.approx(float(moved.value.detach()), abs=0.1)


def test_a_constant_does_not_change_the_fit(make):
    plain, scaled = make(target="energy_2"), make(target="energy_2", log_c=-4.0)
    train(plain)
    train(scaled)
    a, b = (np.array(panel.fit.history.losses) for panel in (plain, scaled))
    assert np.allclose(a[:, 0], b[:, 0], atol=1e-4)
    assert np.allclose(a[:, 1] + 4.0, b[:, 1], atol=1e-3)
    assert np.allclose(*(p.stages[1].images[0].values for p in (plain, scaled)), atol=1e-3)
    assert np.allclose(*(_curve(panel, 1) for panel in (plain, scaled)), atol=1e-3)


def _curve(panel, i):
    trace = panel.chart.arrays[f"{2 * i + 1}.y"]
    return np.frombuffer(trace["data"], dtype=np.float32)


# ---- training ------------------------------------------------------------------------------------


def test_training_changes_pictures_and_history(make):
    panel = make()
    before = numbers(panel)
    train(panel)
    after = numbers(panel)
    assert panel.fit.history.steps == list(range(1, 31))
    for name in ("images", "particles"):
        for one, other in zip(before[name], after[name], strict=True):
            assert not np.array_equal(one, other)
    assert not np.array_equal(*after["images"])
    assert panel.fit._note.text == "step 30 of 30 · CPU"


def test_pause_stops_within_a_step_and_a_second_click_queues_nothing(make):
    panel = make(steps=20_000)
    panel.fit.toggle()
    deadline = time.monotonic() + 10
    while panel.fit.done < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    done = panel.fit.done
    panel.fit.toggle()
    assert panel.jobs.wait(5)
    assert 3 <= panel.fit.done <= done + 3
    panel.fit.toggle()  # a click, and another before the first is through
    panel.fit.toggle()
    assert panel.jobs.wait(5)
    assert not panel.jobs.running
    assert "paused" in panel.fit._note.text


def test_lockstep_survives_a_pause(make):
    panel, whole = make(), make()
    panel.fit.step_once()
    assert panel.jobs.wait(5)
    assert [trainer.steps for trainer in panel.fit.trainers] == [1, 1]
    train(panel)
    train(whole)
    assert same(numbers(panel), numbers(whole))


def test_reset_restores_the_untrained_flow(make):
    panel = make()
    before = numbers(panel)
    train(panel)
    panel.fit.reset()
    assert same(before, numbers(panel))
    assert panel.fit._note.text == "not trained yet"


def test_rate_batch_and_constant_apply_at_once_without_a_restart(make):
    panel = make()
    train(panel)
    trainers = panel.fit.trainers
    panel.update(learning_rate=1e-4, batch=128, log_c=1.0, path_gradient=True, steps=40)
    assert panel.fit.trainers is trainers
    assert [t.optimizer.learning_rate for t in trainers] == [1e-4, 1e-4]
    assert "<s>T⁻¹</s>" not in panel.needs[1].value  # the path gradient needs the inverse
    train(panel)
    assert panel.fit.done == 40


@pytest.mark.parametrize(
    "change", [{"target": "banana"}, {"flow": "maf"}, {"layers": 3}, {"seed": 9}]
)
def test_another_target_or_flow_while_training_starts_from_the_untrained_flow(make, change):
    panel = make(steps=20_000)
    panel.fit.toggle()
    time.sleep(0.3)
    panel.update(**change)
    assert not panel.jobs.running
    assert panel.fit.history.steps == []
    assert "back to the untrained flow" in panel.fit._note.text
    fresh = make(steps=20_000, **change)
    assert same(numbers(panel), numbers(fresh))


def test_a_link_brings_both_trained_models_back(make):
    panel = make()
    train(panel)
    assert panel.settings.trained == 30
    again = make(steps=2000)
    assert again.restore(panel.link()) == []
    assert again.jobs.wait(60)
    assert again.state == panel.state and same(numbers(again), numbers(panel))
    again.update(trained=12)
    assert again.jobs.wait(60)
    assert again.fit.done == again.settings.trained == 12
    again.update(layers=3)
    assert again.fit.done == again.settings.trained == 0


def test_train_goes_on_after_the_last_step(make):
    panel = make()
    train(panel)
    trainers = panel.fit.trainers
    train(panel)
    assert panel.fit.trainers is trainers and panel.fit.done == panel.settings.trained == 60
    assert "step 60 of 60" in panel.fit._note.text
    panel.fit.reset()
    train(panel)
    assert panel.fit.done == 30


def test_no_step_is_made_beyond_those_that_a_link_can_say(make, monkeypatch):
    monkeypatch.setattr(KLComparison.State.trained, "max", 2)
    panel = make()
    for _ in range(3):
        panel.fit.step_once()
        assert panel.jobs.wait(60)
    assert panel.fit.done == panel.settings.trained == 2
    assert not panel._message.text


def test_a_state_wins_over_the_run_that_it_interrupts(make):
    panel = make(steps=20_000)
    panel.fit.toggle()
    time.sleep(0.3)
    panel.update(layers=3, trained=5)
    assert panel.jobs.wait(60)
    assert panel.fit.done == panel.settings.trained == 5
    fresh = make(steps=20_000, layers=3, trained=5)
    assert fresh.jobs.wait(60)
    assert same(numbers(panel), numbers(fresh))


def test_a_run_that_fails_says_so_and_keeps_the_last_weights(make):
    panel = make(learning_rate=0.1, target="formula", formula="-(x^2+y^2)/2", steps=40)
    train(panel)
    with torch.no_grad():
        panel.fit.trainers[1].objective = lambda flow, generator: (_ for _ in ()).throw(
            FloatingPointError("the flow yields NaN")
        )
    panel.update(steps=50)
    train(panel)
    assert "Training stopped at step 41: the flow yields NaN" in panel._message.text
    assert panel.fit._note.text.endswith("stopped")
    panel.fit.reset()
    train(panel)
    assert panel.fit.done == 50


# ---- bad input -----------------------------------------------------------------------------------


def test_a_hostile_formula_leaves_the_panel_alive(make):
    panel = make(target="formula", formula="-(x^2 + y^2)/2")
    before = numbers(panel)
    panel.controls["formula"].value = "__import__('os').system('rm -rf /')"
    assert panel.choice.error
    assert same(before, numbers(panel))
    train(panel)
    assert panel.fit.done == 30


def test_a_hostile_link_is_answered_in_words(make):
    panel = make()
    messages = panel.restore("target=%3Cscript%3E&layers=1e9&log_c=nan&formula=x%2B&nonsense=1")
    assert len(messages) == 4
    assert panel.state["layers"] == KLComparison.State.defaults()["layers"]
    assert "target" in panel._message.text


def test_every_flow_and_target_can_be_chosen(make):
    panel = make(batch=32)
    for name in panel.settings.fields()["target"].options:
        panel.update(target=name)
        assert panel._message.text == ""
    for name in panel.settings.fields()["flow"].options:
        panel.update(target="two_moons", flow=name)
        panel.fit.step_once()
        assert panel.jobs.wait(20)
        assert panel.fit.done == 1, name
        assert panel._message.text == ""


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
    shown = [float(r.text.replace(",", "").split(" ± ")[0]) for p in panel.readouts for r in p]
    assert values == pytest.approx(shown, rel=2e-2)


# ---- what it is for ------------------------------------------------------------------------------


def test_eight_modes_forward_covers_all_and_reverse_does_not(make):
    panel = make()
    panel.apply_preset(0)
    started = time.monotonic()
    train(panel, seconds=300)
    print(f"{panel.fit.done} steps in {time.monotonic() - started:.0f} s")
    target = targets.make("eight_gaussians")
    grid = Grid2D(target.window, 160)
    angle = torch.atan2(grid.points[:, 1], grid.points[:, 0])
    nearest = (angle / (math.pi / 4)).round().long() % 8
    near = grid.evaluate(target.log_prob) > math.log(1e-3)
    masses = []
    for flow in panel.flows():
        mass = grid.evaluate(flow.log_prob).exp() * near * grid.cell_area
        masses.append(torch.zeros(8).double().index_add(0, nearest, mass))
    forward, reverse = masses
    assert forward.min() > 0.05
    assert (reverse < 0.01).sum() >= 2
    assert reverse.sum() > 0.8
