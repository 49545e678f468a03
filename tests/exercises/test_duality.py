"""The checks of the lesson on the ratio p*/p: right answers, and every slip told apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from flowviz.exercises import check, duality
from flowviz.exercises.registry import options
from flowviz.flows import jacobian
from flowviz.objectives.line_closed_forms import closed_form
from flowviz.objectives.on_the_line import measure
from flowviz.targets.line import Line

U01, U02 = Line("uniform", 0.5, 0.5), Line("uniform", 1.0, 1.0)


def by_parts(flow, target, u):
    x, logabsdet = flow.forward(u)
    return target.log_prob(x) + logabsdet


def by_the_inverse(flow, target, u):
    x, _ = flow(u)
    return target.log_prob(x) - flow.inverse(x)[1]


def by_the_model(flow, target, u):
    x = flow(u)[0]
    return target.log_prob(x) - flow.log_prob(x) + flow.base.log_prob(u)


@pytest.mark.parametrize("function", [by_parts, by_the_inverse, by_the_model])
def test_right_programmes_pass(function):
    result = check("pulled_back", function)
    assert result.passed and "0.128" in result.reason, result


def test_the_right_programme_is_autodiffs_and_makes_the_kl_of_the_text():
    flow, target, u = duality._case(6, seed=1)()
    logabsdet = torch.linalg.slogdet(jacobian(flow.transform, u)).logabsdet
    expected = target.log_prob(flow(u)[0]) + logabsdet
    torch.testing.assert_close(duality._pulled_back(flow, target, u), expected)
    assert flow(u)[1].abs().max() > 0.2, "a flow that shows the difference"
    triple, target, _ = duality._by_three()
    u = torch.linspace(-6, 6, 4001, dtype=torch.float64)[:, None]
    log_p = duality._pulled_back(triple, target, u)
    kl = torch.trapezoid(log_p.exp() * (log_p - triple.base.log_prob(u)), u[:, 0])
    assert float(kl) == pytest.approx(math.log(1.5) + 4 / 18 - 0.5, abs=1e-6)
    assert f"{float(kl):.3f}" == "0.128"


SLIPS = {
    "sign": (lambda f, t, u: t.log_prob(f(u)[0]) - f(u)[1], "the sign of the log-det"),
    "no log-det": (lambda f, t, u: t.log_prob(f(u)[0]), "log|det J_T| is missing"),
    "at u": (lambda f, t, u: t.log_prob(u) + f(u)[1], "log p* is evaluated at u; it belongs"),
    "no flow": (lambda f, t, u: t.log_prob(u), "the flow does not occur"),
    "inverse": (
        lambda f, t, u: t.log_prob(f.inverse(u)[0]) + f.inverse(u)[1],
        "T⁻¹ is applied where T is needed",
    ),
    "inverse, other sign": (
        lambda f, t, u: t.log_prob(f.inverse(u)[0]) - f.inverse(u)[1],
        "T⁻¹ is applied where T is needed",
    ),
    "ratio": (lambda f, t, u: by_parts(f, t, u) - f.base.log_prob(u), "that is log p*_u/p_u"),
    "pushed": (lambda f, t, u: f.base.log_prob(u) - f(u)[1], "the model pushed forward"),
    "det": (lambda f, t, u: t.log_prob(f(u)[0]) + f(u)[1].exp(), "|det J| stands where"),
    "density": (lambda f, t, u: by_parts(f, t, u).exp(), "this is the density"),
    "bits": (lambda f, t, u: by_parts(f, t, u) / math.log(2), "that is in bits"),
    "mean": (lambda f, t, u: by_parts(f, t, u).mean(), "shape"),
    "else": (lambda f, t, u: by_parts(f, t, u) + 1, "is right"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_every_slip_of_a_programme_gets_its_own_reason(slip):
    function, reason = SLIPS[slip]
    result = check("pulled_back", function)
    assert result.verdict == "wrong" and reason in result.reason, result


def test_the_numbers_are_those_of_quadrature_and_of_closed_forms():
    wanted = duality.JS, 0.5, 0.5
    for name, value in zip(
        ("jensen_shannon", "total_variation", "wasserstein"), wanted, strict=True
    ):
        assert closed_form(name, U01, U02) == pytest.approx(value)
        assert float(measure(name, U01, U02)) == pytest.approx(value, abs=1e-6)
    for submission in (wanted, [0.216, 0.5, 0.5], np.array([0.2158, 0.5, 0.5])):
        assert check("uniform_divergences", submission).passed


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((0.311, 0.5, 0.5), "that is in bits"),
        ((0.432, 0.5, 0.5), "JS: a half is missing"),
        ((0.288, 0.5, 0.5), "KL(p*‖m) alone"),
        ((0.144, 0.5, 0.5), "the second half is missing"),
        ((0.072, 0.5, 0.5), "the first half is missing"),
        ((0.465, 0.5, 0.5), "Jensen–Shannon distance"),
        ((0.693, 0.5, 0.5), "log 2 is KL(p*‖p)"),
        ((0.131, 0.5, 0.5), "The mixture stands second"),
        ((0.21, 0.5, 0.5), "three decimals"),
        ((0.9, 0.5, 0.5), "JS: with m"),
        ((0.216, 1, 0.5), "TV: a half is missing"),
        ((0.216, 0.25, 0.5), "the half is taken twice"),
        ((0.216, 0, 0.5), "has the integral 0"),
        ((0.216, 0.7, 0.5), "TV: ½ ∫"),
        ((0.216, 0.5, 1), "the farthest that a piece of mass goes"),
        ((0.216, 0.5, 0.25), "a factor of 2"),
        ((0.216, 0.5, 3**-0.5), "that is W₂"),
        ((0.216, 0.5, 1 / 3), "the mean of the squares"),
        ((0.216, 0.5, 2), "the quantile x to the quantile 2x"),
        ((0.216, 0.5), "there are fewer"),
    ],
)
def test_every_wrong_number_gets_its_own_reason(numbers, reason):
    result = check("uniform_divergences", numbers)
    assert result.verdict == "wrong" and reason in result.reason, result


def test_the_trap_is_told_reading_by_reading():
    reasons = set()
    for option in options("normal_latents"):
        result = check("normal_latents", option)
        assert result.passed == (option == duality.DEPENDENCE)
        reasons.add(result.reason)
    assert len(reasons) == 4
    # Both coordinates normal and uncorrelated, on two lines all the same.
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(4000, generator=generator)
    second = first * (2.0 * torch.randint(0, 2, (4000,), generator=generator) - 1)
    assert abs(float((first * second).mean())) < 0.1 and float(second.std()) > 0.95
    assert float((first.abs() - second.abs()).abs().max()) == 0


@pytest.mark.parametrize(
    ("name", "submission"),
    [
        ("uniform_divergences", (..., ..., ...)),
        ("normal_latents", ...),
        ("pulled_back", lambda flow, target, u: None),
    ],
)
def test_an_empty_task_is_open(name, submission):
    assert check(name, submission).verdict == "open"
