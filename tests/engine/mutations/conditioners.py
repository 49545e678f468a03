"""Mistakes in separate, recurrent, attending and grouped conditioners."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from flowviz.flows.autoregressive.conditioners import (
    Attention,
    BlockCoupling,
    Conditioner,
    Recurrent,
    Separate,
    ordered,
)
from flowviz.flows.autoregressive.conditioners.attention import CausalSelfAttention
from flowviz.flows.autoregressive.conditioners.recurrent import Cell
from flowviz.flows.autoregressive.conditioners.separate import SideBySide

Patch = pytest.MonkeyPatch


def _after_init(patch: Patch, conditioner: type[Conditioner], change: Any) -> None:
    init = conditioner.__init__

    def wrong(self: Conditioner, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        change(self)

    patch.setattr(conditioner, "__init__", wrong)


# Separate networks


def separate_networks_that_see_their_own_coordinate(patch: Patch) -> None:
    def change(self: Separate) -> None:
        self.network[0].sees += torch.eye(self.dim).unsqueeze(-1)

    _after_init(patch, Separate, change)


def separate_networks_that_miss_the_last_coordinate(patch: Patch) -> None:
    _after_init(patch, Separate, lambda self: self.network[0].sees[:, 0].zero_())


def separate_networks_and_points_mixed_up(patch: Patch) -> None:
    patch.setattr(Tensor, "transpose", lambda self, *dims: self)


def separate_networks_with_one_bias(patch: Patch) -> None:
    """A bias of one network for all: the others never receive a gradient."""

    def wrong(self: SideBySide, x: Tensor) -> Tensor:
        weight = self.weight if self.sees is None else self.weight * self.sees
        return torch.baddbmm(self.bias[:1], x, weight.detach())

    patch.setattr(SideBySide, "forward", wrong)


# Recurrent


def recurrent_tokens_not_shifted(patch: Patch) -> None:
    run = Recurrent.run
    patch.setattr(Recurrent, "run", lambda self, tokens: run(self, tokens.roll(-1, -2)))


def recurrent_state_forgotten(patch: Patch) -> None:
    forward = Cell.forward
    patch.setattr(Cell, "forward", lambda self, by_token, s: forward(self, by_token, 0 * s))


def recurrent_state_forgotten_by_the_inverse(patch: Patch) -> None:
    successive = Recurrent.successive
    patch.setattr(
        Recurrent,
        "successive",
        lambda self, context: lambda k, solved: successive(self, context)(0, solved),
    )


def recurrent_state_of_the_whole_batch(patch: Patch) -> None:
    lerp = torch.lerp
    patch.setattr(torch, "lerp", lambda n, s, q: lerp(n, s, q) + 1e-6 * s.mean(0))


def recurrent_order_forgotten(patch: Patch) -> None:
    """The parameters stay in the order of the places, which is not that of the coordinates."""

    def change(self: Recurrent) -> None:
        self.place = torch.arange(self.dim)

    _after_init(patch, Recurrent, change)


# Attention


def attention_ahead_by_one(patch: Patch) -> None:
    triu = Tensor.triu
    patch.setattr(Tensor, "triu", lambda self, diagonal=0: triu(self, diagonal + 1))


def attention_without_a_mask(patch: Patch) -> None:
    patch.setattr(Tensor, "masked_fill", lambda self, mask, value: self)


def attention_masked_after_the_softmax(patch: Patch) -> None:
    """Weights that are cut after their normalisation still see what comes later."""
    softmax = torch.softmax
    patch.setattr(Tensor, "masked_fill", lambda self, mask, value: self)
    patch.setattr(torch, "softmax", lambda x, dim: softmax(x, dim).tril())


def attention_across_the_batch(patch: Patch) -> None:
    """Points where tokens should be: the batch and the sequence change places."""
    forward = CausalSelfAttention.forward
    patch.setattr(
        CausalSelfAttention,
        "forward",
        lambda self, x: forward(self, x.transpose(0, 1)).transpose(0, 1),
    )


def attention_tokens_not_shifted(patch: Patch) -> None:
    run = Attention.run
    patch.setattr(Attention, "run", lambda self, tokens: run(self, tokens.roll(-1, -2)))


def order_of_the_inverse_reversed(patch: Patch) -> None:
    def change(self: ordered.Ordered) -> None:
        self.groups = tuple(reversed(self.groups))

    _after_init(patch, Attention, change)


# Block coupling


def blocks_that_see_themselves(patch: Patch) -> None:
    def change(self: BlockCoupling) -> None:
        self.network[-1].mask.fill_(1)

    _after_init(patch, BlockCoupling, change)


def blocks_that_see_the_first_only(patch: Patch) -> None:
    def change(self: BlockCoupling) -> None:
        self.network[0].mask[:, torch.tensor(self.groups[1])] = 0

    _after_init(patch, BlockCoupling, change)


def blocks_solved_at_once(patch: Patch) -> None:
    _after_init(
        patch, BlockCoupling, lambda self: setattr(self, "groups", (list(range(self.dim)),))
    )


def blocks_solved_in_the_wrong_order(patch: Patch) -> None:
    _after_init(patch, BlockCoupling, lambda self: setattr(self, "groups", self.groups[::-1]))


def blocks_solved_coordinate_by_coordinate(patch: Patch) -> None:
    """Right numbers, and D passes where K are announced."""
    _after_init(
        patch,
        BlockCoupling,
        lambda self: setattr(self, "groups", tuple([j] for g in self.groups for j in g)),
    )


MUTATIONS = [
    (separate_networks_that_see_their_own_coordinate, "separate_affine"),
    (separate_networks_that_miss_the_last_coordinate, "separate_affine"),
    (separate_networks_and_points_mixed_up, "separate_affine"),
    (separate_networks_with_one_bias, "separate_affine"),
    (recurrent_tokens_not_shifted, "recurrent_af"),
    (recurrent_state_forgotten, "recurrent_af"),
    (recurrent_state_forgotten_by_the_inverse, "recurrent_af"),
    (recurrent_state_of_the_whole_batch, "recurrent_af"),
    (recurrent_order_forgotten, "recurrent_af"),
    (attention_ahead_by_one, "attention_af"),
    (attention_without_a_mask, "attention_af"),
    (attention_masked_after_the_softmax, "attention_af"),
    (attention_across_the_batch, "attention_af"),
    (attention_tokens_not_shifted, "attention_af"),
    (order_of_the_inverse_reversed, "attention_af"),
    (blocks_that_see_themselves, "block_coupling"),
    (blocks_that_see_the_first_only, "block_coupling"),
    (blocks_solved_at_once, "block_coupling"),
    (blocks_solved_in_the_wrong_order, "block_coupling"),
    (blocks_solved_coordinate_by_coordinate, "block_coupling"),
]
