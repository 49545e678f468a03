"""What training minimises and what tells two distributions apart (sections 2.3 and 2.3.4).

Every estimator returns an :class:`Estimate`: a value that carries the gradient, and its standard
error.

>>> x, y = target.sample(512), flow.rsample_and_log_prob(512)[0]
>>> flowviz.objectives.mmd(x, y).value.backward()
"""

from flowviz.objectives.duality import Duality, kl_duality
from flowviz.objectives.estimate import Estimate
from flowviz.objectives.f_divergences import (
    FDivergence,
    alpha_divergence,
    divergence,
    f_divergence,
)
from flowviz.objectives.integral_probability_metrics import (
    energy_distance,
    mmd,
    sliced_wasserstein,
    wasserstein_1d,
)
from flowviz.objectives.kullback_leibler import forward_kl, forward_kl_backward, reverse_kl
from flowviz.objectives.variational_bound import variational_bound

__all__ = [
    "Duality",
    "Estimate",
    "FDivergence",
    "alpha_divergence",
    "divergence",
    "energy_distance",
    "f_divergence",
    "forward_kl",
    "forward_kl_backward",
    "kl_duality",
    "mmd",
    "reverse_kl",
    "sliced_wasserstein",
    "variational_bound",
    "wasserstein_1d",
]
