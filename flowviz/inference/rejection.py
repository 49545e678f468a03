"""Rejection sampling with a flow as the proposal (section 6.2.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.inference.importance import highest_weight


@dataclass(frozen=True)
class RejectionSample:
    """Independent draws of p̃/Z, exact if the envelope is one.

    Attributes:
        x: ``[n, D]``; fewer than asked for where the proposals ran out.
        proposals: how many draws of the flow were made.
        acceptance: the share of the proposals that were kept.
        log_envelope: log M, with p̃ ≤ M q at every proposal.
        raised: how often a weight above the envelope made it rise. Where it rose the sample is
            only asymptotically exact, and regions that no proposal met are missing.
    """

    x: Tensor
    proposals: int
    acceptance: float
    log_envelope: float
    raised: int


@torch.no_grad()
def rejection_sampling(
    flow: Flow,
    log_density: Callable[[Tensor], Tensor],
    n: int,
    *,
    log_envelope: float | None = None,
    batch: int = 4096,
    max_proposals: int = 1_000_000,
    generator: Generator | None = None,
) -> RejectionSample:
    """Keep a draw x of the flow with probability p̃(x) / (M q(x)).

    M is the largest weight seen, found in a first batch where it is not given. Whenever a larger
    one turns up M rises and what was kept is thinned to match, as the empirical supremum
    rejection sampler does (Caffo, Booth & Davis 2002).

    Args:
        flow: q.
        log_density: log p̃, unnormalised, ``[N, D] -> [N]``.
        n: how many draws are wanted, ≥ 1.
        log_envelope: log M where it is known.
        batch: proposals made at a time.
        max_proposals: at most, about, so that a poor proposal ends.
        generator: of all draws.

    Raises:
        ValueError: a setting out of range, values that are NaN, +∞ or of another shape, or −∞ at
            every proposal.
    """
    arguments.instance("flow", flow, Flow)
    arguments.function("log_density", log_density)
    for name, value in (("n", n), ("batch", batch), ("max_proposals", max_proposals)):
        arguments.whole(name, value, 1)
    if log_envelope is None:
        log_m = -math.inf
    elif arguments.is_real(log_envelope) and math.isfinite(log_envelope):
        log_m = float(log_envelope)
    else:
        raise ValueError(f"log_envelope must be a finite number, got {log_envelope!r}")
    kept: list[Tensor] = []
    count, proposals, raised, seen = 0, 0, 0, -math.inf
    while count < n and proposals < max_proposals:
        x, log_q = flow.rsample_and_log_prob(batch, generator=generator)
        log_w = arguments.values("log_density", log_density(x), x) - log_q
        highest = highest_weight(log_w)
        seen = max(seen, highest)
        if highest > log_m:
            raised += bool(proposals) or log_envelope is not None
            keep = torch.exp(torch.tensor(log_m - highest))
            kept = [rows[_uniform(rows, generator) < keep] for rows in kept]
            log_m = highest
        kept.append(x[_uniform(x, generator) < torch.exp(log_w - log_m)])
        count = sum(map(len, kept))
        proposals += batch
    if seen == -math.inf:
        raise ValueError(
            f"log_density is −∞ at all {proposals} draws: the proposal misses the target"
        )
    return RejectionSample(torch.cat(kept)[:n], proposals, count / proposals, log_m, raised)


def _uniform(rows: Tensor, generator: Generator | None) -> Tensor:
    return torch.rand(len(rows), generator=generator, dtype=rows.dtype, device=rows.device)
