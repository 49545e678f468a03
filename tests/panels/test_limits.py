"""Limits, without a browser: the bridge, what it costs to be rid of it, and what is said of it."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from flowviz.panels.limits import NO_CAP, Limits
from flowviz.panels.parts.table_errors import CELLS
from flowviz.panels.parts.two_modes_marks import STEPS
from flowviz.two_modes import Capped, Gaussians
from flowviz.widgets.stage import Handles


@pytest.fixture(scope="module")
def shared():
    made = Limits()
    yield made
    made.close()


@pytest.fixture
def panel(shared):
    shared.restore("")
    return settle(shared)


def settle(panel: Limits) -> Limits:
    assert panel.jobs.wait(30), "the panel did not come to rest"
    assert not panel._failure
    return panel


def put(panel: Limits, **settings) -> Limits:
    panel.update(**settings)
    return settle(panel)


def numbers(panel: Limits) -> dict[str, float]:
    texts = {name: text.replace("−", "-") for name, text in panel.numbers().items()}
    texts = {name: text for name, text in texts.items() if text != "∞"}
    return {name: float(re.match(r"[-\d.]+", text)[0]) for name, text in texts.items()}


def test_it_opens_with_a_bridge_that_the_target_has_not(panel):
    shown = numbers(panel)
    exact = Capped(Gaussians(6.0, 0.5), 8.0)
    assert shown["Bridge"] == pytest.approx(100 * exact.share(1.5), rel=1e-2)
    assert shown["of p*"] == pytest.approx(100 * math.erfc(3 / math.sqrt(2)) / 2, rel=1e-2)
    assert shown["Bridge"] > 100 * shown["of p*"]
    assert shown["log T′"] == pytest.approx(math.log(8), abs=0.01)
    assert abs(shown["in samples"] - shown["Bridge"]) < 2
    assert shown["samples"] == pytest.approx(shown["KL(p*‖p)"], abs=0.02)
    said = panel.bridge.widgets[-1].text
    apart = f"{shown['in samples'] - shown['Bridge']:.1f}".replace("-", "−")
    assert f"bridge {apart} percentage points, KL" in said and said.endswith("nats")
    assert "±" in panel.numbers()["in samples"] and "±" in panel.numbers()["samples"]
    assert panel.words().startswith("Slope ≤ 8 leaves 14.9 % in the bridge")
    assert panel.words() in panel.stage.description


def test_without_a_cap_it_equals_the_target_at_the_price_of_17_nats(panel):
    put(panel, cap=NO_CAP)
    shown = panel.numbers()
    assert shown["log T′"] == "17.3" and shown["KL(p*‖p)"] == "0"
    assert shown["Bridge"] == shown["of p*"] == "0.135 %"
    assert "equals the target" in panel.words()
    assert "3.28·10⁷" in panel.words() and "17.3 nats" in panel.words()


def test_dragged_apart_the_bridge_stays_and_grows_under_a_cap(panel):
    shares = [put(panel, apart=apart).bridge.share for apart in (5, 6, 7, 8)]
    assert shares == sorted(shares)
    assert shares[0] > 0.09
    shares = [put(panel, apart=6.0, cap=cap).bridge.share for cap in (2, 8, 100, 1e4)]
    assert shares == sorted(shares, reverse=True)


def test_the_misconception_that_affine_layers_split_a_mode_is_cured(panel):
    put(panel, map="affine")
    assert "keeps one Gaussian one" in panel.words() and "splits no mode" in panel.words()
    # N(0, 9.25) within ±1.5
    assert numbers(panel)["Bridge"] == pytest.approx(
        100 * math.erf(1.5 / math.sqrt(2 * 9.25)), abs=0.1
    )


def test_the_misconception_that_a_real_nvp_can_equal_two_discs_is_cured(panel):
    put(panel, modes="discs")
    assert panel.words().endswith("Discs have none: no flow can equal them.")
    assert numbers(panel)["of p*"] == 0 and numbers(panel)["Bridge"] > 10
    for cap in (100.0, 9e4):
        assert put(panel, cap=cap).bridge.share > 0, "a finite slope leaves some"
    put(panel, cap=NO_CAP)
    assert "tears the base in two" in panel.words() and "no flow" in panel.words()
    assert panel.numbers()["log T′"] == "∞" and panel.bridge.share == 0


def test_a_torn_base_is_drawn_as_two_pieces(panel):
    (whole,) = panel.stage.grids
    put(panel, modes="discs", cap=NO_CAP)
    left, right = (grid.states[-1, ..., 0] for grid in panel.stage.grids)
    assert float(left.max()) < -1.99 and float(right.min()) > 1.99
    assert whole.states[-1, ..., 0].min() < -3 < 3 < whole.states[-1, ..., 0].max()


def test_it_plays_from_the_base_to_the_data_and_every_state_is_between_them(panel):
    states = panel.stage.particles[0].states
    assert len(states) == STEPS + 1 == panel.stage.frames
    t = 0.25
    between = (1 - t) * states[0] + t * states[-1]
    np.testing.assert_allclose(states[STEPS // 4], between, atol=1e-5)
    grid = panel.stage.grids[0]
    np.testing.assert_allclose(grid.values[0], 0, atol=1e-5)
    assert grid.values[-1].max() > 1.3, "the bridge is stretched"
    assert grid.values[-1].min() < -0.2, "the modes are squeezed"
    assert (panel.stage.unit, panel.show.run.unit) == ("t =", "t =")
    assert panel.stage.position == STEPS
    put(panel, position=0.25)
    assert panel.stage.position == pytest.approx(STEPS / 4)
    panel.stage.position = 5.0
    assert panel.settings.position == pytest.approx(5 / STEPS)
    assert "This page plays what was recorded" not in panel.to_html(), "its handles answer there"


def test_the_grids_colour_is_the_mean_stretch_of_a_cell(panel):
    """In the bridge the capped map is u ↦ (L u₁, s u₂): one area for all cells."""
    grid = panel.stage.grids[0]
    middle = grid.values[-1][:, grid.values.shape[2] // 2]
    np.testing.assert_allclose(middle, math.log(8 * 0.5), atol=1e-3)


def test_a_mode_that_is_dragged_takes_the_other_along_and_the_controls_follow(panel):
    panel.stage.handles = [Handles([[-3.0, 0.0], [0.0, 2.5]])]
    settle(panel)
    assert (panel.settings.apart, panel.settings.angle) == (5.0, 90.0)
    np.testing.assert_allclose(panel.stage.handles[0].points, [[0, -2.5], [0, 2.5]], atol=1e-6)
    panel.stage.handles = [Handles([[-2.0, 0.0], [0.0, 2.5]])]
    settle(panel)
    assert (panel.settings.apart, panel.settings.angle) == (4.0, 0.0)
    put(panel, apart=6.0)
    np.testing.assert_allclose(panel.stage.handles[0].points, [[-3, 0], [3, 0]], atol=1e-6)
    assert panel.controls["apart"].value == 6.0


def test_while_one_mode_is_held_the_others_place_in_the_message_may_be_old(panel):
    """The page tells where it has both; the answer to the message before is still on its way."""
    for x in (3.1, 3.2, 3.3):
        with panel.stage.hold_trait_notifications():
            panel.stage.held = {"set": 0, "index": 1}
            panel.stage.handles = [Handles([[-3.0, 0.0], [x, 0.0]])]
        assert panel.settings.apart == pytest.approx(2 * x)
    with panel.stage.hold_trait_notifications():
        panel.stage.held = None
        panel.stage.handles = [Handles([[-3.0, 0.0], [3.4, 0.0]])]
    assert panel.settings.apart == pytest.approx(6.8)
    settle(panel)
    np.testing.assert_allclose(panel.stage.handles[0].points, [[-3.4, 0], [3.4, 0]], atol=1e-6)


def test_a_drag_too_far_stops_in_words(panel):
    for left in (-3.0, -4.0):
        panel.stage.handles = [Handles([[left, 0.0], [5.0, 0.0]])]
        settle(panel)
        assert panel.settings.apart == 8.0
        np.testing.assert_allclose(panel.stage.handles[0].points, [[-4, 0], [4, 0]], atol=1e-6)
        assert panel._message.text == "“Apart” is a number from 1 to 8: there it stops."


def test_words_are_those_of_the_map_that_is_drawn(panel, monkeypatch):
    drawn = panel.words()
    with monkeypatch.context() as patched:
        patched.setattr(panel, "_draw_later", lambda: None)
        panel.settings.cap = NO_CAP
        assert panel.words() == drawn
    panel.redraw()
    assert "Slope ≤ 8" in drawn and panel.words() != drawn


def test_the_cap_is_a_control_of_the_capped_map_alone(panel):
    assert not panel.controls["cap"].disabled
    for map_ in ("affine", "cells_8"):
        assert put(panel, map=map_).controls["cap"].disabled


def test_an_estimate_that_no_sample_tells_of_is_no_number(panel):
    assert "±" in put(panel, cap=1e4).numbers()["samples"]
    assert put(panel, cap=5e4).numbers()["samples"] == "no sample tells"
    assert panel.bridge.kl > 1e-6


def test_turning_the_axis_turns_the_picture_and_leaves_the_numbers(panel):
    before, flat = panel.numbers(), panel.stage.particles[0].states[-1]
    put(panel, angle=90.0)
    assert panel.numbers() == before
    turned = panel.stage.particles[0].states[-1]
    np.testing.assert_allclose(turned[:, 1], flat[:, 0], atol=1e-5)


def test_the_tables_fall_with_the_fitted_exponent_and_one_is_chosen_by_pressing(panel):
    chart = panel.tables.chart
    _, points = chart.drawn
    kls = points.y
    assert len(kls) == len(CELLS) and all(np.diff(kls) < 0)
    assert panel.tables.exponent == pytest.approx(-2, abs=0.02)
    assert chart.cursor is None
    chart._hear_click(None, {"kind": "click", "x": 40.0}, None)
    settle(panel)
    assert panel.settings.map == "cells_32" and chart.cursor == 32
    assert numbers(panel)["KL(p*‖p)"] == pytest.approx(kls[CELLS.index(32)], rel=0.01)
    assert "n = 32 cells, falling like n to the −2.00" in panel.words()
    put(panel, modes="discs")
    assert -2 < panel.tables.exponent < -1.2 and "never equal" in panel.words()


def test_a_cap_that_does_not_bind_and_modes_that_touch_have_their_words(panel):
    put(panel, apart=2.0)
    assert "equals the target" in panel.words() and "slope 3.69" in panel.words()
    put(panel, cap=2.0)
    assert panel.words() == (
        "The modes overlap: no bridge is counted; to equal p* takes slope 3.69."
    )
    assert numbers(panel)["Bridge"] == 0


def test_the_density_chart_shows_the_bridge(panel):
    target, model, here = panel.densities.drawn
    middle = len(model.x) // 2
    assert math.isnan(target.y[middle]), "below what is drawn"
    expected = math.exp(float(Capped(Gaussians(6.0, 0.5), 8.0).log_density(torch.zeros(1))))
    assert model.y[middle] == pytest.approx(expected) == pytest.approx(here.y[0])
    assert expected == pytest.approx(1 / (8 * math.sqrt(2 * math.pi)), rel=1e-6)


@pytest.mark.parametrize("map_", ["capped", "cells_8"])
def test_its_code_prints_the_numbers_shown(panel, map_):
    put(panel, map=map_, modes="discs", cap=4.0)
    done = subprocess.run(
        [sys.executable, "-c", panel.code()], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    share, kl, sampled, counted = done.stdout.splitlines()
    assert [100 * float(v) for v in share.split()] == pytest.approx(
        [100 * panel.bridge.share, 0.0], abs=1e-9
    )
    slope, value = map(float, kl.split())
    assert slope == pytest.approx(panel.map.largest_log_slope)
    assert value == pytest.approx(panel.bridge.kl)
    first = re.search(r"tensor\(([\d.]+)", sampled)[1]
    assert float(first) == pytest.approx(numbers(panel)["samples"], abs=0.002)
    assert 100 * float(re.search(r"tensor\(([\d.]+)", counted)[1]) == pytest.approx(
        numbers(panel)["in samples"], abs=0.06
    )
