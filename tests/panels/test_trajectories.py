"""The Trajectories panel without a browser: its numbers are the engine's."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
import torch

import flowviz.panels
from flowviz.panels.parts.flow_choice import make_flow
from flowviz.panels.parts.flow_stage import window_on
from flowviz.panels.trajectories import Trajectories, log_density_in_words, round_trip
from flowviz.widgets.stage import Handles


@pytest.fixture
def panel():
    made = Trajectories(particles=500)
    yield made
    made.close()


def settle(panel: Trajectories) -> Trajectories:
    assert panel.jobs.wait(60), "the panel did not come to rest"
    return panel


def numbers(text: str) -> list[float]:
    return [float(n.replace("−", "-")) for n in re.findall(r"−?\d+\.\d+", text)]


def test_the_registry_makes_it_and_its_head_is_the_registry_s(panel):
    entry = flowviz.panels.entry("trajectories")
    assert entry.load() is Trajectories
    assert (panel.title, panel.summary, panel.group) == (entry.title, entry.summary, entry.group)


def test_particles_are_the_flow_s_own_trace_of_seeded_base_samples(panel):
    flow = make_flow(panel.settings)
    u = flow.base.sample(500, torch.Generator().manual_seed(panel.settings.seed))
    with torch.no_grad():
        trace = flow.trace(u)
    np.testing.assert_allclose(panel.stage.particles[0].states, trace.states, atol=1e-6)
    assert panel.stage.state_names == ["base", *trace.names]
    assert panel.stage.clock == panel.strip.clock != ""


def test_waterfall_and_log_density_are_the_engine_s(panel):
    flow = make_flow(panel.settings)
    u = torch.tensor(panel.settings.point)
    with torch.no_grad():
        x, logabsdet = flow(u)
        log_prob = float(flow.log_prob(x)[0])
    *bars, total = panel.waterfall.label.partition(": ")[2].replace(";", ",").split(", ")
    assert len(bars) == len(flow.bijections)
    assert numbers(total)[-1] == pytest.approx(float(logabsdet), abs=5e-3)
    base, change, result = numbers(panel.identity.text)
    assert round(base - change, 3) == result, "the numbers must add up as they are written"
    assert result == pytest.approx(log_prob, abs=2e-3)
    assert panel.stage.readout["values"][0] == 0
    assert panel.stage.readout["values"][-1] == pytest.approx(float(logabsdet), abs=1e-4)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_a_continuous_flow_is_shown_along_its_path(direction):
    panel = Trajectories(
        flow="cnf", layers=2, spread=2.0, particles=500, direction=direction, density=True
    )
    settle(panel)
    flow = make_flow(panel.settings)
    with torch.no_grad():
        u = torch.as_tensor(panel.stage.particles[0].states[0]).float()
        halfway, end = flow.bijections[0](u)[0], flow(u)[0]
    states = panel.stage.particles[0].states
    assert len(states) == len(panel.stage.images[0].values) == 17
    np.testing.assert_allclose(states[8], halfway, atol=1e-3)
    np.testing.assert_allclose(states[16], end, atol=1e-3)
    straight = (states[0] + states[8]) / 2
    assert np.abs(states[4] - straight).max() > 0.01, "the path bends"
    # What counts layers counts those of the flow.
    assert len(panel.waterfall.label.partition(": ")[2].split(", ")) == 2
    panel.settings.position = 1.5
    settle(panel)
    assert panel.stage.position == 12
    panel.stage.set_state({"position": 4.0})
    assert panel.settings.position == 0.5
    assert "unrolled(8)" in panel.code()
    panel.close()


def test_log_density_in_words_keeps_signs_apart():
    assert log_density_in_words(-2.0, 0.5).endswith("−2.000 − 0.500 = −2.500")
    assert log_density_in_words(-2.0, -0.5).endswith("−2.000 − (−0.500) = −1.500")


def test_inverse_carries_target_samples_back_and_reports_the_round_trip(panel):
    panel.settings.update({"direction": "inverse", "target": "two_moons"})
    settle(panel)
    x = panel.model.target.sample(500, torch.Generator().manual_seed(panel.settings.seed))
    np.testing.assert_allclose(panel.stage.particles[0].states[-1], x, atol=1e-6)
    errors = round_trip(panel.model.flow, x)
    from flowviz.widgets.readouts import format_number

    assert panel.worst.text == format_number(float(errors.max()))
    assert panel.typical.text == format_number(float(errors.median()))
    assert float(errors.max()) < 1e-4
    assert panel.stage.direction == "inverse"
    panel.stage.direction = "forward"  # the button of the stage
    settle(panel)
    assert panel.settings.direction == "forward"


@pytest.mark.parametrize("color", ["angle", "radius", "density", "layer", "group"])
def test_colours_mean_what_they_say(panel, color):
    panel.settings.color = color
    settle(panel)
    flow = panel.model.flow
    particles = panel.stage.particles[0]
    base = torch.tensor(particles.states[0])
    with torch.no_grad():
        trace = flow.trace(base)
        log_prob = flow.log_prob(trace.states[-1])
    values = torch.tensor(particles.values)
    if color == "angle":
        expected = torch.atan2(base[:, 1], base[:, 0])[None]
    elif color == "radius":
        expected = base.norm(dim=-1)[None]
    elif color == "layer":
        expected = torch.cat([torch.zeros(1, 500), trace.logabsdet])
    elif color == "density":
        assert values.shape == (len(trace.states), 500)
        torch.testing.assert_close(values[-1], log_prob, atol=1e-3, rtol=1e-3)
        return
    else:
        assert set(values.unique().tolist()) == {0, 1, 2, 3}
        assert ((values == 0) == ((base[:, 0] >= 0) & (base[:, 1] >= 0))).all()
        return
    torch.testing.assert_close(values, expected, atol=1e-5, rtol=1e-5)


def test_density_image_of_every_state_is_normalised_and_ends_at_the_model(panel):
    panel.settings.density = True
    settle(panel)
    (image,) = panel.stage.images
    xmin, xmax, ymin, ymax = image.extent
    cell = (xmax - xmin) * (ymax - ymin) / image.values[0].size
    assert image.values.shape[0] == panel.settings.layers + 1
    assert image.values[0].sum() * cell == pytest.approx(1, abs=0.02)
    panel.settings.density = False
    settle(panel)
    assert panel.stage.images == []


def test_a_change_sends_only_what_it_changes(panel):
    sent = []
    for stage in (panel.stage, panel.strip):
        stage.observe(lambda change: sent.append(change["name"]))
    panel.settings.point = [(0.2, -0.3)]
    settle(panel)
    assert "paths" in sent and "particles" not in sent and "contours" not in sent
    sent.clear()
    panel.settings.spread = 2.0
    settle(panel)
    assert "particles" in sent and "contours" not in sent
    sent.clear()
    panel.settings.position = 1.5
    settle(panel)
    assert sent == ["position", "position"]  # the stage and the strip


def test_dragging_the_handle_moves_the_point_and_does_not_echo(panel):
    before = panel.waterfall.label
    echoes = []
    panel.stage.handles = [Handles([[0.5, -1.25]], labels=["u"])]  # as the page does
    panel.stage.observe(lambda change: echoes.append(change), names=["handles"])
    settle(panel)
    assert panel.settings.point == ((0.5, -1.25),)
    assert panel.waterfall.label != before
    assert not echoes, "a drag must not be answered with another place for the handle"


def test_a_drag_never_leaves_a_backlog(panel):
    drawn = []
    follow = panel._follow._function
    panel._follow._function = lambda: (drawn.append(panel.settings.point), follow())
    for i in range(200):
        panel.settings.point = [(i / 100, 0.0)]
    settle(panel)
    assert len(drawn) < 60
    assert drawn[-1] == ((1.99, 0.0),)
    np.testing.assert_allclose(panel.stage.paths[0].states[0], [[1.99, 0.0]], atol=1e-6)


def test_a_click_on_a_particle_marks_it(panel):
    panel.stage.picked = 7
    settle(panel)
    np.testing.assert_allclose(
        panel.settings.point, panel.stage.particles[0].states[0, 7:8], atol=1e-3
    )
    assert panel.stage.picked == -1


def test_training_changes_the_picture_and_reset_brings_it_back(panel):
    panel.settings.update({"flow": "real_nvp", "spread": 1.0, "batch": 128})
    settle(panel)
    start = panel.stage.particles[0].states.copy()
    panel.model.fit.train_to(15)
    settle(panel)
    assert panel.settings.trained == 15
    assert not np.allclose(panel.stage.particles[0].states, start, atol=1e-3)
    assert "15 steps" in panel.caption.text
    panel.model.fit.reset()
    settle(panel)
    np.testing.assert_allclose(panel.stage.particles[0].states, start, atol=1e-6)
    assert panel.settings.trained == 0


def test_a_link_restores_the_trained_and_adjusted_picture(panel):
    panel.settings.update(
        {
            "flow": "planar",
            "layers": 3,
            "target": "banana",
            "batch": 128,
            "color": "density",
            "adjustments": {"2.b": 0.7, "1.w.0": -1.5},
            "point": [(-0.4, 0.9)],
            "position": 2.25,
            "trained": 12,
        }
    )
    settle(panel)
    again = Trajectories()
    assert again.restore(panel.link()) == []
    settle(again)
    assert again.state == panel.state
    np.testing.assert_allclose(
        again.stage.particles[0].states, panel.stage.particles[0].states, atol=1e-5
    )
    assert again.stage.position == panel.stage.position == 2.25
    assert again.identity.text == panel.identity.text
    text = panel.to_json()
    again.state = {}
    again.from_json(text)
    assert settle(again).state == panel.state
    again.close()


def test_another_flow_forgets_training_and_adjustments(panel):
    panel.settings.update({"flow": "planar", "adjustments": {"1.b": 0.5}, "batch": 64})
    panel.settings.trained = 3
    settle(panel)
    panel.settings.flow = "radial"
    settle(panel)
    assert panel.settings.trained == 0 and panel.settings.adjustments == ()
    assert panel._message.text == ""


def test_training_stops_within_a_step(panel):
    panel.settings.batch = 64
    panel.model.fit.toggle()
    time.sleep(0.3)
    started = time.monotonic()
    panel.model.fit.toggle()
    settle(panel)
    assert time.monotonic() - started < 3
    assert 0 < panel.settings.trained < panel.settings.steps


@pytest.mark.parametrize("index", range(len(Trajectories.presets)))
def test_presets_are_valid_and_say_so(index, panel):
    values = dict(Trajectories.presets[index][1])
    values.pop("trained", None)  # that much is a test of its own
    panel.state = values
    settle(panel)
    assert panel._message.text == ""
    Trajectories.State.check(Trajectories.presets[index][1])


def test_bad_values_are_refused_in_words_and_change_nothing(panel):
    before = panel.state
    for bad in (
        {"particles": 10**7},
        {"color": "pink"},
        {"point": [(1, float("nan"))]},
        {"adjustments": {"w": 1}},
        {"adjustments": {"1.w.0": float("nan")}},
        {"adjustments": "1.w.0"},
        {"trained": -1},
    ):
        with pytest.raises(ValueError, match="not allowed"):
            panel.state = bad
        assert panel.state == before
    messages = panel.restore("adjustments=..;x&flow=planar&layers=2")
    assert messages and panel.settings.flow == "planar"


def test_an_adjustment_that_the_flow_does_not_have_is_named(panel):
    panel.restore("flow=planar&layers=2&adjustments=9.w.0,1;1.b,0.5")
    settle(panel)
    assert "9.w.0" in panel._message.text
    assert panel.model.flow.bijections[0].b.item() == 0.5


def test_hidden_controls_are_out_of_sight():
    panel = Trajectories(hide=["color", "adjustments", "seed"], particles=500)
    for name in ("color", "adjustments", "seed"):
        assert "fv-hidden" in panel.controls[name]._dom_classes
    panel.close()


def test_every_flow_of_the_catalogue_draws(panel):
    for flow in Trajectories.State.flow.options:
        panel.settings.update({"flow": flow, "layers": 2})
        settle(panel)
        assert panel._message.text == "", flow
        assert np.isfinite(panel.stage.particles[0].states).all()


def test_the_code_runs_and_gives_the_number_of_the_panel(panel, capsys):
    panel.settings.update(
        {"flow": "planar", "layers": 2, "adjustments": {"1.w.0": 2.0, "2.b": 0.5}, "batch": 64}
    )
    panel.settings.trained = 3
    settle(panel)
    names: dict = {}
    exec(panel.code(), names)
    printed = float(re.findall(r"tensor\(\[(-?[\d.]+)", capsys.readouterr().out)[-1])
    assert printed == pytest.approx(numbers(panel.identity.text)[-1], abs=2e-3)
    np.testing.assert_allclose(
        names["trace"].states.detach(), panel.stage.particles[0].states, atol=1e-4
    )


def test_the_window_is_square_and_holds_base_target_and_nearly_all_points():
    states = torch.randn(3, 900, 2) * torch.tensor([1.0, 4.0])
    xmin, xmax, ymin, ymax = window_on(states, (-4.0, 4.0, -4.0, 4.0))
    assert xmax - xmin == ymax - ymin and xmin <= -4 and xmax >= 4
    inside = (states[..., 1] > ymin) & (states[..., 1] < ymax)
    assert inside.float().mean() > 0.98
    assert window_on(torch.full((2, 5, 2), float("nan")), (-5.0, 5.0, -5.0, 5.0))[0] == -5.0


def test_words_stand_for_the_picture(panel):
    assert "500 samples of the base" in panel.stage.description
    assert "u = (1.00, 0.60)" in panel.stage.description
    panel.settings.point = [(0.0, 0.0)]
    settle(panel)
    assert "u = (0.00, 0.00)" in panel.stage.description


def test_the_window_holds_all_of_a_grid():
    corners = torch.zeros(1, 1500, 2)
    corners[0, 17] = torch.tensor([5.3, -6.9])
    xmin, xmax, ymin, ymax = window_on(corners, (-4.0, 4.0, -4.0, 4.0), share=1.0)
    assert xmax >= 5.3 and ymin <= -6.9 and xmax - xmin == ymax - ymin


def test_an_adjusted_layer_is_the_one_whose_sliders_show(panel):
    adjustments = {"2.b": 0.5}
    panel.settings.update({"flow": "planar", "layers": 3, "adjustments": adjustments})
    settle(panel)
    section = panel.model._adjust
    assert section.layer.value == 2
    labels = [s.description for s in section.sliders if s.layout.display != "none"]
    assert labels == ["w [1]", "w [2]", "v, free [1]", "v, free [2]", "b"]
    panel.settings.update({"flow": "radial", "adjustments": {}})
    settle(panel)
    assert section.layer.value == 1
