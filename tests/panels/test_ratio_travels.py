"""The ratio travels, without a browser: two ways to one ratio, and where they part."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from flowviz.flows import Flow, catalog
from flowviz.objectives import Estimate, kl_duality
from flowviz.panels.parts.loose_inverse import loosened, loosening
from flowviz.panels.parts.two_sides import (
    DISTANCES,
    RATIOS,
    SLICED,
    Pair,
    Side,
    ratio_in_u,
    ratio_in_x,
    told_apart,
)
from flowviz.panels.ratio_travels import DIAGONAL, GAUSSIAN, HALF, KL, LOOSE, RatioTravels
from flowviz.widgets.stage import Handles

QUICK = {"target": "banana", "flow": "actnorm", "layers": 1, "seed": 3}
DELTA = 0.5
"""‖μ‖/σ of the Gaussian preset, on either side."""


@pytest.fixture(scope="module")
def gaussian():
    made = RatioTravels(**GAUSSIAN)
    yield made
    made.close()


@pytest.fixture
def panel():
    made = RatioTravels(**QUICK)
    yield made
    made.close()


def settle(panel: RatioTravels) -> RatioTravels:
    assert panel.jobs.wait(60), "the panel did not come to rest"
    assert not panel._failure
    return panel


def place(stage) -> np.ndarray:
    return np.array(stage.handles[0].points[0])


def test_both_ways_to_the_ratio_agree_to_rounding_and_the_colours_are_that_ratio():
    panel = RatioTravels(target="two_moons", layers=2, spread=2.0, carried="target")
    flow, target = panel.flow, panel.model.target
    with torch.no_grad():
        x = target.sample(500, torch.Generator().manual_seed(1))
        u = flow.inverse(x)[0]
        in_x, in_u = ratio_in_x(flow, target, x), ratio_in_u(flow, target, u)
        log_prob = flow.base.log_prob(u) - flow(u)[1]
    assert float(in_x.std()) > 0.1
    torch.testing.assert_close(in_x, in_u, atol=2e-4, rtol=2e-4)
    torch.testing.assert_close(in_x, target.log_prob(x) - log_prob, atol=2e-4, rtol=2e-4)
    here, there = (stage.particles[0] for stage in (panel.u, panel.x))
    np.testing.assert_allclose(here.values, there.values, atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(here.states[0], there.states[0], atol=1e-6)
    assert here.value_range == there.value_range and here.palette == there.palette == "sequential"
    assert panel.sides.round_trip < 1e-5
    assert all(panel.sides.equal[name] for name in RATIOS)
    panel.close()


def test_the_gaussian_preset_has_its_closed_form(gaussian):
    x, u = gaussian.sides.x, gaussian.sides.u
    expected = {
        "KL(p*‖p)": DELTA**2 / 2,  # 1/8
        "KL(p‖p*)": DELTA**2 / 2,
        "TV": math.erf(DELTA / math.sqrt(8)),
        "χ²": math.expm1(DELTA**2),
    }
    for name, value in expected.items():
        assert x[name] == pytest.approx(value, rel=0.05), name
    assert all(gaussian.sides.equal[name] for name in RATIOS)
    # log p*/p at u = (1, 0.6): (‖u‖² − ‖u − (½, 0)‖²)/2 = u₁/2 − 1/8.
    assert gaussian.ratios == pytest.approx([0.375, 0.375], abs=1e-4)
    assert "0.375" in gaussian.at_u.text and "0.375" in gaussian.at_x.text
    # Sliced W₁ of a shift: the mean of |θᵀ(μ* − μ)| over directions, 2/π of it.
    assert u[SLICED] == pytest.approx(2 / math.pi * DELTA, rel=0.1)
    assert x[SLICED] == pytest.approx(u[SLICED] / 2, rel=1e-4)
    assert not any(gaussian.sides.equal[name] for name in DISTANCES)
    words = gaussian.words()
    assert "KL = 0.12" in words and "breaks" not in words
    shown = gaussian.numbers()
    assert " = " in shown[KL] and "±" in shown[KL] and " ≠ " in shown[SLICED]


def test_it_opens_where_distances_differ_and_the_ratio_does_not():
    panel = settle(RatioTravels())
    x, u = panel.sides.x, panel.sides.u
    assert x[SLICED] > 2 * u[SLICED] and x["MMD²"] > 2 * u["MMD²"]
    assert all(panel.sides.equal[name] for name in RATIOS)
    panel.close()


def test_divergences_are_those_of_known_ratios():
    """p* = N(m, I) against p = N(0, I): log p*/p is linear."""
    m, generator = 0.8, torch.Generator().manual_seed(0)
    shift = torch.tensor([m, 0.0])
    p, q = (torch.randn(20_000, 2, generator=generator) for _ in range(2))
    side = Side(p + shift, q, (p + shift)[:, 0] * m - m * m / 2, q[:, 0] * m - m * m / 2)
    found = side.divergences(0, agree=True)
    for name, value in (
        ("KL(p*‖p)", m * m / 2),
        ("KL(p‖p*)", m * m / 2),
        ("TV", math.erf(m / math.sqrt(8))),
        ("χ²", math.expm1(m * m)),
    ):
        one = found[name]
        assert abs(float(one.value) - value) < 4 * float(one.standard_error), name
        assert float(one.standard_error) < 0.1 * value
    far = torch.full((30,), 80.0)
    assert Side(p[:30], q[:30], far.where(far < 0, math.inf), -far).tail == math.inf
    apart = Side(p[:30], q[:30], far, -far).divergences(0, agree=True)
    assert float(apart["TV"].value) == pytest.approx(1)
    assert float(apart["JS"].value) == pytest.approx(math.log(2))


def test_a_loose_inverse_breaks_the_equality_and_the_words_say_so():
    panel = settle(RatioTravels(**{**LOOSE, "passes": 1}))
    x, u = panel.sides.x[KL], panel.sides.u[KL]
    assert abs(x - u) > 0.1
    assert not any(panel.sides.equal[name] for name in RATIOS)
    assert panel.sides.round_trip > 0.05
    assert "stops after 1 pass:" in panel.words() and "breaks" in panel.words()
    assert " ≠ " in panel.numbers()[KL]
    assert abs(panel.ratios[0] - panel.ratios[1]) > 0.01
    panel.update(passes=12)
    settle(panel)
    assert abs(panel.sides.x[KL] - panel.sides.u[KL]) < abs(x - u) / 5
    panel.close()


def test_an_ode_is_loosened_in_both_directions_and_a_closed_form_not_at_all(panel):
    u = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    flow = catalog.make("cnf", seed=1, hidden=(16, 16))
    for parameter in flow.parameters():
        parameter.data.mul_(2)
    with torch.no_grad():
        errors = [
            float((one.inverse(one(u)[0])[0] - u).abs().max())
            for one in (loosened(flow, 1), loosened(flow, 8), flow)
        ]
    assert errors[0] > 3 * errors[1] > 30 * errors[2]
    assert loosened(flow, 0) is flow
    closed: Flow = panel.model.flow
    with torch.no_grad():
        torch.testing.assert_close(loosened(closed, 3)(u), closed(u), atol=0, rtol=0)
    assert loosening(closed, 0) == "" and "no iteration" in loosening(closed, 3)
    panel.update(passes=3)
    settle(panel)
    assert "no iteration" in panel.words() and "breaks" not in panel.words()


def test_the_twins_follow_each_other_both_ways(gaussian):
    panel = gaussian
    panel.u.handles = [Handles([[0.4, -1.0]])]
    settle(panel)
    np.testing.assert_allclose(place(panel.x), (0.2, -0.5), atol=2e-3)
    assert panel.settings.point == ((0.4, -1.0),)
    assert panel.ratios == pytest.approx([0.4 / 2 - 0.125] * 2, abs=1e-4)
    panel.x.handles = [Handles([[-0.3, 0.6]])]
    settle(panel)
    np.testing.assert_allclose(place(panel.u), (-0.6, 1.2), atol=2e-3)
    assert panel.ratios == pytest.approx([-0.3 - 0.125] * 2, abs=1e-4)
    path = panel.x.paths[0].states
    np.testing.assert_allclose(np.squeeze(path)[-1], (-0.3, 0.6), atol=2e-3)


@pytest.mark.parametrize("which", ["u", "x"])
def test_a_refused_drag_snaps_both_twins_back(panel, which):
    stages, before = {"u": panel.u, "x": panel.x}, panel.settings.point
    stages[which].handles = [Handles([[5.0, 0.0]])]
    settle(panel)
    assert panel.settings.point == before
    for stage in stages.values():
        np.testing.assert_allclose(place(stage), before[0], atol=2e-3)
    assert "from −4 to 4" in panel._message.text


def test_while_it_trains_the_numbers_follow_and_the_film_holds_both_pictures(panel):
    first = panel.sides.x[KL]
    panel.update(trained=40)
    settle(panel)
    assert panel.model.trained == 40
    assert panel.sides.x[KL] < first
    assert panel.sides.equal[KL]
    assert len(panel.u.film) == len(panel.x.film) >= 2
    values = [
        stage.film[-1].to_json()["marks"]["particles"][0]["values"] for stage in (panel.u, panel.x)
    ]
    u, x = (np.frombuffer(value["data"], np.float16).astype(float) for value in values)
    np.testing.assert_allclose(u, x, atol=0.02, rtol=0.01)


def test_its_page_follows_its_handles(gaussian):
    assert "This page plays what was recorded" not in gaussian.to_html(), "its handles answer there"


def test_what_differs_by_less_than_its_errors_is_not_said_to_differ():
    pairs = (0.07, 0.04), (0.05, 0.03)
    near, far = (Estimate(torch.tensor(v), torch.tensor(e)) for v, e in pairs)
    distance, ratio = Pair(SLICED), Pair("TV")
    distance.show_pair(near, far)
    ratio.show_pair(near, far)
    assert " in x ≈ " in distance.text and " in x ≠ " in ratio.text
    distance.show_pair(near, Estimate(torch.tensor(0.2), torch.tensor(0.01)))
    assert " in x ≠ " in distance.text


def test_numbers_are_written_with_the_digits_in_which_they_differ():
    assert told_apart(1.4252, 1.4248) == ("1.43", "1.43"), "one, but for rounding"
    assert told_apart(0.5431, 0.5449) == ("0.543", "0.545")
    assert told_apart(1.6612, 1.6649) == ("1.661", "1.665")
    pair = Pair(KL)
    pair.show_pair(*(Estimate(torch.tensor(v), torch.tensor(0.02)) for v in (1.6612, 1.6649)))
    assert pair.text == "1.661 ± 0.02 in x ≠ 1.665 ± 0.02 in u"
    pair.show_pair(*(Estimate(torch.tensor(v), torch.tensor(1e8)) for v in (3.1e9, 5.2e9)))
    assert pair.said == ("3.10·10⁹", "5.20·10⁹")
    pair.show_pair(*(Estimate(torch.tensor(v), torch.tensor(2e-16)) for v in (5e-15, 4e-15)))
    assert pair.text == "0 in x = 0 in u", "rounding"


@pytest.mark.parametrize(("scale", "told"), [(-0.5, True), (-0.64, False), (-0.8, False)])
def test_chi_squared_is_not_told_by_samples_where_it_is_infinite(scale, told):
    """p = N(0, s²) and p* = N((¼, 0), ¼): ∫ p*²/p diverges from s² ≤ ⅛ on; there k̂ is 1."""
    panel = RatioTravels(**{**GAUSSIAN, "adjustments": {**HALF, **dict.fromkeys(DIAGONAL, scale)}})
    settle(panel)
    assert (" ± " in panel.numbers()["χ²"]) == told
    assert (panel.numbers()["χ²"] == "heavy tail in x = heavy tail in u") == (not told)
    assert panel.sides.equal["χ²"]
    panel.close()


def test_a_loose_inverse_leaves_one_side_as_it_is_and_the_code_says_the_same():
    """Densities of this flow go by its residual map, which is exact: KL in x stays."""
    found = []
    for passes in (0, 1, 2):
        panel = settle(RatioTravels(**{**LOOSE, "trained": 0, "passes": passes}))
        found.append(dict(panel.sides.x))
        if passes:
            assert panel.sides.x[KL] == pytest.approx(found[1][KL], abs=1e-4)
            flow, there = panel.flow, panel.model.target.sample(20_000, torch.Generator())
            plain = kl_duality(flow, panel.model.target.log_prob, there, there)
            for side, one in ((panel.sides.x, plain.data), (panel.sides.u, plain.base)):
                assert side[KL] == pytest.approx(float(one.value), abs=0.05)
        panel.close()
    assert found[0][KL] == pytest.approx(found[1][KL], abs=0.05), "by draws of p as well"


def test_a_page_carries_samples_of_the_model_by_the_exact_inverse_alone():
    panel = RatioTravels(**GAUSSIAN)
    for settings, ways in (({}, ["pulled"]), ({"passes": 2}, None), ({"carried": "target"}, None)):
        panel.update(**{"passes": 0, "carried": "model", **settings})
        assert panel.jobs.wait(60)
        assert panel.u.carried.get("contours") == ways
        assert (panel.model.in_page() is None) == (ways is None)
    panel.close()
