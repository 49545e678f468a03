"""What contractive residual flows promise beyond the common suite."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from flowviz.flows import Bijection, Flow, Inverse, catalog
from flowviz.flows.contractive import (
    ContractiveDenseNet,
    ContractiveMLP,
    ContractiveResidual,
    Exact,
    Hutchinson,
    RussianRoulette,
    Series,
    bounded,
    norm_bound,
    power_iteration,
    spectral_norm,
)
from flowviz.flows.contractive.activations import SWISH_SLOPE, LipSwish
from flowviz.flows.contractive.dense import CONCATENATED_SLOPE
from flowviz.flows.contractive.lipschitz import EXCESS
from flowviz.flows.contractive.log_determinant import LogDeterminant
from flowviz.flows.distributions import StandardNormal
from tests.engine.engine_checks import assert_gradcheck, points, random_flow
from tests.engine.mutations import contractive as mutations

NETWORKS: dict[str, Any] = {
    "MLP": lambda dim, c=0.9: ContractiveMLP(dim, (16, 16), lipschitz=c),
    "sin": lambda dim, c=0.9: ContractiveMLP(dim, (16, 16), lipschitz=c, activation="sin"),
    "dense": lambda dim, c=0.9: ContractiveDenseNet(dim, (16, 16), lipschitz=c),
}


ROULETTE = (RussianRoulette(0.7),)


def random_block(
    kind: str = "MLP",
    dim: int = 2,
    scale: float = 1.0,
    c: float = 0.9,
    log_determinant: LogDeterminant | None = None,
) -> ContractiveResidual:
    torch.manual_seed(3)
    block = ContractiveResidual(NETWORKS[kind](dim, c), log_determinant).double()
    for parameter in block.parameters():
        parameter.data.normal_(0, scale)
    return block


def strong_block(dim: int, log_determinant: LogDeterminant | None = None) -> ContractiveResidual:
    """One whose J_g is nearly 0.7 times a rotation: random weights never contract that little."""
    torch.manual_seed(3)
    block = ContractiveResidual(
        ContractiveMLP(dim, (8, 8), lipschitz=0.7), log_determinant
    ).double()
    first, middle, last = block.network.linears
    first.weight.data.copy_(5 * torch.eye(8, dim))
    middle.weight.data.copy_(5 * torch.eye(8))
    skew = torch.randn(dim, dim, dtype=torch.float64).triu(1)
    rotation = torch.matrix_exp(0.5 * (skew - skew.mT))
    last.weight.data.copy_(5 * rotation @ torch.eye(dim, 8).double())
    for linear in (first, middle):
        linear.bias.data.uniform_(0.5, 2)
    return block


# The contraction


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 64), (64, 2), (64, 64), (5, 128)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_norm_is_bounded_from_above_and_closely(
    shape: tuple[int, int], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    near = 8 * torch.finfo(dtype).eps
    orthogonal = torch.linalg.qr(torch.randn(max(shape), min(shape), dtype=dtype))[0]
    equal = orthogonal if shape[0] >= shape[1] else orthogonal.mT
    for weight in (torch.randn(shape, dtype=dtype), equal, 1e-9 * equal, 1e9 * equal):
        exact, found = spectral_norm(weight), norm_bound(weight)
        assert (1 - near) * exact <= found <= (1 + EXCESS + near) * exact
        assert spectral_norm(bounded(weight, 0.5)) <= 0.5 * (1 + near)
    # Small weights are left as they are, and none is divided by zero.
    assert torch.equal(bounded(1e-3 * equal, 0.5), 1e-3 * equal)
    zero = torch.zeros(shape, dtype=dtype, requires_grad=True)
    bounded(zero, 0.5).sum().backward()
    assert zero.grad is not None and torch.equal(zero.grad, torch.ones_like(zero))


@pytest.mark.parametrize("shape", [(1, 4), (3, 5), (5, 3), (4, 4)])
def test_the_bound_is_smooth_even_where_singular_values_meet(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    meeting = torch.eye(*shape, dtype=torch.float64) * 2
    for weight in (torch.randn(shape, dtype=torch.float64), meeting):
        weight.requires_grad_()
        assert torch.autograd.gradcheck(norm_bound, weight)
        assert torch.autograd.gradgradcheck(norm_bound, weight)


def test_power_iteration_falls_short_of_the_norm() -> None:
    torch.manual_seed(1)
    weight = torch.randn(20, 10, dtype=torch.float64)
    result = power_iteration(weight, 200)
    assert (result.estimates.diff() >= -1e-14).all() and (result.errors >= -1e-14).all()
    assert 1e-4 < result.errors[0] < 1 and result.errors[-1] < 1e-12
    # The error shrinks by (σ₂/σ₁)⁴ a step.
    first, second = torch.linalg.svdvals(weight)[:2]
    late = result.errors[30] / result.errors[29]
    assert math.isclose(late, (second / first) ** 4, rel_tol=0.01)
    with pytest.raises(ValueError, match="steps must be a whole number ≥ 1, got 0"):
        power_iteration(weight, 0)
    with pytest.raises(ValueError, match=r"weight must be \[M, N\].*got \[20\]"):
        power_iteration(weight[:, 0], 3)


def test_slopes_of_the_activations() -> None:
    x = torch.linspace(-20, 20, 400_001, dtype=torch.float64)
    for raw_beta in (-3.0, 0.5, 4.0):
        raw = torch.tensor(raw_beta, dtype=torch.float64)
        slope = LipSwish()(x / torch.nn.functional.softplus(raw), raw)[1] * 1.1
        assert SWISH_SLOPE - 1e-5 < slope.max() <= SWISH_SLOPE
        assert slope.min() >= 1 - SWISH_SLOPE
        both = (slope.square() + slope.flip(0).square()).sqrt() / 1.1
        assert CONCATENATED_SLOPE - 1e-5 < both.max() <= CONCATENATED_SLOPE < 1.004


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0, 30.0])
def test_never_above_c_whatever_the_parameters(kind: str, scale: float) -> None:
    """And with no warm-up: the first use in evaluation mode is bounded too."""
    for dim, c in itertools.product((1, 2, 5), (0.5, 0.97)):
        block = random_block(kind, dim, scale, c).eval()
        z = points(2000, dim) * torch.logspace(-2, 1, 2000).double()[:, None]
        found = block.lipschitz(z)
        assert found.allowed == c
        assert 0 < found.measured <= found.bound <= c * (1 + 1e-12)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_bound_follows_every_update(kind: str) -> None:
    block = random_block(kind)
    optimizer = torch.optim.SGD(block.parameters(), lr=20.0)
    z = points(100, 2)
    for mode in (True, False, True, False):
        block.train(mode)
        image, logabsdet = block(z)
        (-logabsdet.mean() - image.square().mean()).backward()
        optimizer.step()
        found = block.lipschitz(z)
        assert found.measured <= found.bound <= 0.9 * (1 + 1e-12)
        back = block.inverse(block(z)[0])[0]
        assert torch.allclose(back, z, atol=1e-12)


def test_gradients_through_the_normalisation() -> None:
    """At parameters so large that every weight is normalised, in both directions."""
    for name in ("contractive", "contractive_dense"):
        (layer,) = random_flow(name, 2, 2.0, hidden=(4,), layers=1).bijections
        assert_gradcheck(layer, points(3, 2))
        assert_gradcheck(layer, points(3, 2), second=True)


# The inverse


@pytest.mark.parametrize("kind", NETWORKS)
def test_banach_iterates_stay_within_their_bound_and_reach_the_inverse(kind: str) -> None:
    block = random_block(kind, scale=2.0)
    z = points(50, 2)
    image = block(z)[0].detach()
    errors = []
    for iterate, bound in itertools.islice(block.inverse_iterates(image), 300):
        error = (iterate - z).norm(dim=-1)
        assert (error <= bound + 1e-13).all()
        errors.append(float(error.max()))
    assert errors[0] > 0.05 and errors[-1] < 1e-13
    assert torch.allclose(block.inverse(image)[0], iterate, atol=1e-13)


def test_the_fixed_point_is_found_to_rounding_at_the_hardest_contraction() -> None:
    for kind, dtype in itertools.product(NETWORKS, (torch.float64, torch.float32)):
        block = random_block(kind, 3, 3.0, c=0.999).to(dtype)
        z = points(500, 3, dtype=dtype)
        image = block(z)[0].detach()
        again = block(block.inverse(image)[0])[0]
        eps = torch.finfo(dtype).eps
        assert ((again - image).abs() <= 64 * eps * (1 + image.abs() + z.abs())).all()


def test_inverse_costs_the_same_passes_in_every_dimension() -> None:
    passes = {}
    for dim in (2, 3, 6, 8):
        block = random_block(dim=dim, scale=0.1)
        calls = []
        block.network.register_forward_hook(lambda *_: calls.append(1))  # noqa: B023
        block.inverse(points(200, dim))
        passes[dim] = len(calls)
    assert len(set(passes.values())) == 1, passes


# The log-determinant


def with_estimator(block: ContractiveResidual, estimator: LogDeterminant) -> ContractiveResidual:
    other = ContractiveResidual(block.network, estimator)
    assert not other.exact_logabsdet
    return other


def test_the_series_is_within_its_bound() -> None:
    for dim in (1, 2, 4):
        block = strong_block(dim)
        z = points(100, dim)
        exact = block(z)[1]
        measured = block.lipschitz(z).measured
        errors = []
        for terms in (1, 2, 5, 20, 200):
            series = Series(terms)
            error = float((with_estimator(block, series)(z)[1] - exact).abs().max().detach())
            assert error <= series.bias_bound(dim, measured) + 1e-13
            errors.append(error)
        assert errors[0] > 0.05 and errors[-1] < 1e-9


def within_four_standard_errors(draws: Tensor, mean: Tensor) -> None:
    error = draws.mean(0) - mean
    standard_error = draws.std(0) / math.sqrt(len(draws))
    assert (standard_error > 0).all()
    assert (error.abs() <= 4 * standard_error).all(), error / standard_error


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_means(noise: Any) -> None:
    block = strong_block(3)
    z = points(8, 3)
    exact = block(z)[1].detach()
    generator = torch.Generator().manual_seed(0)
    roulette = with_estimator(block, RussianRoulette(0.7, noise=noise))
    within_four_standard_errors(roulette.estimates(z, 2000, generator=generator), exact)
    truncated = with_estimator(block, Hutchinson(3, noise))
    expected = with_estimator(block, Series(3))(z)[1].detach()
    assert not torch.allclose(expected, exact, atol=1e-3)
    within_four_standard_errors(truncated.estimates(z, 2000, generator=generator), expected)


@pytest.mark.parametrize("estimator", [Hutchinson(3), RussianRoulette(0.7)], ids=["n", "N"])
def test_mean_gradients(estimator: LogDeterminant) -> None:
    block = strong_block(3)
    z = points(4, 3)
    reference = Series(3) if isinstance(estimator, Hutchinson) else Exact()
    weights = [block.network.linears[1].weight, block.network.linears[0].bias]

    def gradient(log_determinant: LogDeterminant) -> Tensor:
        total = ContractiveResidual(block.network, log_determinant)(z)[1].sum()
        found = torch.autograd.grad(total, weights)
        return torch.cat([found[0].flatten()[:3], found[1][:3]])

    torch.manual_seed(0)
    draws = torch.stack([gradient(estimator) for _ in range(800)])
    within_four_standard_errors(draws, gradient(reference))


def test_the_value_of_the_gradient_series_is_never_the_logarithm() -> None:
    """With and without a graph, one seed gives one number."""
    block = strong_block(2, RussianRoulette(0.7))
    z = points(20, 2)
    torch.manual_seed(5)
    with_graph = block(z)[1]
    torch.manual_seed(5)
    with torch.no_grad():
        assert torch.equal(with_graph, block(z)[1])
    torch.manual_seed(5)
    g = block.network(z, None, block.network.tensors())
    assert torch.equal(with_graph, block.log_determinant(g))


def test_roulette_of_infinite_variance_is_refused() -> None:
    assert math.isclose(RussianRoulette(0.9).stop, 0.1)
    assert math.isclose(RussianRoulette(0.9).variance_ratio, 0.9)
    assert math.isclose(RussianRoulette(0.5, 0.2).reaches(3), 0.64)
    for stop in (0.0, 0.19, 0.5, 1.0, -1.0):
        with pytest.raises(ValueError, match=r"between 0 and 1 − lipschitz² = 0\.19"):
            RussianRoulette(0.9, stop)


def test_a_generator_makes_estimates_repeatable() -> None:
    block = random_block("MLP", 2, 1.0, log_determinant=RussianRoulette(0.9))
    z = points(5, 2)
    before = torch.random.get_rng_state()
    one, two = (block.estimates(z, 3, generator=torch.Generator().manual_seed(4)) for _ in "ab")
    assert torch.equal(one, two) and not torch.equal(one[0], one[1])
    assert torch.equal(torch.random.get_rng_state(), before)


# Second derivatives through the inverse, the context, the options


@pytest.mark.parametrize("kind", NETWORKS)
def test_implicit_derivatives_of_second_order(kind: str) -> None:
    torch.manual_seed(0)
    block = random_block(kind, 2, 1.0)
    z = points(3, 2).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda z: block.inverse(z)[0], z)
    assert torch.autograd.gradgradcheck(lambda z: block.inverse(z)[1], z)


@pytest.mark.parametrize("direction", [lambda block: block, Inverse])
def test_draws_need_no_log_determinant(
    direction: Callable[[ContractiveResidual], Bijection], monkeypatch: pytest.MonkeyPatch
) -> None:
    block = random_block(log_determinant=RussianRoulette(0.9))
    flow = Flow(StandardNormal(2), [direction(block), block]).double()
    u = flow.base.sample(50, torch.Generator().manual_seed(0))
    expected = flow(u)[0]

    def fail(*_: object) -> None:
        raise AssertionError("a log-determinant was computed")

    monkeypatch.setattr(RussianRoulette, "__call__", fail)
    assert torch.equal(flow.sample(50, generator=torch.Generator().manual_seed(0)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_inverse_stops_at_rounding(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newton's steps double the digits: no more of them than that, and all the digits."""
    calls, evaluate = [], ContractiveMLP.forward

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return evaluate(*arguments)

    block, z = random_block().to(dtype), points(500, 2, dtype=dtype)
    image, _ = block(z)
    monkeypatch.setattr(ContractiveMLP, "forward", counted)
    with torch.no_grad():
        back, _ = block._image(image, None, inverse=True)
    assert len(calls) <= 8
    error = (back - z).norm(dim=-1) / (1 + z.norm(dim=-1))
    assert error.max() < 20 * torch.finfo(dtype).eps


def test_the_context_is_not_bounded() -> None:
    network = ContractiveMLP(2, (8,), context=3).double()
    network.from_context.weight.data.fill_(50.0)
    block = ContractiveResidual(network)
    z, context = points(6, 2), points(6, 3, seed=2)
    image = block(z, context)[0]
    assert (image - block(z, context + 1)[0]).abs().max() > 0.01
    assert block.lipschitz(z, context).bound <= 0.9
    back = block.inverse(image, context)[0]
    assert torch.allclose(back, z, atol=1e-12)


def test_options_in_words() -> None:
    for bad in (0.0, 1.0, 1.5, -0.1, math.nan, "0.9", None, True):
        with pytest.raises(ValueError, match=f"between 0 and 1, got {bad!r}"):
            catalog.make("contractive", lipschitz=bad)
    with pytest.raises(ValueError, match=r"one of lipswish, sin .*, got 'relu'"):
        catalog.make("contractive", activation="relu")
    for bad in (0, -1, 2.5, None, True):
        with pytest.raises(ValueError, match=f"terms must be a whole number ≥ 1, got {bad!r}"):
            catalog.make("contractive_series", terms=bad)
    with pytest.raises(ValueError, match="one of rademacher, gaussian, got 'uniform'"):
        Hutchinson(noise="uniform")  # type: ignore[arg-type]


# Against another implementation


def test_equal_to_normflows_with_the_same_weights() -> None:
    nf = pytest.importorskip("normflows")
    block = random_block("sin", 2, 1.0)
    tensors = block.network.tensors()

    class SameNetwork(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for weight, bias in zip(tensors[:2], tensors[3:5], strict=True):
                x = torch.sin(x @ weight.mT + bias)
            return x @ tensors[2].mT + tensors[5]

    theirs = nf.flows.Residual(SameNetwork(), reverse=False, reduce_memory=False).double()
    # Its exact two-dimensional determinant is used in evaluation mode.
    theirs.iresblock.brute_force = True
    theirs.eval()
    z = points(50, 2)
    image, logabsdet = theirs.iresblock(z, torch.zeros(50, 1).double())
    ours = block(z)
    assert torch.allclose(image, ours[0])
    # It subtracts the log-determinant from the log-density that it is given.
    assert torch.allclose(-logabsdet.flatten(), ours[1])


# Mistakes that only these tests can see


@pytest.mark.parametrize(
    ("mutate", "test", "arguments"),
    [
        (mutations.norm_without_gradient, test_gradients_through_the_normalisation, ()),
        (mutations.norm_is_stale, test_the_bound_follows_every_update, ("MLP",)),
        (mutations.series_without_the_division, test_the_series_is_within_its_bound, ()),
        (mutations.series_without_alternating_signs, test_the_series_is_within_its_bound, ()),
        (mutations.roulette_without_the_survival_probability, test_means, ("rademacher",)),
        (mutations.roulette_survival_off_by_one, test_means, ("rademacher",)),
        (mutations.roulette_value_of_the_gradient_series, test_means, ("rademacher",)),
        (mutations.gradient_series_with_the_division, test_mean_gradients, ROULETTE),
        (mutations.gradient_series_without_signs, test_mean_gradients, ROULETTE),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_tests_see(
    mutate: Callable[[pytest.MonkeyPatch], None],
    test: Callable[..., None],
    arguments: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, RuntimeError)):
        test(*arguments)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("seed", range(5))
def test_the_bound_holds_in_float32(kind: str, seed: int) -> None:
    torch.manual_seed(seed)
    network = NETWORKS[kind](3, 0.97)
    for parameter in network.parameters():
        parameter.data.normal_()
    assert network.certificate() <= 0.97


def test_power_iteration_of_zero() -> None:
    result = power_iteration(torch.zeros(2, 2), 3)
    assert not result.estimates.any() and not result.errors.any()
    with pytest.raises(TypeError, match="weight must be a floating-point tensor"):
        power_iteration("a", 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NaN"):
        power_iteration(torch.full((2, 2), math.nan), 3)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: ContractiveMLP(0), ValueError, "dim must be"),
        (lambda: ContractiveMLP("a"), ValueError, "dim must be"),
        (lambda: ContractiveMLP(2, context="a"), ValueError, "context must be"),
        (lambda: ContractiveMLP(2, activation=[1]), ValueError, "activation must be"),
        (lambda: RussianRoulette("a"), ValueError, "lipschitz must be"),
        (lambda: RussianRoulette(0.9, "a"), ValueError, "stop must be"),
        (lambda: ContractiveResidual(ContractiveMLP(2), "exact"), TypeError, "log_determinant"),
        (
            lambda: ContractiveResidual(ContractiveMLP(2, lipschitz=0.99), RussianRoulette(0.1)),
            ValueError,
            "made for lipschitz ≥ 0.99",
        ),
        (lambda: random_block().lipschitz(torch.zeros(0, 2).double()), ValueError, "N ≥ 1"),
        (lambda: random_block().estimates(points(3, 2), 0), ValueError, "draws must be"),
    ],
)
def test_what_is_not_allowed_in_words(wrong: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        wrong()
