"""Change of variables, without a browser: closed forms, folds, handles, and what is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from flowviz.panels.change_of_variables import FOLDED, HUMPS, ChangeOfVariables
from flowviz.panels.parts.knots import GAP, moved, risen
from flowviz.widgets.stage import Handles

SQUEEZE = {"map": "affine", "scale": 0.1}
TURNED = ((-2.0, -2.4), (-1.0, -1.5), (0.0, -0.8), (1.0, -2.0), (2.0, 2.4))
"""Knot 4 below knot 3, where the marked point is."""
FOLD = {"map": "square", "u": 1.2}


@pytest.fixture(scope="module")
def shared():
    made = ChangeOfVariables()
    yield made
    made.close()


def at(panel: ChangeOfVariables, **settings) -> ChangeOfVariables:
    """The panel in a state, what is not given as in its first preset."""
    panel.state = settings
    assert panel.jobs.wait(60)
    assert not panel._failure
    panel.message("")
    return panel


def normal(x: float) -> float:
    return math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


# ------------------------------------------------------------------ numbers


def test_the_peak_of_a_lognormal_is_not_the_image_of_the_peak_and_the_median_travels(shared):
    panel = at(shared, map="exp")
    x, p = panel.peak
    assert x == pytest.approx(math.exp(-1), abs=1e-3)
    assert p == pytest.approx(math.exp(0.5) / math.sqrt(2 * math.pi), rel=1e-5)
    assert panel.marked.x == pytest.approx(1) and panel.marked.p == pytest.approx(normal(0))
    below = panel.push.mass(torch.tensor([0.0]).double(), torch.tensor([1.0]).double())
    assert float(below) == pytest.approx(0.5)
    assert "peak, which is its median, goes to x = 1.00; p peaks at 0.368" in panel.words()
    assert panel.areas.unscaled == pytest.approx(math.exp(0.5), rel=1e-4)
    panel = at(shared, knots=HUMPS)
    assert "goes to x = 0; p peaks" in panel.words(), "no rounding errors"


def test_a_density_above_one_and_a_negative_loss_are_no_bugs(shared):
    panel = at(shared, **SQUEEZE)
    assert panel.marked.p == pytest.approx(10 * normal(0))
    assert panel.at_point.by_slope.text == "3.99" and panel.at_point.loss.text == "−1.38"
    assert panel.numbers()["mass 0.100 takes"] == "0.253 → 0.0253"
    assert panel.areas.density == pytest.approx(1, abs=1e-5)
    assert panel.areas.unscaled == pytest.approx(0.1, abs=1e-5)
    assert "p = 3.99 at x = 0 is no bug (−log p = −1.38)" in panel.words()


def test_a_falling_map_needs_the_absolute_value(shared):
    panel = at(shared, map="affine", scale=-0.6, shift=1.0, u=-1.0)
    assert panel.marked.x == pytest.approx(1.6)
    assert panel.marked.p == pytest.approx(normal(1) / 0.6)
    assert "pᵤ/T′ would be −0.403" in panel.words()


def test_where_it_folds_p_is_the_sum_over_the_preimages(shared):
    panel = at(shared, **FOLD)
    x = torch.linspace(0.1, 6, 50, dtype=torch.float64)
    chi_squared = torch.exp(-x / 2) / torch.sqrt(2 * math.pi * x)
    torch.testing.assert_close(panel.push.prob(x), chi_squared, rtol=1e-9, atol=0)
    torch.testing.assert_close(panel.push.single(x), chi_squared / 2, rtol=1e-9, atol=0)
    u = panel.push.preimages(torch.tensor([1.44], dtype=torch.float64))[:, 0].tolist()
    assert u == pytest.approx([-1.2, 1.2])
    assert panel.push.preimages(torch.tensor([-0.1], dtype=torch.float64)).isnan().all()
    assert panel.areas.single == pytest.approx(0.5, abs=1e-4)
    assert panel.areas.density == pytest.approx(1, abs=1e-4)
    assert "2 preimages: p is their sum; p from one preimage alone has area 0.500" in panel.words()
    lit = [int(np.isfinite(mark.states[0, :, 0, 0]).sum()) for mark in panel.line.stage.shapes]
    assert lit == [1, 1], "the other preimage has its own way"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"u": 1.7},
        {"map": "exp", "u": -0.5},
        SQUEEZE,
        FOLD,
        {"knots": FOLDED, "fold": True, "u": 0.4},
        {"map": "quantile", "base": "uniform", "u": 0.8},
    ],
)
def test_both_ways_to_p_agree_for_a_short_piece_and_bands_keep_their_mass(shared, settings):
    panel = at(shared, **settings, length=0.01)
    marked = panel.marked
    assert marked.weighed == pytest.approx(marked.p, rel=5e-3)
    assert marked.mass_in_u == pytest.approx(0.1) == marked.mass_in_x
    assert panel.areas.density == pytest.approx(1, abs=2e-4)
    # And the samples know nothing of either.
    bars = panel.chart.drawn[0]
    formula = panel.push.prob(torch.as_tensor(bars.x))
    inner = torch.isfinite(formula) & (formula < panel.picture.highest)
    far = np.abs(bars.y - formula.numpy())[inner.numpy()]
    assert np.median(far) < 0.1 * panel.picture.highest


def test_where_the_map_turns_p_is_infinite_and_said_to_be(shared):
    for settings in ({"knots": TURNED, "fold": True}, {"map": "square", "u": 0.0}):
        numbers = at(shared, **settings).numbers()
        assert numbers["T′(u)"] == "0" and numbers["p by T′"] == numbers["apart"] == "∞"
        assert numbers["−log p(x)"] == "−∞" and numbers["by mass"] != "∞"
        assert "T turns at x" in shared.words() and "p is ∞ there" in shared.words()


def test_what_is_apart_is_what_the_boxes_are_apart(shared):
    numbers = at(shared, map="affine", scale=0.1, length=0.16).numbers()
    by_slope, by_mass, apart = (float(numbers[one]) for one in ("p by T′", "by mass", "apart"))
    assert apart == pytest.approx(by_slope - by_mass, abs=0.006)


def test_a_band_at_an_end_of_the_line_has_no_length(shared):
    assert at(shared, u=-2.0).at_point.band.text == "∞ → ∞"
    assert at(shared, map="exp", u=-2.0).at_point.band.text == "∞ → 0.278"
    assert at(shared, map="square", u=0.1).at_point.band.text == "0.253 → 0.0642"


def test_a_uniform_base_leaves_one_over_the_slope(shared):
    panel = at(shared, map="quantile", base="uniform", u=0.8)
    z = float(torch.special.ndtri(torch.tensor(0.8, dtype=torch.float64)))
    assert panel.marked.x == pytest.approx(z)
    assert panel.marked.p == pytest.approx(normal(z))
    assert panel.area[1].text == "∞", "1 all along the line"
    assert "p = 1/T′" in panel.words()


# ------------------------------------------------------------------ the picture


def test_the_bands_keep_their_area_from_strip_to_strip(shared):
    """In the picture too: what lies between a band and its foot is 0.1 at either end."""
    panel = at(shared)
    moving = panel.line.stage.lines[2]
    assert moving.frames == 3 and len(moving.values[0]) == 10
    up, across = (float(scale) for scale in panel.picture._scales(panel.picture.highest))
    for state, axis, unit in ((0, 0, up), (2, 1, across)):
        along = moving.states[state][..., axis]
        height = np.abs(moving.states[state] - moving.band[state])[..., 1 - axis] / unit
        mass = np.trapezoid(height, along, axis=-1)
        np.testing.assert_allclose(np.abs(mass), 0.1, atol=1.5e-3)
    on_the_map = moving.band[1].reshape(-1, 2).astype(np.float64)
    x = panel.push.function(torch.as_tensor(on_the_map[:, 0]))[0]
    np.testing.assert_allclose(on_the_map[:, 1], x, atol=1e-4)


def test_folded_bands_are_piled_up_to_the_density(shared):
    panel = at(shared, knots=FOLDED, fold=True)
    moving = panel.line.stage.lines[2]
    across = float(panel.picture._scales(panel.picture.highest)[1])
    right = float(panel.picture.window[1])
    heads = moving.states[2].reshape(-1, 2).astype(np.float64)
    p = panel.push.prob(torch.as_tensor(heads[:, 1])).numpy()
    reached = (right - heads[:, 0]) / across
    free = p < 0.9 * float(panel.picture.highest)
    assert (reached[free] <= p[free] + 1e-3).all()
    assert np.isclose(reached[free], p[free], atol=1e-3).mean() > 0.2, "the last one ends at p"


def test_playing_sends_nothing_and_the_page_saved_plays(shared):
    panel = at(shared)
    assert panel.line.stage.frames == 3 and panel.line.run.clock == panel.line.stage.clock
    assert not panel.line.run.training
    assert panel.line.stage.state_names[1] == "on the map"
    assert "This page plays what was recorded" not in panel.to_html(), "its handles answer there"


# ------------------------------------------------------------------ handles and controls


def test_the_marked_point_is_grabbed_at_either_end(shared):
    panel = at(shared, map="exp")
    stage = panel.line.stage
    ends = stage.handles[0].points.copy()
    np.testing.assert_allclose(ends[:, 0], [0, float(panel.picture.window[1])], atol=1e-5)
    stage.held = {"set": 0, "index": 0}
    stage.handles = [Handles([[0.7, ends[0, 1] + 1], ends[1]], labels=["u", "x"])]
    panel.jobs.wait(20)
    assert panel.settings.u == pytest.approx(0.7, abs=1e-3)
    np.testing.assert_allclose(
        stage.handles[0].points[:, 1], [ends[0, 1], math.exp(0.7)], rtol=1e-5
    )
    stage.held = {"set": 0, "index": 1}
    stage.handles = [Handles([stage.handles[0].points[0], [0, 0.5]], labels=["u", "x"])]
    panel.jobs.wait(20)
    assert panel.settings.u == pytest.approx(math.log(0.5), abs=1e-3)
    stage.handles = [Handles([stage.handles[0].points[0], [0, -1]], labels=["u", "x"])]
    panel.jobs.wait(20)
    assert panel.settings.u == pytest.approx(math.log(0.5), abs=1e-3)
    assert "has no preimage" in panel._message.text


def test_a_knot_stops_at_its_neighbour_unless_the_map_may_fold(shared):
    panel = at(shared)
    stage, before = panel.line.stage, panel.settings.knots

    def drag(index: int, place: tuple[float, float]) -> None:
        knots = [list(point) for point in panel.settings.knots]
        knots[index] = list(place)
        labels = list(stage.handles[1].labels)
        stage.held = {"set": 1, "index": index}
        stage.handles = [stage.handles[0], Handles(knots, labels=labels, shape="knot")]
        panel.jobs.wait(20)

    panel.knots.which.value = 1
    drag(2, (0.2, 0.3))
    assert panel.settings.knots[2] == (0.2, 0.3)
    assert panel.knots.which.value == 3, "the sliders are those of the knot that is dragged"
    assert [slider.value for slider in panel.knots.sliders] == pytest.approx([0.2, 0.3])
    drag(2, (0.2, 3.0))
    assert panel.settings.knots[2] == pytest.approx((0.2, before[3][1] - GAP))
    assert "T must rise" in panel._message.text and not panel.push.folds
    panel.update(fold=True)
    drag(2, (0.2, 3.0))
    assert panel.settings.knots[2] == (0.2, 3.0) and panel.push.folds
    panel.update(fold=False)
    panel.jobs.wait(20)
    assert panel.settings.knots == risen(panel.settings.knots) and not panel.push.folds


def test_a_dragged_knot_takes_the_marked_x_along_however_late_the_page_hears_of_it(shared):
    """The page's other handles are where they were some messages ago."""
    panel = at(shared)
    stage, u = panel.line.stage, panel.settings.u
    assert u == panel.settings.knots[2][0]
    behind = stage.handles[0]
    for x in (-0.4, 0.2, 0.6):
        knots = [list(point) for point in panel.settings.knots]
        knots[2][1] = x
        stage.held = {"set": 1, "index": 2}
        stage.handles = [behind, Handles(knots, labels=stage.handles[1].labels, shape="knot")]
        panel.jobs.wait(20)
        assert panel.settings.u == u and panel.settings.knots[2][1] == x
    stage.held = None  # let go, with the same handles
    stage.handles = [behind, stage.handles[1]]
    panel.jobs.wait(20)
    assert panel.settings.u == u
    assert stage.handles[0].points[1, 1] == pytest.approx(0.6)


def test_sliders_move_the_knot_and_stop_where_its_handle_would(shared):
    panel = at(shared)
    panel.knots.which.value = 4
    panel.knots.sliders[1].value = 1.4
    assert panel.settings.knots[3] == (1.0, 1.4)
    panel.knots.sliders[1].value = -3.0
    assert panel.settings.knots[3][1] == pytest.approx(panel.settings.knots[2][1] + GAP)
    assert panel.knots.sliders[1].value == pytest.approx(panel.settings.knots[3][1])
    panel.knots.which.value = 3


def test_what_has_no_density_snaps_back_in_words(shared):
    panel = at(shared, map="affine")
    panel.settings.scale = 0.0
    assert abs(panel.settings.scale) == 0.05 and "no density" in panel._message.text
    with pytest.raises(ValueError, match="exactly 5 points"):
        panel.update(knots=[[0, 0], [0, 1], [1, 2], [2, 2.5], [3, 3]])
    assert moved(HUMPS, 0, (9.0, -9.0), fold=False)[0] == pytest.approx((-0.5 - GAP, -4 + GAP))


def test_a_click_on_the_chart_marks_that_x(shared):
    panel = at(shared, map="exp")
    panel._clicked(2.0)
    assert panel.settings.u == pytest.approx(math.log(2), abs=1e-3)


def test_the_code_prints_the_numbers_shown(shared):
    panel = at(shared, knots=FOLDED, fold=True, u=0.4)
    printed: list[tuple] = []
    exec(panel.code(), {"print": lambda *values: printed.append(values)})
    (x, slope, _), (p, mass, loss), (areas,) = printed
    marked = panel.marked
    for value, wanted in ((x, marked.x), (slope, marked.slope), (p, marked.p)):
        assert float(value) == pytest.approx(wanted, rel=1e-9)
    assert float(mass) == pytest.approx(marked.weighed, rel=1e-9)
    assert float(loss) == pytest.approx(marked.loss, rel=1e-9)
    assert areas == panel.areas
