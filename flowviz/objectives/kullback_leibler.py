"""The two Kullback–Leibler divergences between a flow and a target."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.objectives.estimate import Estimate


def forward_kl(flow: Flow, x: Tensor, context: Tensor | None = None) -> Estimate:
    """−E_{p*}[log p_x(x)] = KL(p* ‖ p_x) + H(p*): maximum likelihood (section 2.3.1).

    Needs samples of p* and T⁻¹; neither p*'s density nor T.

    Args:
        flow: p_x.
        x: samples of the target, ``[N, D]``, N ≥ 1.
        context: ``[N, C]`` for a conditional flow.

    Raises:
        ValueError: there is no sample, or the shape is another.
        TypeError: ``x`` is not a floating-point tensor.
    """
    _check_samples(flow, x)
    return Estimate.of(-flow.log_prob(x, context))


def forward_kl_backward(
    flow: Flow,
    x: Tensor,
    context: Tensor | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Estimate | None:
    """:func:`forward_kl` without gradient; on the way, ``forward_kl(…).value.backward()``.

    Within ``with player:`` it is faster than the two, see :meth:`Flow.log_prob_backward`; where
    ``cancelled`` is explained, and when the result is None. Errors are those of forward_kl.
    """
    _check_samples(flow, x)
    log_prob = flow.log_prob_backward(x, context, cancelled)
    return None if log_prob is None else Estimate.of(-log_prob)


def _check_samples(flow: Flow, x: Tensor) -> None:
    arguments.instance("flow", flow, Flow)
    if not isinstance(x, Tensor):
        raise TypeError(f"forward KL needs samples as a tensor, got {type(x).__name__}")
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"forward KL needs samples [N, {flow.dim}], N ≥ 1; got {list(x.shape)}")


def reverse_kl(
    flow: Flow,
    log_density: Callable[[Tensor], Tensor],
    n: int,
    context: Tensor | None = None,
    *,
    path_gradient: bool = False,
    generator: Generator | None = None,
) -> Estimate:
    """E_u[log p_u(u) − log|det J_T(u)| − log p̃(T(u))] = KL(p_x ‖ p*) − log Z.

    Section 2.3.2. Needs T and p*'s density up to a constant; neither samples of p* nor T⁻¹.

    Args:
        flow: p_x.
        log_density: log p̃, ``[N, D] -> [N]``, unnormalised.
        n: the number of draws from the flow, ≥ 1.
        context: ``[N, C]`` or ``[C]`` for a conditional flow.
        path_gradient: drop the score term, whose expectation is zero, from the gradient
            ("sticking the landing", Roeder, Wu & Duvenaud 2017). The gradient's variance then
            vanishes as p_x approaches p*; costs one inverse pass.
        generator: of the draws.

    Raises:
        ValueError: n < 1, or ``log_density`` yields another shape than ``[N]``.
        FloatingPointError: the estimate is NaN, because ``log_density`` is somewhere.
    """
    arguments.instance("flow", flow, Flow)
    arguments.function("log_density", log_density)
    if not arguments.is_whole(n) or n < 1:
        raise ValueError(f"reverse KL needs n ≥ 1 draws, got {n!r}")
    x, log_prob = flow.rsample_and_log_prob(n, context, generator)
    if arguments.flag("path_gradient", path_gradient):
        # The same number, its gradient flowing through x alone and not through the density's θ.
        log_prob = _with_frozen_parameters(flow, x, context)
    target = log_density(x)
    arguments.values("log_density", target, x)
    return Estimate.of(log_prob - target).unless_nan("log_density", target)


def _with_frozen_parameters(flow: Flow, x: Tensor, context: Tensor | None) -> Tensor:
    """log p_x(x) as a function of x alone, x drawn from the flow."""
    frozen = {f"flow.{name}": value.detach() for name, value in flow.named_parameters()}
    # In evaluation mode, where a normalisation by batches inverts the map that drew x.
    training = [module for module in flow.modules() if module.training]
    try:
        for module in training:
            module.training = False
        return torch.func.functional_call(_LogProb(flow), frozen, (x, context))
    finally:
        for module in training:
            module.training = True


class _LogProb(nn.Module):
    """``flow.log_prob`` as a module's call, which is what ``functional_call`` can replace."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        return self.flow.log_prob(x, context)
