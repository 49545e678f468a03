"""The universality of flows by construction: maps made of conditional CDFs (section 2.2)."""

from flowviz.flows.constructions.tabulated import TabulatedMap

__all__ = ["TabulatedMap"]
