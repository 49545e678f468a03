"""Normalisation as a bijection (section 3.4)."""

from flowviz.flows.normalisation.actnorm import ActNorm
from flowviz.flows.normalisation.batch_norm import BatchNorm
from flowviz.flows.normalisation.multi_scale import MultiScale, Partial
from flowviz.flows.normalisation.standardisation import Standardisation, StandardisedContext

__all__ = [
    "ActNorm",
    "BatchNorm",
    "MultiScale",
    "Partial",
    "Standardisation",
    "StandardisedContext",
]
