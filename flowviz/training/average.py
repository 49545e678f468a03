"""A moving average of a flow's weights: what is shown of a training run that still jitters."""

from __future__ import annotations

import copy
import itertools

import torch

from flowviz.flows.flow import Flow
from flowviz.training.places import Places, alike

START = 9
"""η: until the average is long enough, it is over the last 1/(η + 1) of the steps so far."""


class MovingAverage:
    """A copy of a flow with weights w̄ ← w̄ + a (w − w̄),  a = max(1/N, (η + 1)/(t + η)).

    At a constant learning rate the weights jitter about where they are going, which soon costs
    more nats than what is left to learn; their mean does not (Polyak & Juditsky 1992). The decay
    1 − 1/N is that of an exponential moving average over about N steps. Before that it is
    polynomial-decay averaging (Shamir & Zhang 2013): at t = 1 the rate is 1, so that nothing of the
    initial weights is left, and it falls as the run grows, so that the mean keeps up with the
    descent of the first steps; a mean of all weights so far would trail far behind.

    Buffers (of batch normalisation, say) and weights that are not trained are copied.

    Args:
        flow: whose weights will move.
        span: N ≥ 1, the steps.

    Attributes:
        flow: the copy, in evaluation mode.
    """

    def __init__(self, flow: Flow, span: int) -> None:
        self.flow = copy.deepcopy(flow).eval()
        self._span = span
        self._mine, self._its = Places(self.flow), Places(flow)

    @torch.no_grad()
    def include(self, step: int) -> None:
        """Take the flow's weights after ``step`` ≥ 0 updates into the average."""
        mine, its = self._mine.tensors(), self._its.tensors()
        if not alike(mine, its):  # the flow was moved
            self.flow.to(next(t for t in its if t.is_floating_point()))
            mine = self._mine.tensors()
        trained = [t.requires_grad for t in its]
        means, weights = (list(itertools.compress(tensors, trained)) for tensors in (mine, its))
        torch._foreach_lerp_(means, weights, rate(step, self._span))
        if not all(trained):
            other = [not moves for moves in trained]
            copies, others = (list(itertools.compress(tensors, other)) for tensors in (mine, its))
            torch._foreach_copy_(copies, others)


def rate(step: int, span: int) -> float:
    """a: the share of the weights after ``step`` updates in their average over ``span`` steps."""
    return min(1.0, max(1 / span, (START + 1) / (step + START)))
