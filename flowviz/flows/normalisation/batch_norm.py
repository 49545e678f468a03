"""Batch normalisation as a layer of a flow."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz.flows.linear.diagonal import Diagonal
from flowviz.flows.numerics.transforms import transformed

EPSILON = 1e-5
MOMENTUM = 0.1


class BatchNorm(Diagonal):
    """z' = m + √(v + ε) ⊙ (z − b) ⊙ exp(−s), and so z = b + exp(s) ⊙ (z' − m) / √(v + ε).

    The published layer (Dinh et al. 2017, Papamakarios et al. 2017; section 3.4) is the map from
    data to base. With s and b learned, log|det J| = Σ ½ log(v + ε) − s from base to data.

    In evaluation mode m and v are the running statistics in both directions: a diagonal map,
    each point on its own. In training mode the directions differ:

    - data → base (``inverse``, ``log_prob``) normalises with the batch's own mean and variance,
      through which gradients flow, and moves the running ones 10 % of the way to them. The points
      of a batch depend on each other then, and no map of single points inverts it: a point's
      density is that of the evaluation mode.
    - base → data (``forward``, ``sample``) has no batch of data, and uses the running statistics.

    So the two directions are inverse to each other in evaluation mode only, and a flow that is
    trained by samples of its own (reverse KL) keeps the statistics that it has: 0 and 1 at first.
    A batch of fewer than two points has no variance and is treated as in evaluation; one with a
    value that is not finite leaves the running statistics as they are.

    Raises:
        RuntimeError: by ``inverse`` of a batch in training mode, within ``torch.func``:
            the running statistics cannot move there.
    """

    running_mean: Tensor
    running_var: Tensor
    statistics = ("running_mean", "running_var")
    """The buffers that batches move."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        log_scale = 0.5 * torch.log(self.running_var + EPSILON) - self.log_scale
        image = self.running_mean + (z - self.shift) * torch.exp(log_scale)
        return image, log_scale.sum().expand(z.shape[:-1])

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        mean, variance = self._statistics(z)
        log_scale = self.log_scale - 0.5 * torch.log(variance + EPSILON)
        image = self.shift + (z - mean) * torch.exp(log_scale)
        return image, log_scale.sum().expand(z.shape[:-1])

    def _statistics(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """m and v ``[D]`` for data → base; in training the batch's, which are remembered."""
        rows = z.reshape(-1, self.dim)
        if not self.training or len(rows) < 2:
            return self.running_mean, self.running_var
        if transformed():
            raise RuntimeError(
                "batch normalisation moves its running statistics with every batch of data in "
                "training mode, and nothing moves within torch.func: call .eval() on the flow first"
            )
        variance, mean = torch.var_mean(rows, 0, correction=0)
        with torch.no_grad():
            unbiased = variance * len(rows) / (len(rows) - 1)
            for running, now in ((self.running_mean, mean), (self.running_var, unbiased)):
                # By `where`, so that nothing has to wait for the numbers.
                moved = torch.lerp(running, now, MOMENTUM)
                running.copy_(torch.where(moved.isfinite(), moved, running))
        return mean, variance
