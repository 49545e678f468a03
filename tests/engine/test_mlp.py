"""The networks of conditioners: their derivatives, and the inverse that grows a masked one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from flowviz.flows import catalog
from flowviz.flows.autoregressive.conditioners import Masked
from flowviz.flows.numerics.mlp import MLP
from tests.engine.engine_checks import points, random_flow


def in_modules(mlp: MLP) -> nn.Sequential:
    """The same network, of torch's modules."""
    first, *rest = mlp
    return nn.Sequential(first, *(module for layer in rest for module in (nn.SiLU(), layer)))


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3)])
@pytest.mark.parametrize("hidden", [(4,), (4, 5), (3, 4, 5)])
def test_an_mlp_is_its_layers(shape: tuple[int, ...], hidden: tuple[int, ...]) -> None:
    mlp = MLP(2, 3, hidden).double()
    x = torch.randn(*shape, 2, dtype=torch.float64)
    assert torch.equal(mlp(x), in_modules(mlp)(x)) and mlp(x).shape == (*shape, 3)


def test_derivatives_by_torch_func() -> None:
    mlp, x = MLP(2, 3, (4, 5)).double(), points(6, 2)
    for derivative in (torch.func.jacrev, torch.func.jacfwd, torch.func.hessian):
        mine, theirs = (torch.func.vmap(derivative(net))(x) for net in (mlp, in_modules(mlp)))
        assert torch.allclose(mine, theirs, atol=1e-14)


@pytest.mark.parametrize("name", ["real_nvp", "nice", "iaf", "maf"])
def test_layers_under_torch_func(name: str) -> None:
    layer, x = random_flow(name, 3, 0.3, layers=1).bijections[0], points(4, 3)
    for derivative in (torch.func.jacrev, torch.func.jacfwd):
        J = torch.func.vmap(derivative(lambda z: layer(z)[0]))(x)
        assert torch.allclose(torch.linalg.slogdet(J).logabsdet, layer(x)[1])


@pytest.mark.parametrize("order", [None, [2, 0, 3, 1]])
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize(
    ("hidden", "residual"),
    [((2,), False), ((5,), False), ((16, 3, 7), False), ((5, 5), True), ((7, 7, 7), True)],
)
def test_growing_gives_what_a_whole_pass_gives(
    order: list[int] | None, context: int, hidden: tuple[int, ...], residual: bool
) -> None:
    """Place after place, the masked network's outputs and gradients, narrow layers included."""
    conditioner = Masked(
        4, 3, order=order, hidden=hidden, context=context, residual=residual
    ).double()
    z = points(6, 4)
    features = points(6, context, seed=1) if context else None
    whole = conditioner(z, features)
    of_group = conditioner.successive(features)
    solved, parts = torch.zeros_like(z), torch.zeros_like(whole)
    for k, group in enumerate(conditioner.groups):
        parts[:, group] = of_group(k, solved)
        solved = solved.index_copy(-1, torch.tensor(group), z[:, group])
    assert torch.allclose(parts, whole, atol=1e-14)

    def gradients(h: Tensor) -> list[Tensor]:
        loss = torch.sin(h).sum()
        return list(torch.autograd.grad(loss, list(conditioner.parameters())))

    for mine, theirs in zip(gradients(parts), gradients(whole), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-13)


def test_an_inverse_computes_every_unit_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All D passes of a masked inverse take the products of less than one forward pass."""
    flow = catalog.make("maf", dim=16, layers=1, seed=0)
    linear, products = nn.functional.linear, []

    def counted(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
        products.append(x.shape[0] * W.numel())
        return linear(x, W, b)

    monkeypatch.setattr(nn.functional, "linear", counted)
    x = points(8, 16, dtype=torch.float32)
    flow.log_prob(x)
    one_pass = sum(products)
    products.clear()
    flow(x)
    assert 0 < sum(products) < one_pass
