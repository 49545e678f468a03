"""The Sylvester flow: its published form, its inverse, and the planar flow inside it."""

from __future__ import annotations

import pytest
import torch

from flowviz.flows import catalog, jacobian
from flowviz.flows.matrix_determinant_lemma import Planar, Sylvester, planar
from tests.engine.engine_checks import assert_gradcheck, assert_layer, points


def random_layer(dim: int, rank: int, scale: float = 1.0, seed: int = 0) -> Sylvester:
    layer = Sylvester(dim, rank).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        parameter.data.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return layer


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize(("dim", "rank"), [(1, 1), (3, 1), (3, 3), (5, 3), (8, 5)])
def test_every_rank_at_random_parameters(dim: int, rank: int, scale: float) -> None:
    layer = random_layer(dim, rank, scale)
    z = points(64, dim)
    assert_layer(layer, z)
    # As published (equation 13), with the determinant of size D instead of the lemma's.
    Q, (R, R_tilde) = layer.Q(), layer.triangles()
    a = z @ Q @ R_tilde.mT + layer.b
    assert torch.allclose(layer(z)[0], z + torch.tanh(a) @ R.mT @ Q.mT)
    slope = torch.diag_embed(1 - torch.tanh(a).square())
    J = torch.eye(dim).double() + Q @ R @ slope @ R_tilde @ Q.mT
    assert torch.allclose(jacobian(layer, z), J)
    assert torch.allclose(Q.mT @ Q, torch.eye(rank).double())
    assert not R.tril(-1).any() and not R_tilde.tril(-1).any()
    assert (R.diagonal() * R_tilde.diagonal()).abs().max() < 1


def test_the_part_orthogonal_to_the_columns_is_untouched() -> None:
    layer = random_layer(6, 2)
    z = points(20, 6)
    Q = layer.Q()
    across = torch.eye(6).double() - Q @ Q.mT
    assert torch.allclose(layer(z)[0] @ across, z @ across)
    assert torch.allclose(layer.inverse(z)[0] @ across, z @ across)


def test_rank_one_is_a_planar_flow() -> None:
    for seed in range(5):
        layer = random_layer(3, 1, 1.0, seed)
        q, (R, R_tilde) = layer.Q()[:, 0], layer.triangles()
        same = Planar(3).double()
        same.w.data.copy_(R_tilde[0, 0] * q)
        # v = r q; Planar's v is constrained: find the u that gives it, along w.
        target = 1 + R[0, 0] * R_tilde[0, 0]
        wu = torch.log(torch.expm1(target - planar.MIN_SLOPE)) - planar.SHIFT
        same.u.data.copy_(wu / R_tilde[0, 0] * q)
        same.b.data.copy_(layer.b[0])
        assert torch.allclose(same.v(), R[0, 0] * q)
        z = points(20, 3, seed)
        for ours, theirs in ((layer, same), (layer.inverse, same.inverse)):
            for a, b in zip(ours(z), theirs(z), strict=True):
                assert torch.allclose(a, b, atol=1e-9)


def test_saturated_diagonals_and_far_points() -> None:
    for sign in (1.0, -1.0):
        layer = random_layer(3, 3)
        layer.R.data.diagonal().fill_(sign * 50.0)
        layer.R_tilde.data.diagonal().fill_(50.0)
        for dtype in (torch.float64, torch.float32):
            z = points(64, 3, dtype=dtype) * torch.logspace(-3, 3, 64, dtype=dtype)[:, None]
            assert_layer(layer.to(dtype), z)


def test_derivatives_through_the_back_substitution() -> None:
    layer = random_layer(4, 3, 0.5)
    assert_gradcheck(layer, points(4, 4))
    assert_gradcheck(layer, points(3, 4), second=True)


def test_vmap_and_the_function_transforms() -> None:
    layer = random_layer(3, 2)
    x = points(5, 3)
    by_vmap = torch.func.vmap(torch.func.jacrev(lambda p: layer.inverse(p)[0]))(x)
    assert torch.allclose(by_vmap, jacobian(layer.inverse, x))


def test_ranks() -> None:
    assert [catalog.make("sylvester", d).bijections[0].rank for d in (1, 2, 5)] == [1, 2, 2]
    assert catalog.make("sylvester", 5, rank=4).bijections[0].rank == 4
    for bad in (0, 4, 1.5, "2"):
        with pytest.raises(ValueError, match=f"1 to dim = 3, got {bad!r}"):
            catalog.make("sylvester", 3, rank=bad)
