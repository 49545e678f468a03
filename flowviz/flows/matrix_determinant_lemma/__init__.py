"""Residual flows whose determinant the matrix determinant lemma gives (section 3.3.2)."""

from flowviz.flows.matrix_determinant_lemma.planar import Planar
from flowviz.flows.matrix_determinant_lemma.radial import Radial
from flowviz.flows.matrix_determinant_lemma.sylvester import Sylvester

__all__ = ["Planar", "Radial", "Sylvester"]
