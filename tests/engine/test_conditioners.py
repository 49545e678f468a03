"""Conditioners: each with every transformer, their cost, and their parts held against torch's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowviz.flows import catalog, jacobian
from flowviz.flows.autoregressive import Autoregressive, transformers
from flowviz.flows.autoregressive.conditioners import (
    Attention,
    BlockCoupling,
    Conditioner,
    Coupling,
    Masked,
    Recurrent,
    Separate,
)
from flowviz.flows.autoregressive.conditioners.attention import Block, CausalSelfAttention
from flowviz.flows.autoregressive.conditioners.recurrent import Cell
from flowviz.flows.autoregressive.transformers import Affine, Transformer
from flowviz.flows.bijection import Bijection
from tests.engine.engine_checks import assert_layer, network_calls, points, random_flow

# Those that have no default for what they are made of.
MADE: dict[str, Callable[[], Transformer]] = {
    "Stages": lambda: transformers.Stages([Affine(), transformers.RationalQuadraticSpline(4)]),
}
TRANSFORMERS = [name for name in transformers.__all__ if name != "Transformer"]

CONDITIONERS: dict[str, Callable[..., Conditioner]] = {
    "separate": Separate,
    "recurrent": Recurrent,
    "masked": Masked,
    "attention": Attention,
    "coupling": Coupling,
    "block coupling": lambda dim, p, **options: BlockCoupling(
        dim, p, **{"parts": min(3, dim), **options}
    ),
}
ORDERED = [Separate, Recurrent, Attention]


def random_layer(layer: Bijection, scale: float = 0.3, seed: int = 0) -> Bijection:
    generator = torch.Generator().manual_seed(seed)
    layer = layer.double().eval()
    for parameter in layer.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data.copy_(scale * noise)
    return layer


def assert_zeros_where_the_mask_says(layer: Bijection, z: Tensor) -> None:
    J, mask = jacobian(layer, z).detach(), layer.jacobian_mask()
    assert (J[:, ~mask] == 0).all() and (J != 0).any(0).equal(mask)


@pytest.mark.parametrize("conditioner", CONDITIONERS)
@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_any_transformer_with_any_conditioner(transformer: str, conditioner: str) -> None:
    for dim in range(2 if conditioner == "coupling" else 1, 5):
        τ = MADE.get(transformer, getattr(transformers, transformer))()
        c = CONDITIONERS[conditioner](dim, τ.parameters_per_dim, hidden=(6,))
        layer = random_layer(Autoregressive(τ, c), seed=dim)
        z = points(24, dim)
        assert_layer(layer, z)
        assert_zeros_where_the_mask_says(layer, z / 2)


# Cost and order


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_network_passes_of_both_directions(dim: int) -> None:
    expected = {
        "separate_affine": (dim, 1),
        "attention_af": (dim, 1),
        "recurrent_af": (dim, dim),
        "block_coupling": (min(3, dim), 1),
    }
    for name, passes in expected.items():
        flow, z = random_flow(name, dim, 0.1, layers=1), points(3, dim)
        assert network_calls(flow, lambda: flow(z)) == passes[0], name  # noqa: B023
        assert network_calls(flow, lambda: flow.inverse(z)) == passes[1], name  # noqa: B023


@pytest.mark.parametrize("conditioner", ORDERED)
def test_every_order_of_three_coordinates(conditioner: type[Conditioner]) -> None:
    z = points(16, 3)
    for order in itertools.permutations(range(3)):
        c = conditioner(3, 2, order=order, hidden=(6,))  # type: ignore[call-arg]
        layer = random_layer(Autoregressive(Affine(), c))
        assert_zeros_where_the_mask_says(layer, z)
        assert_layer(layer, z)
        first = order.index(0)
        assert not layer.jacobian_mask()[first, [j for j in range(3) if j != first]].any()


@pytest.mark.parametrize("conditioner", [Recurrent, Attention])
def test_an_order_renames_the_coordinates_and_nothing_else(conditioner: type[Conditioner]) -> None:
    natural, turned = (
        random_layer(Autoregressive(Affine(), conditioner(3, 2, order=o)))  # type: ignore[call-arg]
        for o in ([0, 1, 2], [2, 0, 1])
    )
    z = points(8, 3)
    places = torch.tensor([2, 0, 1])
    # Coordinate j of the one is coordinate places[j] of the other.
    assert torch.allclose(turned(z[:, places])[0], natural(z)[0][:, places])


@pytest.mark.parametrize("conditioner", [*ORDERED, BlockCoupling])
@pytest.mark.parametrize("batch", [(), (0,), (4,), (2, 3), (2, 0, 3)])
def test_leading_shapes_with_a_context(
    conditioner: type[Conditioner], batch: tuple[int, ...]
) -> None:
    c = conditioner(4, 3, context=2).double()  # type: ignore[call-arg]
    z = torch.randn(*batch, 4, dtype=torch.float64)
    context = torch.randn(*batch, 2, dtype=torch.float64)
    h = c(z, context)
    assert h.shape == (*batch, 4, 3)
    rows = c(z.reshape(-1, 4), context.reshape(-1, 2))
    assert torch.allclose(h.reshape(-1, 4, 3), rows)
    # All parameters see the context, those of the first coordinate too.
    if h.numel():
        assert ((c(z, context + 1) - h) != 0).all()


def test_what_is_refused() -> None:
    for conditioner in ORDERED:
        with pytest.raises(ValueError, match=r"order must hold each of 0 … 2 once"):
            conditioner(3, 2, order=[0, 0, 1])
        with pytest.raises(ValueError, match=r"hidden needs one or more widths"):
            conditioner(3, 2, hidden=())
        with pytest.raises(ValueError, match="context must be a whole number ≥ 0, got -1"):
            conditioner(3, 2, context=-1)
    for parts in (0, 4, 1.5, None):
        with pytest.raises(ValueError, match=f"3 coordinates has 1 to 3 parts, got {parts}"):
            BlockCoupling(3, 2, parts=parts)  # type: ignore[arg-type]
    for parts in (0, -1, 2.0, "2"):
        with pytest.raises(ValueError, match=f"parts must be a whole number ≥ 1, got {parts!r}"):
            catalog.make("block_coupling", parts=parts)


# Separate networks


def test_separate_networks_are_as_many_plain_ones() -> None:
    order = [2, 0, 3, 1]
    c = Separate(4, 3, order=order, hidden=(7, 5), context=2).double()
    z, context = points(9, 4), points(9, 2, seed=1)
    h = c(z, context)
    layers = [layer for layer in c.network if not isinstance(layer, nn.SiLU)]
    for i in range(4):
        before = [j for j in range(4) if order[j] < order[i]]
        x = torch.cat([z[:, before], context], -1)
        for number, layer in enumerate(layers):
            weight = layer.weight[i] if number else layer.weight[i][[*before, 4, 5]]
            x = F.linear(F.silu(x) if number else x, weight.mT, layer.bias[i, 0])
        assert torch.allclose(h[:, i], x)


def test_separate_networks_share_nothing_and_the_others_share() -> None:
    c = Separate(3, 2, hidden=(8,))
    c(torch.randn(5, 3), None)[:, 1].sum().backward()
    for name, parameter in c.named_parameters():
        assert parameter.grad[1].any() or "0.weight" in name
        assert not parameter.grad[[0, 2]].any(), name

    def size(conditioner: type[Conditioner], dim: int) -> int:
        return sum(p.numel() for p in conditioner(dim, 2).parameters())  # type: ignore[call-arg]

    assert size(Separate, 8) > 3.9 * size(Separate, 2)
    assert size(Recurrent, 8) == size(Recurrent, 2)
    assert size(Attention, 8) - size(Attention, 2) == 6 * 64  # The positions.


# The recurrent cell


def test_the_cell_is_the_gated_recurrent_unit() -> None:
    cell = Cell(3, 6).double()
    gru = nn.GRUCell(3, 6).double()
    for ours, theirs in (("from_token", "ih"), ("from_state", "hh")):
        for kind in ("weight", "bias"):
            value = getattr(getattr(cell, ours), kind)
            getattr(gru, f"{kind}_{theirs}").data.copy_(value)
    tokens = points(5, 12).reshape(5, 4, 3)
    mine, theirs = cell.start(tokens[:, 0]), None
    for token in tokens.unbind(1):
        mine, theirs = cell(cell.from_token(token), mine), gru(token, theirs)
        assert torch.allclose(mine, theirs, atol=1e-14)
    (mine.square().sum() + theirs.square().sum()).backward()
    assert torch.allclose(cell.from_state.weight.grad, gru.weight_hh.grad)
    assert torch.allclose(cell.from_token.weight.grad, gru.weight_ih.grad)


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("order", [None, [2, 0, 3, 1]])
def test_step_by_step_the_recurrent_network_gives_what_a_whole_pass_gives(
    order: list[int] | None, context: int
) -> None:
    conditioner = Recurrent(4, 3, order=order, context=context).double()
    z = points(6, 4)
    features = points(6, context, seed=1) if context else None
    whole, of_place = conditioner(z, features), conditioner.successive(features)
    solved = torch.zeros_like(z)
    for k, (j,) in enumerate(conditioner.groups):
        assert torch.allclose(of_place(k, solved)[:, 0], whole[:, j], atol=1e-14)
        solved = solved.index_copy(-1, torch.tensor([j]), z[:, [j]])


# Attention


def test_attention_is_that_of_torch_and_looks_back_only() -> None:
    ours = CausalSelfAttention(8, 4).double()
    theirs = nn.MultiheadAttention(8, 4, bias=False, batch_first=True).double()
    theirs.in_proj_weight.data.copy_(ours.to_qkv.weight)
    theirs.out_proj.weight.data.copy_(ours.output.weight)
    x = points(6, 40).reshape(6, 5, 8)
    ahead = torch.ones(5, 5, dtype=torch.bool).triu(1)
    assert torch.allclose(ours(x), theirs(x, x, x, attn_mask=ahead)[0], atol=1e-14)


def test_a_block_is_the_pre_norm_encoder_layer_of_torch() -> None:
    ours = Block(8, 12).double()
    theirs = nn.TransformerEncoderLayer(
        8, 4, 12, dropout=0, activation=F.silu, batch_first=True, norm_first=True
    ).double()
    pairs = {
        "norm1": ours.norm_1,
        "norm2": ours.norm_2,
        "linear1": ours.network[0],
        "linear2": ours.network[2],
    }
    for name, module in pairs.items():
        for parameter in module.parameters():
            parameter.data.normal_()
        getattr(theirs, name).load_state_dict(module.state_dict())
    attention = theirs.self_attn
    attention.in_proj_weight.data.copy_(ours.attention.to_qkv.weight)
    attention.in_proj_bias.data.zero_()
    attention.out_proj.weight.data.copy_(ours.attention.output.weight)
    attention.out_proj.bias.data.zero_()
    x = points(6, 40).reshape(6, 5, 8)
    ahead = torch.ones(5, 5, dtype=torch.bool).triu(1)
    assert torch.allclose(ours(x), theirs(x, src_mask=ahead), atol=1e-12)


@pytest.mark.parametrize("hidden", [(1,), (3,), (6,), (8, 5), (8, 5, 7)])
def test_attention_of_any_width_and_depth(hidden: tuple[int, ...]) -> None:
    c = Attention(3, 2, hidden=hidden)
    blocks = [m for m in c.modules() if isinstance(m, Block)]
    assert len(blocks) == max(1, len(hidden) - 1)
    layer = random_layer(Autoregressive(Affine(), c))
    assert_layer(layer, points(16, 3))


def test_attention_to_itself_only_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coordinates that are never looked at: a mistake that a layer's inverse would fill in."""
    monkeypatch.setattr(torch, "softmax", lambda x, dim: torch.eye(x.shape[-1]).to(x).expand_as(x))
    with pytest.raises(AssertionError):
        test_every_order_of_three_coordinates(Attention)


# Residual connections of a masked network


@pytest.mark.parametrize("order", [None, [2, 0, 3, 1]])
@pytest.mark.parametrize("context", [0, 2])
def test_what_goes_past_a_masked_layer_keeps_the_order(
    order: list[int] | None, context: int
) -> None:
    for hidden in ((5, 5), (16, 16, 16)):
        c = Masked(4, 2, order=order, hidden=hidden, context=context, residual=True)
        layer = random_layer(Autoregressive(Affine(), c))
        z, features = points(24, 4), points(24, 2) if context else None
        J, mask = jacobian(layer, z, features).detach(), layer.jacobian_mask()
        assert (J[:, ~mask] == 0).all() and (J != 0).any(0).equal(mask)
        image, logabsdet = layer(z, features)
        assert torch.allclose(torch.linalg.slogdet(J).logabsdet, logabsdet)
        assert torch.allclose(layer.inverse(image, features)[0], z)


def test_what_goes_past_a_masked_layer_arrives() -> None:
    c, plain = (Masked(3, 2, hidden=(6, 6), residual=r).double() for r in (True, False))
    same_weights(c, plain)
    z = points(9, 3)
    assert not torch.allclose(c(z, None), plain(z, None))
    # A second layer of zeros lets the first through, and nothing else.
    for network in (c.network, plain.network):
        network[1].weight.data.zero_()
        network[1].bias.data.zero_()
    first, _, last = c.network
    h = torch.nn.functional.silu(first(z))
    assert torch.allclose(c(z, None), last(h).view(9, 3, 2), atol=1e-14)
    assert (plain(z, None) == plain(z, None)[0]).all()


@pytest.mark.parametrize("hidden", [(8,), (8, 6)])
def test_only_layers_of_one_width_have_something_past_them(hidden: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="two or more hidden layers of one width"):
        catalog.make("maf", 3, 2, hidden=hidden, residual=True)
    with pytest.raises(ValueError, match="residual must be True or False"):
        catalog.make("maf", 3, 2, residual=1)


# Block coupling


def same_weights(a: nn.Module, b: nn.Module) -> None:
    for mine, other in zip(a.parameters(), b.parameters(), strict=True):
        other.data.copy_(mine.data)


def test_as_many_parts_as_coordinates_are_a_masked_network() -> None:
    for context in (0, 2):
        blocks = BlockCoupling(4, 3, parts=4, reverse=True, context=context).double()
        masked = Masked(4, 3, order=[3, 2, 1, 0], context=context).double()
        same_weights(blocks, masked)
        z = points(9, 4)
        features = points(9, 2) if context else None
        assert torch.allclose(blocks(z, features), masked(z, features), atol=1e-14)
        assert blocks.dependencies().equal(masked.dependencies())


def test_two_parts_are_a_coupling_and_one_part_is_elementwise() -> None:
    two, coupling = BlockCoupling(5, 2, parts=2), Coupling(5, 2, split=3)
    assert two.dependencies().equal(coupling.dependencies())
    h = two(torch.randn(7, 5), None)
    assert (h[:, :3] == h[0, :3]).all() and (h[1:, 3:] != h[0, 3:]).all()
    assert not BlockCoupling(5, 2, parts=1).dependencies().any()


def test_groups_share_what_they_see() -> None:
    c = BlockCoupling(7, 2, parts=3)
    assert c.groups == ([0, 1, 2], [3, 4], [5, 6])
    assert BlockCoupling(7, 2, parts=3, reverse=True).groups == ([5, 6], [3, 4], [0, 1, 2])
    before = c.dependencies().sum(-1).tolist()
    assert before == [0, 0, 0, 3, 3, 5, 5]
    options: dict[str, Any] = {"hidden": (8,), "parts": 2}
    flow = catalog.make("block_coupling", 7, 1, seed=0, **options)
    assert network_calls(flow, lambda: flow(torch.zeros(3, 7))) == 2
