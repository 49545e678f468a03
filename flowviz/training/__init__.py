"""Training: the one trainer, which every panel uses and so can a script, and what it minimises.

>>> target = flowviz.targets.make("eight_gaussians")
>>> flow = flowviz.flows.catalog.make("rq_spline_coupling", seed=0)
>>> trainer = Trainer(flow, maximum_likelihood(target, batch=512), seed=0)
>>> for snapshot in trainer.run(2000, every=100):
...     print(snapshot.step, snapshot.loss, "±", snapshot.standard_error)

Data of your own, ``x [N, D]``, are ``maximum_likelihood(x)``; a density of your own is
``variational(log_density)``; and any ``loss(flow)`` is an objective.
"""

from flowviz.training.adam import Adam
from flowviz.training.adversarial import Adversarial, Discriminator
from flowviz.training.average import MovingAverage
from flowviz.training.data import Data, Sampler
from flowviz.training.flow_matching import flow_matching
from flowviz.training.objective import (
    Density,
    Loss,
    MaximumLikelihood,
    Objective,
    maximum_likelihood,
    variational,
)
from flowviz.training.trainer import Optimizer, Snapshot, Trainer

__all__ = [
    "Adam",
    "Adversarial",
    "Data",
    "Density",
    "Discriminator",
    "Loss",
    "MaximumLikelihood",
    "MovingAverage",
    "Objective",
    "Optimizer",
    "Sampler",
    "Snapshot",
    "Trainer",
    "flow_matching",
    "maximum_likelihood",
    "variational",
]
