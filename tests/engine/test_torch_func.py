"""``torch.func`` over every family: vmap, grad, jvp and hessian give what plain autograd does."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap

from flowviz.flows import Flow, catalog, jacobian
from flowviz.flows.bijection import estimated
from flowviz.flows.distributions import Base, DiagonalNormal, FullNormal, GaussianMixture, StudentT
from tests.engine.engine_checks import dims_of, exact, points, random_flow

# A series cut off is not exact, but draws nothing.
WITHOUT_NOISE = [*exact(catalog.names()), "contractive_series"]
ESTIMATED = [name for name in catalog.names() if name not in WITHOUT_NOISE]


def flow_and_points(name: str, n: int = 2) -> tuple[Flow, Tensor]:
    dim = dims_of(name, 2)[0]
    return random_flow(name, dim, 0.5, layers=1), points(n, dim)


def gradient(flow: Flow | Base, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(flow.log_prob(x).sum(), x)[0]


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", WITHOUT_NOISE)
def test_log_prob(name: str) -> None:
    flow, x = flow_and_points(name)
    first = gradient(flow, x)
    close(vmap(flow.log_prob)(x), flow.log_prob(x))
    close(vmap(grad(flow.log_prob))(x), first)
    close(grad(lambda x: flow.log_prob(x).sum())(x), first)
    close(jvp(flow.log_prob, (x,), (torch.ones_like(x),))[1], first.sum(-1))
    second = torch.stack([torch.autograd.functional.hessian(flow.log_prob, point) for point in x])
    close(vmap(hessian(flow.log_prob))(x), second)
    close(hessian(flow.log_prob)(x[0]), second[0])


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("name", WITHOUT_NOISE)
def test_maps(name: str, direction: str) -> None:
    flow, x = flow_and_points(name)
    map = getattr(flow.transform, direction)
    image, logabsdet = map(x)
    found, log = vmap(map)(x)
    close(found, image)
    close(log, logabsdet)
    J = jacobian(map, x).detach()
    close(vmap(jacrev(lambda z: map(z)[0]))(x), J)
    close(vmap(jacfwd(lambda z: map(z)[0]))(x), J)


@pytest.mark.parametrize("name", ["rq_spline_coupling", "bnaf", "contractive", "cnf", "dense"])
def test_gradients_of_single_points_in_the_parameters(name: str) -> None:
    flow, x = flow_and_points(name)
    named = dict(flow.named_parameters())

    class LogProb(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flow = flow

        def forward(self, x: Tensor) -> Tensor:
            return self.flow.log_prob(x)

    def log_prob(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        named = {f"flow.{key}": value for key, value in parameters.items()}
        return functional_call(LogProb(), named, (x,))

    found = vmap(grad(log_prob), (None, 0))(named, x)
    for i, point in enumerate(x):
        expected = torch.autograd.grad(
            flow.log_prob(point), list(named.values()), allow_unused=True, materialize_grads=True
        )
        for key, one in zip(named, expected, strict=True):
            close(found[key][i], one)


@pytest.mark.parametrize("name", ["rq_spline_coupling", "naf", "recurrent_af", "contractive"])
def test_a_context_for_each_point_and_one_for_all(name: str) -> None:
    flow = random_flow(name, 2, 0.5, layers=1, context=3)
    x, context = points(4, 2), points(4, 3, seed=1)
    close(vmap(flow.log_prob)(x, context), flow.log_prob(x, context))
    close(vmap(flow.log_prob, (None, 0))(x[0], context), flow.log_prob(x[0].expand(4, 2), context))
    close(vmap(grad(flow.log_prob, 1), (0, 0))(x, context), _in_context(flow, x, context))


def _in_context(flow: Flow, x: Tensor, context: Tensor) -> Tensor:
    context = context.clone().requires_grad_()
    return torch.autograd.grad(flow.log_prob(x, context).sum(), context)[0]


@pytest.mark.parametrize("family", [DiagonalNormal, FullNormal, GaussianMixture, StudentT])
def test_bases(family: type[Base]) -> None:
    base, x = family(2).double(), points(4, 2)
    close(vmap(grad(base.log_prob))(x), gradient(base, x))


@pytest.mark.parametrize("name", ESTIMATED)
def test_estimates_are_told_how_to_draw(name: str) -> None:
    """Without a word they refuse in words; with one, every point has the same noise."""
    flow, x = flow_and_points(name)
    with pytest.raises(RuntimeError, match=r"randomness='same'.* exact draws none"):
        vmap(flow.log_prob)(x)
    with pytest.raises(RuntimeError, match=r"jacfwd\(jacrev\(f\), randomness='same'\)"):
        hessian(flow.log_prob)(x[0])

    def seeded() -> None:
        for layer in estimated(flow):
            layer.generator = Generator().manual_seed(0)

    rows = []
    for point in x:
        seeded()
        rows.append(gradient(flow, point))
    seeded()
    close(vmap(grad(flow.log_prob), randomness="same")(x), torch.stack(rows))
    seeded()
    assert jacfwd(jacrev(flow.log_prob), randomness="same")(x[0]).shape == (2, 2)


@pytest.mark.parametrize("name", ["ffjord", "contractive_hutchinson"])
def test_every_point_may_have_its_own_noise(name: str) -> None:
    flow, x = flow_and_points(name)
    found = vmap(flow.log_prob, randomness="different")(x[:1].expand(8, 2))
    assert len(found.unique()) > 1


def test_what_is_not_finite_is_said() -> None:
    flow, x = flow_and_points("rq_spline_coupling")
    x[1, 0] = torch.nan
    with pytest.raises(ValueError, match=r"points given to the flow hold NaN .*row 1"):
        vmap(grad(flow.log_prob))(x)
    flow, x = flow_and_points("dense")
    with torch.no_grad():
        flow.bijections[0].offset.copy_(-torch.eye(2))
    with pytest.raises(FloatingPointError, match="singular"):
        vmap(flow.log_prob)(x)


def test_training_mode_moves_nothing() -> None:
    flow, x = catalog.make("actnorm", seed=0), points(8, 2, dtype=torch.float32)
    grad(lambda x: flow.log_prob(x).sum())(x)
    assert not flow.bijections[0].initialised
    flow = catalog.make("batch_norm", seed=0)
    with pytest.raises(RuntimeError, match=r"call \.eval\(\) on the flow first"):
        grad(lambda x: flow.log_prob(x).sum())(x)
    close(vmap(flow.log_prob)(x), flow.eval().log_prob(x))
