"""The KL divergence, measured on the data's side and on the base's (section 2.3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.objectives.estimate import Estimate
from flowviz.objectives.f_divergences import not_below_zero, positive_at_samples


@dataclass(frozen=True)
class Duality:
    """The same divergence, twice.

    Attributes:
        data: D_KL[p*_x ‖ p_x], the target against the flow.
        base: D_KL[p*_u ‖ p_u], the target pulled back to the base, against the base.
    """

    data: Estimate
    base: Estimate


@torch.no_grad()
def kl_duality(
    flow: Flow, log_prob: Callable[[Tensor], Tensor], x: Tensor, other: Tensor
) -> Duality:
    """D_KL[p*_x ‖ p_x] = D_KL[p*_u ‖ p_u], from samples of their own for each side.

    On the side of the base, u = T⁻¹(x) and log p*_u(u) = log p*_x(T(u)) + log|det J_T(u)|, with
    the forward map: equality tells that both directions of the flow and both log-dets are right.

    Args:
        flow: p_x, with base p_u.
        log_prob: log p*_x, normalised, ``[N, D] -> [N]``.
        x: samples of p*_x ``[N, D]`` for the data's side.
        other: more of them, independent, for the base's side.

    Raises:
        ValueError: a wrong shape, fewer than two samples on a side, or p* is 0 at one.
        FloatingPointError: an estimate is NaN, because ``log_prob`` is somewhere; or it is surely
            below 0, as one of the densities is not normalised.
    """
    arguments.instance("flow", flow, Flow)
    arguments.function("log_prob", log_prob)
    for name, samples in (("x", x), ("other", other)):
        arguments.array(name, samples, "[N, D]", least=2)
    log_p = positive_at_samples(arguments.values("log_prob", log_prob(x), x))
    data = Estimate.of(log_p - flow.log_prob(x)).unless_nan("log_prob", log_p)
    u, _ = flow.inverse(other)
    image, logabsdet = flow(u)
    log_p = positive_at_samples(arguments.values("log_prob", log_prob(image), image))
    base = Estimate.of(log_p + logabsdet - flow.base.log_prob(u)).unless_nan("log_prob", log_p)
    return Duality(not_below_zero(data, len(x)), not_below_zero(base, len(other)))
