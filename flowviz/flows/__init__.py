"""The flow engine: bijections, flows, and the catalogue of families.

>>> from flowviz.flows import catalog
>>> flow = catalog.make("real_nvp", dim=2, layers=4, seed=0)
>>> x = flow.sample(512)          # [512, 2]
>>> flow.log_prob(x).shape        # [512]

A flow for data of any scale, and its file:

>>> flow = flow.standardised(x)
>>> save(flow, "mine.safetensors")  # doctest: +SKIP
>>> flow = load("mine.safetensors")  # doctest: +SKIP
"""

from flowviz.flows import catalog
from flowviz.flows.bijection import Bijection, Composition, Inverse, jacobian
from flowviz.flows.check import Check, check
from flowviz.flows.files import load, save
from flowviz.flows.flow import Flow, Trace
from flowviz.flows.recording import Player

__all__ = [
    "Bijection",
    "Check",
    "Composition",
    "Flow",
    "Inverse",
    "Player",
    "Trace",
    "catalog",
    "check",
    "jacobian",
    "load",
    "save",
]
