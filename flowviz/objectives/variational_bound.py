"""f-divergences from samples alone, from below (section 2.3.4)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.objectives.estimate import Estimate
from flowviz.objectives.f_divergences import (
    FDivergence,
    divergence,
    heavy_over_p,
    heavy_over_q,
)


def variational_bound(
    name: str | FDivergence, critic: Callable[[Tensor], Tensor], x: Tensor, y: Tensor
) -> Estimate:
    """E_p[f′(e^V)] − E_q[f*(f′(e^V))] ≤ D_f(p ‖ q), with equality at V = log(p/q).

    Nguyen, Wainwright & Jordan 2010; f-GANs, Nowozin, Cseke & Tomioka 2016. The critic V is
    free: writing it as a log-ratio keeps every f′(e^V) in the domain of its conjugate.

    Args:
        name: the f-divergence.
        critic: V, ``[N, D] -> [N]``.
        x: samples of p ``[N, D]``.
        y: samples of q ``[M, D]``.

    Returns:
        The estimate; its standard error is ∞ where the terms show no variance.

    Raises:
        ValueError: an unknown divergence, or there are no samples.
    """
    kind = divergence(name)
    arguments.function("critic", critic)
    for side, samples in (("x", x), ("y", y)):
        arguments.array(side, samples, "[N, D]")
    at_x, at_y = (arguments.values("critic", critic(z), z) for z in (x, y))
    witness, penalty = kind.witness(at_x), kind.penalty(at_y)
    ours, theirs = Estimate.of(witness), Estimate.of(penalty)
    error = torch.hypot(ours.standard_error, theirs.standard_error)
    bound = Estimate(ours.value - theirs.value, error)
    if not bool(error.isfinite()):
        return bound
    heavy = heavy_over_p(kind, at_x, witness) or heavy_over_q(kind, at_y, penalty)
    return bound.without_error() if heavy else bound
