"""What is wrong is refused at once, in words that say what came and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import flowviz
from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.flows.autoregressive import BlockNeural
from flowviz.flows.autoregressive.conditioners import BlockCoupling, Coupling, Masked
from flowviz.flows.autoregressive.transformers import (
    MonotoneIntegral,
    RationalQuadraticSpline,
    Sigmoids,
    Stages,
    SumOfSquares,
)
from flowviz.flows.bijection import jacobian
from flowviz.flows.check import check
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import (
    PLU,
    QR,
    SVD,
    Dense,
    Diagonal,
    OrthogonalCayley,
    Permutation,
    Triangular,
)
from flowviz.flows.matrix_determinant_lemma import Sylvester
from flowviz.objectives import forward_kl
from flowviz.training import Trainer, maximum_likelihood, variational
from tests.engine.engine_checks import dims_of, options_of

each = pytest.mark.parametrize("name", catalog.names())


@pytest.fixture
def flow() -> Flow:
    return catalog.make("real_nvp", layers=2, seed=0)


def test_points_of_another_dimension(flow: Flow) -> None:
    for bad in (torch.zeros(5, 3), torch.zeros(3), torch.tensor(0.0)):
        for call in (flow, flow.inverse, flow.log_prob, flow.trace, flow.trace_inverse):
            with pytest.raises(ValueError) as error:
                call(bad)
            assert str(error.value).startswith("Flow maps points [..., 2]")
            assert str(list(bad.shape)) in str(error.value)
        with pytest.raises(ValueError, match=r"affine coupling maps points \[\.\.\., 2\]"):
            flow.bijections[0](bad)


def test_what_a_flow_is_given_is_said_of_the_flow(flow: Flow) -> None:
    x = torch.zeros(5, 2)
    with pytest.raises(ValueError, match=r"^Flow takes no context"):
        flow.log_prob(x, torch.zeros(5, 1))
    with pytest.raises(TypeError, match=r"^Flow has parameters of torch\.float32"):
        flow.log_prob(x.double())
    with pytest.raises(ValueError, match=r"^Flow maps points"):
        forward_kl(flow, torch.zeros(5, 3))
    with pytest.raises(ValueError, match="at least one bijection is needed"):
        Flow(flow.base, [])
    conditional = catalog.make("real_nvp", layers=2, seed=0, context=2)
    with pytest.raises(ValueError, match=r"^Flow needs a context \[\.\.\., 2\], got none"):
        conditional.sample(3)


def test_points_that_are_not_floating_point(flow: Flow) -> None:
    with pytest.raises(TypeError, match=r"floating-point tensors, got torch\.int64"):
        flow.log_prob(torch.zeros(5, 2, dtype=torch.long))
    with pytest.raises(TypeError, match="floating-point tensors, got list"):
        flow.log_prob([[0.0, 1.0]])  # type: ignore[arg-type]


@each
def test_points_of_another_dtype(name: str) -> None:
    (dim,) = dims_of(name, 2)
    flow = catalog.make(name, dim)
    with pytest.raises(TypeError, match=r"torch\.float32 on cpu, got points of torch\.float64"):
        flow.log_prob(torch.zeros(5, dim, dtype=torch.float64))


@each
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_points_that_are_not_finite(name: str, bad: float) -> None:
    """No family passes a NaN on: not even one whose log-det does not look at the point."""
    (dim,) = dims_of(name, 2)
    flow = catalog.make(name, dim, seed=0).eval()
    x = torch.zeros(5, dim)
    x[3, 1] = bad
    for call in (flow, flow.inverse, flow.log_prob):
        try:
            result = call(x)
        except ValueError as error:
            assert "hold NaN or infinity (row 3)" in str(error)
        else:
            results = result if isinstance(result, tuple) else (result,)
            assert bad == torch.inf and not any(r.isnan().any() for r in results)


@each
def test_parameters_that_are_not_finite(name: str) -> None:
    (dim,) = dims_of(name, 2)
    for index in range(len(list(catalog.make(name, dim, layers=1).parameters()))):
        flow = catalog.make(name, dim, layers=1, seed=0).eval()
        parameter_name, parameter = list(flow.named_parameters())[index]
        parameter.data.fill_(torch.nan)
        with pytest.raises(ValueError, match="holds NaN") as error:
            flow.log_prob(torch.full((4, dim), 0.3))
        assert repr(parameter_name) in str(error.value)


def test_traces_of_what_are_no_points(flow: Flow) -> None:
    for call in (flow.trace, flow.trace_inverse):
        with pytest.raises(ValueError, match=r"a trace takes points \[N, 2\], got shape \[2\]"):
            call(torch.zeros(2))
        x = torch.zeros(5, 2)
        x[3, 1] = torch.nan
        with pytest.raises(ValueError, match=r"points given to the flow hold NaN .*\(row 3\)"):
            call(x)
        assert call(x[:0]).states.shape == (3, 0, 2)
    next(flow.parameters()).data.fill_(torch.nan)
    with pytest.raises(ValueError, match="of the flow holds NaN"):
        flow.trace(torch.zeros(5, 2))


@pytest.mark.parametrize(
    ("base", "bijections", "words"),
    [
        ("a", [Diagonal(2)], "base must be a Base, got str"),
        (StandardNormal(2), None, "bijections must be a list of Bijections, got NoneType"),
        (StandardNormal(2), Diagonal(2), "bijections must be a list of Bijections, got Diagonal"),
        (StandardNormal(2), "a", "bijections must be a list of Bijections, got one with str"),
    ],
    ids=["base", "none", "single", "str"],
)
def test_what_no_flow_is_made_of(base: Any, bijections: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Flow(base, bijections)


def test_jacobians_and_checks_of_what_is_none(flow: Flow) -> None:
    for bad, got in (("a", "str"), (torch.zeros(5, 2).long(), r"torch\.int64")):
        with pytest.raises(TypeError, match=f"floating-point tensors, got {got}"):
            jacobian(flow, bad)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=f"floating-point tensors, got {got}"):
            check(flow.transform, bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"points \[\.\.\., D\], got shape \[\]"):
        jacobian(flow, torch.tensor(0.0))
    with pytest.raises(TypeError, match="map must be a function, got str"):
        jacobian("f", torch.zeros(2))  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=r"takes a bijection, got Flow; a flow's is flow\.transform"
    ):
        check(flow, torch.zeros(5, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="check takes finite points"):
        check(flow.transform, torch.full((5, 2), torch.nan))


def test_seeds_and_steps() -> None:
    for seed in ("a", 1.5, True, -1):
        with pytest.raises(ValueError, match=f"seed must be a whole number ≥ 0, got {seed!r}"):
            catalog.make("maf", seed=seed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seed must be less than 2⁶³"):
        catalog.make("maf", seed=2**70)
    for solver in ("adaptive", "euler"):
        with pytest.raises(ValueError, match="steps must be a whole number ≥ 1, got 0"):
            catalog.make("cnf", steps=0, solver=solver)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Triangular(2, upper="yes"), "upper must be True or False, got 'yes'"),
        (lambda: Permutation(2, order=3), "order must hold each of 0 … 1 once, got 3"),
        (lambda: Permutation(2, order=[0.0, 1.0]), r"order must hold .* got \[0\.0, 1\.0\]"),
        (lambda: Coupling(2, 1, split="a"), "split must be a whole number ≥ 1, got 'a'"),
        (lambda: Coupling(3, 1, split=1.5), r"split must be a whole number ≥ 1, got 1\.5"),
        (lambda: Coupling(2, 1, split=True), "split must be a whole number ≥ 1, got True"),
        (lambda: Coupling(2, 1, split=0), "split must be a whole number ≥ 1, got 0"),
        (lambda: Coupling(2, 1, split=2), "splits at 1 to 1, not 2"),
        (lambda: Coupling(2, 1, swap="yes"), "swap must be True or False, got 'yes'"),
        (lambda: Masked(2, 1, order=3), "order must hold each of 0 … 1 once, got 3"),
        (lambda: Masked(2, 1, order="ab"), "order must hold each of 0 … 1 once, got 'ab'"),
        (lambda: BlockNeural(2, order=3), "order must hold each of 0 … 1 once, got 3"),
        (lambda: BlockCoupling(3, 2, parts=True), "has 1 to 3 parts, got True"),
        (lambda: BlockCoupling(3, 2, reverse=1), "reverse must be True or False, got 1"),
        (lambda: SumOfSquares(bound="a"), "bound must be a finite number > 0, got 'a'"),
        (lambda: SumOfSquares(degree=True), "degree must be a whole number ≥ 0, got True"),
        (lambda: RationalQuadraticSpline(bound="a"), "bound must be a finite number > 0, got 'a'"),
        (lambda: MonotoneIntegral(bound=torch.inf), "bound must be a finite number > 0, got inf"),
        (lambda: MonotoneIntegral(nodes=True), "nodes must be a whole number ≥ 1, got True"),
        (lambda: Stages([3]), "stages must be a list of Transformers, got one with int"),
        (lambda: Stages(3), "stages must be a list of Transformers, got int"),
        (lambda: Sigmoids(True), "components must be a whole number ≥ 1, got True"),
        (lambda: Sylvester(2, True), "rank of a Sylvester flow is 1 to dim = 2, got True"),
        *(
            (lambda kind=kind: kind(2, generator="g"), "generator must be a Generator or None")
            for kind in (Dense, OrthogonalCayley, PLU, Permutation, QR, SVD, Sylvester, Triangular)
        ),
    ],
)
def test_layers_that_cannot_be_made(make: Callable[[], object], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_overflow_says_so() -> None:
    flow = catalog.make("actnorm", layers=2).eval()
    for layer, scale in zip(flow.bijections, (80.0, -80.0), strict=True):
        layer.log_scale.data.fill_(scale)
    flow.bijections[0].shift.data.fill_(-torch.finfo(torch.float32).max)
    flow.bijections[1].log_scale.data.fill_(-200.0)
    with pytest.raises(FloatingPointError, match="left the range of float32"):
        flow(torch.full((3, 2), 1e30))


def test_unknown_names_with_a_suggestion() -> None:
    with pytest.raises(ValueError) as error:
        catalog.make("realnvp")
    assert "unknown flow 'realnvp'" in str(error.value)
    assert "Did you mean 'real_nvp'?" in str(error.value) and "planar" in str(error.value)
    for bad in ("", "zzzz", None, 3, ["maf"]):
        with pytest.raises(ValueError, match="unknown flow"):
            catalog.entry(bad)  # type: ignore[arg-type]


def test_options() -> None:
    with pytest.raises(ValueError, match="'planar' has no option hidden; it has: layers"):
        catalog.make("planar", hidden=(8,))
    with pytest.raises(
        ValueError, match="'maf' has no option bins, colour; it has: layers, hidden"
    ):
        catalog.make("maf", bins=8, colour="red")
    for dim in (1, 0, -2, 2.0, "2", None):
        with pytest.raises(ValueError, match=f"'real_nvp' needs dim ≥ 2, got {dim!r}"):
            catalog.make("real_nvp", dim=dim)  # type: ignore[arg-type]
    for layers in (0, -1, 2.5, "4"):
        with pytest.raises(ValueError, match=f"layers must be a whole number ≥ 1, got {layers!r}"):
            catalog.make("maf", layers=layers)  # type: ignore[arg-type]
    for hidden in ((), (0,), (64, -1), (2.5,), 64, None, "ab"):
        for name in ("maf", "real_nvp"):
            with pytest.raises(ValueError, match=r"such as \(64, 64\), got"):
                catalog.make(name, hidden=hidden)
    for bins in (1, 0, 2.5, 1000, None):
        with pytest.raises(ValueError, match=r"bins"):
            catalog.make("rq_spline_coupling", bins=bins)
    for context in (-1, 1.5, None, "2"):
        for name in ("maf", "real_nvp"):
            with pytest.raises(ValueError, match=f"context must be .* ≥ 0, got {context!r}"):
                catalog.make(name, context=context)


def test_contexts(flow: Flow) -> None:
    x = torch.zeros(5, 2)
    with pytest.raises(ValueError, match=r"takes no context, got one of shape \[5, 3\]"):
        flow.log_prob(x, torch.zeros(5, 3))
    conditional = catalog.make("real_nvp", layers=2, context=3, seed=0)
    with pytest.raises(ValueError, match=r"needs a context \[\.\.\., 3\], got none"):
        conditional.log_prob(x)
    with pytest.raises(ValueError, match=r"needs a context \[\.\.\., 3\], got shape \[5, 2\]"):
        conditional.log_prob(x, torch.zeros(5, 2))
    with pytest.raises(ValueError, match=r"broadcasts to \[5, 3\], got shape \[4, 3\]"):
        conditional.log_prob(x, torch.zeros(4, 3))
    with pytest.raises(ValueError, match="contexts given to the flow hold NaN or infinity"):
        conditional.log_prob(x, torch.full((5, 3), torch.nan))


@pytest.mark.parametrize(
    "name", [name for name in catalog.names() if "context" in catalog.entry(name).options]
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_a_context_is_of_the_points_dtype(name: str, dtype: torch.dtype) -> None:
    dim = dims_of(name, 2)[0]
    flow = catalog.make(name, dim, context=3, seed=0)
    x, context = torch.zeros(5, dim), torch.zeros(5, 3, dtype=dtype)
    words = rf"takes a context of torch.float32 .* got one of {dtype} on cpu; convert"
    for call in (
        lambda: flow.log_prob(x, context),
        lambda: flow.log_prob_backward(x, context),
        lambda: flow.sample(5, context),
        lambda: flow.rsample_and_log_prob(5, context),
        lambda: flow.trace(x, context),
    ):
        with pytest.raises(TypeError, match=words):
            call()


def test_numbers_of_numpy_are_numbers() -> None:
    two, rate = np.int64(2), np.float32(1e-3)
    flow = catalog.make(
        "maf", two, two, hidden=(np.int32(8),), context=np.int8(0), seed=np.int64(1)
    )
    assert flow.dim == 2 and isinstance(flow.dim, int) and len(flow.bijections) == 2
    assert flow.sample(two).shape == (2, 2)
    target = targets.make("two_moons")
    for objective in (maximum_likelihood(target, np.int64(8)), variational(target, np.int64(8))):
        snapshots = Trainer(flow, objective, learning_rate=rate).run(two)
        assert [snapshot.step for snapshot in snapshots] == [1, 2]
    catalog.make("contractive", lipschitz=np.float32(0.5), seed=0)
    with pytest.raises(ValueError, match="dim"):
        catalog.make("maf", np.bool_(True))


@each
def test_numbers_of_draws(name: str) -> None:
    flow = catalog.make(name, dims_of(name, 2)[0], seed=0)
    for call in (flow.sample, flow.rsample_and_log_prob):
        with pytest.raises(ValueError, match="≥ 0, got -1"):
            call(-1)
        for bad in (2.5, True, "a", None):
            with pytest.raises(ValueError, match=f"whole number ≥ 0, got {bad!r}"):
                call(bad)
        with pytest.raises(TypeError, match="generator must be a Generator or None, got str"):
            call(2, generator="g")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWVIZ_DEVICE", raising=False)
    assert flowviz.device().type in ("cpu", "cuda", "mps")
    monkeypatch.setenv("FLOWVIZ_DEVICE", " cpu ")
    assert flowviz.device() == torch.device("cpu")
    for bad in ("gpu", "cuda:99", "meta", "cpu cpu"):
        monkeypatch.setenv("FLOWVIZ_DEVICE", bad)
        with pytest.raises(ValueError, match=f"FLOWVIZ_DEVICE='{bad}' cannot be used"):
            flowviz.device()


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 6),
    st.floats(allow_nan=True),
    st.text(max_size=3),
    st.lists(st.integers(-1, 5), max_size=3),
    st.tuples(st.integers(1, 8)),
)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(catalog.names()),
    dim=st.one_of(st.integers(1, 5), anything),
    layers=st.one_of(st.integers(1, 3), anything),
    options=st.dictionaries(st.sampled_from(["hidden", "bins", "context", "other"]), anything),
)
def test_constructors_make_a_flow_or_say_why_not(
    name: str, dim: Any, layers: Any, options: dict[str, Any]
) -> None:
    try:
        flow = catalog.make(name, dim, layers, seed=0, **options)
    except (ValueError, TypeError) as error:
        assert str(error)
        return
    context = torch.zeros(flow.context) if flow.context else None
    x = flow.eval().sample(7, context)
    assert x.shape == (7, flow.dim) and x.isfinite().all()
    assert flow.log_prob(x, context).isfinite().all()


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(catalog.names()),
    dim=st.integers(1, 5),
    batch=st.lists(st.integers(0, 3), max_size=3),
    seed=st.integers(0, 2**16),
    scale=st.floats(0, 0.5),
)
def test_any_shape_and_any_parameters_invert(
    name: str, dim: int, batch: list[int], seed: int, scale: float
) -> None:
    (dim,) = dims_of(name, dim)
    flow = catalog.make(name, dim, 2, seed=seed, **options_of(name)).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in flow.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data.add_(scale * noise)
    u = torch.randn(*batch, dim, generator=generator, dtype=torch.float64)
    x, logabsdet = flow(u)
    back, inverse_logabsdet = flow.inverse(x)
    assert back.shape == u.shape and logabsdet.shape == tuple(batch)
    near = max(1e-7, 1e3 * flow.transform.tolerance)
    assert torch.allclose(back, u, atol=near)
    if flow.transform.exact_logabsdet:
        assert torch.allclose(logabsdet, -inverse_logabsdet, atol=10 * near)
