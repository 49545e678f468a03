"""The checks of the lesson on the change of variables: right answers, and every slip told apart."""

from __future__ import annotations

import math

import pytest
import torch

from flowviz.exercises import check, density
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.line import Pushforward

HALF = math.log(2 * math.pi) / 2


def log_density(x, a):
    u = torch.log(x) / a
    return -(u**2) / 2 - HALF - torch.log(abs(a)) - torch.log(x)


def by_distribution(x, a):
    return torch.distributions.LogNormal(0, float(abs(a))).log_prob(x)


def by_autodiff(x, a):
    u = (torch.log(x) / a).detach().requires_grad_()
    (slope,) = torch.autograd.grad(torch.exp(a * u).sum(), u)
    return torch.distributions.Normal(0, 1).log_prob(u) - slope.abs().log()


def in_float32(x, a):
    return log_density(x.float(), a.float())


@pytest.mark.parametrize("function", [log_density, by_distribution, by_autodiff, in_float32])
def test_right_programmes_pass(function):
    assert check("lognormal_log_density", function).passed


def test_the_right_programme_is_the_pushforward_and_has_the_number_of_the_course():
    base = StandardNormal(1).double()
    x = torch.tensor([0.2, 0.5, 1.0, 3.0], dtype=torch.float64)
    for a in (1.0, -0.5):
        push = Pushforward(
            base,
            torch.special.ndtr,
            lambda u, a=a: ((a * u).exp(), a * (a * u).exp()),
            (-8.0, 8.0),
        )
        mine = log_density(x, torch.tensor(a, dtype=torch.float64))
        torch.testing.assert_close(push.prob(x).log(), mine)
    at_half = log_density(torch.tensor(0.5, dtype=torch.float64), torch.tensor(1.0))
    assert float(at_half) == pytest.approx(-0.466, abs=5e-4)


def test_the_number_is_that_of_a_gaussian_of_a_tenth_of_the_width():
    wanted = torch.distributions.Normal(0.0, 0.1).log_prob(torch.tensor(0.0))
    assert check("squeezed_log_density", float(wanted)).passed
    assert check("squeezed_log_density", [1.384]).passed


@pytest.mark.parametrize(
    "number, reason",
    [
        (-0.919, "the Jacobian is missing"),
        (-3.222, "the sign: T squeezes"),
        (3.989, "the density itself"),
        (-1.384, "the sign: this is −log p"),
        (2.303, "log p_u(0) is missing"),
        (0.465, "a half is missing"),
        (0.232, "the whole of it"),
        (3.686, "it does not come on top"),
        (0.601, "base 10"),
        (-0.819, "the slope itself is added"),
        (-1.019, "the slope itself is subtracted"),
        (1.38, "three decimals"),
        (7, "then log p_u(0)"),
    ],
)
def test_every_slip_of_the_number_is_named(number, reason):
    result = check("squeezed_log_density", number)
    assert result.verdict == "wrong" and reason in result.reason, result.reason


def test_the_trap_has_one_right_answer_and_a_reason_for_every_other():
    right = [option for option in density.VERDICTS if check("negative_loss", option)]
    assert right == [density.UNIT]
    assert len({check("negative_loss", option).reason for option in density.VERDICTS}) == 4
    assert check("negative_loss", ...).verdict == "open"


def normal(u):
    return -(u**2) / 2 - HALF


SLIPS = {
    "no Jacobian": (lambda x, a: normal(x.log() / a), "the Jacobian is missing"),
    "its sign": (
        lambda x, a: normal(x.log() / a) + abs(a).log() + x.log(),
        "the sign of the Jacobian",
    ),
    "no |.|": (lambda x, a: normal(x.log() / a) - a.log() - x.log(), "|·| is forgotten"),
    "no a": (lambda x, a: normal(x.log() / a) - x.log(), "the factor |a| is left out"),
    "no x": (lambda x, a: normal(x.log() / a) - abs(a).log(), "of it x is left out"),
    "base at x": (lambda x, a: normal(x) - abs(a).log() - x.log(), "evaluated at x, the wrong"),
    "base at log x": (
        lambda x, a: normal(x.log()) - abs(a).log() - x.log(),
        "evaluated at log x, the wrong",
    ),
    "base at a log x": (
        lambda x, a: normal(a * x.log()) - abs(a).log() - x.log(),
        "the inverse divides by a",
    ),
    "slope at x": (
        lambda x, a: normal(x.log() / a) - abs(a).log() - a * x,
        "T′ is evaluated at x",
    ),
    "T for its inverse": (
        lambda x, a: normal((a * x).exp()) - abs(a).log() - a * x,
        "T is applied where T⁻¹",
    ),
    "no half": (
        lambda x, a: log_density(x, a) - (x.log() / a) ** 2 / 2,
        "a half is missing: the Gaussian's exponent",
    ),
    "no half of the constant": (lambda x, a: log_density(x, a) - HALF, "constant is −½ log 2π"),
    "no constant": (lambda x, a: log_density(x, a) + HALF, "the Gaussian's constant is missing"),
    "no log": (lambda x, a: log_density(x, a).exp(), "this is the density"),
    "a loss": (lambda x, a: -log_density(x, a), "the sign: this is −log p"),
    "the slope": (
        lambda x, a: normal(x.log() / a) - abs(a) * x,
        "the slope itself is subtracted",
    ),
    "sum": (lambda x, a: log_density(x, a).sum(), "not one for all of them"),
    "math.log": (lambda x, a: normal(x.log() / a) - math.log(a) - x.log(), "ValueError"),
    "else": (lambda x, a: log_density(x, a) + 1, "is right"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_every_slip_of_the_programme_is_named(slip):
    function, reason = SLIPS[slip]
    result = check("lognormal_log_density", function)
    assert result.verdict == "wrong" and reason in result.reason, result.reason


def test_a_forgotten_absolute_value_is_told_with_where_it_shows():
    """The first case, with a > 0, is right; the reason is that of the other."""
    function, _ = SLIPS["no |.|"]
    assert torch.allclose(function(*density._case(6, 2.0)()), log_density(*density._case(6, 2.0)()))
    assert "a < 0" in check("lognormal_log_density", function).reason
