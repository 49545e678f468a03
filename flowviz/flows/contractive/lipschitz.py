"""How much a linear map can stretch, and weights that stretch no more than they may."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.transforms import transformed

EXCESS = 2.0**-6
"""The most by which :func:`norm_bound` can exceed the norm, relative to it."""

ROUNDING = 32
"""By how many roundoffs :func:`bounded` stays below: those of σ̂ must not lift a norm above."""


@dataclass(frozen=True)
class PowerIteration:
    """What the power iteration has found after 1, 2, … steps.

    Attributes:
        estimates: ``[steps]``, ‖W vₖ‖ with ‖vₖ‖ = 1: from below, increasing.
        norm: σ₁, by singular values.
        errors: ``[steps]``, (σ₁ − estimate)/σ₁, of order (σ₂/σ₁)⁴ᵏ.
    """

    estimates: Tensor
    norm: Tensor
    errors: Tensor


def spectral_norm(weight: Tensor) -> Tensor:
    """σ₁ = ‖W‖₂ of ``weight [..., M, N]``, by singular values, to rounding."""
    return torch.linalg.svdvals(weight)[..., 0]


@torch.no_grad()
def power_iteration(weight: Tensor, steps: int, start: Tensor | None = None) -> PowerIteration:
    """u ← W v/‖W v‖, v ← Wᵀu/‖Wᵀu‖: the classical way to σ₁, with its error.

    Spectral normalisation as published (Miyato et al. 2018; Behrmann et al. 2019) takes a few of
    these steps at each update. They approach σ₁ from below, so that dividing by their result
    leaves a norm above 1: a flow that relies on it is a contraction only approximately.

    Args:
        weight: ``[M, N]``.
        steps: ≥ 1.
        start: v₀ ``[N]``, not 0; the same in every coordinate when None.

    Raises:
        TypeError: ``weight`` is not a floating-point tensor.
        ValueError: ``steps`` is no whole number ≥ 1, or ``weight`` no matrix of finite numbers.
    """
    arguments.whole("steps", steps, 1)
    arguments.array("weight", weight, "[M, N]")
    v = torch.ones_like(weight[0]) if start is None else start
    estimates = []
    # A length of 0, of W = 0 or a start that W takes to 0, stays 0.
    tiny = torch.finfo(weight.dtype).tiny
    for _ in range(steps):
        v = weight @ (v / v.norm().clamp_min(tiny))
        estimates.append(v.norm())
        v = weight.mT @ (v / v.norm().clamp_min(tiny))
    norm, found = spectral_norm(weight), torch.stack(estimates)
    return PowerIteration(found, norm, (norm - found) / norm.clamp_min(tiny))


def norm_bound(weight: Tensor) -> Tensor:
    """σ̂ = (Σᵢ σᵢ²ᵖ)^{1/2p} ≥ σ₁, the Schatten norm of order 2p, of ``weight [M, N]``.

    With n = min(M, N) singular values, σ₁ ≤ σ̂ ≤ n^{1/2p} σ₁, and p = 2ᵏ is chosen so that the
    excess is at most :data:`EXCESS`. With G = WWᵀ (or WᵀW, the smaller one), σ̂²ᵖ = tr Gᵖ takes
    k squarings.

    Unlike the power iteration it bounds σ₁ from above, unlike σ₁ itself it has derivatives of
    every order even where singular values meet, and it waits for no device. It is a function of
    the weights alone: no buffers that could be stale.
    """
    squarings = math.ceil(math.log2(max(1.0, math.log(min(weight.shape)) / (2 * EXCESS))))
    if transformed():
        return _squared(weight, squarings)[0]
    return _SchattenNorm.apply(weight, squarings)


def bounded(weight: Tensor, bound: float) -> Tensor:
    """W · min(1, bound/σ̂), whose spectral norm is at most ``bound``.

    After Behrmann et al. 2019 (i-ResNet), section 2.1, with σ̂ of :func:`norm_bound` in place of
    a power iteration.
    """
    below = bound * (1 - ROUNDING * torch.finfo(weight.dtype).eps)
    return weight * (below / norm_bound(weight)).clamp_max(1)


class _SchattenNorm(torch.autograd.Function):
    """∂σ̂/∂W = σ̂ Gᵖ⁻¹ W / tr Gᵖ, where p − 1 = 1 + 2 + 4 + … + 2ᵏ⁻¹."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, squarings: int) -> Tensor:
        norm, powers = _squared(weight, squarings)
        ctx.save_for_backward(weight, norm)
        ctx.squarings, ctx.powers = squarings, powers
        return norm

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        weight, norm = ctx.saved_tensors
        powers = ctx.powers
        if torch.is_grad_enabled():
            norm, powers = _squared(weight, ctx.squarings)
        tall = weight.shape[0] > weight.shape[1]
        product = (weight if tall else weight.mT) @ powers[0]
        for power in powers[1:]:
            product = product @ power
        if not tall:
            product = product.mT
        # ⟨Gᵖ⁻¹W, W⟩ = tr Gᵖ, whatever the scale that the powers carry.
        total = (product * weight).sum().clamp_min(torch.finfo(weight.dtype).tiny)
        return gradient * norm / total * product, None


def _squared(weight: Tensor, squarings: int) -> tuple[Tensor, list[Tensor]]:
    """σ̂, and G, G², G⁴, …, G^{p/2}, each scaled to trace 1 (the identity where p = 1)."""
    gram = weight.mT @ weight if weight.shape[0] > weight.shape[1] else weight @ weight.mT
    # No trace below is then 0, not even that of W = 0.
    gram = gram + torch.finfo(weight.dtype).tiny
    traces, powers = [gram.trace()], []
    for _ in range(squarings):
        gram = gram / traces[-1]
        powers.append(gram)
        # tr G² without G²; only what is squared again needs the product itself.
        entries = gram.flatten()
        traces.append(torch.dot(entries, entries))
        gram = gram @ gram if len(powers) < squarings else gram
    # log tr Gᵖ = Σⱼ 2ᵏ⁻ʲ log(trace of step j), and σ̂ is the root of order 2p = 2ᵏ⁺¹.
    logs = torch.stack(traces).log()
    share = torch.arange(-1, -squarings - 2, -1, dtype=logs.dtype, device=logs.device).exp2()
    return torch.dot(share, logs).exp(), powers or [torch.ones_like(gram)]
