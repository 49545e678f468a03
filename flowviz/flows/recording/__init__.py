"""A flow's passes, recorded once and then played without autograd's bookkeeping.

Half of a small flow's training step is not arithmetic: autograd builds the same graph of some
hundred nodes, step after step, and takes it apart again. A :class:`Player` writes down which
operations one pass and its gradient consist of, below autograd, and plays them from then on as
two TorchScript programs that are one node of autograd's graph. They are the same operations in
the same order, and so yield the same numbers. On an NVIDIA GPU, where launching kernels takes
longer than they run, each program is one CUDA graph.

>>> player = Player(flow)
>>> for x in batches:
...     with player:
...         loss = -flow.log_prob(x).mean()
...     loss.backward()

Maximum likelihood is that loss and no other. Pass and gradient are then one program, and autograd
has no part in it:

>>> for x in batches:
...     with player:
...         log_prob = flow.log_prob_backward(x)
"""

from flowviz.flows.recording.descent import Descent
from flowviz.flows.recording.player import MOST_KINDS, WARM_UP, Pass, Player
from flowviz.flows.recording.recording import Recording

__all__ = ["MOST_KINDS", "WARM_UP", "Descent", "Pass", "Player", "Recording"]
