"""Divergences on the line: quadrature against closed forms, samples, SciPy and differences."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from flowviz.objectives.line_closed_forms import (
    SAMPLES,
    closed_form,
    estimate,
    lacks_variance,
    over_mixture,
)
from flowviz.objectives.on_the_line import (
    MEASURES,
    gradient,
    measure,
    why_infinite,
    witness,
)
from flowviz.targets.line import FAMILIES, Line

U01, U02 = Line("uniform", 0.5, 0.5), Line("uniform", 1.0, 1.0)
STANDARD = Line("normal", 0.0, 1.0)
PAIRS = [
    (STANDARD, Line("normal", -3.0, 1.0)),
    (STANDARD, Line("normal", 1.2, 0.8)),
    (Line("normal", 0.5, 1.4), Line("normal", 0.5, 1.1)),
    (STANDARD, Line("normal", 6.0, 1.3)),
    (U01, U02),
    (U02, Line("uniform", 2.5, 0.75)),
    (Line("two_bumps", 0.0, 1.0), Line("normal", 1.0, 2.0)),
    (Line("two_bumps", 0.4, 0.7), Line("normal", 1.8, 0.6)),
    (Line("student", 0.0, 1.0), Line("normal", 0.3, 1.5)),
    (Line("uniform", 0.0, 1.0), Line("normal", 0.3, 1.5)),
    (Line("normal", 0.0, 1.0), Line("uniform", 0.3, 1.5)),
]
EVERY = pytest.mark.parametrize("name", MEASURES)


def test_the_families_are_scipys():
    x = np.linspace(-6.0, 7.0, 53)
    at, given = torch.from_numpy(x), (0.4, 1.3)
    half = [stats.norm(0.4 + side * 2.6, 0.65) for side in (-1, 1)]
    references = {
        "normal": (stats.norm(*given).logpdf(x), stats.norm(*given).cdf(x)),
        "two_bumps": (
            np.log(0.5 * sum(h.pdf(x) for h in half)),
            0.5 * sum(h.cdf(x) for h in half),
        ),
        "uniform": (stats.uniform(-0.9, 2.6).logpdf(x), stats.uniform(-0.9, 2.6).cdf(x)),
        "student": (stats.t(3, *given).logpdf(x), stats.t(3, *given).cdf(x)),
    }
    assert set(references) == set(FAMILIES)
    for family, (log_prob, cdf) in references.items():
        line = Line(family, *given)
        np.testing.assert_allclose(line.log_prob(at), log_prob, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(line.cdf(at), cdf, rtol=1e-10, atol=1e-14)
        draws = line.sample(20_000, torch.Generator().manual_seed(0))
        cdf_of = lambda v, line=line: line.cdf(torch.from_numpy(np.asarray(v))).numpy()  # noqa: E731
        assert stats.kstest(draws.numpy(), cdf_of).pvalue > 1e-3
        # The characteristic function: E cos(ω(X − centre)).
        for w in (0.3, 1.1, 2.4):
            drawn = torch.cos(w * (draws - 0.4))
            expected = float(line.kind.characteristic(torch.tensor(w * 1.3).double()))
            assert abs(float(drawn.mean()) - expected) < 4 * float(drawn.std()) / 141
    with pytest.raises(ValueError, match="width"):
        Line("normal", 0.0, 0.0)
    with pytest.raises(ValueError, match="normal"):
        Line("gauss", 0.0, 1.0)


@EVERY
@pytest.mark.parametrize("pair", PAIRS)
def test_quadrature_is_the_closed_form_or_what_samples_say(name, pair):
    value, why = float(measure(name, *pair)), why_infinite(name, *pair)
    assert math.isinf(value) == bool(why)
    if why:
        return
    formula = closed_form(name, *pair)
    if formula is not None:
        assert value == pytest.approx(formula, rel=1e-5, abs=1e-9)
        return
    found = estimate(name, *pair, seed=1)
    if math.isfinite(float(found.standard_error)):
        assert abs(value - float(found.value)) < 4.5 * float(found.standard_error)


BUMPS, HEAVY = Line("two_bumps", 0.0, 1.0), Line("student", 0.0, 1.0)


def second_moment(name: str, target: Line, model: Line, most: float) -> float:
    """∫ terms² m over |x| ≤ most, by SciPy: m = (p* + p)/2, terms as the estimate has them."""

    def of_x(x: float) -> float:
        at = torch.tensor([x], dtype=torch.float64)
        mass = 0.5 * sum(line.log_prob(at).exp() for line in (target, model))
        return float(mass * over_mixture(name, target, model, at).square()) if mass > 0 else 0.0

    ends = [float(edge) for line in (target, model) for edge in line.edges]
    points = sorted({-most, *np.arange(-8.0, 9.0), *ends, most})
    pieces = [integrate.quad(of_x, a, b, limit=200)[0] for a, b in itertools.pairwise(points)]
    return sum(pieces)


@pytest.mark.parametrize(
    ("name", "target", "model", "infinite"),
    [
        ("reverse_kl", BUMPS, STANDARD, False),
        ("reverse_kl", BUMPS, Line("normal", 2.0, 0.5), False),
        ("reverse_kl", HEAVY, Line("normal", 0.0, 1.5), False),
        ("reverse_kl", HEAVY, Line("normal", 0.0, 0.704), False),
        ("jensen_shannon", HEAVY, Line("normal", 0.0, 1.5), False),
        ("kl", BUMPS, STANDARD, False),
        ("kl", HEAVY, Line("normal", 0.0, 1.5), True),
        ("chi_squared", BUMPS, Line("normal", 0.0, 0.8), False),
        ("chi_squared", STANDARD, Line("normal", 0.3, 0.83), False),
        ("chi_squared", STANDARD, Line("normal", 0.3, 0.79), True),
        ("chi_squared", Line("uniform", 0.5, 0.5), Line("normal", 0.0, 0.25), False),
    ],
)
def test_a_standard_error_is_infinite_where_the_second_moment_is_and_nowhere_else(
    name, target, model, infinite
):
    assert math.isfinite(float(measure(name, target, model)))
    assert lacks_variance(name, target, model) == infinite
    error = float(estimate(name, target, model, seed=7).standard_error)
    near, far = (second_moment(name, target, model, most) for most in (12.0, 24.0))
    assert math.isinf(error) == infinite
    assert (far > 1.5 * near) == infinite
    if infinite:
        return
    # Var over the mixture is that within its halves and that between them.
    x = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    terms = over_mixture(name, target, model, x)
    masses = [line.log_prob(x).exp() for line in (target, model)]
    means = [float(torch.trapezoid(torch.where(m > 0, m * terms, 0.0), x)) for m in masses]
    variance = far - float(np.mean(np.square(means)))
    assert error == pytest.approx(math.sqrt(variance / (2 * SAMPLES)), rel=0.01)


def test_the_chi_squared_of_two_bumps_is_large_and_finite_where_tails_allow_it():
    """∫ N(a, s²) N(b, s²) / N(m, w²) for each pair of bumps: Gaussian integrals, for 2w² > s²."""
    m, w, s = 1.0, 0.45, 0.5
    model, total = Line("normal", m, w), 0.0
    for a, b in itertools.product((-2.0, 2.0), repeat=2):
        k = 2 / s**2 - 1 / w**2
        mean = ((a + b) / s**2 - m / w**2) / k
        exponent = 0.5 * (k * mean**2 - (a * a + b * b) / s**2 + m * m / w**2)
        factor = w / (s**2 * math.sqrt(2 * math.pi)) * math.sqrt(2 * math.pi / k)
        total += 0.25 * factor * math.exp(exponent)
    assert total > 1e15
    assert float(measure("chi_squared", BUMPS, model)) == pytest.approx(total - 1, rel=1e-6)
    assert why_infinite("chi_squared", BUMPS, Line("normal", m, 0.35))


def test_the_numbers_of_the_text():
    assert float(measure("jensen_shannon", U01, U02)) == pytest.approx(0.2158, abs=5e-5)
    assert float(measure("total_variation", U01, U02)) == pytest.approx(0.5, abs=1e-9)
    assert float(measure("wasserstein", U01, U02)) == pytest.approx(0.5, abs=1e-6)
    assert float(measure("kl", U01, U02)) == pytest.approx(math.log(2), abs=1e-9)
    far = Line("normal", 40.0, 1.0)
    assert float(measure("jensen_shannon", STANDARD, far)) == pytest.approx(math.log(2), abs=1e-9)
    for shift in (0.5, 3.0, 9.0):
        moved = Line("normal", shift, 1.0)
        assert float(measure("wasserstein", STANDARD, moved)) == pytest.approx(shift, abs=1e-9)
        assert float(measure("kl", STANDARD, moved)) == pytest.approx(shift**2 / 2, abs=1e-9)
    # The engine's own test of KL with other widths: log(s/s*) + (s*² + d²)/(2s²) − ½.
    other = Line("normal", 1.0, 2.0)
    assert float(measure("kl", STANDARD, other)) == pytest.approx(math.log(2) + 2 / 8 - 0.5)


def test_what_is_infinite_says_why_and_what_is_not_is_a_number():
    heavy, thin = Line("student", 0.0, 1.0), Line("normal", 0.0, 1.5)
    assert "thin" in why_infinite("chi_squared", heavy, thin)
    assert not why_infinite("kl", heavy, thin)
    # p*²/p of Gaussians has a tail of variance 1/(2/s*² − 1/s²): there is one for s*² < 2s² alone.
    for width, infinite in ((0.70, True), (0.72, False)):
        narrow = Line("normal", 0.0, width)
        assert bool(why_infinite("chi_squared", STANDARD, narrow)) == infinite
        assert math.isinf(float(measure("chi_squared", STANDARD, narrow))) == infinite
    assert "p* has mass where p has none" in why_infinite("kl", U02, U01)
    assert "p has mass where p* has none" in why_infinite("reverse_kl", U01, U02)
    assert not why_infinite("kl", U01, U02)
    assert all(not why_infinite(name, U01, Line("uniform", 9.0, 1.0)) for name in ("mmd",))


@EVERY
@pytest.mark.parametrize("pair", PAIRS)
def test_gradients_are_differences_of_values(name, pair):
    """Central differences, of another number of nodes, so that both do not share their errors."""
    target, model = pair
    value, slope, stretch = gradient(name, target, model)
    if math.isinf(value):
        assert math.isnan(slope) and math.isnan(stretch)
        return
    if math.isnan(slope):
        assert pair[0] is U01 and MEASURES[name].f, "edges coincide there alone"
        return
    centre, width, h = float(model.centre), float(model.width), 1e-3
    near = [
        [Line(model.family, centre + way * h, width) for way in (1, -1)],
        [Line(model.family, centre, width * math.exp(way * h)) for way in (1, -1)],
    ]
    high, low = ([float(measure(name, target, m, nodes=7_000)) for m in two] for two in near)
    for found, (above, below) in ((slope, high), (stretch, low)):
        scale = max(1e-4, abs(value))
        tolerance = 3e-3 * scale if name != "chi_squared" else 1e-2 * scale + 1e-3 * abs(found)
        if name == "wasserstein" and target is U01:
            tolerance = 2e-3  # the second derivative jumps where edges meet
        assert found == pytest.approx((above - below) / (2 * h), abs=tolerance), name


def test_js_has_no_gradient_at_a_distance_and_w1_has():
    slopes = []
    for distance in (3.0, 6.0, 9.0):
        model = Line("normal", distance, 1.0)
        _, slope, _ = gradient("jensen_shannon", STANDARD, model)
        slopes.append(slope)
        assert gradient("wasserstein", STANDARD, model)[1] == pytest.approx(1.0, abs=1e-6)
        assert gradient("kl", STANDARD, model)[1] == pytest.approx(distance, rel=1e-6)
    assert slopes[0] > 0.1 and 1e-4 < slopes[1] < 0.02 and 0 < slopes[2] < 5e-5


def test_many_at_once_are_each_one_by_one():
    centres = torch.tensor([-2.0, 0.3, 5.0], dtype=torch.float64)
    for family in ("normal", "uniform"):
        for name in MEASURES:
            many = measure(name, U02, Line(family, centres[:, None], 1.5), nodes=900)
            one = [float(measure(name, U02, Line(family, c, 1.5), nodes=900)) for c in centres]
            np.testing.assert_allclose(many, one, rtol=1e-9, atol=1e-12)


def test_witnesses_tell_the_two_apart_by_as_much():
    target, model = Line("normal", 0.4, 1.0), Line("normal", -1.0, 1.6)
    x = torch.linspace(-14, 14, 40_001, dtype=torch.float64)
    p, q = (line.log_prob(x).exp() for line in (target, model))
    for name, factor in (("wasserstein", 1), ("mmd", 1), ("total_variation", 1)):
        g = witness(name, target, model, x)
        gap = float(torch.trapezoid(g * (p - q), x))
        assert gap == pytest.approx(factor * float(measure(name, target, model)), rel=2e-4), name
    slope = witness("wasserstein", target, model, x).diff() / x.diff()
    assert float(slope.abs().max()) <= 1 + 1e-9
    # The variational bound is tight at f′(r): E_p*[g] − E_p[f*(g)].
    for name in ("kl", "jensen_shannon", "squared_hellinger"):
        kind = MEASURES[name].kind
        t = target.log_prob(x) - model.log_prob(x)
        bound = torch.trapezoid(kind.witness(t) * p - kind.penalty(t) * q, x)
        assert float(bound) == pytest.approx(float(measure(name, target, model)), rel=1e-5), name
