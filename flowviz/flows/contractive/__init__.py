"""Contractive residual flows (section 3.3.1)."""

from flowviz.flows.contractive.dense import ContractiveDenseNet
from flowviz.flows.contractive.lipschitz import bounded, norm_bound, power_iteration, spectral_norm
from flowviz.flows.contractive.log_determinant import Exact, Hutchinson, RussianRoulette, Series
from flowviz.flows.contractive.network import ContractiveMLP
from flowviz.flows.contractive.residual import ContractiveResidual, Lipschitz

__all__ = [
    "ContractiveDenseNet",
    "ContractiveMLP",
    "ContractiveResidual",
    "Exact",
    "Hutchinson",
    "Lipschitz",
    "RussianRoulette",
    "Series",
    "bounded",
    "norm_bound",
    "power_iteration",
    "spectral_norm",
]
