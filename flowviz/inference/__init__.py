"""What flows are used for: sampling, weighting, and inference (section 6.2).

>>> sample = flowviz.inference.importance_sampling(flow, target.log_density, 10_000)
>>> sample.effective_sample_size(), sample.pareto_k()
>>> chains = flowviz.inference.hmc(flowviz.inference.pulled_back(flow, target.log_density), u, 500)
"""

from flowviz.inference.diagnostics import effective_sample_size, r_hat
from flowviz.inference.importance import ImportanceSample, importance_sampling, weight_variance
from flowviz.inference.likelihood_free import (
    NeuralPosterior,
    Simulator,
    straight_line_simulator,
    two_moons_simulator,
)
from flowviz.inference.markov_chains import (
    Chains,
    hmc,
    pulled_back,
    pushed_forward,
    random_walk,
)
from flowviz.inference.rejection import RejectionSample, rejection_sampling
from flowviz.inference.variational import VAE
from flowviz.objectives.pareto import pareto_k

__all__ = [
    "VAE",
    "Chains",
    "ImportanceSample",
    "NeuralPosterior",
    "RejectionSample",
    "Simulator",
    "effective_sample_size",
    "hmc",
    "importance_sampling",
    "pareto_k",
    "pulled_back",
    "pushed_forward",
    "r_hat",
    "random_walk",
    "rejection_sampling",
    "straight_line_simulator",
    "two_moons_simulator",
    "weight_variance",
]
