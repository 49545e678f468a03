"""The splines at their knots, at their bound, with extreme parameters, and their gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowviz.flows.autoregressive.transformers import (
    Additive,
    Affine,
    CubicSpline,
    LinearSpline,
    QuadraticSpline,
    RationalQuadraticSpline,
    Transformer,
)
from flowviz.flows.autoregressive.transformers.spline import MIN_SLOPE, Spline

SMOOTH: list[type[Spline]] = [RationalQuadraticSpline, QuadraticSpline, CubicSpline]
SPLINES = [*SMOOTH, LinearSpline]
TRANSFORMERS = [Additive(), Affine(), *(make(bins) for make in SPLINES for bins in (2, 8))]

smooth = pytest.mark.parametrize("make", SMOOTH)
each = pytest.mark.parametrize("make", SPLINES)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("bins", [2, 8, 100])
@smooth
def test_on_knots_and_next_to_them(make: type[Spline], bins: int, dtype: torch.dtype) -> None:
    spline = make(bins)
    torch.manual_seed(0)
    h = torch.randn(1, spline.parameters_per_dim, dtype=dtype).expand(bins + 1, -1)
    x, y, slopes = spline.knots(h)[0]
    infinity = torch.tensor(torch.inf, dtype=dtype)
    ε = torch.finfo(dtype).eps
    for z in (x, torch.nextafter(x, infinity), torch.nextafter(x, -infinity)):
        image, log_derivative = spline(z, h)
        back, inverse_log_derivative = spline.inverse(image, h)
        assert torch.allclose(image, y, rtol=0, atol=1e3 * ε)
        assert torch.allclose(log_derivative.exp(), slopes, rtol=1e4 * ε, atol=1e4 * ε)
        assert torch.allclose(back, z, rtol=0, atol=1e4 * ε)
        assert torch.allclose(inverse_log_derivative, -log_derivative, rtol=0, atol=1e5 * ε)
    assert x[0] == -5 and x[-1] == 5 and slopes[0] == slopes[-1] == 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("bins", [2, 3, 8, 100])
def test_both_sides_of_every_kink_of_the_linear_spline(bins: int, dtype: torch.dtype) -> None:
    """Forward and inverse are in the same piece, however close to a knot the point lies."""
    spline = LinearSpline(bins)
    torch.manual_seed(0)
    h = torch.randn(1, bins, dtype=dtype).expand(bins + 1, -1)
    x, y = spline.knots(h)[0]
    log_slopes = torch.log(y.diff() / x.diff())
    ε = torch.finfo(dtype).eps
    infinity = torch.tensor(torch.inf, dtype=dtype)
    outside = torch.zeros(1, dtype=dtype)
    left = torch.cat([outside, log_slopes])
    # The piece on the right of a knot has it; the last has both of its ends.
    right = torch.cat([log_slopes, outside])
    at = torch.cat([log_slopes, log_slopes[-1:]])
    below, above = torch.nextafter(x, -infinity), torch.nextafter(x, infinity)
    for z, expected in ((below, left), (x, at), (above, right)):
        image, log_derivative = spline(z, h)
        assert torch.allclose(image, y, rtol=0, atol=1e3 * ε)
        assert torch.allclose(log_derivative, expected, rtol=0, atol=1e4 * ε)
        back, inverse_log_derivative = spline.inverse(image, h)
        assert torch.equal(inverse_log_derivative, -log_derivative)
        assert torch.allclose(back, z, rtol=0, atol=1e4 * ε)
    below, above = torch.nextafter(y, -infinity), torch.nextafter(y, infinity)
    for z, expected in ((below, left), (above, right)):
        back, inverse_log_derivative = spline.inverse(z, h)
        assert torch.allclose(inverse_log_derivative, -expected, rtol=0, atol=1e4 * ε)
        assert torch.equal(spline(back, h)[1], -inverse_log_derivative)


def test_the_boundary_slope_is_one_on_both_sides() -> None:
    for make in SMOOTH:
        spline = make(8, bound=2.0)
        h = torch.randn(64, spline.parameters_per_dim, dtype=torch.float64)
        h[0] = 0
        for end in (-2.0, 2.0):
            near = torch.full((64,), end * (1 - 1e-9), dtype=torch.float64)
            for direction in (spline.forward, spline.inverse):
                assert direction(near, h)[1].abs().max() < 1e-4
            assert spline(torch.full_like(near, end), h)[1].abs().max() == 0


@each
@pytest.mark.parametrize("bins", [2, 3, 5])
def test_written_gradients_against_finite_differences(make: type[Spline], bins: int) -> None:
    """First and second derivatives of both directions, outside the bound as well."""
    spline = make(bins)
    torch.manual_seed(bins)
    h = 1.5 * torch.randn(7, spline.parameters_per_dim, dtype=torch.float64)
    z = torch.linspace(-5.4, 5.3, 7, dtype=torch.float64)
    for direction in (spline.forward, spline.inverse):
        arguments = (z.clone().requires_grad_(), h.clone().requires_grad_())
        assert torch.autograd.gradcheck(direction, arguments)
        assert torch.autograd.gradgradcheck(direction, arguments)


@each
def test_third_derivatives_of_the_inverse_undo_those_of_the_map(make: type[Spline]) -> None:
    spline = make(4)
    torch.manual_seed(1)
    h = torch.randn(5, spline.parameters_per_dim, dtype=torch.float64)
    z = torch.linspace(-4.1, 4.3, 5, dtype=torch.float64).requires_grad_()
    derivative = spline.inverse(spline(z, h)[0], h)[0]
    for expected in (1.0, 0.0, 0.0):
        (derivative,) = torch.autograd.grad(derivative.sum(), z, create_graph=True)
        assert (derivative - expected).abs().max() < 1e-8
        if not derivative.requires_grad:
            break


@each
def test_written_gradients_in_single_precision(make: type[Spline]) -> None:
    spline = make(8)
    torch.manual_seed(2)
    h = torch.randn(500, spline.parameters_per_dim, dtype=torch.float64)
    z = torch.linspace(-6, 6, 500, dtype=torch.float64)
    for direction in (spline.forward, spline.inverse):
        found = []
        for dtype in (torch.float64, torch.float32):
            arguments = [a.to(dtype).requires_grad_() for a in (z, h)]
            image, log_derivative = direction(*arguments)
            found.append(torch.autograd.grad((image + log_derivative).sum(), arguments))
        for double, single in zip(*found, strict=True):
            close = (single - double).abs() <= 1e-3 * (1 + double.abs())
            # A point within rounding of a kink may be seen on either side of it.
            assert close.float().mean() > 0.999


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("bins", [2, 3, 8, 20])
def test_the_slopes_of_the_cubic_spline_keep_it_monotone(bins: int, scale: float) -> None:
    """d ≤ 3s at both ends of every bin, and the derivative far from 0 where they allow it."""
    spline = CubicSpline(bins)
    torch.manual_seed(0)
    h = scale * torch.randn(60, 2 * bins, dtype=torch.float64)
    x, y, slopes = spline.knots(h).unbind(-2)
    s = y.diff(dim=-1) / x.diff(dim=-1)
    assert (slopes[:, :-1] <= 3 * s * (1 + 1e-9)).all()
    assert (slopes[:, 1:] <= 3 * s * (1 + 1e-9)).all()
    inner = slopes[:, 1:-1]
    assert (inner > 0).all()
    assert (inner <= 2 * torch.minimum(s[:, :-1], s[:, 1:]) * (1 + 1e-9)).all()
    θ = torch.linspace(0, 1, 41, dtype=torch.float64)[:, None, None]
    image, log_derivative = spline(
        (x[:, :-1] + θ * x.diff(dim=-1)), h.unsqueeze(-2).expand(41, -1, bins, -1)
    )
    assert (image.diff(dim=0) > 0).all() and log_derivative.isfinite().all()


@pytest.mark.parametrize("bins", [2, 5, 20])
def test_the_heights_of_the_quadratic_spline_fill_the_box(bins: int) -> None:
    spline = QuadraticSpline(bins, bound=3.0)
    h = 2 * torch.randn(100, 2 * bins - 1, dtype=torch.float64)
    x, y, v = spline.knots(h).unbind(-2)
    areas = x.diff(dim=-1) * (v[:, :-1] + v[:, 1:]) / 2
    assert torch.allclose(areas, y.diff(dim=-1), rtol=1e-10, atol=1e-12)
    assert (v > 0).all() and torch.allclose(areas.sum(-1), torch.full((100,), 6.0).double())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("bins", [2, 8, 50])
@each
def test_roots_to_rounding(make: type[Spline], bins: int, scale: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    spline = make(bins)
    h = (scale * torch.randn(2000, spline.parameters_per_dim)).to(dtype)
    z = (11 * torch.rand(2000) - 5.5).to(dtype)
    image, log_derivative = spline(z, h)
    back, _ = spline.inverse(image, h)
    stretch = torch.exp(-log_derivative).clamp_min(1) * (1 + z.abs() + image.abs())
    assert ((back - z).abs() <= 16 * torch.finfo(dtype).eps * stretch).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("scale", [10.0, 100.0])
@each
def test_extreme_parameters_stay_finite_and_increasing(
    make: type[Spline], scale: float, dtype: torch.dtype
) -> None:
    """Bins squeezed to their minimum, slopes from the minimum to a hundred."""
    torch.manual_seed(0)
    spline = make(8)
    h = (scale * torch.randn(2000, spline.parameters_per_dim)).to(dtype).requires_grad_()
    z = torch.linspace(-6, 6, 2000, dtype=dtype).requires_grad_()
    image, log_derivative = spline(z, h)
    back, inverse_log_derivative = spline.inverse(image.detach(), h)
    for value in (image, log_derivative, back, inverse_log_derivative):
        assert value.isfinite().all()
    gradients = torch.autograd.grad(
        image.sum() + log_derivative.sum() + back.sum() + inverse_log_derivative.sum(), (z, h)
    )
    assert all(gradient.isfinite().all() for gradient in gradients)
    if make is RationalQuadraticSpline:
        assert (spline.knots(h)[:, 2] >= MIN_SLOPE * (1 - 1e-6)).all()
    one = h[0].detach().expand(2000, -1)
    assert (spline(z.detach(), one)[0].diff() >= 0).all()
    # Where the map is flat the preimage is not determined; its image is, to a rounding of θ.
    again = spline(back.detach(), h)[0]
    x, y, *slopes = spline.knots(h).detach().unbind(-2)
    steepest = torch.cat([y.diff(dim=-1) / x.diff(dim=-1), *slopes], -1).amax(-1)
    assert ((again - image).abs() / (1 + steepest)).max() < 1e3 * torch.finfo(dtype).eps


@pytest.mark.parametrize(
    "transformer", TRANSFORMERS, ids=lambda t: f"{t.title} {t.parameters_per_dim}"
)
def test_the_identity_at_zero_parameters(transformer: Transformer) -> None:
    z = torch.linspace(-8, 8, 101, dtype=torch.float64)
    h = torch.zeros(101, transformer.parameters_per_dim, dtype=torch.float64)
    for direction in (transformer.forward, transformer.inverse):
        image, log_derivative = direction(z, h)
        assert torch.allclose(image, z, atol=1e-12) and log_derivative.abs().max() < 1e-12


def test_gradients_of_points_outside_do_not_poison_those_inside() -> None:
    """`where` passes no NaN back: 0 × ∞ of the branch that was not taken would be one."""
    for make in SPLINES:
        spline = make(4)
        h = torch.randn(4, spline.parameters_per_dim, dtype=torch.float64, requires_grad=True)
        z = torch.tensor([-1e200, -5.0, 0.3, 1e200], dtype=torch.float64, requires_grad=True)
        for direction in (spline.forward, spline.inverse):
            image, log_derivative = direction(z, h)
            gradients = torch.autograd.grad(image.sum() + log_derivative.sum(), (z, h))
            assert all(gradient.isfinite().all() for gradient in gradients)


@settings(max_examples=60, deadline=None)
@given(
    make=st.sampled_from(SPLINES),
    bins=st.integers(2, 12),
    bound=st.floats(0.1, 50),
    scale=st.floats(0, 2),
    seed=st.integers(0, 2**20),
)
def test_any_spline_inverts(
    make: type[Spline], bins: int, bound: float, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    spline = make(bins, bound)
    h = torch.randn(32, spline.parameters_per_dim, generator=generator, dtype=torch.float64)
    h = scale * h
    z = 1.2 * bound * (2 * torch.rand(32, generator=generator, dtype=torch.float64) - 1)
    image, log_derivative = spline(z, h)
    back, inverse_log_derivative = spline.inverse(image, h)
    assert ((back - z).abs() <= 1e-13 * (1 + bound) * (1 + torch.exp(-log_derivative))).all()
    assert (image.abs() <= bound).eq(z.abs() <= bound).all()
    assert torch.allclose(inverse_log_derivative, -log_derivative, atol=1e-8)


# The same knots give the same numbers as nflows, an independent implementation


def unit_knots(spline: Spline, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Widths, heights and slopes of the bins of a box of side 1."""
    x, y, *slopes = spline.knots(h).unbind(-2)
    return x.diff(dim=-1) / 10, y.diff(dim=-1) / 10, *slopes


def softplus_inverse(x: torch.Tensor) -> torch.Tensor:
    return x + torch.log(-torch.expm1(-x))


@pytest.mark.parametrize("bins", [2, 5, 20])
@pytest.mark.parametrize("scale", [0.1, 1.0, 2.0])
@each
def test_against_nflows(make: type[Spline], bins: int, scale: float) -> None:
    splines = pytest.importorskip("nflows.transforms.splines", reason="nflows is not installed")
    torch.manual_seed(bins)
    spline = make(bins)
    h = scale * torch.randn(400, spline.parameters_per_dim, dtype=torch.float64)
    z = torch.linspace(-4.99, 4.99, 400, dtype=torch.float64)
    widths, heights, *slopes = unit_knots(spline, h)
    box = {"left": -5.0, "right": 5.0, "bottom": -5.0, "top": 5.0}
    least = {"min_bin_width": 0.0, "min_bin_height": 0.0}
    if make is LinearSpline:
        expected, log = splines.linear.linear_spline(z, torch.log(heights), **box)
    elif make is QuadraticSpline:
        # The heights are normalised by their area, which is 1 already.
        raw = softplus_inverse(slopes[0] - 1e-3)
        keep = (slopes[0] > 2e-3).all(-1)
        h, z, raw, widths = h[keep], z[keep], raw[keep], widths[keep]
        expected, log = splines.quadratic.quadratic_spline(
            z, torch.log(widths), raw, **box, **least
        )
    elif make is CubicSpline:
        s = heights / widths
        edges = [torch.logit(1 / (3 * s[:, i])).unsqueeze(-1) for i in (0, -1)]
        expected, log = splines.cubic.cubic_spline(
            z, torch.log(widths), torch.log(heights), *edges, **box, **least
        )
    else:
        expected, log = splines.rational_quadratic.rational_quadratic_spline(
            z,
            torch.log(widths),
            torch.log(heights),
            softplus_inverse(slopes[0]),
            **box,
            **least,
            min_derivative=0.0,
        )
    image, log_derivative = spline(z, h)
    assert len(z) > 100
    assert torch.allclose(image, expected, rtol=1e-9, atol=1e-9)
    assert torch.allclose(log_derivative, log, rtol=1e-6, atol=1e-6)


@each
def test_bad_settings(make: type[Spline]) -> None:
    for bins in (1, 0, -2, 2.5, "8"):
        with pytest.raises(ValueError, match="bins must be a whole number ≥ 2, got"):
            make(bins)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fewer than 1000 bins, got 1000"):
        make(1000)
    make(999)
    for bound in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="bound must be a finite number > 0"):
            make(8, bound)
