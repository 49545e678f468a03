"""Divergences, without a browser: what is shown, what is dragged, where fits end, what is said."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flowviz.panels import Divergences
from flowviz.panels.divergences import BUMPS, UNIFORMS
from flowviz.panels.parts.density_stage import MOST_PULL, window_on
from flowviz.targets.line import Line
from flowviz.widgets.stage import Handles
from tests.panels.every_tab import with_every_tab
from tests.panels.one_line import on_one_line


@pytest.fixture
def make():
    made = []

    def make_(**state):
        made.append(with_every_tab(Divergences(**state)))
        return settle(made[-1])

    yield make_
    for panel in made:
        panel.close()


def settle(panel: Divergences) -> Divergences:
    assert panel.jobs.wait(60), "the panel did not come to rest"
    assert not panel._failure
    return panel


def drag(panel: Divergences, label: str, x: float, y: float = 0.0) -> None:
    """Move one handle as the page does: all of them are sent, and which of them is held."""
    sent, held = [], None
    for number, one in enumerate(panel.stage.handles):
        points = np.array(one.points)
        if label in one.labels:
            held = {"set": number, "index": one.labels.index(label)}
            points[held["index"]] = (x, y)
        sent.append(Handles(points, labels=one.labels, shape=one.shape))
    with panel.stage.hold_trait_notifications():
        panel.stage.held = held
        panel.stage.handles = sent
    settle(panel)


def place(panel: Divergences, label: str) -> np.ndarray:
    mark = next(one for one in panel.stage.handles if label in one.labels)
    return np.array(mark.points[mark.labels.index(label)])


def arrow(panel: Divergences) -> float:
    """How far the arrow goes, from its start to its tip."""
    outline = panel.stage.shapes[0].states[0, 0]
    return float(outline[5, 0] - outline[0, 0])


def heads(panel: Divergences) -> int:
    """How many heads the arrow has: in its upper half the outline is so often at its thickest."""
    y = panel.stage.shapes[0].states[0, 0, :6, 1]
    widest = panel.stage.shapes[0].states[0, 0, [2, 4], 0]
    return len({round(float(x), 6) for x in widest}) if y.max() > y[0] else 0


def test_it_shows_a_number_two_ways_and_the_pull(make):
    panel = make()
    assert panel.numbers() == {
        "KL(p*‖p)": "4.50",
        "Formula": "4.50",
        "Gap": panel.difference.text,
        "Pull": "3.0",
    }
    assert panel.words().startswith("KL(p*‖p) = 4.50 pulls p right 3.0; JS right 0.15, W₁ right 1")
    assert arrow(panel) == pytest.approx(3.0, abs=1e-5)
    assert heads(panel) == 1
    panel.update(divergence="jensen_shannon")
    settle(panel)
    assert panel.numbers()["JS"] == "0.527" and "±" in panel.numbers()["Samples"]
    assert arrow(panel) == pytest.approx(0.148, abs=1e-3)
    panel.update(divergence="kl", model_position=-5.0)
    settle(panel)
    assert arrow(panel) == MOST_PULL, "a longer one is cut"
    assert heads(panel) == 2, "and says so"
    for one in panel.found.values():
        if one.error is None:
            assert one.value == pytest.approx(one.other, rel=1e-5)
        elif math.isfinite(one.error):
            assert abs(one.value - one.other) < 4.5 * one.error


def test_dragged_handles_are_the_settings_and_what_is_refused_snaps_back(make):
    panel = make()
    drag(panel, "p", 0.25, 0.3)
    assert panel.settings.model_position == 0.25
    assert panel.value.text == "0.781", "(1.5 − 0.25)²/2"
    np.testing.assert_allclose(place(panel, "p")[0], 0.25)
    assert place(panel, "p")[1] < 0, "back on its line"
    drag(panel, "s", 2.25)
    assert panel.settings.model_width == 2.0
    drag(panel, "p*", -2.0)
    assert panel.settings.target_position == -2.0
    drag(panel, "s*", -2.5)
    assert panel.settings.target_width == 0.5
    drag(panel, "s*", -2.01)
    assert panel.settings.target_width == 0.25, "it stops at its bound"
    assert panel._message.text == "“p*: width” is a number from 0.25 to 3: there it stops."
    np.testing.assert_allclose(place(panel, "s*")[0], -1.75)
    drag(panel, "p", -8.0)
    assert panel.settings.model_position == -6.0 and "from -6 to 6" in panel._message.text
    np.testing.assert_allclose(place(panel, "p")[0], -6.0)
    drag(panel, "p", -7.0)
    assert panel.settings.model_position == -6.0 and panel._message.text
    drag(panel, "p", -5.0)
    assert panel.settings.model_position == -5.0 and not panel._message.text
    bumps = make(target="two_bumps", target_position=0.0)
    np.testing.assert_allclose(place(bumps, "s*")[0], 2.0, err_msg="on a bump")


def test_handles_that_the_page_has_where_they_were_are_not_moved(make):
    """While p is dragged its knot follows on the kernel, and only later on the page."""
    panel = make()
    behind = [
        Handles(np.array(h.points), labels=h.labels, shape=h.shape) for h in panel.stage.handles
    ]
    drag(panel, "p", 2.0)
    points = np.array(behind[0].points)
    points[1] = (3.0, 0.0)
    panel.stage.handles = [Handles(points, labels=behind[0].labels), behind[1]]
    settle(panel)
    assert panel.settings.model_position == 3.0 and panel.settings.model_width == 1.0


def test_the_chart_is_the_settings_too(make):
    panel = make(divergence="wasserstein")
    assert panel.distances.cursor == pytest.approx(-3.0)
    panel.distances._hear_click(None, {"kind": "click", "x": 2.0}, None)
    settle(panel)
    assert panel.settings.model_position == 3.5 and panel.value.text == "2.00"
    panel.distances._hear_click(None, {"kind": "click", "x": 7.5}, None)
    settle(panel)
    assert panel.settings.model_position == 6.0, "no farther than the setting goes"
    assert panel.distances.y_range[1] >= float(panel.value.text) == 4.5, "the cursor has its curve"
    drawn = {one.given.name: one for one in panel.distances.drawn}
    assert set(drawn) == {"KL(p*‖p)", "JS", "W₁"}, "few, each told from the others"
    js = drawn["JS"]
    assert js.y[-1] == pytest.approx(math.log(2), abs=1e-3) == js.y[0]
    w1 = drawn["W₁"]
    inside = np.isfinite(w1.y) & (w1.y < 3.4)
    np.testing.assert_allclose(w1.y[inside], np.abs(w1.x[inside]), atol=1e-6)
    assert drawn["W₁"].given.colour == "--fv-ink" != drawn["JS"].given.colour
    panel.update(divergence="chi_squared")
    settle(panel)
    drawn = {one.given.name: one for one in panel.distances.drawn}
    top = panel.distances.y_range[1]
    leaving = [one.named for name, one in drawn.items() if name in ("KL(p*‖p)", "χ²")]
    heights = sorted(y / top for _, y in leaving)
    assert all(x > 0 for x, _ in leaving) and heights[-1] <= 0.95
    assert np.diff(heights).min() > 0.06, "each name on its own curve, off the others'"


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("JS goes flat", "JS = 0.693 is almost its maximum, and flat"),
        ("Thin tails", "χ² is infinite, TV only 0.14: p is too thin in the tails"),
        ("U[0, 1] and U[0, 2]", "W₁ = 0.500 pulls p left 1.0"),
    ],
)
def test_failures_are_explained_where_they_happen(make, preset, said):
    panel = make()
    panel.apply_preset([label for label, _ in panel.presets].index(preset))
    settle(panel)
    assert panel.words().startswith(said)
    if preset == "Thin tails":
        assert panel.numbers() == {"χ²": "∞", "Pull": "none"}
        assert panel.other.text == "–", "there is nothing to hold it against"
        assert arrow(panel) == 0, "no arrow where there is no pull"
        assert "∞ everywhere: χ²" in str(panel.distances.figure_layout["xaxis"])


def test_the_uniform_densities_have_their_numbers(make):
    panel = make(**UNIFORMS, model_position=1.0)
    found = panel.found
    assert found["jensen_shannon"].value == pytest.approx(0.216, abs=5e-4)
    assert found["total_variation"].value == pytest.approx(0.5)
    assert found["wasserstein"].value == pytest.approx(0.5)
    assert found["reverse_kl"].why and not found["kl"].why
    assert "Edges coincide" in panel.words()
    panel.update(divergence="reverse_kl")
    settle(panel)
    panel.fit.toggle()
    settle(panel)
    assert panel.fit.done == 0 and "no gradient to follow" in panel._message.text


def test_forward_kl_ends_at_the_moments(make):
    """The mean and the variance of ½ N(−2, ½²) + ½ N(2, ½²) are 0 and 4 + ¼."""
    panel = make(**BUMPS, divergence="kl", rate=0.3, trained=250)
    model = panel.lines[1]
    assert float(model.centre) == pytest.approx(0.0, abs=0.02)
    assert float(model.width) == pytest.approx(math.sqrt(4.25), abs=0.02)
    assert set(panel.kept.fits) == {"kl"}
    assert "mean " in panel.kept.value and "width 2.1" in panel.kept.value
    panel.settings.update({"divergence": "reverse_kl", "trained": 120})
    settle(panel)
    model = panel.lines[1]
    assert (float(model.centre), float(model.width)) == pytest.approx((2.0, 0.5), abs=0.01)
    assert panel.value.text == "0.693", "half of the mass is left out: log 2"
    assert set(panel.kept.fits) == {"kl", "reverse_kl"} and panel.kept.value.count("<svg") == 2
    assert "no pull left: p is at rest" in panel.words()
    panel.update(target_position=1.0)
    settle(panel)
    assert not panel.fit.done and not panel.kept.fits, "another target"


def test_js_does_not_move_p_from_afar_and_w1_does(make):
    """The misconception: a bounded divergence is the better one to descend."""
    panel = make(divergence="jensen_shannon", target_position=5.0, model_position=-5.0, trained=300)
    assert abs(panel.offset + 10) < 1e-3 and "descent stays here" in panel.words()
    assert on_one_line(panel)
    assert panel.words().startswith("After 300 steps JS = 0.693")
    panel.settings.update({"divergence": "wasserstein", "trained": 300})
    settle(panel)
    assert abs(panel.offset) < 0.06
    stage = panel.stage
    assert len(stage.film) > 20 and panel.run.moments[-1] == 300
    last = stage.film[-1].marks
    peak = np.array(last[1].states)[0, 0]
    assert peak[peak[:, 1].argmax(), 0] == pytest.approx(5.0, abs=0.1), "p moves in the film"


def test_the_distance_chart_follows_a_training(make):
    """The curve is that of p's width now: the cursor meets it at the number shown."""
    panel = make(**BUMPS, divergence="reverse_kl")
    start = panel.found["reverse_kl"].value
    panel.settings.update({"trained": 60})
    settle(panel)
    lines, value = panel.lines, panel.found["reverse_kl"].value
    assert value < start - 0.5
    panel.distances.show_some(lines[0], Line("normal", 0.8, 0.8), "reverse_kl", start)
    panel.fit.running = True
    panel._draw_numbers()
    panel.fit.running = False
    curve = next(one for one in panel.distances.drawn if one.given.name == "KL(p‖p*)")
    known = np.isfinite(curve.y)
    met = np.interp(panel.distances.cursor, curve.x[known], curve.y[known])
    assert met == pytest.approx(value, abs=0.02)
    passing = len(curve.x)
    panel._draw_numbers()
    curve = next(one for one in panel.distances.drawn if one.given.name == "KL(p‖p*)")
    assert len(curve.x) > passing, "at rest at more distances"


def test_each_pull_is_said_with_its_direction(make):
    """Where divergences pull against each other, sizes alone would hide it."""
    panel = make(**BUMPS, divergence="reverse_kl")
    pulls = {name: panel.found[name].pull for name in ("reverse_kl", "wasserstein")}
    assert pulls["reverse_kl"] > 0 > pulls["wasserstein"]
    assert "pulls p right" in panel.words() and "W₁ left" in panel.words()
    assert on_one_line(panel)


def test_no_finite_standard_error_is_called_infinite(make):
    bumps = make(**{**BUMPS, "model_position": 0.0, "model_width": 1.0}, divergence="reverse_kl")
    assert "±" in bumps.numbers()["Samples"]
    tails = {"target": "student", "target_position": 0.0, "model_position": 0.0}
    for width in (0.704, 1.5):
        panel = make(**tails, model_width=width, divergence="reverse_kl")
        assert "±" in panel.numbers()["Samples"]
        panel.update(divergence="kl")
        settle(panel)
        assert "s.e. ∞" in panel.numbers()["Samples"], "log² p*/p grows as x⁴ does"


def test_every_divergence_has_its_full_name_and_formula(make):
    panel = make(divergence="mmd")
    assert type(panel.settings).divergence.options["jensen_shannon"] == "JS, Jensen–Shannon"
    for text in (
        "maximum mean discrepancy",
        "exp(−(x − y)²/2)",
        "squared Hellinger",
        "½ ∫ |p* − p|",
    ):
        assert text in panel.table.value
    assert "maximum mean discrepancy" in panel.value.value
    panel.update(divergence="total_variation", target="two_bumps")
    settle(panel)
    assert "standard error" in panel.other.value, "what ± and s.e. are"


def test_what_makes_the_mean_beyond_the_picture_is_named_in_it(make):
    far = make()
    assert "% of D is where f > 2" in str(far.ratios.figure_layout["xaxis"])
    # Of JS far apart it is what p* has: f is ½ where p is, and that is in the picture.
    flat = make(divergence="jensen_shannon", target_position=6.0, model_position=-6.0)
    assert "; 50 % of D is where f > 2" in str(flat.ratios.figure_layout["xaxis"])
    near = make(model_position=1.4)
    assert "where f >" not in str(near.ratios.figure_layout["xaxis"])


def test_a_fit_is_left_by_a_drag_from_where_it_is(make):
    panel = make(trained=200)
    drag(panel, "s", float(panel.lines[1].centre) + 2.0)
    assert panel.fit.done == 0 == panel.settings.trained
    assert panel.settings.model_width == pytest.approx(2.0, abs=0.01)
    assert panel.settings.model_position == pytest.approx(1.5, abs=0.05)


def test_an_estimate_of_kl_below_0_is_no_bug(make):
    """The misconception: a negative estimate of what cannot be negative is a fault."""
    near = {"target_position": 0.1, "model_position": 0.0}
    found = [make(**near, seed=seed) for seed in range(6)]
    few = np.array([panel.found["kl"].few for panel in found])
    assert (few < 0).any() and (few > 0).any(), "right on average, of either sign"
    assert np.abs(few - 0.005).max() < 5 * 0.1 / math.sqrt(30), "log r has the deviation d"
    for panel in found:
        says = "an estimate below 0 is no bug" in panel.words()
        assert on_one_line(panel)
        assert says == (panel.found["kl"].few < 0)
        assert not says or "30 draws of p* is −" in panel.words()
    assert "0.00500" in found[0].value.text


def test_what_is_no_f_divergence_says_so_and_has_a_witness(make):
    panel = make(divergence="wasserstein")
    assert "no mean of f" in panel.ratios.label
    assert len(panel.witness.drawn) == 1
    panel.update(divergence="kl")
    settle(panel)
    assert {one.given.name for one in panel.ratios.drawn} == {"p", "f(r)"}


def test_the_window_stays_while_p_is_fitted(make):
    panel = make(**BUMPS, divergence="reverse_kl")
    before = panel.stage.window
    panel.settings.update({"trained": 300})
    settle(panel)
    assert panel.stage.window == before
    top = float(panel.lines[1].log_prob(panel.lines[1].centre).exp())
    assert top < before[3], "what it becomes is in the picture"
    low, high, floor, _ = window_on((Line("normal", 6.0, 3.0), Line("normal", 0.0, 1.0))).tolist()
    assert low == -7 and high >= 9 and floor < 0


def test_its_code_prints_the_numbers_shown(make, capsys):
    panel = make(divergence="squared_hellinger", trained=50)
    exec(panel.code(), {})
    printed = capsys.readouterr().out
    one = panel.found["squared_hellinger"]
    assert f"H²: {one.value:.4g}, pull on p {one.pull:.4g}" in printed


def test_its_page_is_alive(make):
    assert "This page plays what was recorded" not in make().to_html(), "its handles answer there"
