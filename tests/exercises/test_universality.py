"""The checks of the lesson on the limits of flows: right answers pass, mistakes are named."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.special import ndtr

from flowviz.exercises import check
from flowviz.exercises.registry import options
from flowviz.exercises.universality import LOG_SLOPE
from flowviz.two_modes import Capped, Gaussians


def test_the_number_asked_for_is_the_maps():
    assert pytest.approx(Capped(Gaussians(6.0, 0.5)).needed) == LOG_SLOPE
    assert round(LOG_SLOPE, 1) == 17.3


@pytest.mark.parametrize(
    "said", [17.3, 17.307, [17.3], torch.tensor(17.31), np.float64(17.3069), (17.30685,)]
)
def test_the_right_slope_passes(said):
    assert check("log_slope", said).passed, check("log_slope", said)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (3.28e7, "the slope itself"),
        (math.exp(LOG_SLOPE), "the slope itself"),
        (7.516, "log₁₀"),
        (18, "only one of the two modes"),
        (18.0, "the factor s"),
        (16.61, "log|det J| in the plane"),
        (8.307, "its square, ¼"),
        (8.653, "not the variance"),
        (35.307, "the 2 is missing"),
        (71.307, "either is 3 from the middle"),
        (-17.307, "slope of T⁻¹"),
        (18.226, "φ(0) = 1/√2π is not 1"),
        (17.0, "compute φ(0) and q(0)"),
        (4, "compute φ(0) and q(0)"),
        ("17.3", "a real number"),
        (float("inf"), "not finite"),
        ((17.3, 1), "there are more"),
        (lambda: 17.3, "not a function"),
    ],
)
def test_a_wrong_slope_is_told_why(said, reason):
    result = check("log_slope", said)
    assert result.verdict == "wrong" and reason in result.reason, result


def test_the_trap_is_told_apart():
    universal, bridge, gaussian = options("two_discs")
    assert check("two_discs", bridge).passed and check("two_discs", bridge.upper()).passed
    for option, reason in ((universal, "is never 0"), (gaussian, "a stack of layers bends")):
        result = check("two_discs", option)
        assert result.verdict == "wrong" and reason in result.reason
    assert check("two_discs", "maybe").verdict == "wrong"
    assert check("two_discs", True).verdict == "wrong"


def rosenblatt(x, rho):
    first = ndtr(x[:, 0])
    second = ndtr((x[:, 1] - rho * x[:, 0]) / math.sqrt(1 - rho**2))
    return torch.stack([first, second], dim=-1)


def second(value):
    return lambda x, rho: torch.stack([ndtr(x[:, 0]), value(x[:, 0], x[:, 1], rho)], dim=-1)


def erf_form(x, rho):
    z = torch.stack([x[:, 0], (x[:, 1] - rho * x[:, 0]) / (1 - rho**2) ** 0.5], 1)
    return (1 + torch.erf(z / 2**0.5)) / 2


def test_the_right_map_passes_and_makes_samples_uniform():
    for right in (
        rosenblatt,
        erf_form,
        lambda x, rho: rosenblatt(x, rho).numpy(),
        lambda x, rho: rosenblatt(x.float(), rho),
    ):
        result = check("rosenblatt_map", right)
        assert result.passed and "(0.841, 0.631)" in result.reason, result
    u = rosenblatt(torch.ones(1, 2, dtype=torch.float64), 0.8)[0].tolist()
    assert u == pytest.approx([0.8413, 0.6306], abs=1e-4)
    z = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.stack([z[:, 0], 0.8 * z[:, 0] + 0.6 * z[:, 1]], 1)
    u = rosenblatt(x, 0.8)
    assert float(torch.corrcoef(u.T)[0, 1]) == pytest.approx(0, abs=0.03)
    assert u.var(0).tolist() == pytest.approx([1 / 12, 1 / 12], rel=0.03)


def standardised(x, rho):
    return torch.stack([x[:, 0], (x[:, 1] - rho * x[:, 0]) / math.sqrt(1 - rho**2)], -1)


SLIPS = {
    "other order": (lambda x, r: rosenblatt(x.flip(1), r).flip(1), "the order: this takes x₂"),
    "results exchanged": (lambda x, r: rosenblatt(x, r).flip(1), "the two results are exchanged"),
    "coordinates exchanged": (lambda x, r: rosenblatt(x.flip(1), r), "coordinates are exchanged"),
    "marginals": (lambda x, r: ndtr(x), "by its own distribution function"),
    "variance": (second(lambda a, b, r: ndtr((b - r * a) / (1 - r**2))), "is the variance"),
    "no scale": (second(lambda a, b, r: ndtr(b - r * a)), "not 1: divide by it"),
    "ρ not squared": (
        second(lambda a, b, r: ndtr((b - r * a) / math.sqrt(1 - r))),
        "ρ is not squared",
    ),
    "sign": (second(lambda a, b, r: ndtr((b + r * a) / math.sqrt(1 - r**2))), "the sign"),
    "on itself": (
        second(lambda a, b, r: ndtr((b - r * b) / math.sqrt(1 - r**2))),
        "conditioned on itself",
    ),
    "no ρ": (second(lambda a, b, r: ndtr((b - a) / math.sqrt(1 - r**2))), "ρx₁, not x₁"),
    "no mean": (second(lambda a, b, r: ndtr(b / math.sqrt(1 - r**2))), "nothing is taken off"),
    "on u₁": (
        second(lambda a, b, r: ndtr((b - r * ndtr(a)) / math.sqrt(1 - r**2))),
        "conditioned on u₁",
    ),
    "no Φ": (standardised, "Φ is missing"),
    "density": (
        lambda x, r: torch.exp(-(standardised(x, r) ** 2) / 2) / math.sqrt(2 * math.pi),
        "these are densities",
    ),
    "above": (lambda x, r: 1 - rosenblatt(x, r), "the mass above each point"),
    "inverse": (
        lambda x, r: torch.stack(
            [
                (z := torch.special.ndtri(x.clamp(0.001, 0.999)))[:, 0],
                r * z[:, 0] + math.sqrt(1 - r**2) * z[:, 1],
            ],
            1,
        ),
        "this is the inverse",
    ),
    "shape": (lambda x, r: rosenblatt(x, r)[:, 0], "the shape"),
    "else": (lambda x, r: rosenblatt(x, r) + 1, "is right"),
    "raises": (lambda x, r: 1 / 0, "ZeroDivisionError"),
    "no arguments": (lambda: 0, "called with 2 arguments"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_wrong_map_is_told_why(slip):
    function, reason = SLIPS[slip]
    result = check("rosenblatt_map", function)
    assert result.verdict == "wrong" and reason in result.reason, result


@pytest.mark.parametrize("name", ["log_slope", "two_discs", "rosenblatt_map"])
def test_what_is_not_answered_is_open(name):
    assert check(name, None).verdict == check(name, ...).verdict == "open"
