"""The Trajectories panel without a browser: its numbers are the engine's."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from flowviz.flows import Bijection, Flow, catalog, jacobian
from flowviz.flows.distributions import StandardNormal
from flowviz.panels import Trajectories
from flowviz.panels.parts.flow_choice import ENTRIES, make_flow
from flowviz.panels.parts.flow_stage import outside, window_on
from flowviz.panels.parts.hand_set_layers import CREASE
from flowviz.panels.parts.layer_names import counted_in_words, layer_names
from flowviz.panels.parts.marked_point import follow, round_trip
from flowviz.panels.parts.volume_words import log_density_in_words
from flowviz.widgets.readouts import format_number
from flowviz.widgets.stage import Handles
from tests.panels.one_line import on_one_line

STATE = {
    "flow": "real_nvp",
    "layers": 4,
    "hidden": "16,16",
    "spread": 2.0,
    "particles": 500,
    "batch": 64,
}


@pytest.fixture(scope="module")
def shared():
    made = Trajectories(**STATE)
    yield made
    made.close()


@pytest.fixture
def panel(shared):
    """The panel of the module, in the same state for every test."""
    shared.state = STATE
    shared.message("")
    return settle(shared)


def settle(panel: Trajectories) -> Trajectories:
    assert panel.jobs.wait(60), "the panel did not come to rest"
    return panel


def numbers(text: str) -> list[float]:
    return [float(n.replace("−", "-")) for n in re.findall(r"−?\d+\.\d+", text)]


def test_particles_are_the_flow_s_own_trace_of_seeded_base_samples(panel):
    flow = make_flow(panel.settings)
    u = flow.base.sample(500, torch.Generator().manual_seed(panel.settings.seed))
    with torch.no_grad():
        trace = flow.trace(u)
    np.testing.assert_allclose(panel.stage.particles[0].states, trace.states, atol=1e-6)
    assert panel.stage.state_names == ["base", *trace.names]
    assert panel.show.run.state_names == panel.show.strip.state_names == panel.stage.state_names
    others = panel.show.strip, panel.show.run, panel.waterfall, panel.model.loss
    assert {one.clock for one in others} == {panel.stage.clock} != {""}


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
    assert round(base - change, 2) == result, "the numbers must add up as they are written"
    assert result == pytest.approx(log_prob, abs=1e-2)
    values = panel.show.run.readout["values"]
    assert len(values) == len(bars) + 1 and values[0] == 0
    assert values[-1] == pytest.approx(float(logabsdet), abs=1e-4)
    assert panel.point.total == pytest.approx(float(logabsdet), abs=1e-4)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_a_continuous_flow_is_shown_along_its_path(panel, direction):
    panel.update(flow="cnf", layers=2, direction=direction, density=True)
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
    assert panel.stage.stretches == panel.show.strip.stretches == panel.show.run.stretches == 8
    assert len(panel.show.run.readout["values"]) == 17


def test_log_density_in_words_keeps_signs_apart():
    assert log_density_in_words(-2.0, 0.5).endswith("−2.00 − 0.50 = −2.50")
    assert log_density_in_words(-2.0, -0.5).endswith("−2.00 − (−0.50) = −1.50")


def test_inverse_carries_target_samples_back_and_reports_the_round_trip(panel):
    panel.settings.update({"direction": "inverse", "target": "two_moons"})
    settle(panel)
    x = panel.model.target.sample(500, torch.Generator().manual_seed(panel.settings.seed))
    np.testing.assert_allclose(panel.stage.particles[0].states[-1], x, atol=1e-6)
    assert not any("Round trip" in name for name in panel.numbers()), "not before it is seen"
    panel.tabs.turn_to("Numbers")
    settle(panel)
    errors = round_trip(panel.model.flow, x)
    assert panel.flow_numbers.worst.text == format_number(float(errors.max()))
    assert panel.flow_numbers.typical.text == format_number(float(errors.median()))
    assert float(errors.max()) < 1e-4
    assert panel.stage.direction == "inverse"
    panel.stage.direction = "forward"  # the button of the run bar
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
    for stage in (panel.stage, panel.show.strip):
        stage.observe(lambda change: sent.append(change["name"]))
    panel.settings.point = [(0.2, -0.3)]
    settle(panel)
    assert "paths" in sent and "particles" not in sent and "contours" not in sent
    sent.clear()
    panel.settings.spread = 2.5
    settle(panel)
    assert "particles" in sent and "contours" not in sent
    sent.clear()
    panel.settings.position = 1.5
    settle(panel)
    assert sent == ["position", "position"]  # the stage and the strip


def dragged(panel, end, place):
    """As the page does: all handles, one of them elsewhere."""
    handles = list(panel.stage.handles)
    handles[end] = Handles([place], labels=handles[end].labels)
    panel.stage.held = {"set": end, "index": 0}
    panel.stage.handles = handles
    panel.stage.held = None


def test_a_drawing_that_ends_late_does_not_take_a_handle_back(panel, monkeypatch):
    """What the user drags on while a slow kernel draws stays where it is."""
    shown, places = panel.show.show_point, []

    def late(states, *rest):
        if not places:  # the first drawing: the user goes on while it is under way
            places.append(None)
            dragged(panel, 0, (1.5, 0.25))
            shown(states, *rest)
            places.append(panel.stage.handles[0].points[0].tolist())
        else:
            shown(states, *rest)

    monkeypatch.setattr(panel.show, "show_point", late)
    dragged(panel, 0, (0.5, -1.25))
    settle(panel)
    assert places[1] == [1.5, 0.25]
    assert panel.settings.point == ((1.5, 0.25),)
    np.testing.assert_allclose(panel.stage.handles[1].points, panel.point.states[-1], atol=1e-5)


def test_dragging_u_moves_the_point_and_x_and_does_not_echo(panel):
    before = panel.waterfall.label
    dragged(panel, 0, (0.5, -1.25))
    settle(panel)
    assert panel.settings.point == ((0.5, -1.25),)
    assert panel.waterfall.label != before
    u, x = panel.stage.handles
    assert u.points.tolist() == [[0.5, -1.25]] and x.labels == ["x"]
    with torch.no_grad():
        image = panel.model.flow(torch.tensor([[0.5, -1.25]]))[0]
    np.testing.assert_allclose(x.points, image, atol=1e-4)


def test_the_handle_that_the_page_has_yet_to_move_is_no_drag(panel):
    before = list(panel.stage.handles)
    dragged(panel, 0, (0.5, -1.25))
    settle(panel)
    # The last word of a drag, with the other handle where it was before.
    panel.stage.handles = [Handles([[0.5, -1.25]], labels=["u"]), before[1]]
    settle(panel)
    assert panel.settings.point == ((0.5, -1.25),)


def test_the_point_can_be_grabbed_where_it_arrives(panel):
    place = panel.stage.handles[1].points[0] + (0.3, -0.2)
    dragged(panel, 1, place)
    settle(panel)
    with torch.no_grad():
        u = panel.model.flow.inverse(torch.tensor([place.tolist()]))[0]
    np.testing.assert_allclose(panel.settings.point, u, atol=1e-3)
    np.testing.assert_allclose(panel.stage.paths[0].states[-1, 0], place, atol=2e-3)
    np.testing.assert_allclose(panel.stage.handles[0].points, u, atol=1e-3)


def test_log_dets_taken_at_u_miss_autodiff_and_it_says_so(panel):
    panel.update(spread=4.0)
    settle(panel)
    u = torch.tensor(panel.settings.point)
    flow = panel.model.flow
    right = float(torch.linalg.slogdet(jacobian(flow, u)[0].detach()).logabsdet)
    assert panel.flow_numbers.autodiff == pytest.approx(right, abs=1e-5)
    assert panel.point.total == pytest.approx(right, abs=1e-4)
    panel.update(misplaced=True)
    settle(panel)
    with torch.no_grad():
        wrong = sum(float(layer(u)[1]) for layer in flow.transform)
    assert abs(wrong - right) > 0.01, "else nothing is shown"
    assert panel.point.total == pytest.approx(wrong, abs=1e-4)
    assert panel.words() == (
        f"Log-dets taken at u add up to {format_number(wrong)}, autodiff says "
        f"{format_number(right)}: layer k acts at z_k−1."
    )
    assert on_one_line(panel)


class Shift(Bijection):
    def _forward(self, z, context):
        return z + 1, torch.zeros_like(z[..., 0])


class Cubic(Bijection):
    def _forward(self, z, context):
        return z**3 + z, (3 * z**2 + 1).log().sum(-1)


def test_log_dets_belong_where_the_layer_acts():
    """T₁(u) = u + 1, T₂(z) = z³ + z at u = 0: log 4, and 0 where both are taken at u."""
    flow = Flow(StandardNormal(2), [Shift(2), Cubic(2)])
    point = [[0.0, 0.0]]
    assert follow(flow, point).total == pytest.approx(2 * math.log(4), abs=1e-6)
    assert follow(flow, point, misplaced=True).total == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("place", "there"),
    [((50.0, 0.0), "(50.0, 0)"), ((float("nan"), 0.0), "(undefined, 0)")],
)
def test_a_handle_dragged_too_far_snaps_back_in_words(panel, place, there):
    dragged(panel, 0, place)
    settle(panel)
    assert panel.settings.point == ((1.0, 0.6),)
    np.testing.assert_allclose(panel.stage.handles[0].points, [[1.0, 0.6]], atol=1e-6)
    said = f"There u would be at {there}: its coordinates go from −10 to 10."
    assert panel._message.text == said
    dragged(panel, 0, (0.5, 0.5))
    settle(panel)
    assert panel._message.text == "", "what was refused is history"


def test_a_drag_never_leaves_a_backlog(panel, monkeypatch):
    drawn = []
    describe = panel._describe
    monkeypatch.setattr(
        panel, "_describe", lambda **_: (drawn.append(panel.settings.point), describe())
    )
    for i in range(200):
        panel.settings.point = [(i / 100, 0.0)]
    settle(panel)
    # As fast as pictures are made, and not one for each.
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


def test_a_link_restores_the_trained_and_adjusted_picture(panel):
    panel.update(
        flow="planar",
        layers=3,
        target="banana",
        color="density",
        adjustments={"2.b": 0.7, "1.w.0": -1.5},
        point=[(-0.4, 0.9)],
        position=2.25,
        trained=12,
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
    again.close()


def test_another_flow_forgets_training_and_adjustments(panel):
    panel.update(flow="planar", adjustments={"1.b": 0.5}, trained=3)
    settle(panel)
    panel.settings.flow = "radial"
    settle(panel)
    assert panel.settings.trained == 0 and panel.settings.adjustments == ()
    assert panel._message.text == ""


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


def test_every_flow_of_the_catalogue_draws(panel):
    for flow in Trajectories.State.flow.options:
        panel.settings.update({"flow": flow, "layers": 2})
        settle(panel)
        assert panel._message.text == "", flow
        assert np.isfinite(panel.stage.particles[0].states).all()


def test_the_code_runs_and_gives_the_number_of_the_panel(panel, capsys):
    panel.update(flow="planar", layers=2, adjustments={"1.w.0": 2.0, "2.b": 0.5}, trained=3)
    settle(panel)
    names: dict = {}
    exec(panel.code(), names)
    printed = float(re.findall(r"tensor\(\[(-?[\d.]+)", capsys.readouterr().out)[-1])
    assert printed == pytest.approx(numbers(panel.identity.text)[-1], abs=1e-2)
    np.testing.assert_allclose(
        names["trace"].states.detach(), panel.stage.particles[0].states, atol=1e-4
    )


def test_the_window_is_square_and_holds_base_target_and_nearly_all_points():
    states = torch.randn(3, 900, 2) * torch.tensor([1.0, 4.0])
    xmin, xmax, ymin, ymax = window_on(states, (-4.0, 4.0, -4.0, 4.0), 0.98)
    assert xmax - xmin == ymax - ymin and xmin <= -4 and xmax >= 4
    inside = (states[..., 1] > ymin) & (states[..., 1] < ymax)
    assert inside.float().mean() > 0.98
    assert window_on(torch.full((2, 5, 2), float("nan")), (-5.0, 5.0, -5.0, 5.0), 0.98)[0] == -5.0


def test_axes_do_not_move_while_it_trains_and_what_is_outside_is_said(panel):
    before = panel.stage.window
    panel.update(trained=40, rate=0.1)
    settle(panel)
    assert panel.stage.window == before
    share = outside(torch.as_tensor(panel.stage.particles[0].states), before)
    assert ("leave the picture" in panel.words()) == (share > 0.02)
    panel.settings.layers = 2
    settle(panel)
    assert panel.stage.window == window_on(
        torch.as_tensor(panel.stage.particles[0].states), panel.model.target.window, 0.98
    )


def test_words_follow_the_layer_at_hand(panel):
    changes = np.diff(panel.show.run.readout["values"])
    for layer, change in enumerate(changes[:-1], 1):
        panel.settings.position = layer - 0.5
        settle(panel)
        verb = "keeps" if abs(change) < 0.005 else "stretches" if change > 0 else "squeezes"
        assert panel.header.words.startswith(f"At the marked point layer {layer} {verb}")
        if verb != "keeps":
            assert format_number(float(np.exp(change))) in panel.header.words
    panel.settings.position = 0
    settle(panel)
    assert panel.header.words == "Here they are still the Gaussian of the base: press Play."
    panel.settings.position = 4
    settle(panel)
    assert panel.header.words.startswith("At the marked point the whole flow")
    assert panel.stage.description == panel.words()


def test_a_shape_that_is_chosen_waits_for_train_and_that_is_said(panel):
    panel.settings.update({"target": "two_moons", "trained": 0})
    settle(panel)
    assert panel.words().endswith("Not trained yet: press Train.") and on_one_line(panel)
    panel.state = CREASE
    settle(panel)
    assert "press Train" not in panel.words(), "it is set by hand"


def test_which_way_is_for_what_is_said_and_a_layer_undone_does_the_opposite(panel):
    """The misconception: forward and back, sampling and density, and their signs are one."""
    panel.settings.update({"direction": "inverse", "target": "two_moons", "position": 4.0})
    settle(panel)
    assert "still data: Play carries them back, the way of log p(x)." in panel.words()
    panel.settings.position = 1.5
    settle(panel)
    factor = math.exp(float(panel.point.logabsdet[1]))
    there, back = (f"area ×{format_number(one)}" for one in (factor, 1 / factor))
    assert there != back
    ways = ("stretches", "squeezes") if factor > 1 else ("squeezes", "stretches")
    assert panel.words().startswith(
        f"At the marked point layer 2 {ways[0]} {there}; undone, it {ways[1]} {back}."
    )
    assert on_one_line(panel)
    panel.settings.position = 0
    settle(panel)
    assert panel.words().startswith("Data → base, the way of log p(x): the better the fit")
    assert on_one_line(panel)
    panel.settings.direction = "forward"
    settle(panel)
    assert panel.words() == "Here they are still the Gaussian of the base: press Play."


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


@pytest.mark.parametrize("name", ENTRIES)
def test_a_family_with_more_layers_than_asked_for_says_how_they_are_counted(name):
    counted = len(layer_names(catalog.make(name, layers=3)))
    said = counted_in_words(name)
    each = int(found[1]) if (found := re.search(r"each is (\d)", said)) else 1
    assert counted == 3 * each + said.count("one more")
