"""Mistakes in NAF, Flow++ and B-NAF."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from flowviz.flows.autoregressive import BlockNeural, block_neural
from flowviz.flows.autoregressive.transformers import LogisticMixture, Stages, sigmoids

Patch = pytest.MonkeyPatch


def _patch_parts(patch: Patch, **wrong: Any) -> None:
    """Replace single ones of what :func:`sigmoids._parts` returns, by functions of all of them."""
    names = ("log_cdf", "log_survival", "a", "up", "down", "p", "q", "c")
    parts = sigmoids._parts

    def changed(*inputs: Tensor) -> tuple[Tensor, ...]:
        found = dict(zip(names, parts(*inputs), strict=True))
        return tuple(wrong[name](found) if name in wrong else found[name] for name in names)

    patch.setattr(sigmoids, "_parts", changed)


def sigmoids_logit_from_the_cdf_alone(patch: Patch) -> None:
    """log(1 − C) from C has no digits left where C is almost 1."""
    _patch_parts(patch, log_survival=lambda f: torch.log1p(-torch.exp(f["log_cdf"])))


def sigmoids_derivative_without_the_logit(patch: Patch) -> None:
    """The − log C − log(1 − C) of the logit forgotten."""
    _patch_parts(patch, c=lambda f: f["p"] * f["down"] * torch.exp(f["log_cdf"]))


def sigmoids_derivative_without_the_scales(patch: Patch) -> None:
    _patch_parts(patch, a=lambda f: torch.ones_like(f["a"]))


def sigmoids_gradient_of_the_value_alone(patch: Patch) -> None:
    """A backward by hand that forgets that the log-derivative has a gradient too."""
    backward = sigmoids._Combination.backward
    patch.setattr(
        sigmoids._Combination,
        "backward",
        staticmethod(lambda ctx, g, of_log: backward(ctx, g, torch.zeros_like(of_log))),
    )


def sigmoids_gradient_without_the_softmax(patch: Patch) -> None:
    backward = sigmoids._Combination.backward

    def wrong(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        of_z, of_logits, of_slope, of_b = backward(ctx, *gradients)
        return of_z, of_logits + torch.softmax(of_logits, 0) * gradients[1], of_slope, of_b

    patch.setattr(sigmoids._Combination, "backward", staticmethod(wrong))


def sigmoids_root_without_gradient(patch: Patch) -> None:
    bracketed = sigmoids.bracketed
    patch.setattr(sigmoids, "bracketed", lambda *arguments: bracketed(*arguments).detach())


def stages_inverted_in_forward_order(patch: Patch) -> None:
    def wrong(self: Stages, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros_like(z)
        for stage, part in zip(self.stages, h.split(self._sizes, -1), strict=True):
            z, log_derivative = stage.inverse(z, part)
            total = total + log_derivative
        return z, total

    patch.setattr(Stages, "inverse", wrong)


def mixture_inverted_before_the_scale(patch: Patch) -> None:
    def wrong(self: LogisticMixture, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        mixture, affine = h.split([3 * self.components, 2], -1)
        z, of_mixture = sigmoids.invert_combination(z, *self._unpack(mixture))
        z, of_affine = self.affine.inverse(z, affine)
        return z, of_mixture + of_affine

    patch.setattr(LogisticMixture, "inverse", wrong)


def blocks_that_may_be_negative(patch: Patch) -> None:
    """The diagonal blocks without exp: f need not increase, and the root is not unique."""
    forward = block_neural.BlockLinear.forward

    def wrong(self: block_neural.BlockLinear, x: Tensor, log_slopes: Tensor) -> Any:
        image, log_slopes = forward(self, x, log_slopes)
        return image - torch.nn.functional.linear(x, self.diagonal * self.weight), log_slopes

    patch.setattr(block_neural.BlockLinear, "forward", wrong)


def blocks_that_look_ahead(patch: Patch) -> None:
    init = block_neural.BlockLinear.__init__

    def wrong(self: block_neural.BlockLinear, *arguments: Any) -> None:
        init(self, *arguments)
        self.below = ~self.diagonal

    patch.setattr(block_neural.BlockLinear, "__init__", wrong)


def blocks_multiplied_by_adding_logarithms(patch: Patch) -> None:
    def wrong(log_blocks: Tensor, log_vectors: Tensor) -> Tensor:
        return (log_blocks + log_vectors.unsqueeze(-2)).mean(-1)

    patch.setattr(block_neural, "log_product", wrong)


def network_without_its_residual(patch: Patch) -> None:
    """The network alone is bounded: hardly any image has an inverse."""

    def wrong(self: BlockNeural, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        return self.network(z, context)

    patch.setattr(BlockNeural, "_map", wrong)


MUTATIONS = [
    (sigmoids_logit_from_the_cdf_alone, "naf"),
    (sigmoids_derivative_without_the_logit, "naf"),
    (sigmoids_derivative_without_the_scales, "flow_plus_plus"),
    (sigmoids_gradient_of_the_value_alone, "flow_plus_plus"),
    (sigmoids_gradient_without_the_softmax, "naf"),
    (sigmoids_root_without_gradient, "naf"),
    (stages_inverted_in_forward_order, "deep_naf"),
    (mixture_inverted_before_the_scale, "flow_plus_plus"),
    (blocks_that_may_be_negative, "bnaf"),
    (blocks_that_look_ahead, "bnaf"),
    (blocks_multiplied_by_adding_logarithms, "bnaf"),
    (network_without_its_residual, "bnaf"),
]
