"""The deep sigmoidal flow of NAF, and stages of any transformer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowviz import arguments
from flowviz.flows.autoregressive.transformers.transformer import Transformer
from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.root import bracketed
from flowviz.flows.numerics.transforms import transformed

MIN_SLOPE = 1e-3
LOG_SLOPE_BOUND = 5.0


class Sigmoids(Transformer):
    """τ(z) = ε z + (1 − ε) σ⁻¹(Σ_k w_k σ(a_k z + b_k)), w on the simplex, a > 0.

    The deep sigmoidal flow of NAF (Huang et al. 2018; section 3.1.1), a conic combination of
    sigmoids that the logit carries onto ℝ. With ε = 0, as published, the derivative between two
    steep sigmoids is zero to rounding, and there is no inverse left; ε = 10⁻³ keeps it off zero.
    log a = B tanh(·/B), B = 5.

    P = 3K: the weights (through a softmax), log a, b. At h = 0, w = 1/K, a = 1, b = 0.

    Args:
        components: K ≥ 1.
    """

    title = "sigmoidal"
    exact_inverse = False

    def __init__(self, components: int = 8) -> None:
        super().__init__()
        self.components = check_components(components)
        self.parameters_per_dim = 3 * components

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return sigmoid_combination(z, *self._unpack(h))

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return invert_combination(z, *self._unpack(h))

    def _unpack(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Long rows, which elementwise kernels run over faster.
        logits, log_slope, b = h.movedim(-1, 0).contiguous().unflatten(0, (3, -1)).unbind(0)
        return logits, bounded(log_slope), b


class Stages(Transformer):
    """τ = τ_S ∘ … ∘ τ_1, transformers of the same coordinate one after the other (section 3.1.1).

    Deep NAF is stages of :class:`Sigmoids`. P is the sum of the stages' own P, in their order.

    Args:
        stages: τ_1, …, τ_S; the first acts first.

    Raises:
        ValueError: there is no stage.
        TypeError: a stage is no transformer.
    """

    def __init__(self, stages: Iterable[Transformer]) -> None:
        super().__init__()
        transformers = arguments.instances("stages", stages, Transformer)
        if not transformers:
            raise ValueError("a transformer of stages needs at least one stage, got none")
        self.stages = nn.ModuleList(transformers)
        self._sizes = [stage.parameters_per_dim for stage in transformers]
        self.parameters_per_dim = sum(self._sizes)
        self.title = " + ".join(stage.title for stage in transformers)
        self.exact_inverse = all(stage.exact_inverse for stage in transformers)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros_like(z)
        for stage, part in zip(self._stages(), h.split(self._sizes, -1), strict=True):
            z, log_derivative = stage(z, part)
            total = total + log_derivative
        return z, total

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros_like(z)
        pairs = list(zip(self._stages(), h.split(self._sizes, -1), strict=True))
        for stage, part in reversed(pairs):
            z, log_derivative = stage.inverse(z, part)
            total = total + log_derivative
        return z, total

    def _stages(self) -> list[Transformer]:
        return cast("list[Transformer]", list(self.stages))


def check_components(components: Any) -> int:
    """K of a mixture; ValueError unless it is a whole number ≥ 1."""
    return arguments.whole("components", components, 1)


def bounded(log_slope: Tensor) -> Tensor:
    """log a = B tanh(·/B): a within [e⁻ᴮ, eᴮ]."""
    return LOG_SLOPE_BOUND * torch.tanh(log_slope / LOG_SLOPE_BOUND)


def sigmoid_combination(
    z: Tensor, logits: Tensor, log_slope: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """τ(z) = ε z + (1 − ε) σ⁻¹(Σ_k w_k σ(a_k z + b_k)) and log τ′(z).

    Args:
        z: ``[...]``.
        logits: ``[K, ...]``, w = softmax.
        log_slope: ``[K, ...]``, log a.
        b: ``[K, ...]``.
    """
    combination = _combination if transformed() else _Combination.apply
    return cast("tuple[Tensor, Tensor]", combination(z, logits, log_slope, b))


def invert_combination(
    image: Tensor, logits: Tensor, log_slope: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """τ⁻¹ of :func:`sigmoid_combination`, and the logarithm of its derivative."""

    with torch.no_grad():
        # τ lies between the K lines that single components would give, its root between theirs.
        slope = MIN_SLOPE + (1 - MIN_SLOPE) * torch.exp(log_slope)
        roots = (image - (1 - MIN_SLOPE) * b) / slope
        start = (torch.softmax(logits, 0) * roots).sum(0)
        solvable = start.isfinite()
    # What is not finite has no root: NaN, without a search that would find none.
    image = torch.where(solvable, image, torch.nan)
    logits, log_slope, b = (torch.where(solvable, x, 0) for x in (logits, log_slope, b))

    def function(z: Tensor) -> tuple[Tensor, Tensor]:
        value, log_derivative = sigmoid_combination(z, logits, log_slope, b)
        return value, torch.exp(log_derivative)

    z = bracketed(function, image, start)
    return z, -sigmoid_combination(z, logits, log_slope, b)[1]


def _parts(z: Tensor, logits: Tensor, log_slope: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    """log C, log(1 − C), and what a derivative is made of: a, σ, 1 − σ, p, q, c.

    C = Σ w σ is carried by its logarithm *and* that of 1 − C = Σ w (1 − σ), so that the logit
    log C − log(1 − C) keeps its digits in both tails. p = w σ / C and q = w (1 − σ) / (1 − C) are
    the shares in each, and c = p (1 − σ) + q σ = ∂ logit C / ∂(a z + b).
    """
    a = torch.exp(log_slope)
    s = torch.addcmul(b, a, z)
    log_w = F.log_softmax(logits, 0)
    # log σ(−s) = log σ(s) − s would lose the digits of a small log σ(−s).
    below, above = log_w + F.logsigmoid(s), log_w + F.logsigmoid(-s)
    log_cdf, log_survival = torch.logsumexp(below, 0), torch.logsumexp(above, 0)
    p, q = torch.softmax(below, 0), torch.softmax(above, 0)
    up = torch.sigmoid(s)
    down = torch.sigmoid(-s)
    return log_cdf, log_survival, a, up, down, p, q, p * down + q * up


def _combination(z: Tensor, logits: Tensor, log_slope: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    log_cdf, log_survival, a, _, _, _, _, c = _parts(z, logits, log_slope, b)
    image = torch.lerp(log_cdf - log_survival, z, MIN_SLOPE)
    return image, torch.log(MIN_SLOPE + (1 - MIN_SLOPE) * (a * c).sum(0))


class _Combination(torch.autograd.Function):
    """:func:`_combination` with its gradient written out: a third of the kernels."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        log_cdf, log_survival, a, up, down, p, q, c = _parts(*inputs)
        logit_slope = (a * c).sum(0)
        slope = MIN_SLOPE + (1 - MIN_SLOPE) * logit_slope
        ctx.save_for_backward(*inputs, a, up, down, p, q, c, logit_slope, slope)
        image = torch.lerp(log_cdf - log_survival, inputs[0], MIN_SLOPE)
        return image, torch.log(slope)

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors[:4]
        if torch.is_grad_enabled():
            return _differentiable(ctx.needs_input_grad, inputs, gradients)
        z, logits = inputs[:2]
        a, up, down, p, q, c, logit_slope, slope = ctx.saved_tensors[4:]
        along = (1 - MIN_SLOPE) * gradients[0]
        across = (1 - MIN_SLOPE) * gradients[1] / slope
        share = a * c
        tilt = across * logit_slope
        # ∂(Σ a c)/∂s_j = a_j c_j (1 − 2σ_j) − (Σ a c) (p_j (1 − σ_j) − q_j σ_j).
        low, high = p * down, q * up
        of_share = across * share
        of_s = along * c + of_share * (down - up) - tilt * (low - high)
        of_logits = along * (p - q) + of_share - tilt * (p + q - torch.softmax(logits, 0))
        of_az = of_s * a
        of_z = MIN_SLOPE * gradients[0] + of_az.sum(0)
        return of_z, of_logits, of_share + of_az * z, of_s


def _differentiable(
    needed: tuple[bool, ...], inputs: tuple[Tensor, ...], gradients: tuple[Tensor, ...]
) -> tuple[Tensor | None, ...]:
    """The gradient with a graph of its own, for second derivatives."""
    # Aliases: one input may depend on another, and its gradient is not to go that way twice.
    aliases = [x.view_as(x) for x in inputs]
    wanted = [x for x, need in zip(aliases, needed, strict=True) if need]
    found = iter(torch.autograd.grad(_combination(*aliases), wanted, gradients, create_graph=True))
    return tuple(next(found) if need else None for need in needed)
